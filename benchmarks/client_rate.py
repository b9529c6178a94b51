"""Requests per CPU-second of the outgoing HTTP client at 50 connections, beside raw `aiohttp` in the same run.

    python -m benchmarks.client_rate

CPU time of our own process; the server is another one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop

from backend.app.engine.http import Request
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from benchmarks.support.fast_server import fast_server
from benchmarks.support.table import Row, print_table

CONNECTIONS = 50
REQUESTS = 10_000
ROUNDS = 3


async def rate(ask: Callable[[], Awaitable[None]]) -> float:
    left = iter(range(REQUESTS))

    async def work() -> None:
        for _ in left:
            await ask()

    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return REQUESTS / (time.process_time() - started)


async def measure() -> list[Row]:
    own_rates, aiohttp_rates = [], []
    async with (
        fast_server() as base_url,
        HttpClient(OutgoingPolicy(allow_private=True), max_connections=CONNECTIONS) as client,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session,
    ):
        request = Request("GET", f"{base_url}/items", (("Accept", "application/json"),))

        async def own() -> None:
            exchange = await client.send(request)
            assert exchange.answer is not None, exchange.error

        async def raw() -> None:
            async with session.get(request.url, headers={"Accept": "application/json"}) as answer:
                await answer.read()

        for _ in range(ROUNDS):
            own_rates.append(await rate(own))
            aiohttp_rates.append(await rate(raw))
    best, yardstick = max(own_rates), max(aiohttp_rates)
    return [
        Row(
            f"outgoing HTTP client at {CONNECTIONS} connections",
            f"{best:,.0f} requests per CPU-second, {best / yardstick:.2f} of raw aiohttp ({yardstick:,.0f})",
            "> raw aiohttp",
            best > yardstick,
        )
    ]


def run() -> list[Row]:
    return uvloop.run(measure())


if __name__ == "__main__":
    print_table(run())
