"""Where services get the time from, so that a test can set it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Answers the present moment, time-zone aware, in UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)
