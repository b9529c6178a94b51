"""No-op jobs from publish to done, and how soon a job starts: after its commit, and after the death of its worker.

CPU is that of our own processes, publisher and worker; PostgreSQL and Redis are not in it. The yardstick is RQ as it
comes, on the same Redis in the same run; of it only the worker counts.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import rq
import uvloop
from redis import Redis
from sqlalchemy import text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub, SilentQueue
from backend.app.core.permissions import system_principal
from backend.app.core.runner import JobContext
from backend.app.core.settings import DatabaseSettings, JobSettings, RedisSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.extensions.queue.rq import RqQueue
from benchmarks.support import rq_worker
from benchmarks.support.table import Row
from tests.support import databases
from tests.support.servers import RedisServer

JOBS = 1000
ROUNDS = 5
PUBLISHERS = 20
"""Requests in flight that each publish one event in its own transaction."""
STARTS = 100
YARDSTICK_JOBS = 250
LEASE_S = 3.0

hub = MessageHub()


class NoopAsked(Event):
    name: ClassVar = "noop.asked"

    noop_id: str


@hub.on(NoopAsked)
async def do_nothing(event: NoopAsked, context: ServiceContext) -> None: ...


class StampAsked(Event):
    name: ClassVar = "stamp.asked"

    stamp_id: str
    file: str


@hub.on(StampAsked)
async def stamp(event: StampAsked, context: ServiceContext) -> None:
    if event.stamp_id == "start":
        _stamp(event.file)


@hub.on(StampAsked, queue="long")
async def hold(event: StampAsked, job: JobContext) -> None:
    if event.stamp_id == "hold":
        _stamp(event.file)
        await asyncio.sleep(3600)


def _stamp(path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{time.monotonic()}\n")


def run() -> list[Row]:
    redis = RedisServer()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return uvloop.run(_run(databases.postgres_database(), redis.url, Path(folder)))
    finally:
        redis.stop()


async def _run(url: str, redis_url: str, folder: Path) -> list[Row]:
    with_redis = Settings(database=DatabaseSettings(url=url, pool_size=PUBLISHERS), redis=RedisSettings(url=redis_url))
    without = with_redis.model_copy(update={"redis": RedisSettings()})
    short_lease = without.model_copy(update={"jobs": JobSettings(lease_s=LEASE_S, heartbeat_s=1.0, sweep_s=1.0)})
    simple, forking = (_rq_throughput(redis_url, kind) for kind in ("SimpleWorker", "Worker"))
    rate = await _throughput(with_redis)
    rq_p99 = await _rq_enqueue_to_start(redis_url, folder / "rq")
    ring_p99 = await _commit_to_start(with_redis, folder / "ring")
    poll_p99 = await _commit_to_start(without, folder / "poll")
    restart = await _restart(short_lease, folder / "restart")
    return [
        Row(
            "no-op jobs, publish to done, RQ and PostgreSQL",
            f"{rate:.0f} a CPU-second; RQ alone: SimpleWorker {simple:.0f} ({rate / simple:.2f} x), "
            f"forking {forking:.0f} ({rate / forking:.1f} x)",
            ">= 600",
            rate >= 600,
        ),
        Row(
            "commit to start of a job, with Redis, p99",
            f"{ring_p99 * 1000:.0f} ms; RQ's SimpleWorker {rq_p99 * 1000:.0f} ms ({ring_p99 / rq_p99:.1f} x)",
            "< 200 ms",
            ring_p99 < 0.2,
        ),
        Row(
            "commit to start of a job, without Redis, p99",
            f"{poll_p99 * 1000:.0f} ms, {poll_p99 / without.jobs.poll_s:.2f} of the interval of looks",
            "< 1,200 ms",
            poll_p99 < 1.2,
        ),
        Row(
            f"restart after the worker's death, lease {LEASE_S:.0f} s",
            f"{restart:.1f} s, {restart / LEASE_S:.2f} of the lease",
            "<= 10 s",
            restart <= 10,
        ),
    ]


def _rq_throughput(redis_url: str, kind: str) -> float:
    """No-op jobs per CPU-second of RQ's own worker and what it forks."""
    with Redis.from_url(redis_url) as redis:
        queue = rq.Queue(rq_worker.QUEUE, connection=redis)
        for _ in range(YARDSTICK_JOBS):
            queue.enqueue(rq_worker.nothing)
        command = [sys.executable, "-m", "benchmarks.support.rq_worker", kind, redis_url]
        used = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        assert not queue.count
    return YARDSTICK_JOBS / float(used)


