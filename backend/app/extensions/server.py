"""An ASGI application served from a thread of this process: the demo and the labs need one, and so do tests."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn


class ServerFailed(Exception):
    """The server ended before it listened."""


@contextlib.contextmanager
def background_server(app: Any, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answers the base URL; port 0 takes a free one. Raises `ServerFailed` when it does not come up."""
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5, lifespan="auto"
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
