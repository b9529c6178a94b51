"""What a database error means to the caller.

    busy, deadlock, serialization, lost connection, no connection, disk full    Unavailable   503
    NUL character, lone surrogate, number or text out of range                  InvalidInput  422

Everything else, `IntegrityError` included, is for the service that knows the rule behind it.
"""

import sqlite3
from typing import Any

import orjson
from sqlalchemy.exc import StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.app.core.errors import InvalidInput, TouchstoneError, Unavailable


class DatabaseBusy(Unavailable):
    code = "database.busy"
    title = "The database is busy"
    retry_after_s = 1


class DatabaseConflict(DatabaseBusy):
    code = "database.conflict"
    title = "The request met another one on the same rows; send it again"


class DatabaseUnreachable(Unavailable):
    code = "database.unreachable"
    title = "The database cannot be used at the moment"


_DRIVER_UNAVAILABLE = (
    "disk is full",
    "disk i/o error",
    "unable to open",
    "connection is closed",
    "connection was closed",
    "cannot switch to state",
)
_DRIVER_INVALID = ("value out of int", "too large to convert", "surrogates not allowed")
_REFUSED_BY_DRIVER = "22000"
"""What asyncpg says when it cannot send a value."""
_UNAVAILABLE = ("08", "40", "53", "57P", "58")
"""SQLSTATE classes: connection, transaction rollback, resources, operator intervention, system."""
_INVALID = ("22021", "22P05", "22003", "22001")
"""Character not in repertoire, untranslatable character, number out of range, string too long."""


def translate(error: BaseException) -> TouchstoneError | None:
    """The error to raise instead, or `None` when `error` is no fault of the database's state or of the input."""
    driver_error = (isinstance(error, StatementError) and error.orig) or error
    if isinstance(driver_error, sqlite3.Error) or hasattr(driver_error, "sqlstate"):
        return _translate_driver(driver_error)
    if isinstance(error, PoolTimeout):
        return DatabaseBusy("The database has no free connection")
    if isinstance(error, StatementError) and isinstance(driver_error, orjson.JSONEncodeError):
        return InvalidInput("A value holds characters or numbers that cannot be stored")
    if isinstance(driver_error, OverflowError) and "SQLite" in str(driver_error):
        return InvalidInput("A number is too large")
    if isinstance(driver_error, UnicodeEncodeError):
        return InvalidInput("A text holds characters that cannot be stored")
    if isinstance(error, OSError) and _from_asyncpg(error):
        return DatabaseUnreachable("The database cannot be reached")
    return None


def _translate_driver(error: BaseException) -> TouchstoneError | None:
    """By SQLSTATE where the server says one: the text of such an error may quote a value."""
    state: str = getattr(error, "sqlstate", None) or ""
    text = "" if state and state != _REFUSED_BY_DRIVER else str(error).lower()
    if state in _INVALID or any(t in text for t in _DRIVER_INVALID):
        return InvalidInput("A value holds characters or numbers that cannot be stored")
    if state.startswith("40"):
        return DatabaseConflict()
    if "database is locked" in text or "table is locked" in text:
        return DatabaseBusy()
    if state.startswith(_UNAVAILABLE) or any(t in text for t in _DRIVER_UNAVAILABLE):
        return DatabaseUnreachable()
    return None


def _from_asyncpg(error: OSError) -> bool:
    traceback: Any = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_globals.get("__name__", "").startswith("asyncpg"):
            return True
        traceback = traceback.tb_next
    return False
