"""Hostile documents are read in a process of their own, with limits on memory, CPU and time.

The reason is measured: PyYAML's C loader dies of a signal on deep nesting, and a crash there must not end the API.
The child gets no environment of ours, opens no network connection, and answers in JSON.
"""

import asyncio
import contextlib
import json
import math
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import orjson

import backend
from backend.app.engine.spec.codec import description_from_bytes
from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits, refuse_too_large
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.engine.spec.references import NotLoaded
from backend.app.extensions.processes import Process, started

READER = "backend.app.engine.spec"
MEMORY = 1024 * 1024 * 1024
"""Bytes of address space of the child; a description of 37 MB with 11,000 operations takes 500 MB."""
SECONDS = 60.0
READERS = 4
"""Children of one process at a time: each may take a core and all of `MEMORY`."""
LONGEST_ANSWER = 128 * 1024 * 1024

T = TypeVar("T")
Heard: TypeAlias = Callable[[int, int], Awaitable[None]]
"""Called with what is done and what there is."""
Asked: TypeAlias = Callable[[str], Awaitable[bytes | str]]
"""Answers a question of a reader; a text says why not."""
Load: TypeAlias = Callable[[str], Awaitable[bytes]]
"""The document at an absolute URI. Raises `NotLoaded`."""
_FAR = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")
_LONGEST_LINES = 1 << 14
_PIECE = 1 << 18

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_IMPORT_ROOT = str(Path(backend.__file__).resolve().parent.parent)


