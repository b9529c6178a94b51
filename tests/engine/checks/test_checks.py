from dataclasses import replace
from typing import Any

import orjson
import pytest

from backend.app.engine.checks import (
    NOT_JSON,
    Baseline,
    CheckContext,
    Failure,
    checks,
    documented_response,
    matching_media,
)
from backend.app.engine.checks.response_schema import pointer_shape
from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.requests import Inputs
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import MediaType, Operation, ResponseSpec

PET = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
JSON = MediaType("application/json", PET)
GET = Operation("GET", "/pets/{id}", responses=(ResponseSpec("200", (JSON,)), ResponseSpec("4XX")))
CLOSED = replace(GET, security=(("bearer",),))


def judge(
    name: str,
    status: int = 200,
    document: Any = None,
    *,
    operation: Operation = GET,
    expectation: Expectation = Expectation.ACCEPTED,
    content_type: str | None = "application/json",
    kind: str = "valid",
    part: str = "",
    outcome: Outcome = Outcome.ANSWERED,
    redirects: tuple[str, ...] = (),
    body: bytes | None = None,
    **more: Any,
) -> Failure | None:
    content = body if body is not None else (b"" if document is None else orjson.dumps(document))
    headers = (("Content-Type", content_type),) if content_type else ()
    answer = Answer(status, headers, content) if outcome is Outcome.ANSWERED else None
    request = Request(operation.method, "http://h/pets/1")
    exchange = Exchange(request, outcome, Timing(0.0), answer, redirects=redirects)
    case = Case(kind, "a request", operation, Inputs(), expectation, part)
    parsed = document if document is not None else NOT_JSON
    return checks.get(name)(CheckContext(case, exchange, SchemaValidator({}), parsed, **more))


def test_all_checks_are_found() -> None:
    assert checks.names() == [
        "content_type",
        "missing_auth",
        "negative_accepted",
        "required_header",
        "response_schema",
        "server_error",
        "transport",
        "undocumented_status",
    ]


@pytest.mark.parametrize("name", ["content_type", "response_schema", "server_error", "undocumented_status"])
def test_a_documented_answer_passes(name: str) -> None:
    assert judge(name, 200, {"id": 1}) is None
    assert judge(name, 200, {"id": 1}, content_type="Application/JSON; charset=utf-8") is None


@pytest.mark.parametrize(("status", "severity"), [(500, "high"), (503, "high"), (501, "medium")])
def test_server_errors(status: int, severity: str) -> None:
    failure = judge("server_error", status)
    assert failure is not None
    assert failure.severity == severity
    assert judge("server_error", 499) is None


def test_a_wrong_request_is_not_blamed_for_what_valid_ones_meet_too() -> None:
    wrong: dict[str, Any] = {"expectation": Expectation.REJECTED, "kind": "wrong_type"}
    failure = judge("server_error", 500, **wrong)
    assert failure is not None
    assert failure.subject == "status 500 wrong_type"
    assert judge("server_error", 500, **wrong, baseline=Baseline(failures=frozenset({"status 500"}))) is None


@pytest.mark.parametrize(
    ("status", "more", "severity"),
    [
        (202, {}, "medium"),
        (302, {}, "low"),
        (302, {"redirects": ("http://h/x",)}, None),
        (429, {"operation": replace(GET, responses=GET.responses[:1])}, None),
        (401, {"operation": replace(CLOSED, responses=GET.responses[:1])}, None),
        (401, {"operation": replace(GET, responses=GET.responses[:1])}, "low"),
        (404, {"operation": replace(GET, responses=GET.responses[:1])}, "low"),
        (404, {"operation": replace(GET, path="/pets", responses=GET.responses[:1])}, "medium"),
        (404, {"operation": replace(GET, responses=GET.responses[:1]), "invented": True}, None),
        (409, {"operation": replace(GET, responses=GET.responses[:1])}, "low"),
        (405, {"operation": replace(GET, responses=GET.responses[:1])}, "medium"),
        (418, {}, None),
        (202, {"operation": replace(GET, responses=())}, None),
        (202, {"operation": replace(GET, responses=(ResponseSpec("default"),))}, None),
        (500, {}, None),
    ],
)
def test_undocumented_statuses(status: int, more: dict[str, Any], severity: str | None) -> None:
    failure = judge("undocumented_status", status, **more)
    assert (failure.severity if failure else None) == severity


def test_a_documented_server_error_weighs_less() -> None:
    admitted = replace(GET, responses=(*GET.responses, ResponseSpec("503")))
    catch_all = replace(GET, responses=(*GET.responses, ResponseSpec("default")))
    severities = [judge("server_error", 503, operation=operation) for operation in (GET, admitted, catch_all)]
    assert [failure and failure.severity for failure in severities] == ["high", "low", "high"]


