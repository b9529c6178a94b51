"""An application served from a thread."""

import contextlib
import json
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


def exchange(url: str, *pieces: bytes) -> bytes:
    """What a server answers to these bytes before it closes the connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                received += data
    return received


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"], 400),
        ([POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"], 400),
        ([POST + b"Content-Length: -1\r\n\r\n"], 400),
        ([POST + b"Content-Length : 5\r\n\r\nhello"], 400),
        ([b"GET / HTTP/1.1\nHost: x\n\n"], 400),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], 400),
        ([b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n"], 431),
        ([b"GET / HTTP/1.1\r\nX-A: " + b"b" * 70_000 + b"\r\n\r\n"], 431),
        ([b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"], 431),
        ([b"GET / HTTP/1.1\r\n", *[b"X-A: b\r\n" * 1000] * 20], 431),
        ([b"GET / HTTP/1.1\r\nX-A: ", *[b"b" * 10_000] * 20], 431),
        ([CHUNKED, b"5;", *[b"x" * 10_000] * 20], 431),
        ([CHUNKED, b"5\r\nhello\r\n0\r\nX-A: ", *[b"b" * 10_000] * 20], 431),
    ],
)
def test_what_is_no_valid_http_is_a_problem_and_ends_the_connection(pieces: list[bytes], status: int) -> None:
    with background_server(reader) as url:
        received = exchange(url, *pieces)
        assert httpx2.get(url).text == "0"
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], bool(problem["code"]), bool(problem["request_id"])) == (status, True, True)


@pytest.mark.parametrize(("chunk", "count"), [(b"1\r\nx\r\n", 20_000), (b"3e8\r\n" + b"x" * 1000 + b"\r\n", 200)])
def test_long_bodies_and_kept_connections_use_up_no_limit_of_headers(chunk: bytes, count: int) -> None:
    long_head = POST + b"X-A: " + b"b" * 30_000 + b"\r\nTransfer-Encoding: chunked\r\n"
    body = chunk * count + b"0\r\n\r\n"
    with background_server(reader) as url:
        received = exchange(url, *[long_head + b"\r\n" + body] * 3, long_head + b"Connection: close\r\n\r\n" + body)
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert received.endswith(b"%d" % (chunk.count(b"x") * count))


async def reader(scope: Any, receive: Any, send: Any) -> None:
    """Answers the length of the body."""
    if scope["type"] == "lifespan":
        await hello(scope, receive, send)
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(str(size)))]})
    await send({"type": "http.response.body", "body": str(size).encode()})
