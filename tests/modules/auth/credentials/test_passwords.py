"""Passwords with their real cost."""

import bcrypt
import pytest
from argon2 import PasswordHasher

from backend.app.core.errors import Unavailable
from backend.app.modules.auth.credentials import passwords
from backend.app.modules.auth.credentials.passwords import hash_password, is_outdated, verify_password

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _cheap_passwords() -> None:
    """The cost is what is tested here."""


async def test_a_hash_is_argon2id_of_the_advised_cost_and_tells_passwords_apart() -> None:
    password_hash = await hash_password(PASSWORD)
    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await verify_password(password_hash, PASSWORD)
    assert not await verify_password(password_hash, PASSWORD + " ")


@pytest.mark.parametrize("password", ["", PASSWORD, "\ufb01" * 20])
async def test_no_password_is_right_for_an_unknown_account(password: str) -> None:
    assert not await verify_password(None, password)


async def test_the_hash_of_nobody_costs_what_a_real_one_costs() -> None:
    real = await hash_password(PASSWORD)
    assert [len(part) for part in passwords._NOBODY.split("$")] == [len(part) for part in real.split("$")]
    assert passwords._NOBODY.split("$")[:4] == real.split("$")[:4]


@pytest.mark.parametrize("stored", ["", "plain text", "$2b$12$bad", "$argon2id$v=19$m=19456,t=2,p=1$bad"])
async def test_a_stored_value_that_is_no_hash_fits_no_password(stored: str) -> None:
    assert not await verify_password(stored or "x", PASSWORD)


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
async def test_a_hash_of_bcrypt_is_verified_as_it_always_was(prefix: bytes) -> None:
    long = "\u00e9" * 100
    stored = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4, prefix)).decode()
    assert await verify_password(stored, long)
    assert await verify_password(stored, "e\u0301" * 100)
    assert await verify_password(stored.replace("$2b$", "$2y$"), long)
    assert not await verify_password(stored, long[:-65])


async def test_a_hash_of_another_method_or_cost_is_outdated() -> None:
    assert not is_outdated(await hash_password(PASSWORD))
    assert is_outdated(bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode())
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))


async def test_a_storm_is_told_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MAX_WAITING", 0)
    with pytest.raises(Unavailable) as refused:
        await hash_password(PASSWORD)
    assert refused.value.headers["Retry-After"]