async def _rq_enqueue_to_start(redis_url: str, file: Path) -> float:
    """As `_commit_to_start`, of RQ's own `SimpleWorker`."""
    command = [sys.executable, "-m", "benchmarks.support.rq_worker", "SimpleWorker", redis_url, "--stay"]
    worker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    with Redis.from_url(redis_url) as redis:
        assert worker.stdout
        await worker.stdout.readline()
        queue = rq.Queue(rq_worker.QUEUE, connection=redis)
        delays = []
        for index in range(STARTS):
            queue.enqueue(rq_worker.stamp, str(file))
            enqueued = time.monotonic()
            delays.append(await _line(file, index) - enqueued)
    worker.kill()
    await worker.wait()
    return sorted(delays)[int(STARTS * 0.99)]


async def _throughput(settings: Settings) -> float:
    """Jobs per CPU-second of publisher and worker, their start-up left out; publishing and performing overlap."""
    async with _Publisher(settings) as publisher:
        with _Worker(settings) as worker:
            await publisher.publish_noops(100)
            await publisher.drained()
            rates = []
            for _ in range(ROUNDS):
                before = time.process_time() + worker.cpu_s()
                await publisher.publish_noops(JOBS)
                published = time.process_time()
                await publisher.drained()
                rates.append(JOBS / (published + worker.cpu_s() - before))
            return statistics.median(rates)


async def _commit_to_start(settings: Settings, file: Path) -> float:
    """The 99th percentile of the seconds from commit to handler, of jobs published one at a time."""
    delays = []
    async with _Publisher(settings) as publisher:
        with _Worker(settings):
            for index in range(STARTS):
                await publisher.publish(StampAsked(stamp_id="start", file=str(file)))
                committed = time.monotonic()
                delays.append(await _line(file, index) - committed)
    return sorted(delays)[int(STARTS * 0.99)]


async def _restart(settings: Settings, file: Path) -> float:
    """Seconds from the kill of a worker to the start of its job in another one."""
    async with _Publisher(settings) as publisher:
        with _Worker(settings) as victim:
            await publisher.publish(StampAsked(stamp_id="hold", file=str(file)))
            await _line(file, 0)
            with _Worker(settings):
                killed = time.monotonic()
                victim.kill()
                return await _line(file, 1) - killed


class _Publisher:
    """This process, in the place of an API process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(create_engine(settings.database))
        self._principal = system_principal(new_ulid())

    async def __aenter__(self) -> "_Publisher":
        hub.queue = RqQueue(self._settings) if self._settings.redis.url else SilentQueue()
        await hub.queue.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await hub.queue.stop()
        await self._database.close()

    async def publish(self, event: Event) -> None:
        async with self._database.transaction(self._principal.workspace_id) as session:
            context = ServiceContext(self._settings, session, hub, self._principal, utc_now, "benchmark")
            await hub.publish(event, context)

    async def publish_noops(self, count: int) -> None:
        numbers = iter(range(count))

        async def publish() -> None:
            for number in numbers:
                await self.publish(NoopAsked(noop_id=str(number)))

        await asyncio.gather(*(publish() for _ in range(PUBLISHERS)))

    async def drained(self) -> None:
        unfinished = text("SELECT 1 FROM jobs WHERE status IN ('pending', 'running') LIMIT 1")
        while True:
            async with self._database.transaction(EVERY_WORKSPACE, write=False) as session:
                if await session.scalar(unfinished) is None:
                    return
            await asyncio.sleep(0.05)


class _Worker:
    """A `touchstone worker` with the handlers of this file."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "benchmarks.jobs", settings.model_dump_json()]
        self._log = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed at exit
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._log)

    def __enter__(self) -> "_Worker":
        while b"worker.started" not in Path(self._log.name).read_bytes():
            assert self._process.poll() is None, "the worker did not start"
            time.sleep(0.02)
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()
        self._log.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _line(file: Path, index: int) -> float:
    """The time that the handler wrote in line `index`, when it is there."""
    while len(lines := _lines(file)) <= index:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.002)
    return lines[index]


def _lines(file: Path) -> list[float]:
    return [float(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    from backend.app.extensions.logging import configure_logging
    from backend.app.worker import run_worker
    from benchmarks import jobs  # under its own name, so that handlers are stored as the publisher knows them

    configured = Settings.model_validate_json(sys.argv[1])
    configure_logging(configured.logging)
    run_worker(configured, handlers=jobs.hub)
