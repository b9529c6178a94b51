"""Signing in: whether its time tells which accounts there are, how many sign-ins a second one process takes, and what
they cost everybody else.

    python -m benchmarks.sign_in

One server process on one core, with its real password hashing, on SQLite. The two times of a comparison are medians of
interleaved requests, each about an account of its own, so that nobody is slowed down as a guesser. The unrelated `GET`
is measured from a process of its own while 50 clients sign in at once.
"""

import asyncio
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import httpx2

from backend.app.core.ids import new_ulid
from benchmarks.support.table import Row, print_table
from benchmarks.web import Server, server, sign_in
from tests.support import databases

TRIES = 200
CLIENTS = 50
SIGN_INS_EACH = 4
PROBE = "/api/v1/events?limit=1"
_PAUSE_S = 0.01
DIFFERENCE_MS = 5.0
SIGN_INS_PER_S = 5.0
P99_MS = 250.0
PASSWORD = f"pass-{new_ulid()}"


def _person(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "first_name": "Bench", "last_name": "Mark"}


async def _timed_ms(client: httpx2.AsyncClient, path: str, body: Mapping[str, str], status: int) -> float:
    started = time.perf_counter()
    answer = await client.post(path, json=body)
    elapsed = time.perf_counter() - started
    if answer.status_code != status:
        raise RuntimeError(f"{path}: {answer.text}")
    return elapsed * 1000


async def differences(client: httpx2.AsyncClient) -> dict[str, tuple[float, float]]:
    """Median milliseconds for an account that exists and for one that does not."""
    times: dict[str, tuple[list[float], list[float]]] = {"register": ([], []), "login": ([], [])}
    for number in range(TRIES):
        known, unknown = f"known{number}@example.com", f"unknown{number}@example.com"
        times["register"][1].append(await _timed_ms(client, "/auth/register", _person(known), 201))
        times["register"][0].append(await _timed_ms(client, "/auth/register", _person(known), 201))
        for index, email in enumerate((known, unknown)):
            wrong = {"email": email, "password": "not the password"}
            times["login"][index].append(await _timed_ms(client, "/auth/login", wrong, 401))
    return {name: (statistics.median(one), statistics.median(other)) for name, (one, other) in times.items()}


async def sign_ins_per_s(client: httpx2.AsyncClient) -> float:
    async def person(number: int) -> None:
        for _ in range(SIGN_INS_EACH):
            wanted = {"email": f"known{number}@example.com", "password": PASSWORD}
            await _timed_ms(client, "/auth/login", wanted, 200)

    started = time.perf_counter()
    await asyncio.gather(*map(person, range(CLIENTS)))
    return CLIENTS * SIGN_INS_EACH / (time.perf_counter() - started)


def probe(port: int, headers: dict[str, str], until: Path) -> list[float]:
    """Milliseconds of one GET after the other, until the file `until` is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    while not until.exists():
        started = time.perf_counter()
        connection.request("GET", PROBE, headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - started) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{PROBE}: {answer.status}")
        time.sleep(_PAUSE_S)
    return times


async def measure(url: str, over: Path) -> tuple[dict[str, tuple[float, float]], float, float]:
    async with server("ours", url) as ours:
        await sign_in(ours)
        limits = httpx2.Limits(max_connections=CLIENTS)
        base = f"http://127.0.0.1:{ours.port}/api/v1"
        async with httpx2.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
            compared = await differences(client)
            rate, p99 = await _storm(ours, client, over)
    return compared, rate, p99


async def _storm(ours: Server, client: httpx2.AsyncClient, over: Path) -> tuple[float, float]:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        probing = loop.run_in_executor(pool, probe, ours.port, ours.headers, over)
        try:
            rate = await sign_ins_per_s(client)
        finally:
            await asyncio.to_thread(over.touch)
        times = await probing
    return rate, statistics.quantiles(times, n=100)[98]


def run() -> list[Row]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        url = databases.sqlite_database(Path(folder))
        compared, rate, p99 = asyncio.run(measure(url, Path(folder) / "over"))
    rows = [
        Row(
            f"{name}: an account that exists against one that does not, medians of {TRIES}",
            f"{known:.1f} and {unknown:.1f} ms ({known - unknown:+.1f})",
            f"<= {DIFFERENCE_MS:.0f} ms apart",
            abs(known - unknown) <= DIFFERENCE_MS,
        )
        for name, (known, unknown) in compared.items()
    ]
    rows.append(
        Row(
            f"sign-ins, {CLIENTS} clients at once",
            f"{rate:.0f} /s",
            f">= {SIGN_INS_PER_S:.0f} /s",
            rate >= SIGN_INS_PER_S,
        )
    )
    rows.append(Row("an unrelated GET meanwhile, p99", f"{p99:.0f} ms", f"<= {P99_MS:.0f} ms", p99 <= P99_MS))
    return rows


if __name__ == "__main__":
    print_table(run())