@pytest.mark.parametrize(
    ("content_type", "body", "fails"),
    [
        ("text/html", b"<p>", True),
        (None, b"{}", True),
        ("application/problem+json", b"{}", True),
        ("text/html", b"", False),
    ],
)
def test_content_types(content_type: str | None, body: bytes, fails: bool) -> None:
    assert (judge("content_type", 200, content_type=content_type, body=body) is not None) is fails


def test_ranges_of_media_types() -> None:
    response = ResponseSpec("200", (MediaType("*/*"), MediaType("image/*"), MediaType("image/png")))
    found = [matching_media(response, name) for name in ("image/png", "image/gif; q=1", "text/plain")]
    assert [media.content_type for media in found if media] == ["image/png", "image/*", "*/*"]


@pytest.mark.parametrize(("status", "expected"), [(200, "200"), (201, "2XX"), (418, "default")])
def test_the_closest_documented_response_counts(status: int, expected: str) -> None:
    operation = replace(GET, responses=tuple(map(ResponseSpec, ("default", "2XX", "200"))))
    response = documented_response(operation, status)
    assert response is not None
    assert response.status == expected


def test_a_body_against_its_schema() -> None:
    failure = judge("response_schema", 200, {"id": "one"})
    assert failure is not None
    assert failure.subject == "200 /id"
    assert failure.evidence["pointer"] == "/id"
    assert judge("response_schema", 200, {"id": "one"}, expectation=Expectation.REJECTED) is None
    head = replace(GET, method="HEAD")
    assert judge("response_schema", 200, operation=head, body=b"") is None
    empty = judge("response_schema", 200, body=b"")
    assert empty is not None
    assert empty.title == "Empty body"
    broken = judge("response_schema", 200, body=b"{")
    assert broken is not None
    assert broken.title == "Body is not JSON"
    no_content = replace(GET, responses=(ResponseSpec("204", (JSON,)),))
    assert judge("response_schema", 204, operation=no_content, body=b"") is None


@pytest.mark.parametrize(
    ("pointer", "shape"), [("/0/age", "/*/age"), ("/a/12/b/3", "/a/*/b/*"), ("/v1/x2", "/v1/x2"), ("", "")]
)
def test_array_indices_do_not_count(pointer: str, shape: str) -> None:
    assert pointer_shape(pointer) == shape


def test_the_first_pointer_is_the_same_whichever_items_are_wrong() -> None:
    operation = replace(
        GET, responses=(ResponseSpec("200", (MediaType("application/json", {"type": "array", "items": PET}),)),)
    )
    subjects = set()
    for document in ([{"id": "x"}], [{"id": 1}, {"id": "x"}], [{"id": None}, {"id": "x"}]):
        failure = judge("response_schema", 200, document, operation=operation)
        assert failure is not None
        subjects.add(failure.subject)
    assert subjects == {"200 /*/id"}


def test_wrong_input_that_is_accepted() -> None:
    wrong: dict[str, Any] = {"expectation": Expectation.REJECTED, "kind": "wrong_type"}
    in_body = judge("negative_accepted", 201, part="body /age", **wrong)
    in_query = judge("negative_accepted", 200, part="query limit", **wrong)
    assert in_body is not None
    assert in_query is not None
    assert (in_body.severity, in_query.severity) == ("medium", "low")
    assert judge("negative_accepted", 400, **wrong) is None
    assert judge("negative_accepted", 302, **wrong) is None
    assert judge("negative_accepted", 200) is None


def test_missing_authentication() -> None:
    without: dict[str, Any] = {"operation": CLOSED, "expectation": Expectation.UNAUTHENTICATED}
    failure = judge("missing_auth", 200, **without, baseline=Baseline(succeeded=True))
    assert failure is not None
    assert failure.severity == "critical"
    assert judge("missing_auth", 200, **without) is None
    assert judge("missing_auth", 401, **without, baseline=Baseline(succeeded=True)) is None
    assert judge("missing_auth", 200, operation=CLOSED, authenticated=True) is None
    alone = judge("missing_auth", 200, operation=CLOSED)
    assert alone is not None
    assert alone.severity == "high"
    assert judge("missing_auth", 200, operation=replace(CLOSED, security=((), ("bearer",)))) is None
    login_page: dict[str, Any] = {**without, "redirects": ("http://h/login",)}
    assert judge("missing_auth", 200, **login_page, baseline=Baseline(succeeded=True)) is None


@pytest.mark.parametrize("outcome", list(Outcome))
def test_broken_exchanges(outcome: Outcome) -> None:
    failure = judge("transport", outcome=outcome)
    assert (failure is not None) is (
        outcome
        in (
            Outcome.TIMEOUT,
            Outcome.RESET,
            Outcome.PROTOCOL_ERROR,
            Outcome.TOO_LARGE,
            Outcome.TOO_MANY_REDIRECTS,
        )
    )


def test_required_headers() -> None:
    operation = replace(GET, responses=(ResponseSpec("200", required_headers=("content-type", "ETag")),))
    failure = judge("required_header", 200, operation=operation)
    assert failure is not None
    assert failure.evidence["expected"] == ["ETag"]
