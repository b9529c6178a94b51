"""Whatever a target does, a request ends in time with an outcome that names it."""

import asyncio
from itertools import count

import pytest

from backend.app.engine.http import Exchange, Outcome, Request
from backend.app.extensions.http_client import HttpClient, HttpLimits
from tests.extensions.http_client.targets import EMBEDDED, Script, Visit, ok, once, raw_target, redirect

LIMITS = HttpLimits(max_body_bytes=100_000, max_header_bytes=8_000)
DEADLINE_S = 0.3
"""For targets that must run into it; the others get `LIMITS`, so that a busy machine does not change their outcome."""


async def answered_by(script: Script, *, deadline_s: float | None = None, follow_redirects: bool = False) -> Exchange:
    async with raw_target(script) as target, HttpClient(EMBEDDED, limits=LIMITS) as client:
        request = Request("GET", target.url, (("Authorization", "Bearer s3cret"),))
        exchange = await client.send(request, follow_redirects=follow_redirects, deadline_s=deadline_s)
    assert "s3cret" not in exchange.error
    if exchange.outcome is Outcome.ANSWERED:
        assert exchange.answer is not None
        assert exchange.error == ""
    else:
        assert exchange.answer is None
        assert exchange.error
    return exchange


async def hang(visit: Visit) -> None:
    await visit.until_gone()


