"""How far the latency that the client reports is from the server's own stamps, at 50 in flight.

    python -m benchmarks.client_timing

The server holds 20 ms, sends headers, and the rest 10 ms later. The error of a figure is the moment it stands for, less
the moment at which the server wrote those bytes; samples that the client marked as unreliable are counted, not used.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import aiohttp
import uvloop

from backend.app.engine.http import Request
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from benchmarks.support.fast_server import HOLD_S, REST_S, fast_server
from benchmarks.support.table import Row, print_table

IN_FLIGHT = 50
REQUESTS = 5_000
FIRST_BYTE_GOAL = (0.2, 0.5)
TOTAL_GOAL = (0.3, 1.0)

Errors: TypeAlias = tuple[float, float] | None
"""Milliseconds: first byte, total. None for a sample that says of itself that it is unreliable."""


async def sample(ask: Callable[[], Awaitable[Errors]], requests: int) -> list[Errors]:
    """Answers of `IN_FLIGHT` workers who start evenly spread over the time of one request."""
    left = iter(range(requests))
    errors: list[Errors] = []

    async def work(number: int) -> None:
        await asyncio.sleep((HOLD_S + REST_S) * number / IN_FLIGHT)
        for _ in left:
            errors.append(await ask())

    await asyncio.gather(*(work(number) for number in range(IN_FLIGHT)))
    return errors


async def ours(base_url: str) -> list[Errors]:
    request = Request("GET", f"{base_url}/timed")
    async with HttpClient(OutgoingPolicy(allow_private=True), max_connections=IN_FLIGHT) as client:

        async def ask() -> Errors:
            start = time.perf_counter()
            exchange = await client.send(request, intended_start=start)
            assert exchange.answer is not None, exchange.error
            assert exchange.timing.first_byte_ms is not None
            if not exchange.timing.reliable:
                return None
            head_at, rest_at = map(float, exchange.answer.body.split())
            return (
                exchange.timing.first_byte_ms - (head_at - start) * 1000,
                exchange.timing.total_ms - (rest_at - start) * 1000,
            )

        await sample(ask, 2 * IN_FLIGHT)
        return await sample(ask, REQUESTS)


async def raw_aiohttp(base_url: str) -> list[Errors]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

        async def ask() -> Errors:
            async with session.get(f"{base_url}/timed") as answer:
                first = time.perf_counter()
                head_at, rest_at = map(float, (await answer.read()).split())
                return (first - head_at) * 1000, (time.perf_counter() - rest_at) * 1000

        await sample(ask, 2 * IN_FLIGHT)
        return await sample(ask, REQUESTS)


async def measure() -> list[Row]:
    async with fast_server() as base_url:
        mine = await ours(base_url)
        yardstick = await raw_aiohttp(base_url)
    reliable = [errors for errors in mine if errors is not None]
    marked = f"{100 - 100 * len(reliable) / len(mine):.1f} % marked as unreliable"
    rows = []
    for position, (name, goal) in enumerate((("first byte", FIRST_BYTE_GOAL), ("total", TOTAL_GOAL))):
        figures = percentiles([errors[position] for errors in reliable])
        other = percentiles([errors[position] for errors in yardstick if errors is not None])
        rows.append(
            Row(
                f"error of the {name} at {IN_FLIGHT} in flight, p50 / p99",
                f"{spelled(figures)} ms ({marked}; raw aiohttp {spelled(other)})",
                f"<= {goal[0]} / {goal[1]} ms",
                all(figure <= limit for figure, limit in zip(figures, goal, strict=True)),
            )
        )
    return rows


def percentiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def spelled(figures: tuple[float, float]) -> str:
    return " / ".join(f"{figure:.2f}" for figure in figures)


def run() -> list[Row]:
    return uvloop.run(measure())


if __name__ == "__main__":
    print_table(run())
