"""The worker process. RQ rings and keeps the process; the jobs run on one event loop, with one engine, for life.

The loop has a thread of its own, so that leases are prolonged and due jobs are found while RQ waits for Redis.
"""

import asyncio
import importlib
import importlib.util
import logging
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError
from rq import Queue as RedisQueue
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy, SimpleWorker, WorkerStatus

from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import MessageHub, hub
from backend.app.core.performer import Performer
from backend.app.core.runner import QUEUES, Runner
from backend.app.core.settings import Settings
from backend.app.db import tenancy
from backend.app.db.engine import create_engine
from backend.app.db.session import Database
from backend.app.extensions.queue.in_process import InProcessQueue
from backend.app.extensions.queue.rq import PERFORM, RqQueue, connect
from backend.app.modules import MODULES

T = TypeVar("T")

log = structlog.get_logger(module_id="jobs")

_RECONNECT_S = 1.0
_RQ_TTL_S = 20
_BEAT_S = 1.0
_LISTEN_S = 1
_ECHO_S = 1.0
"""A second signal so soon after the first is the same one, sent by a process group as well."""


def run_worker(
    settings: Settings,
    queues: Sequence[str] = QUEUES,
    burst: bool = False,
    name: str | None = None,
    *,
    handlers: MessageHub | None = None,
) -> int:
    """Perform jobs until SIGTERM or SIGINT, or, with `burst`, until none is due. Answers the exit status.

    Without `redis.url` the table is looked at every `poll_s`. After a signal the jobs in progress have `shutdown_s` to
    end; what then still runs is handed back, and so it is after a second signal. `handlers` stand in for those of the
    modules.
    """
    if handlers is None:
        load_handlers()
    with StopSignal() as stop, JobLoop(settings, queues, handlers or hub, name) as jobs:
        stop.attach(jobs)
        log.info("worker.started", worker=jobs.name, queues=list(queues))
        if settings.redis.url is not None:
            _answer_the_bell(settings, queues, burst, jobs, stop)
        elif not burst:
            stop.wait()
        if burst and not stop.requested:
            jobs.call(jobs.performer.drain())
    log.info("worker.stopped", worker=jobs.name)
    return 0


def load_handlers() -> None:
    """Import each module's handlers, so that they register with the hub."""
    for module in MODULES:
        name = f"backend.app.modules.{module}.handlers"
        if importlib.util.find_spec(name):
            importlib.import_module(name)


def perform(queue: str, ids: list[str]) -> None:
    """What RQ calls: returns when the jobs were taken. Their outcome is in the jobs table."""
    if JobLoop.current is None:
        raise RuntimeError("start workers with: touchstone worker")
    JobLoop.current.take(queue, ids)


class JobLoop:
    """An event loop in a thread, with the engine, the runner and the performer of this process."""

    current: "JobLoop | None" = None

    def __init__(self, settings: Settings, queues: Sequence[str], hub: MessageHub, name: str | None = None) -> None:
        self.settings = settings
        self.database = Database(create_engine(settings.database), patience_s=settings.database.busy_timeout_s)
        self.runner = Runner(self.database, hub, settings, name=name)
        self.name = self.runner.worker
        self.performer = Performer(self.runner, queues, listening=settings.redis.url is not None)
        self._hub = hub
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jobs", daemon=True)
        self._stopping: asyncio.Task[None] | None = None

    def __enter__(self) -> "JobLoop":
        self._thread.start()
        self.call(self._start())
        JobLoop.current = self
        return self

    def __exit__(self, *exception: object) -> None:
        JobLoop.current = None
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def take(self, queue: str, ids: Sequence[str]) -> None:
        self.call(self.performer.perform(queue, ids))

    def has_room(self, queue: str) -> bool:
        return self.performer.has_room(queue)

    def listen(self, listening: bool) -> None:
        self._loop.call_soon_threadsafe(self.performer.listen, listening)

    def stop(self, grace_s: float) -> None:
        """Claim no more from this moment on; returns at once. A second call may shorten the grace."""
        self._loop.call_soon_threadsafe(self._stop, grace_s)

    def _stop(self, grace_s: float) -> None:
        if self._stopping:
            self._stopping.cancel()
        self._stopping = asyncio.create_task(self.performer.stop(grace_s))

    async def _start(self) -> None:
        await tenancy.warn(self.database.engine)
        if self.settings.redis.url is None:
            self._hub.queue = InProcessQueue(self.performer)
        else:
            self._hub.queue = RqQueue(self.settings)
        await self._hub.queue.start()
        await self.performer.start()

    async def _end(self) -> None:
        if self._stopping is None:
            self._stop(self.settings.jobs.shutdown_s)
        while self._stopping and not self._stopping.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(self._stopping)
        await self._hub.queue.stop()
        await self.database.close()