async def hang_in_body(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    await visit.until_gone()


async def drip_body(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await visit.write(b"x")
        await asyncio.sleep(0.02)


async def drip_head(visit: Visit) -> None:
    await visit.request()
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X" * 1000:
        await visit.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def endless_header_lines(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\n")
    for number in count():
        await visit.write(b"X-%d: y\r\n" % number * 10)


async def endless_header_line(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await visit.write(b"y" * 1000)


async def endless_reason(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 ")
    while True:
        await visit.write(b"y" * 1000)


async def endless_interim_answers(visit: Visit) -> None:
    await visit.request()
    while True:
        await visit.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20)


async def endless_stream(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.write(b"y" * 10_000)


async def endless_chunks(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await visit.write(b"3e8\r\n" + b"y" * 1000 + b"\r\n")


async def endless_chunk_extension(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=")
    while True:
        await visit.write(b"y" * 1000)
        await asyncio.sleep(0.001)


async def padded_chunks(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await visit.write(b"1;" + b"x" * 1000 + b"\r\ny\r\n")


async def endless_trailers(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    while True:
        await visit.write(b"X-Trailer: y\r\n" * 10)


async def reset_at_once(visit: Visit) -> None:
    await visit.request()
    visit.reset()


async def reset_in_body(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    visit.reset()


async def reset_in_stream(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
    visit.reset()


async def close_at_once(visit: Visit) -> None:
    """Closes before it has read anything."""


async def greet(visit: Visit) -> None:
    await visit.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await visit.until_gone()


async def tiny_chunks(visit: Visit) -> None:
    await visit.request()
    await visit.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await visit.write(b"2\r\nyy\r\n" * 1000)


async def large_fields(visit: Visit) -> None:
    await visit.request()
    await visit.write(ok(b"", "X-Large: " + "y" * 9000))


IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_HELLO = b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
SMUGGLING = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 15",
]
"""What two parsers could read as two different bodies."""
ODD_LENGTHS = ["1", "+1", "-1", "0x1", "1, 1", "", "18446744073709551617"]
"""Beside a right one."""
ODD_CHUNK_SIZES = [b"0x5", b"-5", b"+5", b"5 ", b"FFFFFFFFFFFFFFFFF", b"", b"5;a\n"]


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (hang, Outcome.TIMEOUT),
        (hang_in_body, Outcome.TIMEOUT),
        (drip_body, Outcome.TIMEOUT),
        (drip_head, Outcome.TIMEOUT),
        (endless_header_lines, Outcome.TOO_LARGE),
        (endless_header_line, Outcome.TOO_LARGE),
        (endless_reason, Outcome.TOO_LARGE),
        (endless_interim_answers, Outcome.TOO_LARGE),
        (endless_stream, Outcome.TOO_LARGE),
        (endless_chunks, Outcome.TOO_LARGE),
        (tiny_chunks, Outcome.TOO_LARGE),
        (greet, Outcome.PROTOCOL_ERROR),
        (close_at_once, Outcome.RESET),
        (endless_chunk_extension, Outcome.TOO_LARGE),
        (padded_chunks, Outcome.TOO_LARGE),
        (endless_trailers, Outcome.TOO_LARGE),
        (large_fields, Outcome.TOO_LARGE),
        (reset_at_once, Outcome.RESET),
        (reset_in_body, Outcome.RESET),
        (once(b""), Outcome.RESET),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Outcome.RESET),
        (once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), Outcome.RESET),
        (once(b"HTTP/1.1 200"), Outcome.RESET),
        (once(b"Hello, this is HTTP/0.9\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"<html></html>"), Outcome.PROTOCOL_ERROR),
        (once(b"\x16\x03\x01\x02\x00\x01\x00"), Outcome.PROTOCOL_ERROR),
        (once(b"220 smtp.example ESMTP\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 abc OK\r\n\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), Outcome.PROTOCOL_ERROR),
        (
            once(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"),
            Outcome.PROTOCOL_ERROR,
        ),
        (once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nX-A\0: b\r\n\r\n"), Outcome.PROTOCOL_ERROR),
        *((once(head + CHUNKED_HELLO), Outcome.PROTOCOL_ERROR) for head in SMUGGLING),
        (once(b"HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\nhi"), Outcome.PROTOCOL_ERROR),
        (once(b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nhi"), Outcome.PROTOCOL_ERROR),
        *((once(ok(b"x", f"Content-Length: {text}")), Outcome.PROTOCOL_ERROR) for text in ODD_LENGTHS),
        *((once(IN_CHUNKS + size + b"\r\nhello\r\n0\r\n\r\n"), Outcome.PROTOCOL_ERROR) for size in ODD_CHUNK_SIZES),
        (once(ok(b"not gzip", "Content-Encoding: gzip")), Outcome.PROTOCOL_ERROR),
    ],
)
async def test_each_fault_of_a_target_has_its_outcome(script: Script, outcome: Outcome) -> None:
    exchange = await answered_by(script, deadline_s=DEADLINE_S if outcome is Outcome.TIMEOUT else None)
    assert exchange.outcome is outcome
    assert exchange.timing.total_ms < 1000 * (DEADLINE_S + 0.5)


async def test_a_stream_that_ends_by_a_reset_is_not_taken_for_complete() -> None:
    assert (await answered_by(reset_in_stream)).outcome is Outcome.RESET


async def test_a_ring_of_redirects_ends_after_five() -> None:
    hops = 0

    async def ring(visit: Visit) -> None:
        nonlocal hops
        while True:
            await visit.request()
            hops += 1
            await visit.write(redirect("/again"))

    exchange = await answered_by(ring, follow_redirects=True)
    assert exchange.outcome is Outcome.TOO_MANY_REDIRECTS
    assert hops == 6
    assert len(exchange.redirects) == 5


async def test_slow_redirects_share_one_deadline() -> None:
    async def slow(visit: Visit) -> None:
        while True:
            await visit.request()
            await asyncio.sleep(0.1)
            await visit.write(redirect("/again"))

    exchange = await answered_by(slow, follow_redirects=True, deadline_s=DEADLINE_S)
    assert exchange.outcome is Outcome.TIMEOUT
    assert exchange.timing.total_ms < 1000 * (DEADLINE_S + 0.5)


async def test_a_closed_port_is_no_connection() -> None:
    async with raw_target(hang) as target:
        pass
    async with HttpClient(EMBEDDED, limits=LIMITS) as client:
        exchange = await client.send(Request("GET", target.url))
    assert exchange.outcome is Outcome.CONNECT_FAILED
    assert "refused" in exchange.error


async def test_the_deadline_covers_the_wait_for_a_free_connection() -> None:
    async with raw_target(hang) as target, HttpClient(EMBEDDED, limits=LIMITS, max_connections=1) as client:
        first = asyncio.create_task(client.send(Request("GET", target.url), deadline_s=5))
        await asyncio.sleep(0)
        second = await client.send(Request("GET", target.url), deadline_s=DEADLINE_S)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        third = await client.send(Request("GET", target.url), deadline_s=DEADLINE_S)
    assert second.outcome is third.outcome is Outcome.TIMEOUT
    assert "no connection was free" in second.error
    assert "no answer" in third.error
    assert target.connections == 2


async def test_a_hostile_exchange_leaves_the_next_one_untouched() -> None:
    scripts = iter([once(b"garbage"), reset_at_once, hang_in_body, once(ok())])

    async def changing(visit: Visit) -> None:
        await next(scripts)(visit)

    async with raw_target(changing) as target, HttpClient(EMBEDDED, limits=LIMITS) as client:
        request = Request("POST", target.url)
        outcomes = [(await client.send(request, deadline_s=deadline_s)).outcome for deadline_s in (5, 5, DEADLINE_S, 5)]
    assert outcomes == [Outcome.PROTOCOL_ERROR, Outcome.RESET, Outcome.TIMEOUT, Outcome.ANSWERED]
