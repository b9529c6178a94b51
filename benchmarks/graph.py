"""The graph of a project: derived and stored for an API of 11,000 operations, and searched at 50,000 relationships.

    python -m benchmarks.graph

The API is generated: collections in three levels with schemas, ids and references to each other. CPU is that of this
process: PostgreSQL works in others. Memory is what the derivation adds to the
peak of the process.
"""

import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import uvloop
from sqlalchemy import text

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import MessageHub
from backend.app.core.pagination import PageRequest
from backend.app.core.permissions import system_principal
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.insert import insert_or_ignore
from backend.app.db.session import Database
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
)
from backend.app.modules.auth.models import WorkspaceRecord
from backend.app.modules.endpoints.graph.derive import Entity, EntityType, Graph, Relationship, RelationshipType, derive
from backend.app.modules.endpoints.graph.repository import GraphFilter
from backend.app.modules.endpoints.graph.service import MAX_NEIGHBOURS, Changes, GraphService
from backend.app.modules.projects.schemas import ProjectCreate
from backend.app.modules.projects.service import ProjectService
from benchmarks.support.table import Row, print_table
from tests.support import databases

T = TypeVar("T")

OPERATIONS = 11_000
RELATIONSHIPS = 50_000
DERIVE_S = 5.0
STORE_S = 10.0
AGAIN_S = 3.0
MEMORY_MB = 200
SEARCH_MS = 500.0
ROUNDS = 10


