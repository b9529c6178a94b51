"""Passwords: Argon2id with the cost that OWASP's password storage page gives (19 MiB, 2 passes, 1 lane), away from the
event loop and on two threads, so that a login storm takes neither the CPU nor the memory of everybody else."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from backend.app.modules.auth.errors import TooManySignIns

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
_MAX_WAITING: Final = 200
"""Some ten seconds of work: whoever comes later is told so at once."""

_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
"""Costs as much to verify as a real hash, and no password is known for it."""


def normalise(password: str) -> str:
    """NFC, so that the same password typed on two keyboards is the same (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


async def hash_password(password: str) -> str:
    """Raises `TooManySignIns`."""
    _refuse_storm()
    return await asyncio.get_running_loop().run_in_executor(_pool, _hasher.hash, normalise(password))


async def verify_password(password_hash: str | None, password: str) -> bool:
    """`None` stands for an unknown account, and takes the same time. Raises `TooManySignIns`."""
    _refuse_storm()
    return await asyncio.get_running_loop().run_in_executor(_pool, _verify, password_hash or _NOBODY, password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, normalise(password))
    except (VerificationError, InvalidHashError):
        return False


def _refuse_storm() -> None:
    if _pool._work_queue.qsize() >= _MAX_WAITING:
        raise TooManySignIns
