"""Extraction in worker processes: the parsers are C code and the files are strangers'.

A file that takes a worker too long or kills it is found out and left out; the others are not lost.
"""

import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Self, TypeAlias

import orjson

from backend.app.modules.endpoints.discovery.source import Extract

SECONDS_A_FILE = 10.0
"""CPU seconds after which a worker is ended."""
MEMORY = 1 << 30
"""Bytes of address space of a worker."""
MOST_DEATHS = 20
"""Files of one tree that may end a worker; after that no more files are read."""

_BATCH_FILES = 32
_BATCH_BYTES = 400_000
_BYTES_A_WORKER = 1_000_000
"""What one worker has to have been given before there is another: it costs a tenth of a second of CPU to start one,
in which this much is read."""


@dataclass(frozen=True, slots=True)
class Order:
    extract: Extract
    suffix: str
    text: bytes
    then: Callable[[bytes | None, str], None]
    """Called with the facts as JSON, or None and the reason."""

    @property
    def job(self) -> "_Job":
        return (self.extract, self.suffix, self.text)


_Job: TypeAlias = tuple[Extract, str, bytes]
"""A worker imports the function's module; registries and linkers cost it more than the files of a small tree."""


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    orders: list[Order] = field(default_factory=list)
    """What it is at."""

    def end(self) -> None:
        """It holds nothing that would have to be put in order."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class Extractor:
    """With 0 workers this process extracts. `close` (or the end of a `with`) ends the workers."""

    def __init__(self, workers: int) -> None:
        self._most = workers
        self._workers: list[_Worker] = []
        self._waiting: list[Order] = []
        self._bytes = 0
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._workers:
            self._workers.pop().end()

    def submit(self, order: Order) -> None:
        """`order.then` is called by this call, a later one, or `finish`."""
        if not self._most:
            order.then(extract(order.job), "")
            return
        self._waiting.append(order)
        if len(self._waiting) >= _BATCH_FILES:
            self._send()

    def finish(self) -> None:
        """Until nothing is under way."""
        self._send()
        while busy := [worker for worker in self._workers if worker.orders]:
            self._collect(busy)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        batch: list[Order] = []
        size = 0
        for order in waiting:
            batch.append(order)
            size += len(order.text)
            if size >= _BATCH_BYTES:
                self._start(batch, size)
                batch, size = [], 0
        if batch:
            self._start(batch, size)

    def _start(self, batch: list[Order], size: int) -> None:
        if self._deaths >= MOST_DEATHS:
            for order in batch:
                order.then(None, f"left out, because {MOST_DEATHS} files ended the parser")
            return
        self._give(self._idle(), batch)
        self._bytes += size

    def _idle(self) -> _Worker:
        while True:
            for worker in self._workers:
                if not worker.orders:
                    return worker
            if len(self._workers) < min(self._most, 1 + self._bytes // _BYTES_A_WORKER):
                self._workers.append(_new_worker())
            else:
                self._collect(self._workers)

    def _give(self, worker: _Worker, batch: list[Order]) -> None:
        worker.orders = batch
        with suppress(OSError):  # when it died; `_collect` sees that
            worker.connection.send([order.job for order in batch])

    def _collect(self, busy: list[_Worker]) -> None:
        """The results of one of them."""
        ready = wait([worker.connection for worker in busy]) if len(busy) > 1 else [busy[0].connection]
        worker = next(worker for worker in busy if worker.connection in ready)
        batch, worker.orders = worker.orders, []
        try:
            results = worker.connection.recv()
        except (EOFError, OSError):
            self._workers.remove(worker)
            worker.end()
            self._recover(batch)
            return
        for order, facts in zip(batch, results, strict=True):
            order.then(facts, "")

    def _recover(self, batch: list[Order]) -> None:
        """Every file that a worker was given when it died is read again: one that kills when it is alone is it."""
        if len(batch) == 1:
            self._deaths += 1
            batch[0].then(None, f"it ended the parser, which may take {SECONDS_A_FILE:g} s and {MEMORY >> 20} MB")
            return
        for order in batch:
            self._start([order], 0)


def _new_worker() -> _Worker:
    """Not by `multiprocessing`, whose children import the program that they are started from."""
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-s", "-c", f"from {__name__} import work; work({theirs.fileno()})"],
            stdin=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C.UTF-8"},
            pass_fds=[theirs.fileno()],
        )
    return _Worker(process, ours)


def extract(job: _Job) -> bytes:
    """The facts of one file, as JSON."""
    read, suffix, text = job
    return orjson.dumps(read(text, suffix))


def _extract_all(jobs: list[_Job]) -> list[bytes]:
    results = []
    for job in jobs:
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE)  # its signal ends the process
        results.append(extract(job))
        signal.setitimer(signal.ITIMER_PROF, 0)
    return results


def work(descriptor: int) -> None:
    """A worker: it has nothing to write, nothing to wait for, and no more memory than a file may need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    gc.disable()  # facts are trees, which need none
    connection = Connection(descriptor)
    try:
        while True:
            connection.send(_extract_all(connection.recv()))
    except (EOFError, OSError, MemoryError):
        os._exit(1)
