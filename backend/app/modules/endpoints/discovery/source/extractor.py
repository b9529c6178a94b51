"""Extraction in worker processes: the parsers are C code and the files are strangers'.

A file that takes a worker too long or kills it is found out and left out; the others are not lost.
"""

import multiprocessing
import resource
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Self, TypeAlias

import orjson

from backend.app.modules.endpoints.discovery.source.languages import languages

SECONDS_A_FILE = 10.0
"""CPU seconds after which a worker is ended."""
MEMORY = 1 << 30
"""Bytes of address space of a worker."""
MOST_DEATHS = 20
"""Files of one tree that may end a worker; after that no more files are read."""

_BATCH_FILES = 32
_BATCH_BYTES = 400_000
_FEW = 4 * _BATCH_FILES
"""Files for which one worker is enough: it costs a third of a second of CPU to start one."""


@dataclass(frozen=True, slots=True)
class Order:
    language: str
    suffix: str
    text: bytes
    then: Callable[[bytes | None, str], None]
    """Called with the facts as JSON, or None and the reason."""

    @property
    def job(self) -> "_Job":
        return (self.language, self.suffix, self.text)


_Job: TypeAlias = tuple[str, str, bytes]


class Extractor:
    """With 0 workers this process extracts. `close` (or the end of a `with`) ends the workers."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: list[Order] = []
        self._running: dict[Future[list[bytes]], list[Order]] = {}
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def submit(self, order: Order) -> None:
        """`order.then` is called by this call, a later one, or `finish`."""
        if not self._workers:
            order.then(extract(order.job), "")
            return
        self._waiting.append(order)
        if len(self._waiting) >= (_BATCH_FILES if self._pool else _FEW):
            self._send()
        while len(self._running) > 4 * self._workers:
            self._collect(FIRST_COMPLETED)

    def finish(self) -> None:
        """Until nothing is under way."""
        self._send()
        while self._running:
            self._collect(FIRST_COMPLETED)

    def _send(self) -> None:
        while self._waiting:
            batch: list[Order] = []
            size = 0
            while self._waiting and len(batch) < _BATCH_FILES and size < _BATCH_BYTES:
                order = self._waiting.pop()
                size += len(order.text)
                batch.append(order)
            self._start(batch)

    def _start(self, batch: list[Order]) -> None:
        if self._deaths >= MOST_DEATHS:
            for order in batch:
                order.then(None, f"left out, because {MOST_DEATHS} files ended the parser")
            return
        if self._pool is None:
            workers = self._workers if len(self._waiting) + len(batch) >= _FEW else 1
            self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare)
        try:
            self._running[self._pool.submit(_extract_all, [order.job for order in batch])] = batch
        except BrokenProcessPool:
            self._recover([batch])

    def _collect(self, when: str) -> None:
        done, _ = wait(self._running, return_when=when)
        broken = []
        for future in done:
            batch = self._running.pop(future)
            try:
                results = future.result()
            except (BrokenProcessPool, MemoryError):
                broken.append(batch)
                continue
            for order, facts in zip(batch, results, strict=True):
                order.then(facts, "")
        if broken:
            self._recover(broken)

    def _recover(self, broken: list[list[Order]]) -> None:
        """Every file that was under way when a worker died is read again, alone: the one that kills again is it."""
        broken += self._running.values()
        self._running.clear()
        pool = self._new_pool()
        for batch in broken:
            for order in batch:
                if self._deaths >= MOST_DEATHS:
                    order.then(None, f"left out, because {MOST_DEATHS} files ended the parser")
                    continue
                try:
                    facts = pool.submit(_extract_all, [order.job]).result()[0]
                except (BrokenProcessPool, MemoryError):
                    self._deaths += 1
                    pool = self._new_pool()
                    order.then(None, f"it ended the parser, which may take {SECONDS_A_FILE:g} s and {MEMORY >> 20} MB")
                else:
                    order.then(facts, "")

    def _new_pool(self) -> ProcessPoolExecutor:
        self.close()
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare)
        return self._pool


def extract(job: _Job) -> bytes:
    """The facts of one file, as JSON."""
    language, suffix, text = job
    facts = languages.get(language).extract(text, suffix)
    return orjson.dumps(facts)


def _extract_all(jobs: list[_Job]) -> list[bytes]:
    results = []
    for job in jobs:
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE)  # its signal ends the process
        results.append(extract(job))
        signal.setitimer(signal.ITIMER_PROF, 0)
    return results


def _prepare() -> None:
    """In a worker: nothing to write, nothing to wait for, no more memory than a file may need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
