"""Keeps a process busy with due jobs: one lane per queue, a look at the table now and then, and the heartbeat."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import structlog

from backend.app.core.runner import QUEUES, Runner
from backend.app.db import jobs
from backend.app.db.jobs import LOST_LEASES, ClaimedJob
from backend.app.db.tenancy import EVERY_WORKSPACE

log = structlog.get_logger(module_id="jobs")

BATCHED = "default"
"""The queue of short jobs: they are claimed many at a time."""
_FORGET_EVERY_S = 600.0
_LAST_WORDS_S = 2.0


class Performer:
    """Performs the due jobs of `queues`. Lives on one event loop.

    It looks at the table every `poll_s` seconds, or every `sweep_s` while `listening`: then somebody else rings for due
    jobs, and the look only finds what the bell missed.
    """

    def __init__(self, runner: Runner, queues: Sequence[str] = QUEUES, *, listening: bool = False) -> None:
        self._runner = runner
        self._settings = runner.settings.jobs
        suspected: set[_Lane] = set()
        self._lanes = {queue: _Lane(runner, queue, suspected) for queue in queues}
        self._listening = listening
        self._look_now = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._look_now.set()
        work = [lane.run() for lane in self._lanes.values()]
        self._tasks = [asyncio.create_task(each) for each in (*work, self._watch(), self._beat())]

    def listen(self, listening: bool) -> None:
        if self._listening and not listening:
            self._look_now.set()
        self._listening = listening

    def wake(self, queue: str) -> None:
        """Jobs of `queue` are due."""
        if lane := self._lanes.get(queue):
            lane.wake()

    def has_room(self, queue: str) -> bool:
        """Whether a bell of `queue` would be answered soon. May be asked from another thread."""
        lane = self._lanes.get(queue)
        return lane is not None and lane.has_room()

    async def perform(self, queue: str, ids: Sequence[str]) -> None:
        """Returns when the lane can take more. Those of `ids` that are due are performed, sooner or later."""
        if lane := self._lanes.get(queue):
            await lane.take(ids)

    async def drain(self) -> None:
        """Returns when no job is due."""
        while due := await self._look():
            for queue in due:
                await self._lanes[queue].drain()

    async def stop(self, grace_s: float | None = None) -> None:
        """Claim nothing more, wait `grace_s` (default: `shutdown_s`) for the jobs in progress, hand the rest back."""
        grace_s = self._settings.shutdown_s if grace_s is None else grace_s
        for closed in await asyncio.gather(*(lane.close() for lane in self._lanes.values()), return_exceptions=True):
            if isinstance(closed, Exception):
                log.error("jobs.hand_back_failed", exc_info=closed)  # they are left to their leases
        running = [task for lane in self._lanes.values() for task in lane.slots]
        if running:
            await asyncio.wait(running, timeout=grace_s)
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=_LAST_WORDS_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> list[str]:
        async with self._runner.database.transaction(EVERY_WORKSPACE, write=False) as session:
            due = await jobs.due_queues(session, list(self._lanes))
        if LOST_LEASES in due:
            await self._runner.sweep()
            due = list(self._lanes)
        return due

    async def _watch(self) -> None:
        forget_at = 0.0
        while True:
            try:
                for queue in await self._look():
                    self.wake(queue)
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + _FORGET_EVERY_S
                    await self._runner.forget_keys()
                    await self._runner.tidy()
            except Exception:
                log.exception("jobs.look_failed")
            self._look_now.clear()
            interval = self._settings.sweep_s if self._listening else self._settings.poll_s
            await _wait(self._look_now, interval)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            try:
                await self._runner.heartbeat()
            except Exception:
                log.exception("jobs.heartbeat_failed")


class _Lane:
    """The work on one queue: up to `concurrency` slots, each performing one job after the other.

    `suspected` holds the lane, if any, that performs a job whose worker died: two of them at once, and the one that
    kills workers would take the other down again and again.
    """

    def __init__(self, runner: Runner, queue: str, suspected: "set[_Lane]") -> None:
        self._runner = runner
        self._suspected = suspected
        self._queue = queue
        self._concurrency = runner.settings.jobs.concurrency
        self._batch = runner.settings.jobs.batch_size if queue == BATCHED else 0
        self._waiting: deque[ClaimedJob] = deque()
        self._rung: deque[str] = deque()
        self._room_again = asyncio.Condition()
        self._bell = asyncio.Event()
        self._due = False
        self._alone = False
        self._look_again = False
        """A look while busy found nothing to take: it may have met a job that must run alone."""
        self._turn = asyncio.Lock()
        self._closed = False
        self.slots: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._due = True
        self._bell.set()

    def has_room(self) -> bool:
        """A lane of short jobs always has, or will in a moment: `take` waits for it."""
        return bool(self._batch) or self._room() > len(self._rung)

    async def take(self, ids: Sequence[str]) -> None:
        if not self.has_room():
            self.wake()  # whoever ends first looks at the table; waiting here would keep other lanes from working
            return
        self._rung.extend(ids)
        self._bell.set()
        if not self._batch:
            return
        async with self._room_again:
            await self._room_again.wait_for(lambda: self._closed or len(self._rung) < self._batch)

    async def run(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                while await self._refill():
                    pass
            except Exception:
                log.exception("jobs.claim_failed", queue=self._queue)

    async def drain(self) -> None:
        self._due = True
        while await self._refill() or self.slots:
            if self.slots:
                await asyncio.wait(self.slots, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        self._closed = True
        async with self._turn:
            self._rung.clear()
            waiting = list(self._waiting)
            self._waiting.clear()
        async with self._room_again:
            self._room_again.notify_all()
        if waiting:
            await self._runner.hand_back(waiting)

    async def _refill(self) -> bool:
        """Claim jobs while there is room. Answers whether to try again at once."""
        async with self._turn:
            self._man_slots()
            room = self._room()
            if self._closed or not room or not (self._rung or self._due):
                return False
            if self._rung:
                ids = [self._rung.popleft() for _ in range(min(room, len(self._rung)))]
                async with self._room_again:
                    self._room_again.notify_all()
                claimed = await self._claim(room, ids)
            else:
                self._due = False
                claimed = await self._claim(room)
                self._due = len(claimed) == room or any(job.lost for job in claimed)
            self._look_again = not claimed and bool(self.slots)
            self._alone = any(job.lost for job in claimed)
            self._waiting.extend(claimed)
            self._man_slots()
            return bool(claimed or self._rung)

    def _man_slots(self) -> None:
        for _ in range(min(len(self._waiting), self._concurrency - len(self.slots))):
            slot = asyncio.create_task(self._work())
            self.slots.add(slot)
            slot.add_done_callback(self._close_slot)

    async def _claim(self, room: int, ids: Sequence[str] = ()) -> list[ClaimedJob]:
        mine = not self._suspected
        if mine:
            self._suspected.add(self)
        found = False
        try:
            claimed = await self._runner.claim(self._queue, room, busy=bool(self.slots), suspects=mine, ids=ids)
            found = any(job.lost for job in claimed)
            return claimed
        finally:
            if mine and not found:
                self._suspected.discard(self)

    def _room(self) -> int:
        free = self._concurrency - len(self.slots)
        if self._waiting or not free or (self._alone and self.slots):
            return 0
        return self._batch or free

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            delay_s = await self._runner.perform(self._waiting.popleft())
            if delay_s is not None:
                loop.call_later(delay_s, self.wake)

    def _close_slot(self, slot: asyncio.Task[None]) -> None:
        self.slots.discard(slot)
        if self._alone and not self.slots:
            self._suspected.discard(self)
        if not self.slots and self._look_again:
            self._due = True
        self._bell.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
