"""Every odd JSON body is a 4xx, and never before it is known who calls."""

from typing import Any

import pytest
from fastapi import APIRouter

from backend.app.core import views
from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope
from backend.app.core.schema import InputSchema
from backend.app.core.settings import Settings, WebSettings
from backend.app.core.views import access_control, view
from tests.support.apps import client_of, small_app


class Thing(InputSchema):
    number: float = 0
    count: int = 0
    value: Any = None


def things() -> APIRouter:
    router = APIRouter()

    @view(router)
    class ThingViews:
        @router.put("/things")
        @access_control(Permission.PROJECTS_WRITE)
        async def put_thing(self, body: Thing) -> Envelope[Any]:
            return envelope(body.model_dump())

        @router.patch("/things")
        @access_control(Permission.PROJECTS_WRITE)
        async def patch_thing(self, body: Thing | None = None) -> Envelope[Any]:
            return envelope(body and body.model_dump())

    return router


APP = small_app(things(), Settings())
JSON = {"content-type": "application/json"}
MALFORMED = [
    b"{",
    b"{'number': 1}",
    b'{"number": NaN}',
    b'{"number": Infinity}',
    b'{"number": 1e400}',
    b'{"count": ' + b"9" * 5_000 + b"}",
    b'{"value": "\\ud800"}',
    b'{"value": "\xff"}',
    b'{"value": "\x00"}',
    b'{"number": 1} x',
    b'\xef\xbb\xbf{"number": 1}',
    '{"number": 1}'.encode("utf-16"),
    b'{"value": ' + b"[" * 100_000 + b"}",
]
INVALID = [
    b"[]",
    b"null",
    b'"text"',
    b'{"value": "\\u0000"}',
    b'{"value": {"\\u0000": 1}}',
    b'{"count": 1.5}',
    b'{"count": "many"}',
    b'{"unknown": 1}',
]


def start_of(raw: Any) -> str:
    return repr(raw)[:30]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("raw", MALFORMED, ids=start_of)
async def test_what_is_no_json_says_where(raw: bytes, method: str) -> None:
    answer = await client_of(APP).request(method, "/things", content=raw, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.malformed"
    assert "at character" in answer.json()["detail"]


@pytest.mark.parametrize("raw", INVALID, ids=start_of)
async def test_json_that_does_not_fit_is_a_422(raw: bytes) -> None:
    answer = await client_of(APP).put("/things", content=raw, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "request.invalid"
    assert answer.json()["errors"][0]["pointer"].startswith("#")


@pytest.mark.parametrize("raw", [*MALFORMED, *INVALID], ids=start_of)
async def test_who_calls_is_asked_first(raw: bytes) -> None:
    assert (await client_of(APP, who=None).put("/things", content=raw, headers=JSON)).status_code == 401


DEEP = [
    (b'{"value": ', b"[", b"]", b"}"),
    (b"", b'{"value":', b"}", b""),
    (b'{"value": "]]]}}}\\\\", "value": ', b"[", b"]", b"}"),
    (b'{"value": "\\"]]}}", "value": ', b"[", b"]", b"}"),
]


@pytest.mark.parametrize(("head", "opening", "closing", "tail"), DEEP)
@pytest.mark.parametrize("levels", [300, 900, 100_000])
async def test_json_nested_deeper_than_the_limit_is_a_422(
    head: bytes, opening: bytes, closing: bytes, tail: bytes, levels: int
) -> None:
    raw = head + opening * levels + b"1" + closing * levels + tail
    answer = await client_of(APP).put("/things", content=raw, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert "nested deeper than 64 levels" in answer.json()["detail"]


@pytest.mark.parametrize("limit", [5, 20, 64])
async def test_the_depth_is_a_setting(limit: int) -> None:
    client = client_of(small_app(things(), Settings(web=WebSettings(max_json_depth=limit))))
    for inner in (limit - 1, limit):
        wide = b",".join([b"[]"] * 200)
        raw = b'{"value": [' + wide + b"," + b"[" * (inner - 1) + b"]" * (inner - 1) + b"]}"
        answer = await client.put("/things", content=raw, headers=JSON)
        assert answer.status_code == (200 if inner < limit else 422), answer.text


@pytest.mark.parametrize("raw", [b'"\\"' * 400_000, b'[{"a":"' * 100_000, b"[]," * 400_000, b'"' + b'\\"' * 600_000])
def test_the_depth_of_hostile_text_is_found_in_one_pass(raw: bytes) -> None:
    views._refuse_deep(b"[" * 65 + raw, 64)  # what does not close is for the parser to refuse


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "text/json"]
)
async def test_other_kinds_of_content_are_refused(kind: str) -> None:
    client = client_of(APP)
    answer = await client.put("/things", content=b'{"number": 1}', headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "request.unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/vnd.api+JSON"])
async def test_json_under_any_of_its_names_is_read(kind: str) -> None:
    answer = await client_of(APP).put("/things", content=b'{"number": 1}', headers={"content-type": kind})
    assert answer.status_code == 200


async def test_large_numbers_and_equal_names_are_read_as_everywhere_in_the_web() -> None:
    raw = b'{"value": {"a": 1, "a": 18446744073709551616}}'
    answer = await client_of(APP).put("/things", content=raw, headers=JSON)
    assert answer.json()["data"]["value"] == {"a": 18446744073709551616.0}
