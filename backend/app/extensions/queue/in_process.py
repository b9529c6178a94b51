"""Performs due jobs inside this process: no Redis, no worker, the same table and the same promises."""

from collections.abc import Sequence

from backend.app.core.performer import Performer
from backend.app.db.outbox import JobRow


class InProcessQueue:
    def __init__(self, performer: Performer) -> None:
        self._performer = performer

    async def wake(self, jobs: Sequence[JobRow]) -> None:
        for queue in {job.queue for job in jobs}:
            self._performer.wake(queue)

    async def start(self) -> None:
        await self._performer.start()

    async def stop(self) -> None:
        await self._performer.stop()

    async def ping(self) -> None:
        """Always there."""