class StopSignal:
    """SIGTERM and SIGINT. The first one stops the claiming and interrupts who waits for Redis; the second one ends the
    patience with jobs in progress."""

    def __init__(self) -> None:
        self.requested = False
        self.may_interrupt = False
        self._jobs: JobLoop | None = None
        self._at = 0.0
        self._event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, jobs: JobLoop) -> None:
        self._jobs = jobs
        if self.requested:
            jobs.stop(jobs.settings.jobs.shutdown_s)

    def wait(self, seconds: float | None = None) -> None:
        """Returns at the first signal, or after `seconds`."""
        self._event.wait(seconds)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            self._at = time.monotonic()
            self._event.set()
            if self._jobs:
                self._jobs.stop(self._jobs.settings.jobs.shutdown_s)
            if self.may_interrupt:
                raise StopRequested
        elif self._jobs and time.monotonic() - self._at > _ECHO_S:
            self._jobs.stop(0.0)


class TouchstoneWorker(SimpleWorker):
    """RQ's loop around Redis, and nothing else of RQ: a rung bell is no job with a result, a retry or a time limit.

    Only `perform` can be called, so who can write to Redis cannot run code here.
    """

    max_connection_wait_time = _RECONNECT_S

    def __init__(self, jobs: JobLoop, queues: Sequence[str]) -> None:
        self._jobs = jobs
        self._beaten_at = self._checked_at = -_BEAT_S
        super().__init__(
            list(queues),
            name=f"{jobs.name}-{new_ulid()[-6:]}",
            connection=connect(jobs.settings, timeout_s=None),
            worker_ttl=_RQ_TTL_S,
            serializer=JSONSerializer,
            log_job_description=False,
        )

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Without RQ's log handlers and its command channel: commands come as signals, and cancelling is a column."""
        self.register_birth()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.STARTED)

    def _install_signal_handlers(self) -> None:
        """`StopSignal` has them."""

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """RQ beats three times for each job: once a second will do."""
        if time.monotonic() - self._beaten_at > _BEAT_S:
            self._beaten_at = time.monotonic()
            self._jobs.listen(self._try(super().heartbeat, *args, **kwargs))

    def check_for_suspension(self, *args: Any, **kwargs: Any) -> None:
        if time.monotonic() - self._checked_at > _BEAT_S:
            self._checked_at = time.monotonic()
            self._try(super().check_for_suspension, *args, **kwargs)

    def set_state(self, state: str, *args: Any, **kwargs: Any) -> None:
        """Known to this process only: telling Redis would cost two round trips a job."""
        self._state = state

    def run_maintenance_tasks(self) -> None:
        self._try(super().run_maintenance_tasks)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, RedisQueue] | None:
        """Listens where there is room: a worker whose lane of long jobs is full leaves their bells to others, and hears
        those of the other queues. `timeout` is None in a burst, which does not wait."""
        while True:
            in_turn = [*self._ordered_queues, *(queue for queue in self.queues if queue not in self._ordered_queues)]
            self._ordered_queues = [queue for queue in in_turn if self._jobs.has_room(queue.name)]
            found = None
            if self._ordered_queues:
                found = super().dequeue_job_and_maintain_ttl(timeout, _LISTEN_S)
            elif timeout is not None:
                self.heartbeat()
                time.sleep(_LISTEN_S)
            if found or timeout is None or self._stop_requested:
                return found

    def execute_job(self, job: Job, queue: RedisQueue) -> None:
        try:
            if job.func_name != PERFORM:
                raise ValueError(f"{job.func_name} is not a bell")
            perform(*job.args)
        except StopRequested:
            raise
        except Exception as error:
            log.warning("worker.strange_bell", error=repr(error))
        self._try(self._forget, job, queue)

    def _forget(self, job: Job, queue: RedisQueue) -> None:
        with self.connection.pipeline() as pipeline:
            pipeline.delete(job.key)
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.execute()

    def _try(self, call: Callable[..., object], *args: Any, **kwargs: Any) -> bool:
        """Whether Redis was there. RQ waits for it where it takes a job, and gives up when it is away elsewhere."""
        try:
            call(*args, **kwargs)
        except (RedisError, OSError):
            return False
        return True


def _answer_the_bell(settings: Settings, queues: Sequence[str], burst: bool, jobs: JobLoop, stop: StopSignal) -> None:
    """Listen to Redis until a signal, and again whenever the connection was lost."""
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    stop.may_interrupt = True
    while not stop.requested:
        try:
            TouchstoneWorker(jobs, queues).work(burst=burst, dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
        except (RedisError, OSError) as error:
            log.warning("redis.unreachable", error=type(error).__name__)
        except StopRequested:
            break
        if burst:
            break
        jobs.listen(False)
        with suppress(StopRequested):
            stop.wait(_RECONNECT_S)
    stop.may_interrupt = False


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
