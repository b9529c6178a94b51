import asyncio
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import SpecError
from backend.app.extensions import sandbox
from backend.app.extensions.sandbox import read_description
from tests.engine.spec.bombs import DOCUMENTS, LARGE, MANY_VALUES, READ, spec, with_schema

LISTED = {each["id"] for each in json.loads(Path("tests/data/spec-bombs.json").read_text())["payloads"]}


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_every_listed_bomb_is_built() -> None:
    assert DOCUMENTS.keys() | READ.keys() == LISTED
    assert not DOCUMENTS.keys() & READ.keys()


@pytest.mark.parametrize("name", [*DOCUMENTS, *LARGE])
@pytest.mark.parametrize("outlined", [False, True])
async def test_a_bomb_is_refused_soon_and_in_little_memory_with_the_limit_it_passed_and_the_place(
    name: str, outlined: bool
) -> None:
    if name in LARGE:
        build, code = LARGE[name]
        data, limits = build(), DocumentLimits(nodes=MANY_VALUES)
    else:
        data, code = DOCUMENTS[name]
        limits = DocumentLimits()
    before = children_cpu()
    with pytest.raises(SpecError) as refusal:
        await read_description(data, outlined=outlined, limits=limits, memory=512 * 1024 * 1024)
    assert refusal.value.code == code
    assert refusal.value.message
    assert refusal.value.where.startswith("line ")
    # CPU time, because the wall clock of a busy machine says nothing.
    assert children_cpu() - before < 2


@pytest.mark.parametrize("name", READ)
async def test_an_odd_description_is_read_and_its_oddity_reported(name: str) -> None:
    data, message = READ[name]
    description = await read_description(data)
    if message:
        assert any(message in fault.message and fault.pointer.startswith("/") for fault in description.faults)
    else:
        assert description.faults == ()


async def test_the_largest_number_of_operations_is_read() -> None:
    before = children_cpu()
    description = await read_description(READ["spec-bombs-051"][0])
    assert len(description.operations) == 10_000
    assert children_cpu() - before < 5
    assert len((await read_description(READ["spec-bombs-051"][0], outlined=True)).operations) == 10_000
    with pytest.raises(SpecError, match="operations"):
        await read_description(READ["spec-bombs-051"][0], limits=DocumentLimits(operations=9_999))


async def test_chains_of_references_end_at_what_they_name() -> None:
    description = await read_description(READ["spec-bombs-031"][0])
    (parameter,) = description.operations[0].parameters
    validator = SchemaValidator(description.definitions)
    assert validator.is_valid(parameter.schema, 1)
    assert not validator.is_valid(parameter.schema, "x")


async def test_server_variables_are_expanded_for_the_guard_to_judge() -> None:
    description = await read_description(READ["spec-bombs-049"][0])
    assert description.servers == ("http://169.254.169.254/",)


async def test_long_texts_are_cut() -> None:
    description = await read_description(READ["spec-bombs-055"][0])
    assert len(description.operations[0].summary) <= 200


async def test_an_external_reference_reads_no_file() -> None:
    description = await read_description(with_schema({"$ref": f"file://{__file__}"}))
    assert "external reference" in description.faults[0].message
    assert description.definitions["A"] is True


async def test_a_reader_that_dies_of_a_signal_is_a_refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(sandbox, "_IMPORT_ROOT", str(tmp_path))
    monkeypatch.setattr(sandbox, "READER", "dying")
    with pytest.raises(SpecError) as refusal:
        await read_description(spec())
    assert refusal.value.code == "spec.parser_died"
    assert "signal 11" in refusal.value.message


@pytest.fixture
def endless_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A reader that never ends, and its child. The pipe says `ready`, and ends when both are gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = "import os, time\nwith open({!r}, 'w') as pipe:\n    if os.fork(): print('ready', file=pipe, flush=True)\n"
    (tmp_path / "endless.py").write_text(code.format(str(pipe)) + "    time.sleep(600)\n")
    monkeypatch.setattr(sandbox, "_IMPORT_ROOT", str(tmp_path))
    monkeypatch.setattr(sandbox, "READER", "endless")
    return pipe


async def test_a_reader_that_does_not_end_is_killed_with_its_children(endless_reader: Path) -> None:
    gone = asyncio.create_task(asyncio.to_thread(endless_reader.read_text))
    with pytest.raises(SpecError) as refusal:
        await read_description(spec(), seconds=1)
    assert refusal.value.code == "spec.too_slow"
    assert await gone == "ready\n"


async def test_a_cancelled_reading_leaves_no_process(endless_reader: Path) -> None:
    reading = asyncio.create_task(read_description(spec()))
    with await asyncio.to_thread(endless_reader.open) as pipe:
        assert await asyncio.to_thread(pipe.readline) == "ready\n"
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(pipe.read) == ""


async def test_few_documents_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    async def run(*_: Any) -> tuple[int, bytes]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return 0, b'{"code": "spec.empty", "message": "", "where": ""}'

    monkeypatch.setattr(sandbox, "_run_reader", run)
    refusals = await asyncio.gather(*(read_description(spec()) for _ in range(50)), return_exceptions=True)
    assert [type(each) for each in refusals] == [SpecError] * 50
    assert most == sandbox.READERS


async def test_memory_is_limited() -> None:
    with pytest.raises(SpecError) as refusal:
        await read_description(b"x" * 9_000_000, memory=48 * 1024 * 1024)
    assert refusal.value.code in {"spec.too_much_memory", "spec.parser_died"}


async def test_the_reader_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "curious.py").write_text(
        f"import os, pathlib\npathlib.Path({str(seen)!r}).write_text(repr(os.environ))\n"
    )
    monkeypatch.setenv("TOUCHSTONE_AUTH__SECRET_KEY", "not-for-children")
    monkeypatch.setattr(sandbox, "_IMPORT_ROOT", str(tmp_path))
    monkeypatch.setattr(sandbox, "READER", "curious")
    with pytest.raises(SpecError):
        await read_description(spec())
    assert "not-for-children" not in seen.read_text()
    assert os.environ["TOUCHSTONE_AUTH__SECRET_KEY"] == "not-for-children"


async def test_the_reader_imports_little(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; import backend.app.engine.spec.normalise, backend.app.engine.spec.parse, "
        "backend.app.engine.spec.codec; print(*sys.modules)",
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate()
    assert not {"pydantic", "asyncio", "sqlalchemy", "fastapi"} & set(answer.decode().split())
