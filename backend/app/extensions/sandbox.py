"""Hostile documents are read in a process of their own, with limits on memory, CPU and time.

The reason is measured: PyYAML's C loader dies of a signal on deep nesting, and a crash there must not end the API.
The child gets no environment of ours, opens no network connection, and answers in JSON.
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
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

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_IMPORT_ROOT = str(Path(backend.__file__).resolve().parent.parent)


async def read_description(
    data: bytes, *, limits: DocumentLimits = DEFAULT_LIMITS, seconds: float = SECONDS, memory: int = MEMORY
) -> ApiDescription:
    """Parses and normalises a document in a child process, when one of the `READERS` is free; `seconds` count from
    then.

    Raises `SpecError`: what `parse_document` and `describe` raise, and `spec.too_slow`, `spec.too_much_memory`,
    `spec.parser_died`.
    """
    refuse_too_large(data, limits)
    order = json.dumps({"limits": asdict(limits), "memory": memory, "cpu": math.ceil(seconds) + 1})
    async with _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(READERS)):
        status, answer = await _run_reader(order, data, seconds)
    if status == -signal.SIGXCPU:
        raise _too_slow(seconds)
    try:
        result = orjson.loads(answer) if status == 0 else None
    except orjson.JSONDecodeError:
        result = None
    if result is None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise SpecError("spec.parser_died", f"the document ended the process that read it ({how})")
    if "description" not in result:
        raise SpecError(result["code"], result["message"], result["where"])
    return description_from_json(result["description"])


async def _run_reader(order: str, data: bytes, seconds: float) -> tuple[int, bytes]:
    """How the child ended, and what it wrote. Raises `SpecError`: `spec.too_slow`, `spec.too_large`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-s",
        "-m",
        READER,
        order,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": _IMPORT_ROOT, "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            _, answer = await asyncio.gather(_feed(process.stdin, data), _collect(process.stdout))
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


def _too_slow(seconds: float) -> SpecError:
    return SpecError("spec.too_slow", f"reading took longer than {seconds:g} s")


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
            raise SpecError("spec.too_large", f"the description has more than {LONGEST_ANSWER} bytes")
    return bytes(answer)
