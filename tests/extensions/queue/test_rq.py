"""The doorbell when Redis is away, slow or in the wrong hands."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis
from sqlalchemy import text

from backend.app.core.errors import Unavailable
from backend.app.core.ids import new_ulid
from backend.app.core.settings import Settings
from backend.app.db.outbox import JobRow
from backend.app.db.session import Database
from backend.app.extensions.queue.rq import RqQueue, open_queue
from tests.support.jobs import SHORT, SLOW, Shop, fast, until
from tests.support.servers import RedisServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """One of its own, to be killed."""
    server = RedisServer()
    yield server
    server.stop()


@asynccontextmanager
async def black_hole() -> AsyncIterator[str]:
    """Accepts connections and never answers."""
    closed = asyncio.Event()

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closed.wait()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    closed.set()
    server.close()


def some_jobs(count: int, queue: str = "default") -> list[JobRow]:
    return [JobRow(new_ulid(), "x.y", queue, 5) for _ in range(count)]


async def test_rings_go_together_but_long_jobs_go_one_by_one(settings: Settings, redis_url: str) -> None:
    queue = RqQueue(fast(settings, redis_url))
    for _ in range(15):
        await queue.wake(some_jobs(2))
    await queue.wake(some_jobs(3, "long"))
    await queue.stop()
    with Redis.from_url(redis_url) as redis:
        bells = {name: open_queue(name, redis).jobs for name in ("default", "long")}
    assert sorted(len(bell.args[1]) for bell in bells["default"]) == [10, 20]
    assert [len(bell.args[1]) for bell in bells["long"]] == [1, 1, 1]


@pytest.mark.parametrize("fault", ["refuses", "never answers"])
async def test_publishing_does_not_wait_for_a_redis_that_is_ill(
    database: Database, settings: Settings, fault: str
) -> None:
    async with black_hole() as url:
        shop = Shop(database, fast(settings, url if fault == "never answers" else "redis://127.0.0.1:1/0"), rq=True)
        start = time.monotonic()
        for _ in range(20):
            await shop.publish(SHORT)
        assert time.monotonic() - start < 5
        with pytest.raises(Unavailable):
            await shop.hub.queue.ping()
        await shop.close()
    assert len(await shop.jobs(handler="jobs.do_short", status="pending")) == 20


async def test_jobs_run_while_redis_is_away_and_after_it_came_back(
    database: Database, settings: Settings, redis_server: RedisServer
) -> None:
    shop = Shop(database, fast(settings, redis_server.url), rq=True)
    async with shop.performing():
        await shop.publish(SHORT)
        await shop.settle()
        redis_server.kill()
        await shop.publish(SHORT)
        await shop.settle()
        redis_server.start()
        await shop.publish(SHORT)
        await shop.settle()
    await shop.close()
    assert len(await shop.effects()) == 3


async def test_a_worker_that_is_full_of_long_jobs_hears_the_bells_of_short_ones(
    database: Database, settings: Settings, redis_url: str
) -> None:
    shop = Shop(database, fast(settings, redis_url, concurrency=1, sweep_s=600), rq=True)
    async with shop.performing():
        await shop.publish(SLOW)
        await asyncio.to_thread(shop.script.slow_started.wait, 60)
        await shop.publish(SLOW)
        for _ in range(3):
            await shop.publish(SHORT)

        async def short_ones_are_done() -> bool:
            return len(await shop.jobs(handler="jobs.do_short", status="done")) == 5

        await until(short_ones_are_done)
        assert len(await shop.jobs(handler="jobs.do_slow", status="pending")) == 4
        with Redis.from_url(redis_url) as redis:
            assert open_queue("outgoing", redis).count >= 3  # left to other workers
        shop.script.slow_may_end.set()
        await shop.settle()
    await shop.close()


async def test_a_lost_bell_is_made_up_for(database: Database, settings: Settings, redis_url: str) -> None:
    shop = Shop(database, fast(settings, redis_url), rq=True)
    for _ in range(5):
        await shop.publish(SHORT)
    await asyncio.sleep(0)
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    async with shop.performing():
        await shop.settle()
    await shop.close()
    assert sum((await shop.effects()).values()) == 5


async def test_who_can_write_to_redis_cannot_run_code_in_the_worker(
    database: Database, settings: Settings, redis_url: str
) -> None:
    shop = Shop(database, fast(settings, redis_url), rq=True)
    with Redis.from_url(redis_url) as redis:
        open_queue("default", redis).enqueue("os._exit", 9)
        open_queue("default", redis).enqueue("backend.app.worker.perform", "default", ["no such job"])
        open_queue("default", redis).enqueue("backend.app.worker.perform", {"not": "a queue"})
    async with shop.performing():
        await shop.publish(SHORT)
        await shop.settle()
    await shop.close()
    async with database.transaction(write=False) as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs WHERE status = 'done'")) == 6
