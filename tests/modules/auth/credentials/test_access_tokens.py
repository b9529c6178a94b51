"""Access tokens: ours are read, everything else is refused."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.ids import new_ulid
from backend.app.modules.auth.credentials.access_tokens import AccessTokens, InvalidToken
from tests.support.payloads import load

KEY = b"a key of thirty-two bytes or more"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIFETIME_S = 3600
TOKENS = AccessTokens([KEY], "touchstone", LIFETIME_S)
USER, SESSION = new_ulid(), new_ulid()
TOKEN = TOKENS.issue(USER, SESSION, NOW)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(index: int) -> dict[str, Any]:
    segment = TOKEN.split(".")[index]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return document


HEADER, CLAIMS = part(0), part(1)


def signed(header: dict[str, Any], payload: bytes, key: bytes = KEY) -> str:
    """A token with a right signature, whatever it says."""
    text = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    return f"{text}.{encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def claiming(**claims: Any) -> str:
    return signed(HEADER, json.dumps({**CLAIMS, **claims}).encode())


def test_our_own_token_is_read() -> None:
    claims = TOKENS.read(TOKEN, NOW)
    assert (claims.user_id, claims.session_id) == (USER, SESSION)
    assert claims.expires_at == int(NOW.timestamp()) + LIFETIME_S
    assert TOKENS.read(claiming(), NOW) == claims


def test_a_token_of_a_former_key_is_read_and_none_is_issued_with_it() -> None:
    former, newest = AccessTokens([KEY], "touchstone", LIFETIME_S), AccessTokens([b"n" * 32], "touchstone", LIFETIME_S)
    both = AccessTokens([b"n" * 32, KEY], "touchstone", LIFETIME_S)
    assert both.read(TOKEN, NOW) == former.read(TOKEN, NOW)
    assert newest.read(both.issue(USER, SESSION, NOW), NOW).user_id == USER
    with pytest.raises(InvalidToken):
        newest.read(TOKEN, NOW)


def test_a_key_id_does_not_lend_another_key() -> None:
    both = AccessTokens([b"n" * 32, KEY], "touchstone", LIFETIME_S)
    with pytest.raises(InvalidToken):
        both.read(signed(HEADER, json.dumps(CLAIMS).encode(), b"n" * 32), NOW)


@pytest.mark.parametrize(
    "more",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"jwk": {"kty": "oct", "k": encoded(b"k" * 32)}},
        {"x5t": "AAAA"},
        {"typ": "JWT"},
        {"alg": "HS512"},
        {"alg": "none"},
    ],
    ids=repr,
)
def test_a_header_that_names_another_key_type_or_algorithm_is_refused(more: dict[str, Any]) -> None:
    """Though the signature is right."""
    assert TOKENS.read(signed(HEADER, json.dumps(CLAIMS).encode()), NOW)
    with pytest.raises(InvalidToken, match="header"):
        TOKENS.read(signed({**HEADER, **more}, json.dumps(CLAIMS).encode()), NOW)


def test_two_tokens_of_a_session_differ() -> None:
    assert TOKENS.issue(USER, SESSION, NOW) != TOKENS.issue(USER, SESSION, NOW)


@pytest.mark.parametrize(("seconds", "valid"), [(-61, False), (-60, True), (3599, True), (3600, False)])
def test_a_token_has_its_time(seconds: int, valid: bool) -> None:
    moment = NOW + timedelta(seconds=seconds)
    if valid:
        TOKENS.read(TOKEN, moment)
    else:
        with pytest.raises(InvalidToken):
            TOKENS.read(TOKEN, moment)


@pytest.mark.parametrize("name", sorted(CLAIMS))
@pytest.mark.parametrize("value", [None, True, 1.5, 1e308, 2**70, "", "x", [], {}, ["touchstone-api"]])
def test_every_claim_must_be_what_it_is(name: str, value: Any) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(claiming(**{name: value}), NOW)


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_must_be_there(name: str) -> None:
    left = {key: value for key, value in CLAIMS.items() if key != name}
    with pytest.raises(InvalidToken):
        TOKENS.read(signed(HEADER, json.dumps(left).encode()), NOW)


@pytest.mark.parametrize("other", [AccessTokens([b"z" * 32], "touchstone", 3600), AccessTokens([KEY], "others", 3600)])
def test_a_token_of_another_key_or_issuer_is_refused(other: AccessTokens) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(other.issue(USER, SESSION, NOW), NOW)


def _time(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("now"):
        return int(NOW.timestamp()) + int(value[3:])
    return value


def _forged(payload: dict[str, Any]) -> str | None:
    """The token that a case describes; None for those that need a database or several requests."""
    head, body, signature = TOKEN.split(".")
    raw = hmac.new(KEY, f"{head}.{body}".encode(), hashlib.sha256).digest()
    if "form" in payload:
        return {"h.p": f"{head}.{body}", "h.p.s.x": f"{TOKEN}.x"}[payload["form"]]
    if "header" in payload or "header_drop" in payload:
        dropped = payload.get("header_drop", ["alg"] if payload.get("header") == {} else [])
        header = {**HEADER, **payload.get("header", {})}
        text = signed(
            {name: value for name, value in header.items() if name not in dropped}, json.dumps(CLAIMS).encode()
        )
        return text if "signature" not in payload else text.rpartition(".")[0] + "."
    if "claims" in payload or "claims_drop" in payload:
        texts = {"<ours>": CLAIMS["aud"], "<ours>x": CLAIMS["aud"] + "x"}
        claims = {**CLAIMS}
        for name, value in payload.get("claims", {}).items():
            claims[name] = (
                [texts.get(v, v) for v in value] if isinstance(value, list) else texts.get(value, _time(value))
            )
        for name in payload.get("claims_drop", []):
            del claims[name]
        return signed(HEADER, json.dumps(claims).encode())
    return {
        "jwt-012": f"{head}.{body}.{encoded(raw[:10])}",
        "jwt-017": f"{head}.{body[:-1]}{'A' if body[-1] != 'A' else 'E'}.{signature}",
        "jwt-018": f"{TOKEN}=",
        "jwt-019": f"{head}.{body[:9]}\n{body[9:]}.{signature}",
        "jwt-020": f"{head}.{body}.+/{signature[2:]}",
        "jwt-064": signed(HEADER, json.dumps(CLAIMS).replace("{", '{"sub": "a", ').encode()),
        "jwt-066": signed(HEADER, json.dumps({**CLAIMS, "more": "x" * 8192}).encode()),
    }.get(payload["id"])


IN_THE_DATABASE = {"jwt-056", "jwt-060", "jwt-061", "jwt-072"}
"""See `test_account`, and for jwt-072, the ID token of another sign-in, `sso.test_given_cases`."""
NEVER_TRUSTED = "jwt-062"
"""A claim of ours beside the required ones: read past, never used."""


@pytest.mark.parametrize("payload", load("jwt.json"), ids=lambda payload: str(payload["id"]))
def test_a_given_forgery_is_refused(payload: dict[str, Any]) -> None:
    token = _forged(payload)
    if token is None:
        assert payload["id"] in IN_THE_DATABASE
    elif payload["id"] == NEVER_TRUSTED:
        assert TOKENS.read(token, NOW) == TOKENS.read(TOKEN, NOW)
    else:
        with pytest.raises(InvalidToken):
            TOKENS.read(token, NOW)


@given(st.text() | st.text("abc.=-_"))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(text, NOW)


def test_a_deeply_nested_payload_is_refused() -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(signed(HEADER, b"[" * 2000), NOW)
