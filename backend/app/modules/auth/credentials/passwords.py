"""Passwords: Argon2id with the cost that OWASP's password storage page gives (19 MiB, 2 passes, 1 lane), away from the
event loop and on two threads, so that a login storm takes neither the CPU nor the memory of everybody else.

Hashes of bcrypt, as other systems leave them, are verified too; who signs in with one gets a hash of ours (ASVS 5,
11.4.2). Until then the time of an answer tells such an account from one that there is not: to hide it, every try would
have to take as long as the costliest hash that was brought along, on two threads that everybody shares.
"""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from backend.app.modules.auth.errors import TooManySignIns

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
_MAX_WAITING: Final = 200
"""Some ten seconds of work: whoever comes later is told so at once."""

_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
"""Costs as much to verify as a real hash, and no password is known for it."""
_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")
_BCRYPT_BYTES: Final = 72
"""bcrypt reads no more of a password; since release 5 the library refuses what it used to cut."""


def normalise(password: str) -> str:
    """NFC, so that the same password typed on two keyboards is the same (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


async def hash_password(password: str) -> str:
    """Raises `TooManySignIns`."""
    _refuse_storm()
    return await asyncio.get_running_loop().run_in_executor(_pool, _hasher.hash, normalise(password))


async def verify_password(password_hash: str | None, password: str) -> bool:
    """`None` stands for an unknown account, or for one without a password, and takes the same time. Raises
    `TooManySignIns`."""
    _refuse_storm()
    return await asyncio.get_running_loop().run_in_executor(_pool, _verify, password_hash or _NOBODY, password)


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made by another method, or at another cost, than `hash_password` makes it."""
    return not password_hash.startswith("$argon2id$") or _hasher.check_needs_rehash(password_hash)


def _verify(password_hash: str, password: str) -> bool:
    try:
        if password_hash.startswith(_BCRYPT):
            return bcrypt.checkpw(normalise(password).encode()[:_BCRYPT_BYTES], password_hash.encode())
        return _hasher.verify(password_hash, normalise(password))
    except (VerificationError, InvalidHashError, ValueError):
        return False


def _refuse_storm() -> None:
    if _pool._work_queue.qsize() >= _MAX_WAITING:
        raise TooManySignIns
