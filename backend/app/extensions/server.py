"""HTTP as our server speaks it, and an ASGI application served from a thread of this process: the demo and the labs
need one, and so do tests."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from backend.app.core.ids import new_ulid

MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 * 1024
"""Of the request line, the headers, and what frames the body."""
FRAMED_BYTE = 6
"""Length of a chunk that holds one byte (RFC 9112, 7.1)."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with a limit on headers (431; RFC 6585, 5), which llhttp does not have, and problem+json for what is
    no valid HTTP."""

    _spare = MAX_HEADER_BYTES

    def data_received(self, data: bytes) -> None:
        self._spare -= len(data)
        super().data_received(data)
        if self._spare < 0 and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
            self._spare = -1
            raise ValueError("too many headers")  # ends the parsing
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._spare += FRAMED_BYTE * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._spare = MAX_HEADER_BYTES
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """`msg` is uvicorn's; ends the connection."""
        if self._spare < 0:
            status, code, title = 431, "request.headers_too_large", "The headers of the request are too large"
        else:
            status, code, title = 400, "request.unreadable", "The request is not valid HTTP"
        problem = {
            "type": f"urn:touchstone:problem:{code}",
            "title": title,
            "status": status,
            "detail": title,
            "instance": "",
            "code": code,
            "request_id": new_ulid(),
            "errors": [],
        }
        body = orjson.dumps(problem)
        head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


class ServerFailed(Exception):
    """The server ended before it listened."""


@contextlib.contextmanager
def background_server(app: Any, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answers the base URL; port 0 takes a free one. Raises `ServerFailed` when it does not come up."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        lifespan="auto",
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    announce = server.startup

    async def startup(*args: Any, **kwargs: Any) -> None:
        await announce(*args, **kwargs)
        started.set()

    server.startup = startup  # type: ignore[method-assign]

    def run() -> None:
        try:
            with contextlib.suppress(SystemExit):  # how uvicorn says that it cannot start
                server.run()
        finally:
            started.set()

    thread = threading.Thread(target=run, name=f"server-{port}", daemon=True)
    thread.start()
    started.wait()
    try:
        if not server.started:
            raise ServerFailed(f"no server on {host}:{port}; is the port taken?")
        address = server.servers[0].sockets[0].getsockname()
        yield f"http://{address[0]}:{address[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
