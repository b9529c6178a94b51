"""Bitbucket Cloud and Bitbucket Data Center: one signature, two kinds of deliveries, two APIs.

https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Final

from backend.app.extensions.http_client.policy import Target
from backend.app.modules.projects.git.errors import DeliveryInvalid
from backend.app.modules.projects.git.providers.base import (
    MAX_CHANGES,
    Delivery,
    GitHost,
    Hook,
    Kind,
    Push,
    is_hmac,
    member,
    moved,
    repository_path,
)

_NAME: Final = "Touchstone"


class Bitbucket(GitHost):
    username: ClassVar[str] = "x-token-auth"
    id_field: ClassVar[str] = "uuid"
    push_event: ClassVar[str] = "repo:push"

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-event-key", "") != "" and not BitbucketServer.sent(headers)

    def is_signed(self, delivery: Delivery, secret: str, now: datetime) -> bool:
        return is_hmac(delivery.headers.get("x-hub-signature"), delivery, secret)

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-request-uuid")

    def kind(self, headers: Mapping[str, str]) -> Kind:
        return Kind.PUSH if headers.get("x-event-key") == self.push_event else Kind.OTHER

    def pushes(self, document: Any) -> Sequence[Push]:
        new = [change.get("new") for change in _changes(member(document, "push", "changes"))]
        branches = [each for each in new if member(each, "type") == "branch"]
        found = (moved(f"refs/heads/{member(each, 'name')}", member(each, "target", "hash")) for each in branches)
        return list(chain.from_iterable(found))

    def api_url(self, target: Target) -> str:
        return "https://api.bitbucket.org/2.0"

    def hooks(self, target: Target, api_url: str) -> str:
        return f"/repositories/{repository_path(target)}/hooks"

    def wanted(self, hook: Hook) -> dict[str, Any]:
        return {
            "description": _NAME,
            "url": hook.url,
            "active": True,
            "secret": hook.secret,
            "events": [self.push_event],
        }


class BitbucketServer(Bitbucket):
    id_field: ClassVar[str] = "id"
    push_event: ClassVar[str] = "repo:refs_changed"

    @staticmethod
    def sent(headers: Mapping[str, str]) -> bool:
        return "x-request-id" in headers and "x-request-uuid" not in headers

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-event-key", "") != ""

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-request-id")

    def kind(self, headers: Mapping[str, str]) -> Kind:
        return Kind.PING if headers.get("x-event-key") == "diagnostics:ping" else super().kind(headers)

    def pushes(self, document: Any) -> Sequence[Push]:
        changes = _changes(member(document, "changes"))
        return list(chain.from_iterable(moved(change.get("refId"), change.get("toHash")) for change in changes))

    def api_url(self, target: Target) -> str:
        return f"https://{target.authority}/rest/api/1.0"

    def hooks(self, target: Target, api_url: str) -> str:
        """Of `/scm/KEY/name`, perhaps below a path."""
        *_, project, name = ["", *repository_path(target).split("/")]
        return f"/projects/{project}/repos/{name}/webhooks"

    def wanted(self, hook: Hook) -> dict[str, Any]:
        return {
            "name": _NAME,
            "url": hook.url,
            "active": True,
            "configuration": {"secret": hook.secret},
            "events": [self.push_event],
        }


def _changes(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(change, dict) for change in found[:MAX_CHANGES]):
        raise DeliveryInvalid
    return found[:MAX_CHANGES]
