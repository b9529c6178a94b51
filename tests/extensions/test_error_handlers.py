"""Every failure is problem+json (RFC 9457) and tells nothing of the inside."""

import sqlite3
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.exc import OperationalError

from backend.app.core import errors
from backend.app.core.errors import TouchstoneError
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, Problem, envelope
from backend.app.core.schema import InputSchema
from backend.app.core.settings import Settings
from backend.app.core.views import access_control, view
from tests.support.apps import client_of, small_app

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TouchstoneError)]


class Part(InputSchema):
    size: int


class Whole(InputSchema):
    parts: list[Part]
    names: dict[str, int] | None = None
    either: Part | Annotated[str, Field(min_length=1)] | None = None


def failing(error: Callable[[], Exception]) -> APIRouter:
    router = APIRouter()

    @view(router)
    class FailingViews:
        @router.get("/failing")
        @access_control(Permission.EVENTS_READ)
        async def read_failing(self) -> Envelope[str]:
            raise error()

        @router.put("/wholes/{number}")
        @access_control(Permission.EVENTS_READ)
        async def put_whole(self, number: int, body: Whole, flag: bool = False) -> Envelope[str]:
            return envelope("ok")

    return router


async def failure(error: Callable[[], Exception]) -> Any:
    return await client_of(small_app(failing(error), Settings())).get("/failing")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_each_kind_of_error_has_its_shape(kind: type[TouchstoneError]) -> None:
    answer = await failure(lambda: kind("because", errors=[{"parameter": "limit", "detail": "no"}]))
    body = answer.json()
    assert answer.status_code == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body == {
        "type": f"urn:touchstone:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "because",
        "instance": "/api/v1/failing",
        "code": kind.code,
        "request_id": answer.headers["x-request-id"],
        "errors": [{"parameter": "limit", "detail": "no"}],
    }
    assert {name: answer.headers[name] for name in kind().headers} == kind().headers
    Problem.model_validate(body)


async def test_the_unforeseen_says_nothing_of_the_inside() -> None:
    answer = await failure(lambda: RuntimeError("password=hunter2 in /srv/secret.py"))
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal.error"
    assert "hunter2" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_busy_database_asks_to_come_again() -> None:
    busy = sqlite3.OperationalError("database is locked")
    answer = await failure(lambda: OperationalError("SELECT secret", {}, busy))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "SELECT" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "route.not_found"), ("PATCH", "/failing", 405, "route.method_not_allowed")],
)
async def test_what_no_route_answers(method: str, path: str, status: int, code: str) -> None:
    answer = await client_of(small_app(failing(ValueError), Settings())).request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("allow" in answer.headers) == (status == 405)


async def test_field_faults_name_their_place() -> None:
    client = client_of(small_app(failing(ValueError), Settings()))
    answer = await client.put(
        "/wholes/x?flag=perhaps", json={"parts": [{"size": 1}, {"size": "big"}], "names": {"a/b~ é": "x"}}
    )
    places = [fault.get("pointer") or (fault["in"], fault["parameter"]) for fault in answer.json()["errors"]]
    assert places == [
        ("path", "number"),
        ("query", "flag"),
        "#/parts/1/size",
        "#/names/a~1b~0%20%C3%A9",
    ]
    assert answer.json()["detail"].startswith("path.number: ")


@pytest.mark.parametrize(
    ("either", "places"),
    [("", {"#/either"}), (7, {"#/either"}), ({"size": "big"}, {"#/either/size", "#/either"}),
     ({}, {"#/either/size", "#/either"})],
    ids=["empty", "number", "member", "missing"],
)  # fmt: skip
async def test_a_fault_in_one_of_several_types_names_the_place_alone(either: object, places: set[str]) -> None:
    client = client_of(small_app(failing(ValueError), Settings()))
    answer = await client.put("/wholes/1", json={"parts": [], "either": either})
    assert {fault["pointer"] for fault in answer.json()["errors"]} == places


async def test_what_was_sent_is_not_echoed() -> None:
    client = client_of(small_app(failing(ValueError), Settings()))
    answer = await client.put("/wholes/1", json={"parts": "hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"parts": [{"size": 1, **{f"k{number}": 0 for number in range(50_000)}}]},
        {f"k{number}": 0 for number in range(50_000)},
        {"parts": [{}] * 50_000},
        {"parts": [], "k" * 1_000_000: 0},
    ],
    ids=["unknown members below", "unknown members", "many faults", "a long name"],
)
async def test_a_refusal_stays_small_whatever_was_sent(body: dict[str, Any]) -> None:
    answer = await client_of(small_app(failing(TouchstoneError), Settings())).put("/wholes/1", json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 20_000
    assert len(answer.json()["errors"]) <= 50