class ReaderFailed(Exception):
    """A document brought down the process that read it. `reason`: `too_slow`, `too_large`, `parser_died`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def read_description(
    data: bytes,
    *,
    where: str = "",
    load: Load | None = None,
    outlined: bool = False,
    limits: DocumentLimits = DEFAULT_LIMITS,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> ApiDescription:
    """Parses and normalises a document in a child process, when one of the `READERS` is free; `seconds` count from
    then. What it refers to is asked of `load` by URIs relative to `where`, within `limits`; that takes its own time.
    `outlined`: only what lists the operations is read (see `engine.spec.outline`), at a tenth of the cost.

    Raises `SpecError`: what `parse_document` and `describe` raise, and `spec.too_slow`, `spec.too_much_memory`,
    `spec.parser_died`.
    """
    refuse_too_large(data, limits)
    try:
        answer = await _answer_of(
            READER,
            {
                "limits": asdict(limits),
                "where": where,
                "bytes": len(data),
                "asks": load is not None,
                "outlined": outlined,
            },
            data=data,
            seconds=seconds,
            memory=memory,
            asked=None if load is None else _lending(load, limits, len(data)),
        )
        # Of a large description this takes a quarter of a second, in which others are served too.
        return await asyncio.to_thread(_description, answer)
    except ReaderFailed as failure:
        raise SpecError(f"spec.{failure.reason}", failure.message) from None


def _description(answer: bytes) -> ApiDescription:
    try:
        return description_from_bytes(answer)
    except (ValueError, LookupError, TypeError):
        refusal = _object(answer)
        raise SpecError(refusal["code"], refusal["message"], refusal["where"]) from None


def _lending(load: Load, limits: DocumentLimits, taken: int) -> Asked:
    count = 1

    async def lend(uri: str) -> bytes | str:
        nonlocal count, taken
        if count >= limits.documents:
            return f"there are more than {limits.documents} documents"
        count += 1
        try:
            content = await load(uri)
        except NotLoaded as error:
            return str(error)
        if taken + len(content) > limits.bytes:
            return f"the documents have more than {limits.bytes} bytes together"
        taken += len(content)
        return content

    return lend


async def run_reader(
    module: str,
    order: Mapping[str, Any],
    *,
    data: bytes = b"",
    seconds: float,
    memory: int = MEMORY,
    heard: Heard | None = None,
    asked: Asked | None = None,
) -> dict[str, Any]:
    """Runs a module that confines itself (`engine.confined`) in a process group of its own, and gives what it answers.

    `data` goes to its standard input. `heard` is called with how far it is, `asked` with its questions, whose answers
    do not count as its time; what they raise ends the reader, and so does cancellation. Raises `ReaderFailed`.
    """
    return _object(await _answer_of(module, order, data=data, seconds=seconds, memory=memory, heard=heard, asked=asked))


async def _answer_of(
    module: str,
    order: Mapping[str, Any],
    *,
    data: bytes,
    seconds: float,
    memory: int,
    heard: Heard | None = None,
    asked: Asked | None = None,
) -> bytes:
    text = json.dumps({**order, "memory": memory, "cpu": math.ceil(seconds) + 1})
    async with _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(READERS)):
        status, answer = await _run_reader(module, text, data, seconds, heard, asked)
    if status == -signal.SIGXCPU:
        raise _too_slow(seconds)
    if status:
        raise _died(f"signal {-status}" if status < 0 else f"exit status {status}")
    return answer


def _object(answer: bytes) -> dict[str, Any]:
    """Raises `ReaderFailed` for what is no object of JSON."""
    try:
        result = orjson.loads(answer)
    except orjson.JSONDecodeError:
        result = None
    if not isinstance(result, dict):
        raise _died("exit status 0")
    return result


def _died(how: str) -> ReaderFailed:
    return ReaderFailed("parser_died", f"the document ended the process that read it ({how})")


async def _run_reader(
    module: str, order: str, data: bytes, seconds: float, heard: Heard | None, asked: Asked | None
) -> tuple[int, bytes]:
    """How the child ended, and what it wrote. Raises `ReaderFailed`: `too_slow`, `too_large`."""
    async with started(
        [sys.executable, "-P", "-s", "-m", module, order],
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL if heard is None and asked is None else PIPE,
        env={"PYTHONPATH": _IMPORT_ROOT, "LANG": "C.UTF-8"},
    ) as process:
        try:
            async with asyncio.timeout(seconds) as deadline:
                _, answer, _ = await asyncio.gather(
                    _feed(process.stdin, data, close=asked is None),
                    _collect(process.stdout),
                    _listen(process, heard, asked, deadline),
                )
                return await process.wait(), answer
        except TimeoutError:
            raise _too_slow(seconds) from None


def _too_slow(seconds: float) -> ReaderFailed:
    return ReaderFailed("too_slow", f"reading took longer than {seconds:g} s")


async def _feed(pipe: asyncio.StreamWriter | None, data: bytes, *, close: bool) -> None:
    if pipe is None:
        return
    # A child that died early shows in its exit status, not here.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        # In pieces: of what cannot be sent at once the transport keeps a copy.
        for start in range(0, len(data), _PIECE):
            pipe.write(memoryview(data)[start : start + _PIECE])
            await pipe.drain()
    if close:
        pipe.close()


async def _collect(pipe: asyncio.StreamReader | None) -> bytes:
    answer = bytearray()
    while pipe is not None and (chunk := await pipe.read(1 << 20)):
        answer += chunk
        if len(answer) > LONGEST_ANSWER:
            raise ReaderFailed("too_large", f"what was read takes more than {LONGEST_ANSWER} bytes")
    return bytes(answer)


async def _listen(process: Process, heard: Heard | None, asked: Asked | None, deadline: asyncio.Timeout) -> None:
    pipe, rest = process.stderr, b""
    while pipe is not None and (chunk := await pipe.read(1 << 12)):
        *lines, rest = (rest + chunk)[-_LONGEST_LINES:].split(b"\n")
        if not lines:
            continue
        if heard is not None and (match := _FAR.fullmatch(lines[-1])) is not None:
            await heard(int(match[1]), int(match[2]))
        elif asked is not None and lines[-1].startswith(b"? "):
            reply = await _unhurried(deadline, asked(str(orjson.loads(lines[-1][2:]))))
            kind, content = (b"+", reply) if isinstance(reply, bytes) else (b"-", reply.encode())
            await _feed(process.stdin, b"%b %d\n%b" % (kind, len(content), content), close=False)
    if asked is not None and process.stdin is not None:
        process.stdin.close()


async def _unhurried(deadline: asyncio.Timeout, work: Awaitable[T]) -> T:
    loop = asyncio.get_running_loop()
    left = (deadline.when() or loop.time()) - loop.time()
    deadline.reschedule(None)
    result = await work
    deadline.reschedule(loop.time() + left)
    return result
