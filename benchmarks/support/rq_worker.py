"""RQ as it comes, as a yardstick: its own worker, its own queue, functions that do next to nothing.

    python -m benchmarks.support.rq_worker SimpleWorker|Worker REDIS_URL

performs what is enqueued, then prints how many CPU seconds that took it and the processes that it forked.
With `--stay` it prints a line when it is ready and goes on until it is killed.
"""

import resource
import sys
import time
from pathlib import Path

from redis import Redis
from rq import Queue, SimpleWorker, Worker

QUEUE = "yardstick"


def nothing() -> None: ...


def stamp(path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{time.monotonic()}\n")


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(kind: str, url: str, stay: bool) -> None:
    connection = Redis.from_url(url)
    worker_class = {"SimpleWorker": SimpleWorker, "Worker": Worker}[kind]
    worker = worker_class([Queue(QUEUE, connection=connection)], connection=connection)
    if stay:
        print("ready", flush=True)
    before = cpu_s()
    worker.work(burst=not stay, logging_level="WARNING")
    print(cpu_s() - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--stay" in sys.argv)
