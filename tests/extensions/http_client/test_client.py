"""What goes over the wire, what comes back, and when."""

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.app.engine.http import Answer, Headers, Outcome, Request, Send
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.http_client.lag import LIMIT_S
from backend.app.extensions.http_client.policy import RequestRefused, parse_url
from tests.extensions.http_client.targets import EMBEDDED, QUICK, Script, Visit, answering, ok, once, raw_target


async def wire(request: Request, path: str = "/") -> bytes:
    """The bytes that a request becomes."""
    async with raw_target(answering(ok(b""))) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        url = target.url + path
        await client.send(Request(request.method, url, request.headers, request.body))
        return target.requests[0].replace(str(target.port).encode(), b"PORT")


async def answer_to(script: Script, method: str = "GET") -> Answer:
    async with raw_target(script) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        exchange = await client.send(Request(method, target.url))
    assert exchange.answer is not None, exchange.error
    return exchange.answer


async def test_a_request_is_written_as_given() -> None:
    headers: Headers = (("X-b", "1"), ("x-A", " two "), ("X-b", "é"), ("accept", "text/html"))
    written = await wire(Request("POST", "", headers, b"\0body\r\n"), "/a/../b//%2F{id}?q=[1]&&x=%zz#part")
    assert (
        written
        == (
            "POST /a/../b//%2F{id}?q=[1]&&x=%zz HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
            "X-b: 1\r\nx-A:  two \r\nX-b: é\r\naccept: text/html\r\n"
            "User-Agent: touchstone\r\nAccept-Encoding: gzip, deflate, br\r\nContent-Length: 7\r\n\r\n\0body\r\n"
        ).encode()
    )


async def test_headers_of_the_caller_replace_those_of_the_client() -> None:
    headers = (("host", "other.example"), ("user-agent", "probe"), ("accept-encoding", "identity"), ("ACCEPT", "a/b"))
    written = await wire(Request("GET", "", headers))
    assert written == (
        b"GET / HTTP/1.1\r\nhost: other.example\r\nuser-agent: probe\r\n"
        b"accept-encoding: identity\r\nACCEPT: a/b\r\n\r\n"
    )