def description() -> ApiDescription:
    """Five operations of each collection: list, create, read, change, delete."""
    definitions: dict[str, Any] = {}
    operations: list[Operation] = []
    above: list[str] = []
    for number in range(OPERATIONS // 5):
        name = f"Thing{number}"
        parent = above[number // 3] if number % 3 and number < 900 else ""
        path = f"{parent}/things{number}"
        definitions[name] = {
            "type": "object",
            "properties": {
                **{field: {"type": "string"} for field in ("id", "name", f"thing{number // 2}_id", f"note{number}")},
                "owner": {"type": "object", "properties": {"login": {"type": "string"}}},
            },
        }
        operations += _five(path, name, f"thing{number}_id")
        above.append(f"{path}/{{thing{number}_id}}")
    return ApiDescription("Things", "1", "openapi-3.1", operations=tuple(operations), definitions=definitions)


def _five(path: str, name: str, parameter: str) -> list[Operation]:
    one = {"$ref": f"#/$defs/{name}"}
    listed = {"type": "object", "properties": {"data": {"type": "array", "items": one}}}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    text: dict[str, Any] = {"type": "string"}
    above = tuple(Parameter(it, ParameterLocation.PATH, True, text) for it in names)
    item = (*above, Parameter(parameter, ParameterLocation.PATH, True, text))
    body = RequestBody(True, (MediaType("application/json", one),))
    answer = ResponseSpec("200", (MediaType("application/json", one),))
    many = ResponseSpec("200", (MediaType("application/json", listed),))
    below = f"{path}/{{{parameter}}}"
    return [
        Operation("GET", path, parameters=above, responses=(many,), pointer=f"/paths/{name}/get"),
        Operation("POST", path, parameters=above, body=body, responses=(answer,), pointer=f"/paths/{name}/post"),
        Operation("GET", below, parameters=item, responses=(answer,), pointer=f"/paths/{name}/{{}}/get"),
        Operation("PATCH", below, parameters=item, body=body, responses=(answer,), pointer=f"/paths/{name}/{{}}/patch"),
        Operation("DELETE", below, parameters=item, responses=(ResponseSpec("204"),), pointer=f"/paths/{name}/delete"),
    ]


def web(relationships: int) -> Graph:
    """Operations that depend on each other at random, five relationships each."""
    random, graph = Random(1), Graph()
    keys = [(EntityType.OPERATION, f"GET /{number}") for number in range(relationships // 5)]
    for key in keys:
        graph.entities[key] = Entity({}, 1.0, [("declared", key[1])])
        for other in random.sample(keys, 5):
            if other != key:
                bond = Relationship({}, 0.9, [("collection", other[1])])
                graph.relationships[(RelationshipType.DEPENDS_ON, key, other)] = bond
    return graph


class Client:
    """One project, and its graph through the service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._principal = system_principal(new_ulid())
        self.project_id = ""

    async def call(self, perform: Callable[[ServiceContext], Awaitable[T]], *, write: bool = False) -> T:
        async with self._database.transaction(self._principal.workspace_id, write=write) as session:
            return await perform(
                ServiceContext(Settings(), session, MessageHub(), self._principal, utc_now, "benchmark")
            )

    async def begin(self) -> None:
        async def create(context: ServiceContext) -> str:
            await insert_or_ignore(context.session, WorkspaceRecord, {"id": context.workspace_id, "name": "Bench"})
            wanted = ProjectCreate(name=new_ulid(), base_url="http://127.0.0.1:9")
            return (await ProjectService(context).create(wanted)).id

        self.project_id = await self.call(create, write=True)

    async def store(self, graph: Graph) -> None:
        discovery_id = new_ulid()
        for changes_of in (GraphService.entity_changes, GraphService.relationship_changes):

            async def differ(context: ServiceContext, of: Any = changes_of) -> Changes:
                found: Changes = await of(GraphService(context), self.project_id, graph)
                return found

            for step in (await self.call(differ)).batches():

                async def apply(context: ServiceContext, step: Changes = step) -> bool:
                    return await GraphService(context).apply(self.project_id, discovery_id, step)

                await self.call(apply, write=True)

    async def ids(self) -> list[str]:
        wanted, page = GraphFilter(), PageRequest(limit=2 * ROUNDS)
        found = await self.call(lambda context: GraphService(context).entities(self.project_id, wanted, page))
        return [row["id"] for row in found.rows]

    async def paths(self, start: str, end: str) -> None:
        options: dict[str, Any] = {"kinds": [], "max_length": 6, "limit": 5}
        await self.call(lambda context: GraphService(context).paths(self.project_id, start, end, **options))

    async def neighbours(self, entity_id: str) -> None:
        options: dict[str, Any] = {"out": True, "into": True, "kind": None, "depth": 3}
        await self.call(lambda context: GraphService(context).neighbours(self.project_id, entity_id, **options))


async def _measure(engine: str, url: str, derived: Graph, random: Graph) -> list[Row]:
    database = Database(create_engine(DatabaseSettings(url=url)))
    first, second = Client(database), Client(database)
    for client in (first, second):
        await client.begin()
    used = []
    for _ in range(2):
        started = time.process_time()
        await first.store(derived)
        used.append(time.process_time() - started)
    about = f"{len(derived.entities)} entities, {len(derived.relationships)} relationships"
    rows = [
        Row(f"graph stored, {engine}: {about}", f"{used[0]:.2f} s CPU", f"<= {STORE_S:.0f} s", used[0] <= STORE_S),
        Row(f"the same again, {engine}", f"{used[1]:.2f} s CPU", f"<= {AGAIN_S:.0f} s", used[1] <= AGAIN_S),
    ]
    await second.store(random)
    async with database.engine.begin() as connection:
        await connection.execute(text("ANALYZE"))  # as the autovacuum of PostgreSQL does within a minute
    ids = await second.ids()
    started = time.perf_counter()
    for number in range(ROUNDS):
        await second.paths(ids[number], ids[-number - 1])
    rows.append(_search(f"paths, {engine}: {len(random.relationships)} relationships", started))
    started = time.perf_counter()
    for number in range(ROUNDS):
        await second.neighbours(ids[number])
    rows.append(_search(f"neighbours three away, {engine}: {MAX_NEIGHBOURS} of them", started))
    await database.close()
    return rows


def _search(what: str, started: float) -> Row:
    ms = (time.perf_counter() - started) / ROUNDS * 1000
    return Row(what, f"{ms:.0f} ms", f"<= {SEARCH_MS:.0f} ms", ms <= SEARCH_MS)


def run() -> list[Row]:
    described = description()
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    derived = derive(described)
    used = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rows = [
        Row(
            f"graph derived of {len(described.operations)} operations",
            f"{used:.2f} s CPU",
            f"<= {DERIVE_S:.0f} s",
            used <= DERIVE_S,
        ),
        Row("memory that it takes", f"{grown:.0f} MB", f"<= {MEMORY_MB} MB", grown <= MEMORY_MB),
    ]
    random = web(RELATIONSHIPS)
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": databases.sqlite_database(Path(folder)), "PostgreSQL": databases.postgres_database()}
        for engine, url in urls.items():
            rows += uvloop.run(_measure(engine, url, derived, random))
    return rows


if __name__ == "__main__":
    print_table(run())
