"""What a request costs: an empty route against bare FastAPI, and a list of 50 rows against a naive stack.

    python -m benchmarks.web

CPU milliseconds per request of the server process (user and system, all threads), at 8 keep-alive connections, among
480 other routes, medians of interleaved rounds. The server keeps one core and the load generator stays off it.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.permissions import system_principal
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from benchmarks.support.http_load import cpu_seconds, load
from benchmarks.support.table import Row, print_table
from benchmarks.support.web_server import EMPTY
from tests.support import databases

ROUNDS = 3
LIST = "/api/v1/events?limit=50"
EMPTY_RATIO = 1.3
LIST_MS = {"SQLite": 0.8, "PostgreSQL": 1.0}
NAIVE_RATIO = 3.5


class Sampled(Event):
    """Some 300 bytes of payload."""

    name = "sample.taken"
    sample_id: str
    target: str = "https://api.example.com/v1/orders/8c1f0a52/items"
    tags: tuple[str, ...] = ("a value of usual length",) * 7


@dataclass(slots=True)
class Server:
    port: int
    pid: int
    headers: dict[str, str] = field(default_factory=dict)

    async def cost_ms(self, path: str, requests: int) -> float:
        before = cpu_seconds(self.pid)
        await load(self.port, path, self.headers, requests=requests)
        return (cpu_seconds(self.pid) - before) / requests * 1000


@asynccontextmanager
async def server(kind: str, *arguments: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.support.web_server", kind, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server {kind} did not start")
        yield Server(int(line), process.pid)
    finally:
        process.stdin.close()
        await process.wait()


async def sign_in(found: Server) -> str:
    """Gives `found` an API key of a fresh user; answers the user's workspace."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{found.port}/api/v1") as client:
        account = {"email": "bench@example.com", "password": f"pass-{new_ulid()}"}
        user = await client.post("/auth/register", json={**account, "first_name": "Bench", "last_name": "Mark"})
        tokens = (await client.post("/auth/login", json=account)).json()["data"]
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        key = await client.post("/user/api-keys", json={"name": "bench"}, headers=bearer)
        found.headers["x-api-key"] = key.json()["data"]["key"]
        workspace: str = user.json()["data"]["personal_workspace_id"]
        return workspace


async def add_events(url: str, workspace_id: str, count: int = 500) -> None:
    database, hub = Database(create_engine(DatabaseSettings(url=url))), MessageHub()
    async with database.transaction(workspace_id) as session:
        principal = system_principal(workspace_id)
        context = ServiceContext(Settings(), session, hub, principal, utc_now, new_ulid())
        for _ in range(count):
            await hub.publish(Sampled(sample_id=new_ulid(), project_id=new_ulid()), context)
    await database.close()


async def measure(urls: dict[str, str]) -> dict[str, float]:
    """Median CPU ms per request by what was asked of whom."""
    async with AsyncExitStack() as stack:
        asked: dict[str, tuple[Server, str, int]] = {
            "bare": (await stack.enter_async_context(server("bare")), EMPTY, 5_000)
        }
        for engine, url in urls.items():
            ours = await stack.enter_async_context(server("ours", url))
            naive = await stack.enter_async_context(server("naive", url))
            workspace_id = await sign_in(ours)
            naive.headers = {"x-api-key": "bench", "x-workspace": workspace_id}
            await add_events(url, workspace_id)
            asked |= {f"ours {engine}": (ours, LIST, 1_600), f"naive {engine}": (naive, LIST, 400)}
            asked.setdefault("empty", (ours, EMPTY, 5_000))
            asked.setdefault("naive empty", (naive, EMPTY, 600))
        samples: dict[str, list[float]] = {name: [] for name in asked}
        for turn in range(ROUNDS + 1):
            for name, (asked_server, path, requests) in asked.items():
                cost = await asked_server.cost_ms(path, requests if turn else 200)
                if turn:
                    samples[name].append(cost)
        return {name: statistics.median(costs) for name, costs in samples.items()}


def run() -> list[Row]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": databases.sqlite_database(Path(folder)), "PostgreSQL": databases.postgres_database()}
        costs = asyncio.run(measure(urls))
    ratio = costs["empty"] / costs["bare"]
    rows = [
        Row(
            "empty route on a view class, CPU of the server",
            f"{costs['empty']:.3f} ms, bare {costs['bare']:.3f} ({ratio:.2f} x), naive {costs['naive empty']:.2f}",
            f"<= {EMPTY_RATIO} x bare",
            ratio <= EMPTY_RATIO,
        )
    ]
    for engine, limit in LIST_MS.items():
        cost, naive = costs[f"ours {engine}"], costs[f"naive {engine}"]
        rows.append(
            Row(
                f"list of 50 rows among 480 routes, {engine}",
                f"{cost:.3f} ms, naive {naive:.2f} ({naive / cost:.1f} x)",
                f"<= {limit} ms, >= {NAIVE_RATIO} x",
                cost <= limit and naive / cost >= NAIVE_RATIO,
            )
        )
    return rows


if __name__ == "__main__":
    print_table(run())
