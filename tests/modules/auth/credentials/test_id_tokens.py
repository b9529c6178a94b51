"""ID tokens as pure values; whole sign-ins with wrong ones are in `auth/sso/test_flow.py`."""

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from backend.app.modules.auth.credentials.id_tokens import Expected, InvalidIdToken, UnknownKey, read_id_token
from tests.support.oidc_provider import Key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
EXPECTED = Expected("https://id.example", "us", "a nonce")
CLAIMS = {
    "iss": "https://id.example",
    "aud": "us",
    "sub": "ada",
    "iat": SECONDS,
    "exp": SECONDS + 300,
    "nonce": "a nonce",
}
ONE, TWO, CURVE = Key("one"), Key("two"), Key("curve", "ES256")


def signed(key: Key = ONE, algorithm: str | None = None, kid: str | None = "one") -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(CLAIMS, key.private, algorithm or key.kind, headers=headers)


def read(token: str, *keys: Any) -> dict[str, Any]:
    return read_id_token(token, {"keys": list(keys)}, EXPECTED, NOW)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_good_token_gives_its_claims(algorithm: str) -> None:
    assert read(signed(algorithm=algorithm), TWO.public, ONE.public, CURVE.public) == CLAIMS


def test_without_a_name_the_one_key_that_fits_is_taken() -> None:
    assert read(signed(kid=None), ONE.public, CURVE.public) == CLAIMS
    with pytest.raises(InvalidIdToken, match="which key"):
        read(signed(kid=None), ONE.public, TWO.public)


def test_a_name_that_stands_for_two_keys_says_nothing() -> None:
    with pytest.raises(InvalidIdToken, match="which key"):
        read(signed(), ONE.public, {**TWO.public, "kid": "one"})


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"alg": "PS256"},
        {"key_ops": ["sign"]},
        {"key_ops": 1},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"kid": "another"},
        {"kid": ["one"]},
    ],
    ids=repr,
)
def test_a_key_for_something_else_is_unknown(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownKey):
        read(signed(), {**ONE.public, **change})


@pytest.mark.parametrize("change", [{"n": "!"}, {"n": 1}, {"e": None}, {"n": ""}, {"e": "AA"}], ids=repr)
def test_a_key_that_cannot_be_read_signs_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdToken):
        read(signed(), {**ONE.public, **change})


def test_a_short_key_signs_nothing() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - refusing it is what is tested
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(CLAIMS, weak, "RS256", headers={"kid": "one"})
    with pytest.raises(InvalidIdToken, match="length"):
        read(token, {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "one"})


@pytest.mark.parametrize("keys", [None, {}, "x", [], [None, 1, []]], ids=repr)
def test_a_set_without_keys_knows_none(keys: Any) -> None:
    with pytest.raises(UnknownKey):
        read_id_token(signed(), {"keys": keys}, EXPECTED, NOW)


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    token = signed(CURVE)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABab01-_."))
    changed = token[:place] + other + token[place + 1 :]
    # The last character of a part may hold bits that no byte takes.
    ends = {index - 1 for index, letter in enumerate(token + ".") if letter == "."}
    if changed == token or place in ends:
        return
    with pytest.raises(InvalidIdToken):
        read(changed, {**CURVE.public, "kid": "one"})


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){2}", fullmatch=True))
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdToken):
        read(text, ONE.public)
