"""From how a target wants to be told who calls to what goes on the wire."""

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson

from backend.app.core.redaction import remember
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Request, Send
from backend.app.engine.spec.model import Json

LOGIN = "login"
MAX_TOKEN = 16 * 1024
"""Characters of a token: it is sent with every request."""
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class LoginFailed(Exception):
    """The target gave no token; the message holds no secret."""


def static_credentials(kind: str, values: Mapping[str, Json]) -> Credentials:
    """Those that need no request: `none`, `bearer` (RFC 6750), `basic` (RFC 7617, in UTF-8), `api_key_header`,
    `api_key_query`; none for `login`."""
    match kind:
        case "bearer":
            return Credentials(headers=(("Authorization", f"Bearer {values['token']}"),))
        case "basic":
            pair = base64.b64encode(f"{values['username']}:{values['password']}".encode()).decode()
            return Credentials(headers=(("Authorization", f"Basic {pair}"),))
        case "api_key_header":
            return Credentials(headers=((values["name"], values["value"]),))
        case "api_key_query":
            return Credentials(query=((values["name"], values["value"]),))
    return Credentials()


async def obtain_credentials(kind: str, values: Mapping[str, Json], base_url: str, send: Send) -> Credentials:
    """Those of any kind; a login step is performed. Raises `LoginFailed`."""
    return await log_in(values, base_url, send) if kind == LOGIN else static_credentials(kind, values)


async def log_in(values: Mapping[str, Json], base_url: str, send: Send) -> Credentials:
    """Performs the login step: sends `body` as JSON to `url` (absolute, or a path below `base_url`), and puts the token
    at `token_pointer` of the answer into `header` after `prefix`. Raises `LoginFailed`."""
    url = values["url"]
    if url.startswith("/"):
        url = base_url.rstrip("/") + url
    headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
    body = None if values["method"] == "GET" else orjson.dumps(values["body"])
    exchange = await send(Request(values["method"], url, headers, body))
    answer = exchange.answer
    where = urlsplit(url).path or "/"
    if answer is None:
        raise LoginFailed(f"the login at {where} got no answer: {exchange.error or exchange.outcome}")
    if not 200 <= answer.status < 300:
        raise LoginFailed(f"the login at {where} was answered with {answer.status}")
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise LoginFailed(f"the login at {where} was answered with something other than JSON") from None
    token = resolve_pointer(document, values["token_pointer"])
    text = str(token)
    if isinstance(token, bool) or not isinstance(token, str | int) or not text.isprintable() or not text.strip():
        raise LoginFailed(f"the answer of the login at {where} has no token at {values['token_pointer'] or 'its root'}")
    if len(text) > MAX_TOKEN:
        raise LoginFailed(f"the token in the answer of the login at {where} has over {MAX_TOKEN} characters")
    remember(text)
    return Credentials(headers=((values["header"], f"{values['prefix']}{text}"),))


def resolve_pointer(document: Json, pointer: str) -> Json:
    """What a JSON pointer (RFC 6901) leads to, None when nothing is there."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and _INDEX.fullmatch(name) and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document
