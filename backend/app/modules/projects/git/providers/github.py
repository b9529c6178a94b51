"""GitHub, and what speaks as GitHub does: Gitea and Forgejo sign their deliveries the same way.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/en/rest/repos/webhooks
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from backend.app.extensions.http_client.policy import Target
from backend.app.modules.projects.git.providers.base import (
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

_KINDS: Final = {"push": Kind.PUSH, "ping": Kind.PING}


class GitHub(GitHost):
    update: ClassVar[str] = "PATCH"

    def recognises(self, headers: Mapping[str, str]) -> bool:
        return "x-github-event" in headers or "x-hub-signature-256" in headers

    def is_signed(self, delivery: Delivery, secret: str, now: datetime) -> bool:
        return is_hmac(delivery.headers.get("x-hub-signature-256"), delivery, secret)

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-github-delivery")

    def kind(self, headers: Mapping[str, str]) -> Kind:
        return _KINDS.get(headers.get("x-github-event", ""), Kind.OTHER)

    def pushes(self, document: Any) -> Sequence[Push]:
        return moved(member(document, "ref"), member(document, "after"))

    def api_url(self, target: Target) -> str:
        host = target.origin.host
        # GitHub Enterprise Cloud with data residency has an api. before its host, too.
        if host == "github.com" or host.endswith(".ghe.com"):
            return f"https://api.{host}"
        return f"https://{target.authority}/api/v3"

    def hooks(self, target: Target, api_url: str) -> str:
        return f"/repos/{repository_path(target)}/hooks"

    def wanted(self, hook: Hook) -> dict[str, Any]:
        config = {"url": hook.url, "content_type": "json", "secret": hook.secret, "insecure_ssl": "0"}
        return {"name": "web", "active": True, "events": ["push"], "config": config}

    def url_of(self, entry: Mapping[str, Any]) -> Any:
        return member(entry, "config", "url")
