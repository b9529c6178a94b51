"""Secrets do not reach logs, events and reports in any of the forms that they take."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from backend.app.core import redaction
from backend.app.core.ids import new_ulid
from backend.app.core.redaction import (
    Values,
    is_distinctive,
    redact_json,
    redact_line,
    redact_phrases,
    redact_text,
    redact_values,
    remember,
    remember_opened,
    remember_settings,
)
from backend.app.core.secrets import Sealer
from backend.app.core.settings import AuthSettings, DatabaseSettings, RedisSettings, Settings
from backend.app.modules.auth.credentials.api_keys import new_api_key
from backend.app.modules.auth.credentials.mailed_tokens import new_mailed_token
from backend.app.modules.auth.credentials.refresh_tokens import new_refresh_token
from tests.support.payloads import load

CASES = load("redaction.json")
STORED = ("EXAMPLE-24", "EXAMPLE-25")
PLACES = {"redaction-034", "redaction-035", "redaction-036"}
"""Cases that name a sink, and no text."""


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    redaction._values.clear()
    yield
    redaction._values.clear()


def planted(case: dict[str, Any]) -> list[str]:
    """What has to be gone: the parts of the value that were made up."""
    value = case["value"].replace("<prefix>", "ak")
    if value in (quote(STORED[0]).replace("-", "%2D"), base64.b64encode(STORED[1].encode()).decode()):
        return [value]
    words = value
    for sign in "\"'{}[]:/?&=@,<> ":
        words = words.replace(sign, "\n")
    return [word for word in words.split("\n") if "EXAMPLE" in word or word.startswith("eyJ")]


@pytest.mark.parametrize("case", [case for case in CASES if case["id"] not in PLACES], ids=lambda case: case["form"])
def test_every_given_form_is_masked(case: dict[str, Any]) -> None:
    remember(*STORED)
    value = case["value"].replace("<prefix>", "ak")
    secrets = planted(case)
    assert secrets
    for text in (value, f"before {value} after", json.dumps({"said": value}), repr([value])):
        masked = redact_text(text)
        assert "***" in masked
        assert [secret for secret in secrets if secret in masked] == []
    assert "before" in redact_text(f"before {value}")


@pytest.mark.parametrize("make", [new_api_key, new_mailed_token, new_refresh_token])
def test_what_we_hand_out_is_known_by_its_form(make: Callable[[], str]) -> None:
    for _ in range(50):
        secret = make()
        for text in (secret, f"/reset#{secret}", f"said {secret}, twice {secret}.", json.dumps([secret])):
            assert secret[:20] not in redact_text(text)


@pytest.mark.parametrize("case", [case for case in CASES if case["id"] in PLACES], ids=lambda case: case["form"])
def test_a_value_is_masked_in_every_structure(case: dict[str, Any]) -> None:
    remember("hunter2-of-mine")
    payload = {case["form"]: [f"{case['value']} hunter2-of-mine", {"deep": ("hunter2-of-mine",)}], "hunter": 2}
    masked = redact_json(json.dumps(payload).encode())
    assert b"hunter2-of-mine" not in masked
    assert json.loads(masked)["hunter"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/projects/01JABCDEFGH/endpoints 200",
        "access_token.refused",
        '{"token": null, "password_set": true, "api_key_id": "01J", "tokens": 5, "token_type": "bearer"}',
        "jwt.exceptions.InvalidTokenError",
        "https://example.com/path?limit=5&cursor=abc",
        "mailto:someone@example.com and https://example.com/@user",
        "key: value",
        "The e-mail address or the password is wrong",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=8, max_size=200))
def test_a_remembered_value_is_found_however_it_is_written(value: str) -> None:
    assume(is_distinctive(value))
    redaction._values.clear()
    remember(value)
    raw = value.encode()
    for form in (value, quote(value, safe=""), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        assert redact_text(f"<{form}>") in ("<***>", "<******>")
    for before in (b"", b"u", b"us", b"user:"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(before + raw).decode().rstrip("=")[len(before) * 4 // 3 + 1 : -1]
            assert core not in redact_text(f"({encode(before + raw).decode()})")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_json_stays_json(value: Any) -> None:
    document = {"password": value, "text": "token=abc&x=1", "nested": json.dumps({"secret": 'a"b\\c', "v": value})}
    masked = redact_text(json.dumps(document))
    assert set(json.loads(masked)) == set(document)
    assert r"\\c\"" not in masked


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    redact_text(text)


def test_the_numbers_and_flags_of_an_event_stay_what_they_are() -> None:
    number = 4929123456781234
    remember(str(number))
    event = {"status": number, "password": "abc", "has_password": True, "tokens": ["a", 5], "said": f"id {number}"}
    masked = json.loads(redact_json(json.dumps(event).encode()))
    assert masked == {"status": number, "password": "***", "has_password": True, "tokens": ["***", 5], "said": "id ***"}


def test_the_ids_of_an_event_stay_though_somebody_made_one_a_secret() -> None:
    project_id = new_ulid()
    remember(project_id)
    event = {"project_id": project_id, "label": f"was {project_id}"}
    assert json.loads(redact_json(json.dumps(event).encode())) == {"project_id": project_id, "label": "was ***"}


@pytest.mark.parametrize(
    "word", ["orders", "Products", "project_id", "User-Agent", "/api/orders", "2026-11-21", "hunter"]
)
def test_an_ordinary_word_that_is_a_secret_is_masked_where_its_name_says_so(word: str) -> None:
    remember(word)
    line = json.dumps({"path": f"/v1/{word}?page=1", "said": f"no {word} here", "password": word})
    shown = json.loads(redact_text(line))
    assert shown == {"path": f"/v1/{word}?page=1", "said": f"no {word} here", "password": "***"}
    assert redact_text(f"https://user:{quote(word, safe='')}@host/{word}") == f"https://***@host/{word}"


@pytest.mark.parametrize(
    "value", ["hunter2", "s3cr3t!", "Tr0ub4dor", "correct horse battery", "0123456789abcdef", "日本語のパスワード1"]
)
def test_everything_else_is_masked_wherever_it_stands(value: str) -> None:
    remember(value)
    assert redact_text(f"/v1/{value}?page=1 x{value}x") == "/v1/***?page=1 x***x"


@given(st.lists(st.text(min_size=1, max_size=40), max_size=20), st.text(max_size=60), st.integers(0, 30))
def test_whatever_is_remembered_nothing_of_it_is_left_and_nothing_else_goes(
    secrets: list[str], text: str, most: int
) -> None:
    values = Values(secrets, most)
    held = [secret for secret in dict.fromkeys(reversed(secrets)) if is_distinctive(secret)][:most]
    raw = "|".join((text, *secrets, text))
    masked = values.mask(raw)
    assert [secret for secret in held if secret.encode(errors="replace").decode() in masked] == []
    assert Values().mask(raw) == raw.encode(errors="replace").decode()
    assert len(values) <= most


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    values = Values(most=4)
    values.add(f"value-number-{number}" for number in range(100))
    assert len(values._by_window) <= 4 * 7 * 4
    assert values.mask("value-number-99 value-number-1.") == "*** value-number-1."


def test_a_sentence_keeps_what_only_a_name_would_hide() -> None:
    said = "token: expected a string; without Bearer credentials, basic authentication. Authorization: missing"
    assert redact_phrases(said) == said
    remember("open-sesame-7")
    leaks = f"Bearer {'a1' * 10} postgres://u:p@h {'eyJhbGciOiJIUzI1NiJ9.' * 2}x open-sesame-7"
    assert redact_phrases(leaks) == "Bearer *** postgres://***@h *** ***"


def test_what_has_to_be_repeated_loses_nothing_but_the_secrets_of_this_process() -> None:
    remember("open-sesame-7")
    command = "curl -d '{\"password\": \"made-up-1\"}' 'http://h/?key=abc&t=open-sesame-7'"
    assert redact_values(command) == command.replace("open-sesame-7", "***")


def test_what_a_login_sends_is_remembered_but_not_where_it_is_sent() -> None:
    body = {
        "grant_type": "client_credentials",
        "audience": "https://shop.example/api",
        "scope": "orders:read orders:write",
        "client_id": "shop-client-17",
        "client_secret": "s3cr3t-of-the-shop",
        "extra": [{"pin": "9-sesame-9"}],
    }
    remember_opened(json.dumps({"url": "https://shop.example/login", "method": "POST", "body": body}).encode())
    said = "client_credentials https://shop.example/api orders:read orders:write shop-client-17"
    assert redact_values(said) == said
    assert redact_values("s3cr3t-of-the-shop 9-sesame-9") == "*** ***"


def test_a_line_in_bytes_and_a_text_are_masked_alike() -> None:
    remember("open-sesame-7")
    for text in ("open-sesame-7 é", "open%2Dsesame%2d7", "plain", "password=abc"):
        assert redact_line(text.encode()) == redact_text(text).encode()


def test_digits_are_a_secret_where_they_stand_in_text() -> None:
    assert redact_text("password=12345678 pin") == "password=*** pin"


def test_lone_surrogates_do_not_stop_it() -> None:
    assert redact_text("\ud800 password=hush") == "? password=***"


def test_opened_secrets_are_remembered_but_not_what_anybody_may_see() -> None:
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal(json.dumps({"name": "X-Shop-Key", "value": "open-sesame-7"}).encode(), "a/1")
    redaction._values.clear()
    sealer.open(sealed, "a/1")
    assert redact_text("X-Shop-Key open-sesame-7") == "X-Shop-Key ***"
    remember_opened(b"plain-words-8")
    assert redact_text("plain-words-8") == "***"


def test_the_secrets_of_the_settings_are_remembered() -> None:
    remember_settings(
        Settings(
            auth=AuthSettings(secret_key=SecretStr("k3y" * 20), previous_keys=(SecretStr("0ld" * 20),)),
            database=DatabaseSettings(url="postgresql+asyncpg://user:db-hidden-1@host/name"),
            redis=RedisSettings(url="redis://:redis-hidden-1@host"),
        )
    )
    assert redact_text(f"{'k3y' * 20} {'0ld' * 20} db-hidden-1 redis-hidden-1") == "*** *** *** ***"


def test_the_registry_is_bounded_and_forgets_the_oldest() -> None:
    remember(*[f"value-number-{number:05d}" for number in range(1000)])
    assert redact_text("value-number-00999") == "***"
    assert redact_text("value-number-00000") == "value-number-00000"
    assert len(redaction._values) <= 256
