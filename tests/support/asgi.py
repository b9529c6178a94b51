"""One request to an ASGI application, without a server or a running event loop."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from backend.app.engine.http import Answer
from backend.app.modules.labs.recipes import Lab


def ask(app: Lab, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """`target` is a path with its query, percent-encoded."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    answer_headers = tuple((name.decode(), value.decode()) for name, value in start["headers"])
    return Answer(start["status"], answer_headers, b"".join(message["body"] for message in rest))
