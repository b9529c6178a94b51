"""Hostile documents are read in a process of their own, with limits on memory, CPU and time.

The reason is measured: PyYAML's C loader dies of a signal on deep nesting, and a crash there must not end the API.
The child gets no environment of ours, opens no network connection, and answers in JSON.
"""

import asyncio
import contextlib
import json
import math
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import orjson

import backend
from backend.app.engine.spec.codec import description_from_json
from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits, refuse_too_large
from backend.app.engine.spec.model import ApiDescription, SpecError

READER = "backend.app.engine.spec"
MEMORY = 512 * 1024 * 1024
"""Bytes of address space of the child."""
SECONDS = 20.0
READERS = 4
"""Children of one process at a time: each may take a core and all of `MEMORY`."""
LONGEST_ANSWER = 128 * 1024 * 1024

Heard: TypeAlias = Callable[[int, int], Awaitable[None]]
"""Called with what is done and what there is."""
_FAR = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")
_LONGEST_LINES = 1 << 13

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_IMPORT_ROOT = str(Path(backend.__file__).resolve().parent.parent)


class ReaderFailed(Exception):
    """A document brought down the process that read it. `reason`: `too_slow`, `too_large`, `parser_died`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def read_description(
    data: bytes, *, limits: DocumentLimits = DEFAULT_LIMITS, seconds: float = SECONDS, memory: int = MEMORY
) -> ApiDescription:
    """Parses and normalises a document in a child process, when one of the `READERS` is free; `seconds` count from
    then.

    Raises `SpecError`: what `parse_document` and `describe` raise, and `spec.too_slow`, `spec.too_much_memory`,
    `spec.parser_died`.
    """
    refuse_too_large(data, limits)
    try:
        result = await run_reader(READER, {"limits": asdict(limits)}, data=data, seconds=seconds, memory=memory)
    except ReaderFailed as failure:
        raise SpecError(f"spec.{failure.reason}", failure.message) from None
    if "description" not in result:
        raise SpecError(result["code"], result["message"], result["where"])
    return description_from_json(result["description"])


async def run_reader(
    module: str,
    order: Mapping[str, Any],
    *,
    data: bytes = b"",
    seconds: float,
    memory: int = MEMORY,
    heard: Heard | None = None,
) -> dict[str, Any]:
    """Runs a module that confines itself (`engine.confined`) in a process group of its own, and gives what it answers.

    `data` goes to its standard input. `heard` is called with how far it is; what that raises ends the reader, and so
    does cancellation. Raises `ReaderFailed`.
    """
    text = json.dumps({**order, "memory": memory, "cpu": math.ceil(seconds) + 1})
    async with _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(READERS)):
        status, answer = await _run_reader(module, text, data, seconds, heard)
    if status == -signal.SIGXCPU:
        raise _too_slow(seconds)
    try:
        result = orjson.loads(answer) if status == 0 else None
    except orjson.JSONDecodeError:
        result = None
    if not isinstance(result, dict):
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise ReaderFailed("parser_died", f"the document ended the process that read it ({how})")
    return result


async def _run_reader(module: str, order: str, data: bytes, seconds: float, heard: Heard | None) -> tuple[int, bytes]:
    """How the child ended, and what it wrote. Raises `ReaderFailed`: `too_slow`, `too_large`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-s",
        "-m",
        module,
        order,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL if heard is None else asyncio.subprocess.PIPE,
        env={"PYTHONPATH": _IMPORT_ROOT, "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            _, answer, _ = await asyncio.gather(
                _feed(process.stdin, data), _collect(process.stdout), _listen(process.stderr, heard)
            )
            status = await process.wait()
    except TimeoutError:
        raise _too_slow(seconds) from None
    finally:
        # The group exists until its leader was waited for, so the id cannot name another one.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return status, answer


def _too_slow(seconds: float) -> ReaderFailed:
    return ReaderFailed("too_slow", f"reading took longer than {seconds:g} s")


async def _feed(pipe: asyncio.StreamWriter | None, data: bytes) -> None:
    if pipe is None:
        return
    # A child that died early shows in its exit status, not here.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


async def _collect(pipe: asyncio.StreamReader | None) -> bytes:
    answer = bytearray()
    while pipe is not None and (chunk := await pipe.read(1 << 20)):
        answer += chunk
        if len(answer) > LONGEST_ANSWER:
            raise ReaderFailed("too_large", f"what was read takes more than {LONGEST_ANSWER} bytes")
    return bytes(answer)


async def _listen(pipe: asyncio.StreamReader | None, heard: Heard | None) -> None:
    rest = b""
    while pipe is not None and heard is not None and (chunk := await pipe.read(1 << 12)):
        *lines, rest = (rest + chunk)[-_LONGEST_LINES:].split(b"\n")
        if lines and (match := _FAR.fullmatch(lines[-1])) is not None:
            await heard(int(match[1]), int(match[2]))
