"""An application served from a thread."""

import socket
from typing import Any

import httpx2
import pytest

from backend.app.extensions.server import ServerFailed, background_server


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})


def test_answers_where_it_says_and_ends_with_the_block() -> None:
    with background_server(hello) as url:
        assert httpx2.get(url).text == "hello"
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


def test_two_at_once_take_two_ports() -> None:
    with background_server(hello) as one, background_server(hello) as other:
        assert one != other
        assert httpx2.get(one).text == httpx2.get(other).text == "hello"


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed, match=str(port)), background_server(hello, port=port):
            pass


def test_an_application_that_does_not_start_is_said() -> None:
    with pytest.raises(ServerFailed), background_server(broken):
        pass
