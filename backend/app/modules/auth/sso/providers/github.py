"""GitHub: OAuth 2.0 with an API in place of ID tokens."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from backend.app.engine.http import Send
from backend.app.modules.auth.sso.errors import SsoAnswerInvalid
from backend.app.modules.auth.sso.providers.asking import faulty, get_json, get_object, redeem
from backend.app.modules.auth.sso.providers.base import Attempt, Vouched, names, usable_email, with_query

log = structlog.get_logger(module_id="auth")

_SCOPE: Final = "read:user user:email"


@dataclass(frozen=True, slots=True)
class GitHub:
    site: str
    api: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str = "github"
    label: str = "GitHub"

    @property
    def issuer(self) -> str:
        """What GitHub sends as `iss`."""
        return f"{self.site}/login/oauth"

    async def authorization_url(self, attempt: Attempt, challenge: str, send: Send, now: datetime) -> str:
        return with_query(
            f"{self.issuer}/authorize",
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": attempt.redirect_uri,
                "scope": _SCOPE,
                "state": attempt.state,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )

    async def identify(self, attempt: Attempt, code: str, issuer: str | None, send: Send, now: datetime) -> Vouched:
        if issuer not in (None, self.issuer):
            log.warning("sso.answer_refused", provider=self.name, reason="issuer of the answer")
            raise SsoAnswerInvalid
        form = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "code": code,
            "code_verifier": attempt.verifier,
            "redirect_uri": attempt.redirect_uri,
        }
        token = (await redeem(send, f"{self.issuer}/access_token", form, None))["access_token"]
        user = await get_object(send, f"{self.api}/user", token=token)
        if type(user.get("id")) is not int:
            raise faulty(f"{self.api}/user", "no id")
        email = await self._primary_address(send, token)
        first, last = names(None, None, user.get("name") or user.get("login"), email)
        return Vouched(self.issuer, str(user["id"]), email, email is not None, True, first, last)

    async def _primary_address(self, send: Send, token: str) -> str | None:
        """None unless it is verified. The address in the profile is whatever the user likes to show."""
        url = f"{self.api}/user/emails?per_page=100"
        entries: Any = await get_json(send, url, token=token)
        if not isinstance(entries, list):
            raise faulty(url, "no list")
        for entry in entries:
            if isinstance(entry, dict) and entry.get("primary") is True and entry.get("verified") is True:
                return usable_email(entry.get("email"))
        return None
