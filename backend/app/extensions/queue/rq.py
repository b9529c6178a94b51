"""RQ as a doorbell: Redis carries job ids, as JSON, and losing them costs seconds, not jobs."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from backend.app.core.errors import Unavailable
from backend.app.core.ids import new_ulid
from backend.app.core.performer import BATCHED
from backend.app.core.settings import Settings
from backend.app.db.outbox import JobRow

log = structlog.get_logger(module_id="jobs")

PERFORM = "backend.app.worker.perform"
"""The one function that RQ calls."""
_COALESCE_S = 0.01
_OPEN_S = 2.0


class RqQueue:
    """Rings for the workers from a thread, so that no request waits for Redis. Rings of 10 ms go together.

    After a failure the circuit stays open for two seconds: rings are dropped meanwhile, and the workers find the jobs
    in the table.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings, timeout_s=settings.redis.timeout_s)
        self._queues: dict[str, Queue] = {}
        self._rung: list[JobRow] = []
        self._ringing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
        self._open_until = 0.0
        self.dropped = 0
        """Rings that did not reach Redis."""

    async def start(self) -> None: ...

    async def wake(self, jobs: Sequence[JobRow]) -> None:
        if time.monotonic() < self._open_until:
            self.dropped += len(jobs)
            return
        self._rung += jobs
        if self._ringing is None:
            self._ringing = asyncio.create_task(self._ring_all())

    async def stop(self) -> None:
        if self._ringing:
            await self._ringing
        self._thread.shutdown(wait=False)
        self._redis.close()

    async def ping(self) -> None:
        """Raises `Unavailable`."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._redis.ping)
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis cannot be reached: {type(error).__name__}") from None

    async def _ring_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(_COALESCE_S)
            while self._rung:
                rung, self._rung = self._rung, []
                try:
                    await loop.run_in_executor(self._thread, self._ring, rung)
                except (RedisError, OSError) as error:
                    self._open_until = time.monotonic() + _OPEN_S
                    self.dropped += len(rung) + len(self._rung)
                    self._rung = []
                    log.warning("redis.unreachable", error=type(error).__name__)
        finally:
            self._ringing = None

    def _ring(self, jobs: Sequence[JobRow]) -> None:
        by_queue: dict[str, list[str]] = {}
        for job in jobs:
            by_queue.setdefault(job.queue, []).append(job.id)
        for name, ids in by_queue.items():
            queue = self._queues.get(name) or self._queues.setdefault(name, open_queue(name, self._redis))
            size = self._settings.jobs.batch_size if name == BATCHED else 1
            queue.enqueue_many(
                [
                    Queue.prepare_data(
                        PERFORM, (name, batch), job_id=f"job-{new_ulid()}", description=name, timeout=-1, result_ttl=0
                    )
                    for batch in _batches(ids, size)
                ]
            )


def open_queue(name: str, connection: Redis) -> Queue:
    return Queue(name, connection=connection, serializer=JSONSerializer)


def connect(settings: Settings, *, timeout_s: float | None) -> Redis:
    """Without retries: who rings goes on without Redis, who listens has a loop of its own."""
    if settings.redis.url is None:
        raise ValueError("redis.url is not set")
    return Redis.from_url(
        settings.redis.url,
        socket_connect_timeout=settings.redis.timeout_s,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


def _batches(ids: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
