"""Discovery strategies: ways to find out what an API offers. One file, one strategy."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from backend.app.core.registry import Registry
from backend.app.engine.http import Exchange
from backend.app.engine.spec.model import ApiDescription

Fetch: TypeAlias = Callable[[str], Awaitable[Exchange]]
"""A GET of an absolute URL, redirects followed."""
Read: TypeAlias = Callable[[bytes], Awaitable[ApiDescription]]
"""A document's bytes to the model. Raises `SpecError`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Where to look: in `document`, else at `spec_url`, else anywhere below `base_url`."""

    base_url: str
    spec_url: str | None = None
    document: bytes | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    description: ApiDescription
    source: str
    """What it was read from: `openapi-3.1`."""
    where: str
    """The URL, or what stands for a document that was handed in."""


class NothingDiscovered(Exception):
    """`code` is `discovery.<reason>`, `where` the URL that was tried, if it was one."""

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where


Strategy: TypeAlias = Callable[[Subject, Fetch, Read], Awaitable[Discovered]]
"""Raises `SpecError` or `NothingDiscovered`."""

strategies: Registry[Strategy] = Registry("discovery", "backend.app.modules.endpoints.discovery")
