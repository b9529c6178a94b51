"""Credentials as they go on the wire, and the login step."""

from typing import Any

import orjson
import pytest

from backend.app.core.redaction import redact_values
from backend.app.engine.credentials import LoginFailed, log_in, resolve_pointer, static_credentials
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing

STEP = {
    "url": "/login",
    "method": "POST",
    "body": {"user": "ada"},
    "token_pointer": "/access_token",
    "header": "Authorization",
    "prefix": "Bearer ",
}


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("none", {}, Credentials()),
        ("bearer", {"token": "t"}, Credentials(headers=(("Authorization", "Bearer t"),))),
        (
            "basic",
            {"username": "Aladdin", "password": "open sesame"},
            Credentials(headers=(("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)),
        ),
        ("basic", {"username": "é", "password": ""}, Credentials(headers=(("Authorization", "Basic w6k6"),))),
        ("api_key_header", {"name": "X-Key", "value": "v"}, Credentials(headers=(("X-Key", "v"),))),
        ("api_key_query", {"name": "key", "value": "v"}, Credentials(query=(("key", "v"),))),
    ],
)
def test_each_kind_goes_to_its_place(kind: str, values: dict[str, str], expected: Credentials) -> None:
    assert static_credentials(kind, values) == expected


async def login(answer: Answer | None, **step: Any) -> tuple[Credentials, Request]:
    sent: list[Request] = []

    async def send(request: Request) -> Exchange:
        sent.append(request)
        outcome = Outcome.ANSWERED if answer else Outcome.TIMEOUT
        return Exchange(request, outcome, Timing(0), answer, "" if answer else "nobody is there")

    return await log_in({**STEP, **step}, "http://api.test/v1/", send), sent[0]


def says(document: Any, status: int = 200) -> Answer:
    return Answer(status, (), orjson.dumps(document))


async def test_the_token_is_taken_from_the_answer() -> None:
    credentials, request = await login(says({"access_token": "t0ken"}))
    assert credentials == Credentials(headers=(("Authorization", "Bearer t0ken"),))
    assert (request.method, request.url) == ("POST", "http://api.test/v1/login")
    assert orjson.loads(request.body or b"") == {"user": "ada"}


async def test_the_token_is_masked_from_there_on() -> None:
    await login(says({"access_token": "given-t0ken"}))
    assert redact_values("it said given-t0ken") == "it said ***"


async def test_the_step_says_where_and_how() -> None:
    step = {"url": "https://id.test/token?x=1", "method": "GET", "header": "X-Session", "prefix": ""}
    credentials, request = await login(says(["a", {"b/c": 7}]), token_pointer="/1/b~1c", **step)
    assert credentials.headers == (("X-Session", "7"),)
    assert (request.method, request.url, request.body) == ("GET", "https://id.test/token?x=1", None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "nobody is there"),
        (says({"access_token": "t"}, 403), "403"),
        (Answer(200, (), b"<html>"), "JSON"),
        (says({}), "/access_token"),
        (says({"access_token": None}), "/access_token"),
        (says({"access_token": True}), "/access_token"),
        (says({"access_token": {"value": "t"}}), "/access_token"),
        (says({"access_token": "t\r\nX-Evil: 1"}), "/access_token"),
        (says([]), "/access_token"),
        (says({"access_token": ""}), "/access_token"),
        (says({"access_token": "  "}), "/access_token"),
        (says({"access_token": "t" * 20_000}), "16384 characters"),
    ],
)
async def test_a_login_that_gives_no_token_says_why(answer: Answer | None, words: str) -> None:
    with pytest.raises(LoginFailed, match=words):
        await login(answer)


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", {"a": [1, {"": 2}]}),
        ("/a/0", 1),
        ("/a/1/", 2),
        ("/a/9", None),
        ("/a/-1", None),
        ("/a/00", None),
        ("/a/\u0660", None),
        ("/a/" + "9" * 400, None),
        ("/b", None),
        ("/a/0/x", None),
    ],
)
def test_pointers(pointer: str, expected: Any) -> None:
    assert resolve_pointer({"a": [1, {"": 2}]}, pointer) == expected
