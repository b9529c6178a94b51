"""Publishers and workers as processes that are killed at random, and the count of what was lost or done twice.

Generator, nemesis and checker: publishers write an order and its event in one transaction; the nemesis kills, stops and
robs; afterwards each order must have had exactly one effect of each handler.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.permissions import system_principal
from backend.app.core.runner import JobContext
from backend.app.core.settings import DatabaseSettings, JobSettings, RedisSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from tests.support.databases import Overview
from tests.support.servers import RedisServer

T = TypeVar("T")

_ROOT = Path(__file__).parents[2]
_WORKSPACE = new_ulid()
SCHEMA = (
    "DROP TABLE IF EXISTS effects",
    "DROP TABLE IF EXISTS orders",
    "CREATE TABLE orders (number INTEGER PRIMARY KEY)",
    "CREATE TABLE effects (number INTEGER NOT NULL, handler VARCHAR(20) NOT NULL)",
)
LEASE_S = 1.5
OUTAGE_PATIENCE_S = 30.0
"""A worker that was killed just before has to start again, on a machine that may be busy."""

hub = MessageHub()


class OrderPlaced(Event):
    name: ClassVar = "order.placed"

    order_id: str
    number: int


@hub.on(OrderPlaced)
async def bill(event: OrderPlaced, context: ServiceContext) -> None:
    await _take_effect(context, event.number, "bill")


@hub.on(OrderPlaced, attempts=50)
async def stumble(event: OrderPlaced, context: ServiceContext) -> None:
    """Fails after its effect, now and then."""
    await _take_effect(context, event.number, "stumble")
    if random.random() < 0.1:
        raise RuntimeError("stumbled")


@hub.on(OrderPlaced, queue="long")
async def ship(event: OrderPlaced, job: JobContext) -> None:
    if event.number % 10:
        return
    await job.progress(1, 2)
    await asyncio.sleep(0.02)
    async with job.transaction() as context:
        done = text("SELECT 1 FROM effects WHERE number = :number AND handler = 'ship'")
        if not (await context.session.execute(done, {"number": event.number})).first():
            await _take_effect(context, event.number, "ship")


class PoisonTaken(Event):
    name: ClassVar = "poison.taken"

    poison_id: str


@hub.on(PoisonTaken)
async def swallow(event: PoisonTaken, context: ServiceContext) -> None:
    os._exit(9)


class PatienceAsked(Event):
    name: ClassVar = "patience.asked"

    patience_id: str


@hub.on(PatienceAsked, queue="long")
async def linger(event: PatienceAsked, job: JobContext) -> None:
    """Takes longer than anybody waits, the first time."""
    await job.progress(0, 1)
    if job.attempt == 1:
        await asyncio.sleep(3600)


async def _take_effect(context: ServiceContext, number: int, handler: str) -> None:
    insert = text("INSERT INTO effects (number, handler) VALUES (:number, :handler)")
    await context.session.execute(insert, {"number": number, "handler": handler})


def settings_for(database_url: str, redis_url: str | None, **changes: Any) -> Settings:
    jobs = {
        "lease_s": LEASE_S,
        "heartbeat_s": 0.4,
        "sweep_s": 0.5,
        "poll_s": 0.3,
        "shutdown_s": 2,
        "max_lost_leases": 20,
    }
    return Settings(
        database=DatabaseSettings(url=database_url),
        redis=RedisSettings(url=redis_url),
        jobs=JobSettings(**(jobs | changes)),
    )


async def publish(settings: Settings, orders: int) -> None:
    """Places orders until there are `orders`. Numbers already placed, before a crash, are not placed again."""
    from backend.app.extensions.queue.rq import RqQueue

    database = Database(create_engine(settings.database))
    if settings.redis.url:
        hub.queue = RqQueue(settings)
    principal = system_principal(_WORKSPACE)
    async with database.transaction(write=False) as session:
        number = await session.scalar(text("SELECT count(*) FROM orders"))
    while number < orders:
        async with database.transaction(_WORKSPACE) as session:
            await session.execute(text("INSERT INTO orders (number) VALUES (:number)"), {"number": number})
            context = ServiceContext(settings, session, hub, principal, utc_now, "crash")
            await hub.publish(OrderPlaced(order_id=new_ulid(), number=number), context)
        number += 1
    await hub.queue.stop()
    await database.close()


@dataclass
class Outcome:
    orders: int = 0
    jobs: int = 0
    lost: int = 0
    doubled: int = 0
    dead: int = 0
    failures: int = 0
    """Processes that ended by themselves: a failed publish, a worker that gave up."""
    kills: int = 0
    stops: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class Storm:
    """Runs one publisher and some workers, harms them, and counts."""

    def __init__(self, database_url: str, redis: RedisServer, *, orders: int, workers: int, seed: int) -> None:
        self.settings = settings_for(database_url, redis.url)
        self.outcome = Outcome()
        self._redis = redis
        self._orders = orders
        self._workers = workers
        self._random = random.Random(seed)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: list[tuple[float, subprocess.Popen[bytes]]] = []
        self._runner = asyncio.Runner()
        self._database = Overview(create_engine(self.settings.database))
        self._log = (Path(redis.home) / "crash.log").open("ab")

    def run(self, *, kills: int, stops: int, flushes: int = 1, outages: int = 1, deadline_s: float = 300.0) -> Outcome:
        start = time.monotonic()
        self._ask(self._prepare)
        faults: list[Callable[[], None]] = [self._kill] * kills + [self._stop] * stops
        self._random.shuffle(faults)
        for fault, count in ((self._flush, flushes), (self._outage, outages)):
            for _ in range(count):
                faults.insert(self._random.randrange(len(faults) // 3, 2 * len(faults) // 3 + 1), fault)
        with self._all_processes():
            for index, fault in enumerate(faults):
                self._wait_for_progress((index + 1) / (len(faults) + 1), start + deadline_s)
                fault()
            while not self._ask(self._settled):
                self._tend()
                if time.monotonic() > start + deadline_s:
                    self.outcome.notes.append("did not settle in time")
                    break
                time.sleep(0.1)
            self._wake_all()
        self._ask(self._count)
        self.outcome.seconds = time.monotonic() - start
        self._runner.run(self._database.close())
        self._runner.close()
        self._log.close()
        return self.outcome

    def _wait_for_progress(self, share: float, deadline: float) -> None:
        """Until that share of the effects is there, or until nothing more can be expected soon."""
        patience = time.monotonic() + 5
        while time.monotonic() < min(deadline, patience):
            self._tend()
            if self._ask(self._progress) >= share:
                return
            time.sleep(0.03)

    @contextmanager
    def _all_processes(self) -> Iterator[None]:
        self._start("publisher")
        for index in range(self._workers):
            self._start(f"worker-{index}")
        try:
            yield
        finally:
            for process in self._processes.values():
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    def _start(self, name: str) -> None:
        role = "publish" if name == "publisher" else "work"
        self._processes[name] = start_process(role, self.settings, orders=self._orders, log=self._log)

    def _tend(self) -> None:
        """Start what was killed again, and let what was stopped go on when its lease is long over."""
        for name, process in list(self._processes.items()):
            ended = process.poll()
            if ended is None or (name == "publisher" and ended == 0):
                continue
            if ended != -signal.SIGKILL:
                self.outcome.failures += 1
            self._start(name)
        while self._stopped and self._stopped[0][0] < time.monotonic():
            self._stopped.pop(0)[1].send_signal(signal.SIGCONT)

    def _wake_all(self) -> None:
        while self._stopped:
            self._stopped.pop(0)[1].send_signal(signal.SIGCONT)

    def _victim(self) -> subprocess.Popen[bytes] | None:
        running = [process for process in self._processes.values() if process.poll() is None]
        return self._random.choice(running) if running else None

    def _kill(self) -> None:
        if victim := self._victim():
            victim.kill()
            victim.wait()
            self.outcome.kills += 1

    def _stop(self) -> None:
        if victim := self._victim():
            victim.send_signal(signal.SIGSTOP)
            self._stopped.append((time.monotonic() + LEASE_S + 1.0, victim))
            self.outcome.stops += 1

    def _flush(self) -> None:
        from redis import Redis

        with Redis.from_url(self._redis.url) as client:
            client.flushall()

    def _outage(self) -> None:
        self._redis.kill()
        before = self._ask(self._progress)
        patience = time.monotonic() + OUTAGE_PATIENCE_S
        while self._ask(self._progress) <= before < 1:
            self._tend()
            if time.monotonic() > patience:
                self.outcome.notes.append("no job ran while Redis was away")
                break
            time.sleep(0.1)
        self._redis.start()

    def _ask(self, question: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        return self._runner.run(question(self._database))

    async def _prepare(self, database: Database) -> None:
        async with database.transaction() as session:
            for statement in SCHEMA:
                await session.execute(text(statement))

    async def _progress(self, database: Database) -> float:
        async with database.transaction(write=False) as session:
            done = await session.scalar(text("SELECT count(*) FROM effects WHERE handler = 'bill'"))
        return float(done or 0) / self._orders

    async def _settled(self, database: Database) -> bool:
        async with database.transaction(write=False) as session:
            orders = await session.scalar(text("SELECT count(*) FROM orders"))
            open_jobs = await session.scalar(text("SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')"))
        return orders == self._orders and not open_jobs

    async def _count(self, database: Database) -> None:
        async with database.transaction(write=False) as session:
            rows = await session.execute(text("SELECT number, handler, count(*) FROM effects GROUP BY number, handler"))
            effects = {(number, handler): count for number, handler, count in rows}
            orders = set((await session.scalars(text("SELECT number FROM orders"))).all())
            self.outcome.jobs = int(await session.scalar(text("SELECT count(*) FROM jobs")) or 0)
            self.outcome.dead = int(await session.scalar(text("SELECT count(*) FROM jobs WHERE status = 'dead'")) or 0)
        expected = {(n, handler) for n in orders for handler in ("bill", "stumble")}
        expected |= {(n, "ship") for n in orders if n % 10 == 0}
        self.outcome.orders = len(orders)
        self.outcome.lost = len(expected - effects.keys()) + (self._orders - len(orders))
        self.outcome.doubled = sum(count - 1 for count in effects.values()) + len(effects.keys() - expected)


def start_process(role: str, settings: Settings, *, orders: int = 0, log: Any = None) -> "subprocess.Popen[bytes]":
    """A publisher of `orders` (`publish`) or a worker (`work`); it speaks to `log` or to nobody."""
    log = log or subprocess.DEVNULL
    command = [sys.executable, "-m", "tests.support.crashes", role, str(orders), settings.model_dump_json()]
    return subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)


def main() -> None:
    role, orders, settings_json = sys.argv[1:]
    settings = Settings.model_validate_json(settings_json)
    if role == "publish":
        asyncio.run(publish(settings, int(orders)))
    else:
        from backend.app.worker import run_worker

        random.seed(os.getpid())
        run_worker(settings, handlers=hub)


if __name__ == "__main__":
    # Under its own name, so that handlers are stored as the other processes know them.
    from tests.support import crashes

    crashes.main()
