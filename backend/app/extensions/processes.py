"""Child processes, each of which leads a group that ends with the block it was started for.

Not by `asyncio.create_subprocess_exec` (3.11): it waits for ever when every task is cancelled while it starts a child,
as at Ctrl-C, because the pipes it waits for are connected by a task too; and its `wait` does when what the child wrote
is not read to the end. The pipes are pairs of sockets, because of those every event loop knows who closes what: uvloop
aborts the process over a pipe that is closed beside it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.05


class Process:
    """The pipes are None where none was asked for."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._connected: list[asyncio.StreamWriter] = []
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None

    async def connect(self, end: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(sock=end)
        self._connected.append(writer)
        return reader, writer

    async def wait(self) -> int:
        """The exit status; the negative number of the signal that ended it."""
        pause = _SHORTEST_PAUSE_S
        while (status := self._child.poll()) is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return status

    def kill(self) -> None:
        """With its group, which exists until its leader was waited for: the id cannot name another one."""
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Whoever reads or writes a pipe of the child goes on as if the child had closed it."""
        for writer in self._connected:
            if not writer.is_closing() or writer.transport.get_write_buffer_size():
                writer.transport.abort()


@asynccontextmanager
async def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int = DEVNULL,
    stdout: int = DEVNULL,
    stderr: int = DEVNULL,
    cwd: Path | None = None,
) -> AsyncIterator[Process]:
    """Raises `OSError` for a program that cannot be started."""
    with ExitStack() as stack:
        ours: dict[str, socket.socket] = {}
        with ExitStack() as starting:

            def end_of(name: str, stream: int) -> int:
                if stream != PIPE:
                    return stream
                mine, theirs = socket.socketpair()
                ours[name] = stack.enter_context(mine)
                return starting.enter_context(theirs).fileno()

            child = subprocess.Popen(  # noqa: ASYNC220, S603 - as asyncio starts children; arguments come as a list
                command,
                stdin=end_of("stdin", stdin),
                stdout=end_of("stdout", stdout),
                stderr=end_of("stderr", stderr),
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        # Leaving it waits for the child, also where `wait` is cancelled.
        stack.enter_context(child)
        process = Process(child)
        try:
            if end := ours.get("stdin"):
                _, process.stdin = await process.connect(end)
            if end := ours.get("stdout"):
                process.stdout, _ = await process.connect(end)
            if end := ours.get("stderr"):
                process.stderr, _ = await process.connect(end)
            yield process
        finally:
            process.kill()
            process.hang_up()
            await process.wait()
