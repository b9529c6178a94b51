"""What a database error means to the caller.

    busy, deadlock, serialization, lost connection, no connection, disk full    Unavailable   503
    NUL character, lone surrogate, number or text out of range                  InvalidInput  422

Everything else, `IntegrityError` included, is for the service that knows the rule behind it.
"""

from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.app.core.errors import InvalidInput, TouchstoneError, Unavailable

_SQLITE_UNAVAILABLE = ("database is locked", "table is locked", "disk is full", "disk i/o error", "unable to open")
_UNAVAILABLE = ("08", "40", "53", "57P", "58")
"""SQLSTATE classes: connection, transaction rollback, resources, operator intervention, system."""
_INVALID = ("22021", "22P05", "22003", "22001")
"""Character not in repertoire, untranslatable character, number out of range, string too long."""


def translate(error: BaseException) -> TouchstoneError | None:
    """The error to raise instead, or `None` when `error` is no fault of the database's state or of the input."""
    if isinstance(error, DBAPIError):
        return _translate_driver(error)
    if isinstance(error, PoolTimeout):
        return Unavailable("The database has no free connection", code="database.busy")
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return InvalidInput("A number is too large")
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("A text holds characters that cannot be stored")
    if isinstance(error, OSError) and _from_asyncpg(error):
        return Unavailable("The database cannot be reached", code="database.unreachable")
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    return isinstance(error, Unavailable) or isinstance(translate(error), Unavailable)


def _translate_driver(error: DBAPIError) -> TouchstoneError | None:
    text = str(error.orig).lower()
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state in _INVALID or "value out of int" in text or "too large to convert" in text:
        return InvalidInput("A value holds characters or numbers that cannot be stored")
    if isinstance(error.orig, UnicodeEncodeError) or "surrogates not allowed" in text or "codec can't encode" in text:
        return InvalidInput("A text holds characters that cannot be stored")
    if state.startswith("40"):
        return Unavailable(
            "The request met another one on the same rows; send it again", code="database.conflict", headers=_soon()
        )
    if "locked" in text:
        return Unavailable("The database is busy", code="database.busy", headers=_soon())
    if error.connection_invalidated or state.startswith(_UNAVAILABLE) or any(t in text for t in _SQLITE_UNAVAILABLE):
        return Unavailable("The database cannot be used at the moment", code="database.unreachable")
    return None


def _from_asyncpg(error: OSError) -> bool:
    traceback: Any = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_globals.get("__name__", "").startswith("asyncpg"):
            return True
        traceback = traceback.tb_next
    return False


def _soon() -> dict[str, str]:
    return {"Retry-After": "1"}
