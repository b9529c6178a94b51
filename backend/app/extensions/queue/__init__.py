"""How performers learn that jobs are due: a bell in Redis, or the API process itself. The jobs table is the truth."""

from backend.app.core.message_hub import Queue, SilentQueue
from backend.app.core.performer import Performer
from backend.app.core.runner import Runner
from backend.app.core.settings import Settings
from backend.app.extensions.queue.in_process import InProcessQueue

__all__ = ["InProcessQueue", "Queue", "SilentQueue", "create_queue"]


def create_queue(settings: Settings, runner: Runner) -> Queue:
    """For an API process: performs the jobs itself, or rings for the workers."""
    if settings.jobs_in_process:
        return InProcessQueue(Performer(runner))
    if settings.redis.url is None:
        return SilentQueue()
    from backend.app.extensions.queue.rq import RqQueue  # importing rq costs 0.2 s

    return RqQueue(settings)
