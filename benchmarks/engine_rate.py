"""A whole scan (generate, send, check, record) against a fast local server, beside raw `aiohttp` in the same run.

    python -m benchmarks.engine_rate

Requests per CPU-second of our own process at 50 connections; the server is another process.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvloop

from backend.app.engine.findings import Finding
from backend.app.engine.scan import ScanLimits, ScanPlan, ScanResult, Stopped, TestRun, run_scan
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from benchmarks.support import shop_server
from benchmarks.support.table import Row, print_table

CONNECTIONS = 50
RAW_REQUESTS = 6_000
GOAL = 3_000
ROUNDS = 3


class Recorder:
    """Keeps every run, as whoever writes them to a database would."""

    def __init__(self) -> None:
        self.runs: list[TestRun] = []
        self.findings: list[Finding] = []

    async def test_run(self, run: TestRun) -> None:
        self.runs.append(run)

    async def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    async def progress(self, done: int, total: int) -> None:
        return None

    async def should_stop(self) -> bool:
        return False


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    command = [sys.executable, "-m", "benchmarks.support.shop_server"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def scan(base_url: str) -> tuple[ScanResult, Recorder, float]:
    recorder = Recorder()
    plan = ScanPlan(shop_server.description(), base_url, limits=ScanLimits(concurrency=CONNECTIONS))
    async with HttpClient(OutgoingPolicy(allow_private=True), max_connections=CONNECTIONS) as client:
        started = time.process_time()
        result = await run_scan(plan, client.send, observer=recorder)
        used = time.process_time() - started
    return result, recorder, result.requests / used


async def raw(base_url: str) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        left = iter(range(RAW_REQUESTS))

        async def work() -> None:
            for _ in left:
                async with session.get(f"{base_url}/{shop_server.COLLECTIONS[0]}") as answer:
                    await answer.read()

        started = time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return RAW_REQUESTS / (time.process_time() - started)


async def measure() -> list[Row]:
    async with server() as base_url:
        rates, raw_rates = [], []
        for _ in range(ROUNDS):
            raw_rates.append(await raw(base_url))
            result, recorder, rate = await scan(base_url)
            rates.append(rate)
    assert result.stopped is Stopped.COMPLETED
    assert result.coverage.percent == 100.0
    assert len(recorder.runs) == result.requests
    assert not result.findings, result.findings[0]
    best, raw_best = max(rates), max(raw_rates)
    return [
        Row(
            f"engine, whole scan of {result.requests:,} requests at {CONNECTIONS} connections",
            f"{best:,.0f} requests per CPU-second, {best / raw_best:.2f} of raw aiohttp ({raw_best:,.0f})",
            f">= {GOAL:,}",
            best >= GOAL,
        )
    ]


def run() -> list[Row]:
    return uvloop.run(measure())


if __name__ == "__main__":
    print_table(run())
