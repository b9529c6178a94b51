"""Requests to a provider. Whatever it answers, or does not, becomes a value or one of two errors."""

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import orjson
import structlog

from backend.app.engine.http import Outcome, Request, Send
from backend.app.modules.auth.sso.errors import SsoAnswerInvalid, SsoProviderFaulty, SsoProviderUnavailable

log = structlog.get_logger(module_id="auth")

_AWAY: Final = {Outcome.TIMEOUT, Outcome.DNS_FAILED, Outcome.CONNECT_FAILED, Outcome.RESET}
_JSON: Final = ("Accept", "application/json")
_FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")


async def get_json(send: Send, url: str, *, token: str | None = None) -> Any:
    """Raises `SsoProviderUnavailable`, `SsoProviderFaulty`."""
    headers = (_JSON, ("Authorization", f"Bearer {token}")) if token else (_JSON,)
    status, value = await _ask(send, Request("GET", url, headers))
    if status != 200:
        raise faulty(url, f"status {status}")
    return value


async def get_object(send: Send, url: str, *, token: str | None = None) -> dict[str, Any]:
    """Raises `SsoProviderUnavailable`, `SsoProviderFaulty`."""
    value = await get_json(send, url, token=token)
    if not isinstance(value, dict):
        raise faulty(url, "no object")
    return value


async def redeem(send: Send, url: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, Any]:
    """What the token endpoint gives for a code (RFC 6749, 4.1.3); `basic` holds client id and secret.

    Raises `SsoAnswerInvalid` for a code that it does not take, `SsoProviderUnavailable`, `SsoProviderFaulty`.
    """
    headers = [_JSON, _FORM]
    if basic is not None:
        pair = ":".join(quote_plus(part) for part in basic)  # RFC 6749, 2.3.1
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    body = urlencode({"grant_type": "authorization_code", **form}).encode()
    status, value = await _ask(send, Request("POST", url, tuple(headers), body))
    if not isinstance(value, dict):
        raise faulty(url, "no object")
    # GitHub says its errors with 200.
    if "error" in value or status != 200:
        if value.get("error") in ("invalid_grant", "bad_verification_code"):
            log.warning("sso.code_refused", url=url)
            raise SsoAnswerInvalid
        raise faulty(url, f"status {status}, error {value.get('error')!r:.60}")
    token = value.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise faulty(url, "no access token")
    if str(value.get("token_type")).lower() != "bearer":
        raise faulty(url, "another type of token")
    return value


def faulty(url: str, reason: str) -> SsoProviderFaulty:
    log.warning("sso_provider.faulty", url=url, reason=reason)
    return SsoProviderFaulty()


async def _ask(send: Send, request: Request) -> tuple[int, Any]:
    exchange = await send(request)
    answer = exchange.answer
    if exchange.outcome in _AWAY or (answer is not None and (answer.status >= 500 or answer.status == 429)):
        log.warning("sso_provider.unavailable", url=request.url, reason=exchange.error or "its status")
        raise SsoProviderUnavailable
    if answer is None:
        raise faulty(request.url, exchange.error)
    if 300 <= answer.status < 400:
        raise faulty(request.url, "a redirect")
    try:
        return answer.status, orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise faulty(request.url, f"status {answer.status}, no JSON") from None