@pytest.mark.parametrize(("method", "length"), [("POST", True), ("PUT", True), ("PATCH", True), ("GET", False)])
async def test_an_empty_body_has_a_length_where_the_method_expects_one(method: str, length: bool) -> None:
    assert (b"Content-Length: 0\r\n" in await wire(Request(method, ""))) is length


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET\r\nX: y", "/", ()),
        ("GE T", "/", ()),
        ("", "/", ()),
        ("GET", "/a b", ()),
        ("GET", "/\r\nX: y", ()),
        ("GET", "/\0", ()),
        ("GET", "/\ud800", ()),
        ("GET", "/", (("X", "a\r\nY: s3cret"),)),
        ("GET", "/", (("X", "a\ns3cret"),)),
        ("GET", "/", (("X", "a\0s3cret"),)),
        ("GET", "/", (("X: y\r\nZ", "s3cret"),)),
        ("GET", "/", (("", "s3cret"),)),
        ("GET", "/", (("X Y", "s3cret"),)),
        ("GET", "/", (("X", "s3cret\udfff"),)),
    ],
)
async def test_what_would_break_the_request_apart_is_not_sent(method: str, path: str, headers: Headers) -> None:
    async with raw_target(answering(ok())) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        exchange = await client.send(Request(method, target.url + path, headers))
    assert exchange.outcome is Outcome.REFUSED
    assert "s3cret" not in exchange.error
    assert target.connections == 0


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.text(max_size=5) | st.sampled_from(["GET", "POST"]),
    path=st.text(max_size=20),
    headers=st.lists(st.tuples(st.text(max_size=8) | st.just("X-A"), st.text(max_size=20)), max_size=3),
    body=st.none() | st.binary(max_size=50),
)
def test_whatever_is_asked_one_request_or_none_is_written(
    method: str, path: str, headers: list[tuple[str, str]], body: bytes | None
) -> None:
    request = Request(method, f"http://api.example/{path}", tuple(headers), body)

    async def head() -> bytes | None:
        try:
            return HttpClient(EMBEDDED)._head(request, parse_url(request.url))[0]
        except RequestRefused:
            return None

    written = asyncio.run(head())
    if written is not None:
        assert written.count(b"\r\n\r\n") == 1
        assert written.endswith(b"\r\n\r\n")
        lines = written.split(b"\r\n")
        assert lines[0].count(b" ") == 2
        assert len(lines) <= 1 + 1 + len(headers) + 3 + 1 + 2
        assert b"\n" not in written.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("script", "body"),
    [
        (answering(ok(b"hello")), b"hello"),
        (
            answering(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: u\r\n\r\n"
            ),
            b"hello",
        ),
        (once(b"HTTP/1.1 200 OK\r\n\r\nhello"), b"hello"),
        (once(b"HTTP/1.0 200 OK\r\n\r\nhello"), b"hello"),
        (once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), b""),
        (once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello, and more"), b"hello"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n" + ok(b"hello")), b"hello"),
        (answering(b"HTTP/1.1 204 No Content\r\n\r\n"), b""),
        (answering(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), b""),
        (once(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbinary"), b""),
        (answering(b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi"), b"hi"),
        (answering(b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi"), b"hi"),
    ],
)
async def test_bodies_end_where_the_standard_says(script: Script, body: bytes) -> None:
    answer = await answer_to(script)
    assert answer.body == body
    assert answer.header("x") is answer.header("t") is None


async def test_headers_come_back_as_sent() -> None:
    answer = await answer_to(answering(ok(b"", "X-One: a", "x-one:  b ", "Empty:", "Latin: \xe9")))
    assert answer.headers[:3] == (("X-One", "a"), ("x-one", "b"), ("Empty", ""))
    assert answer.header("LATIN") == "\xc3\xa9"


async def test_an_answer_to_head_has_no_body_and_keeps_the_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    async with raw_target(answering(head, head, ok(b"hello"))) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        exchanges = [await client.send(Request(method, target.url)) for method in ("HEAD", "HEAD", "GET")]
    assert [exchange.answer and exchange.answer.body for exchange in exchanges] == [b"", b"", b"hello"]
    assert target.connections == 1


async def test_connections_are_kept_and_shared() -> None:
    async with raw_target(answering(ok())) as target, HttpClient(EMBEDDED) as client:
        await asyncio.gather(*(client.send(Request("GET", target.url)) for _ in range(5)))
        await asyncio.gather(*(client.send(Request("POST", target.url, body=b"x")) for _ in range(5)))
    assert target.connections == 5


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"hi", "Connection: close"),
        ok(b"hi") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        ok(b"hi") + b"H",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
async def test_a_connection_that_cannot_be_trusted_is_not_kept(answer: bytes) -> None:
    async with raw_target(answering(answer)) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        exchanges = [await client.send(Request("GET", target.url)) for _ in range(2)]
    assert [exchange.answer and exchange.answer.body for exchange in exchanges] == [b"hi", b"hi"]
    assert target.connections == 2


async def test_a_request_with_framing_of_the_callers_own_ends_its_connection() -> None:
    async with raw_target(answering(ok())) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        await client.send(Request("POST", target.url, (("Content-Length", "1"),), b"smuggled"))
        await client.send(Request("GET", target.url))
    assert target.connections == 2


async def close_after_one(visit: Visit) -> None:
    """The second request on a connection finds it closed, as when a server's idle limit passes in between."""
    await visit.request()
    await visit.write(ok())
    await visit.request()
    visit.reset()


async def test_a_stale_connection_is_replaced_once_where_repeating_is_harmless() -> None:
    async with raw_target(close_after_one) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        outcomes = [(await client.send(Request("GET", target.url))).outcome for _ in range(3)]
        posted = await client.send(Request("POST", target.url))
    assert outcomes == [Outcome.ANSWERED] * 3
    assert posted.outcome is Outcome.RESET
    assert [request.partition(b" ")[0] for request in target.requests].count(b"POST") == 1


async def test_a_scan_does_not_take_a_stale_connection_for_a_reset() -> None:
    async with raw_target(close_after_one) as target, HttpClient(EMBEDDED, limits=QUICK, resend_stale=True) as client:
        outcomes = [(await client.send(Request("POST", target.url))).outcome for _ in range(3)]
    assert outcomes == [Outcome.ANSWERED] * 3


async def test_an_idle_connection_that_the_server_closed_is_not_used() -> None:
    async with raw_target(once(ok())) as target, HttpClient(EMBEDDED, limits=QUICK) as client:
        await client.send(Request("POST", target.url))
        await asyncio.wait_for(client._pool._all_lost.wait(), 5)
        second = await client.send(Request("POST", target.url))
    assert second.outcome is Outcome.ANSWERED


async def test_giving_up_on_a_request_closes_its_connection() -> None:
    gone = asyncio.Event()

    async def hang(visit: Visit) -> None:
        await visit.request()
        await visit.until_gone()
        gone.set()

    async with raw_target(hang) as target, HttpClient(EMBEDDED) as client:
        send: Send = client.send
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send(Request("GET", target.url)), 0.05)
        await asyncio.wait_for(gone.wait(), 5)


async def test_times_count_from_the_intended_start() -> None:
    async with raw_target(answering(ok())) as target, HttpClient(EMBEDDED) as client:
        intended = time.perf_counter() - 2
        exchange = await client.send(Request("GET", target.url), intended_start=intended)
    timing = exchange.timing
    assert timing.first_byte_ms is not None
    assert 2000 <= timing.first_byte_ms <= timing.total_ms < 3000
    assert abs(time.time() - 2 - timing.started_at) < 1


async def test_first_byte_and_total_are_told_apart() -> None:
    async def slow(visit: Visit) -> None:
        await visit.request()
        await asyncio.sleep(0.05)
        await visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(0.05)
        await visit.write(b"hi")

    async with raw_target(slow) as target, HttpClient(EMBEDDED) as client:
        timing = (await client.send(Request("GET", target.url))).timing
    assert timing.first_byte_ms is not None
    assert timing.first_byte_ms >= 49
    assert timing.total_ms - timing.first_byte_ms >= 49


async def test_a_loop_that_was_held_up_marks_its_times() -> None:
    async def answer_late(visit: Visit) -> None:
        await visit.request()
        await asyncio.sleep(0.01)
        await visit.write(ok())

    async with raw_target(answer_late) as target, HttpClient(EMBEDDED) as client:
        sending = asyncio.create_task(client.send(Request("GET", target.url)))
        await asyncio.sleep(0.005)
        time.sleep(4 * LIMIT_S)  # noqa: ASYNC251 (the fault itself)
        assert not (await sending).timing.reliable
