"""What every provider has, and how its API is asked."""

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson
import structlog

from backend.app.engine.http import Outcome, Request, Send
from backend.app.extensions.git import Credential, GitError
from backend.app.extensions.git.rules import require_branch
from backend.app.extensions.http_client.policy import Target
from backend.app.modules.projects.git.errors import (
    DeliveryInvalid,
    GitHostFaulty,
    GitHostRefused,
    GitHostUnavailable,
)

log = structlog.get_logger(module_id="projects")

MAX_CHANGES: Final = 1000
"""Branches of one delivery that are looked at; GitHub and GitLab send one."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HEADS: Final = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Delivery:
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """As it came: what is signed is every byte of it."""


class Kind(StrEnum):
    PUSH = "push"
    PING = "ping"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Push:
    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as it shall be."""

    url: str
    secret: str


class Api:
    """The API of a provider below `base`, with the credential of a source."""

    def __init__(self, send: Send, base: str, authorization: tuple[str, str]) -> None:
        self._send = send
        self._base = base.rstrip("/")
        self._authorization = authorization

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What it answers; None for nothing, and for a path that is not there. Raises `GitHostUnavailable`,
        `GitHostRefused`, `GitHostFaulty`."""
        headers = (self._authorization, ("Accept", "application/json"), ("Content-Type", "application/json"))
        content = None if body is None else orjson.dumps(body)
        exchange = await self._send(Request(method, self._base + path, headers, content))
        answer = exchange.answer
        if answer is None:
            log.warning("git_host.unavailable", reason=exchange.outcome.value, error=exchange.error)
            raise GitHostRefused(exchange.error) if exchange.outcome is Outcome.REFUSED else GitHostUnavailable
        if answer.status == 404:
            return None
        if answer.status in (401, 403, 429):
            log.warning("git_host.refused", status=answer.status)
            raise GitHostUnavailable if answer.status == 429 else GitHostRefused
        if answer.status >= 500:
            log.warning("git_host.unavailable", status=answer.status)
            raise GitHostUnavailable
        if not 200 <= answer.status < 300:
            log.warning("git_host.faulty", status=answer.status)
            raise GitHostFaulty(f"the provider answered {answer.status}")
        try:
            return orjson.loads(answer.body) if answer.body else None
        except orjson.JSONDecodeError:
            log.warning("git_host.faulty", status=answer.status, reason="no JSON")
            raise GitHostFaulty from None


class GitHost(ABC):
    """One provider. The methods of deliveries are pure; `register` and `remove` ask."""

    username: ClassVar[str] = "x-access-token"
    """What goes with a token where git wants a user name."""
    update: ClassVar[str] = "PUT"
    """The method that changes a webhook."""
    id_field: ClassVar[str] = "id"

    @abstractmethod
    def recognises(self, headers: Mapping[str, str]) -> bool: ...

    @abstractmethod
    def is_signed(self, delivery: Delivery, secret: str, now: datetime) -> bool: ...

    @abstractmethod
    def delivery_id(self, headers: Mapping[str, str]) -> str | None: ...

    @abstractmethod
    def kind(self, headers: Mapping[str, str]) -> Kind: ...

    @abstractmethod
    def pushes(self, document: Any) -> Sequence[Push]:
        """The branches that have a new commit. Raises `DeliveryInvalid`."""

    @abstractmethod
    def api_url(self, target: Target) -> str:
        """Where the API of the provider usually is, for a repository there."""

    @abstractmethod
    def hooks(self, target: Target, api_url: str) -> str:
        """The path, below the API, of the webhooks of a repository."""

    @abstractmethod
    def wanted(self, hook: Hook) -> dict[str, Any]:
        """What the API is told."""

    def url_of(self, entry: Mapping[str, Any]) -> Any:
        return entry.get("url")

    def authorization(self, credential: Credential, *, is_token: bool) -> tuple[str, str]:
        if is_token:
            return "Authorization", f"Bearer {credential.password}"
        pair = b64encode(f"{credential.username}:{credential.password}".encode()).decode()
        return "Authorization", f"Basic {pair}"

    async def register(self, api: Api, path: str, hook: Hook, known: str | None) -> str:
        """Makes the webhook, or brings the one that is there up to date; answers its id at the provider. Raises as
        `Api.ask`."""
        if known is None:
            known = await self._find(api, path, hook.url)
        if known is not None and await api.ask(self.update, f"{path}/{quote(known, safe='')}", self.wanted(hook)):
            return known
        made = await api.ask("POST", path, self.wanted(hook))
        if made is None:  # the repository is not there, or not for this credential
            raise GitHostRefused
        return self._id_of(made)

    async def remove(self, api: Api, path: str, known: str) -> None:
        """One that is gone is fine. Raises as `Api.ask`."""
        await api.ask("DELETE", f"{path}/{quote(known, safe='')}")

    async def _find(self, api: Api, path: str, url: str) -> str | None:
        listed = await api.ask("GET", path)
        entries = listed.get("values") if isinstance(listed, dict) else listed
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and self.url_of(entry) == url:
                return self._id_of(entry)
        return None

    def _id_of(self, entry: Any) -> str:
        found = entry.get(self.id_field) if isinstance(entry, dict) else None
        if not isinstance(found, int | str):
            raise GitHostFaulty("the provider answered no id of the webhook")
        return str(found)


def is_hmac(given: str | None, delivery: Delivery, secret: str) -> bool:
    """`sha256=` and the HMAC-SHA256 (RFC 2104) of the body, in lower-case hexadecimal."""
    expected = "sha256=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (given or "").encode(errors="replace"))


def moved(ref: Any, commit: Any) -> list[Push]:
    """The push to `refs/heads/...`; none for a tag, and for a branch that is gone. Raises `DeliveryInvalid`."""
    if not isinstance(ref, str) or not isinstance(commit, str):
        raise DeliveryInvalid
    if not ref.startswith(_HEADS):
        return []
    branch = ref.removeprefix(_HEADS)
    try:
        require_branch(branch)
    except GitError as error:
        raise DeliveryInvalid(error.message) from None
    if _COMMIT.fullmatch(commit) is None:
        raise DeliveryInvalid
    return [Push(branch, commit)] if commit.strip("0") else []


def member(document: Any, *names: str) -> Any:
    """The value below nested objects, None where there is no such."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def repository_path(target: Target) -> str:
    return target.path.strip("/").removesuffix(".git")
