"""Descriptions that are split over documents of a server."""

from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.modules.endpoints.discovery import Discovered, Subject, strategies
from backend.app.modules.endpoints.looking.tools import discovery_tools
from tests.support.bench import operation
from tests.support.target import Says, target

HEAD = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}}


async def described(url: str) -> Discovered:
    async with HttpClient(OutgoingPolicy(allow_private=True)) as client:
        (found,) = await strategies.get("openapi").look(Subject("", spec_url=url), discovery_tools(client))
        return found


async def test_documents_are_loaded_from_where_the_description_came() -> None:
    paths = {"/a": {"$ref": "paths/a.json"}}
    says = {
        "GET /docs/openapi.json": Says(body=HEAD | {"paths": paths}),
        "GET /docs/paths/a.json": Says(body=operation(operationId="a")),
    }
    async with target(says) as api:
        found = await described(f"{api.url}/docs/openapi.json")
    assert found.description.faults == ()
    (read,) = found.description.operations
    assert (read.key, read.operation_id, read.pointer) == ("GET /a", "a", "paths/a.json#/get")


async def test_no_other_server_is_asked() -> None:
    async with target({"GET /away.json": Says(body=operation())}) as other:
        references = [f"{other.url}/away.json", "moved.json", "gone.json", "file:///etc/passwd", "http://[x"]
        paths = {f"/p{number}": {"$ref": each, **operation("put")} for number, each in enumerate(references)}
        says = {
            "GET /openapi.json": Says(body=HEAD | {"paths": paths}),
            "GET /moved.json": Says(302, headers={"Location": f"{other.url}/away.json"}),
        }
        async with target(says) as api:
            found = await described(f"{api.url}/openapi.json")
    assert [read.key for read in found.description.operations] == [f"PUT /p{number}" for number in range(5)]
    reasons = [fault.message.rpartition("is not read: ")[2] for fault in found.description.faults]
    assert other.asked == []
    elsewhere = "it is not where the description came from"
    assert reasons == [
        elsewhere,
        "the server answers 302",
        "the server answers 404",
        elsewhere,
        "it is no URI",
    ]
