"""GitLab: a token in a header, and since version 19 a signature by Standard Webhooks.

https://docs.gitlab.com/user/project/integrations/webhooks/
https://docs.gitlab.com/api/project_webhooks/
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from backend.app.extensions.git import Credential
from backend.app.extensions.http_client.policy import Target, parse_url
from backend.app.modules.projects.git.providers.base import (
    Delivery,
    GitHost,
    Hook,
    Kind,
    Push,
    member,
    moved,
    repository_path,
)

SIGNING_PREFIX: Final = "whsec_"
"""Of a secret whose rest is the key in base64."""
TOLERANCE_S: Final = 300
"""How old a signature may be, or how far ahead the provider's clock."""


class GitLab(GitHost):
    def recognises(self, headers: Mapping[str, str]) -> bool:
        return "x-gitlab-event" in headers or "x-gitlab-token" in headers or "webhook-signature" in headers

    def is_signed(self, delivery: Delivery, secret: str, now: datetime) -> bool:
        """A signature that is there decides: a token does not make up for a wrong one."""
        if "webhook-signature" in delivery.headers:
            return _is_signed(delivery, secret, now)
        given = delivery.headers.get("x-gitlab-token", "")
        return hmac.compare_digest(secret.encode(), given.encode(errors="replace"))

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("webhook-id") or headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid")

    def kind(self, headers: Mapping[str, str]) -> Kind:
        return Kind.PUSH if headers.get("x-gitlab-event") == "Push Hook" else Kind.OTHER

    def pushes(self, document: Any) -> Sequence[Push]:
        return moved(member(document, "ref"), member(document, "after"))

    def api_url(self, target: Target) -> str:
        return f"https://{target.authority}/api/v4"

    def hooks(self, target: Target, api_url: str) -> str:
        # GitLab can live below a path, which is no part of a project's.
        root = parse_url(api_url).path.rstrip("/").removesuffix("/api/v4").strip("/")
        path = repository_path(target)
        project = path.removeprefix(f"{root}/") if root else path
        return f"/projects/{quote(project, safe='')}/hooks"

    def wanted(self, hook: Hook) -> dict[str, Any]:
        """Versions before 19 pass over the signing token."""
        return {
            "url": hook.url,
            "push_events": True,
            "enable_ssl_verification": True,
            "token": hook.secret,
            "signing_token": hook.secret,
        }

    def authorization(self, credential: Credential, *, is_token: bool) -> tuple[str, str]:
        return "PRIVATE-TOKEN", credential.password


def _is_signed(delivery: Delivery, secret: str, now: datetime) -> bool:
    headers = delivery.headers
    moment = headers.get("webhook-timestamp", "")
    try:
        key = b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
        age = now.timestamp() - int(moment)
    except (binascii.Error, ValueError, OverflowError):
        return False
    signed = f"{headers.get('webhook-id', '')}.{moment}.".encode() + delivery.body
    expected = b"v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = [each.encode(errors="replace") for each in headers["webhook-signature"].split(" ")[:10]]
    matches = [hmac.compare_digest(expected, each) for each in given]
    return any(matches) and abs(age) <= TOLERANCE_S
