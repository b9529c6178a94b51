"""Descriptions that are split over files, read by the process that reads hostile documents."""

import asyncio
from pathlib import Path

import pytest

from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.engine.spec.references import NotLoaded
from backend.app.extensions.sandbox import read_description
from backend.app.extensions.spec_files import below_folder, read_spec_file

HEAD = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"


def messages(description: ApiDescription) -> list[str]:
    return [fault.message for fault in description.faults]


def paths(*references: str) -> str:
    return HEAD + "paths:\n" + "".join(f"  /p{number}: {{$ref: '{each}'}}\n" for number, each in enumerate(references))


async def test_files_below_the_folder_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "my api"
    (folder / "paths").mkdir(parents=True)
    spec = folder / "openapi.yaml"
    spec.write_text(paths("paths/a b.yaml"))
    (folder / "paths" / "a b.yaml").write_text("get: {responses: {'200': {$ref: '../answers.json#/ok'}}}")
    (folder / "answers.json").write_text('{"ok": {"description": "d", "content": {"text/plain": {}}}}')
    description = await read_spec_file(spec)
    assert messages(description) == []
    assert [operation.pointer for operation in description.operations] == ["paths/a%20b.yaml#/get"]
    assert description.operations[0].responses[0].content[0].content_type == "text/plain"


async def test_what_is_not_below_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("get: {responses: {}}")
    folder = tmp_path / "api"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "ok.yaml").write_text("get: {responses: {}}")
    (folder / "leads-out.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "stays-in.yaml").symlink_to(folder / "inside" / "ok.yaml")
    spec = folder / "openapi.yaml"
    spec.write_text(
        paths(
            "../secret.yaml",
            "leads-out.yaml",
            (tmp_path / "secret.yaml").as_uri(),
            "inside/../../secret.yaml",
            "https://example.com/a.yaml",
            "file://elsewhere/a.yaml",
            "inside",
            "gone.yaml",
            "stays-in.yaml",
        )
    )
    description = await read_spec_file(spec)
    assert [operation.path for operation in description.operations] == ["/p8"]
    reasons = [message.rpartition("is not read: ")[2] for message in messages(description)]
    outside = "it is not below the folder of the description"
    files = "only files are read from a file"
    assert reasons == [outside] * 4 + [files] * 2 + ["it is no file", "no such file or directory"]


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await read_spec_file(tmp_path / "gone.yaml")


async def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("a" * 101)
    with pytest.raises(NotLoaded, match="more than 100 bytes"):
        await below_folder(tmp_path, DocumentLimits(bytes=100))((tmp_path / "large.yaml").as_uri())


async def endless(uri: str) -> bytes:
    """Every document refers to the next one."""
    number = int(uri.rpartition("/")[2] or 0)
    return f"get: {{responses: {{'200': {{$ref: './{number + 1}#/get/responses/200'}}}}}}".encode()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (DocumentLimits(documents=4), "there are more than 4 documents"),
        (DocumentLimits(bytes=400), "the documents have more than 400 bytes together"),
    ],
)
async def test_the_documents_are_counted(limits: DocumentLimits, words: str) -> None:
    root = paths("http://x.example/0").encode()
    description = await read_description(root, where="http://x.example/openapi", load=endless, limits=limits)
    assert [operation.key for operation in description.operations] == ["GET /p0"]
    assert len(description.faults) == 1
    assert words in description.faults[0].message


async def test_loading_does_not_count_as_reading() -> None:
    loop = asyncio.get_running_loop()

    async def slow(uri: str) -> bytes:
        # Later than the end of the time for reading, without waiting for it.
        monotonic = loop.time
        loop.time = lambda: monotonic() + 30  # type: ignore[method-assign]
        return b"get: {responses: {}}"

    try:
        description = await read_description(paths("a.yaml").encode(), where="http://x/", load=slow, seconds=15)
    finally:
        del loop.time
    assert [operation.key for operation in description.operations] == ["GET /p0"]


async def test_what_a_load_raises_ends_the_reading() -> None:
    async def broken(uri: str) -> bytes:
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await read_description(paths("a.yaml").encode(), where="http://x/", load=broken)


async def test_hostile_documents_among_them_are_faults() -> None:
    documents = {"deep": b"[" * 100_000, "binary": b"\xff\xfe\x00", "empty": b"", "html": b"<html>"}

    async def load(uri: str) -> bytes:
        return documents[uri.rpartition("/")[2]]

    description = await read_description(paths(*documents, "x" * 9_000).encode(), where="http://x/", load=load)
    words = ["levels of nesting", "UTF-16", "is empty", "HTML", "more than 8000 characters are not asked for"]
    assert len(description.faults) == len(words)
    for message, expected in zip(messages(description), words, strict=True):
        assert expected in message


async def test_a_document_that_is_no_description_is_refused_all_the_same() -> None:
    with pytest.raises(SpecError, match="neither OpenAPI nor Swagger"):
        await read_description(b"a: 1", where="http://x/", load=endless)


@pytest.mark.parametrize(("padding", "read"), [(0, True), (9_000_000, False)])
async def test_a_large_description_is_listed_without_reading_what_its_operations_take(
    tmp_path: Path, padding: int, read: bool
) -> None:
    file = tmp_path / "openapi.yaml"
    parameters = "      parameters:\n        - {name: q, in: query, schema: {type: string}}\n"
    operation = f"paths:\n  /a:\n    get:\n      summary: A\n{parameters}"
    file.write_text(f"openapi: 3.1.0\n# {'x' * padding}\n{operation}")
    (listed,) = (await read_spec_file(file, listing=True)).operations
    (whole,) = (await read_spec_file(file)).operations
    assert (listed.key, listed.summary) == (whole.key, whole.summary) == ("GET /a", "A")
    assert [parameter.name for parameter in whole.parameters] == ["q"]
    assert (listed.parameters == whole.parameters) is read
