"""Children end with the block that started them, whenever it is left."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import uvloop

from backend.app.extensions.processes import started

Loop: TypeAlias = Callable[[], asyncio.AbstractEventLoop]
LOUD = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
QUIET = "import time; time.sleep(600)"


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def run(code: str) -> None:
    async with started([sys.executable, "-S", "-c", code], env={}, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout
        await process.stdout.read()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("steps", range(8))
def test_a_program_that_ends_while_a_child_starts_does_not_wait_for_it(steps: int, loop: Loop) -> None:
    async def program() -> None:
        left = asyncio.create_task(run(QUIET))
        for _ in range(steps):
            await asyncio.sleep(0)
        assert not left.done()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(program())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_children_of_every_loop(loop: Loop) -> None:
    """uvloop, which servers and workers run on, ends the process when somebody else closes what it reads."""

    async def program() -> None:
        for _ in range(20):
            await test_the_status_of_a_child_and_what_it_wrote()
        await test_a_block_is_left_while_its_child_writes_what_nobody_reads()
        await test_a_block_is_left_while_its_child_does_not_take_what_is_written()
        for _ in range(20):
            async with started(["/bin/true"], env={}, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
                await process.wait()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.sleep(0))  # uvloop's first loop opens two files that its process keeps
    before = open_files()
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(program())
    # Fewer, where what another test left behind was collected meanwhile.
    assert open_files() <= before


async def test_a_block_is_left_while_its_child_writes_what_nobody_reads() -> None:
    async with asyncio.timeout(20):
        async with started([sys.executable, "-S", "-c", LOUD], env={}, stdout=PIPE) as process:
            assert process.stdout
            assert await process.stdout.read(1) == b"x"
        assert await process.wait() == -9


async def test_a_block_is_left_while_its_child_does_not_take_what_is_written() -> None:
    async with asyncio.timeout(20):
        async with started([sys.executable, "-S", "-c", QUIET], env={}, stdin=PIPE) as process:
            assert process.stdin
            process.stdin.write(b"x" * 1_000_000)
            process.stdin.close()
        assert await process.wait() == -9


async def test_the_status_of_a_child_and_what_it_wrote() -> None:
    code = "import sys; sys.stdout.write(sys.stdin.read() * 2); sys.exit(3)"
    async with started([sys.executable, "-S", "-c", code], env={}, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"twice ")
        process.stdin.close()
        assert await process.stdout.read() == b"twice twice "
        assert await process.wait() == 3


async def test_a_program_that_is_not_there() -> None:
    before = open_files()
    with pytest.raises(FileNotFoundError):
        async with started(["/no/such/program"], env={}, stdout=PIPE):
            pass
    # Fewer, where what another test left behind was collected meanwhile.
    assert open_files() <= before
