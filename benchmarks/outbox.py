"""A write with one event and one job, against the same write alone: CPU of this process, on both engines."""

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import uvloop
from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.permissions import system_principal
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.db.engine import create_engine
from backend.app.db.mixins import Identified, Timestamped, WorkspaceOwned
from backend.app.db.session import Database
from backend.app.db.types import JsonValue
from benchmarks.support.table import Row
from tests.support import databases

WRITES = 25
ROUNDS = 100

hub = MessageHub()


class _Base(DeclarativeBase):
    """Apart from the product's tables."""


class Thing(Identified, WorkspaceOwned, Timestamped, _Base):
    """A row like a project's."""

    __tablename__ = "benchmark_things"

    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    base_url: Mapped[str] = mapped_column(String(500))
    status: Mapped[str] = mapped_column(String(20))
    config: Mapped[dict[str, Any]] = mapped_column(JsonValue)


class ThingCreated(Event):
    name: ClassVar = "thing.created"

    thing_id: str
    label: str


@hub.on(ThingCreated)
async def do_nothing(event: ThingCreated, context: ServiceContext) -> None: ...


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": databases.sqlite_database(Path(folder)), "PostgreSQL": databases.postgres_database()}
        return [uvloop.run(_compare(engine, url)) for engine, url in urls.items()]


async def _compare(engine: str, url: str) -> Row:
    settings = Settings(database=DatabaseSettings(url=url))
    database = Database(create_engine(settings.database))
    async with database.engine.begin() as connection:
        await connection.run_sync(_Base.metadata.create_all)
    principal = system_principal(new_ulid())

    async def write(*, with_event: bool) -> None:
        async with database.transaction(principal.workspace_id) as session:
            thing = Thing(
                workspace_id=principal.workspace_id,
                name="Bookshop",
                description="d" * 100,
                base_url="http://localhost:8000/api",
                status="active",
                config={"auth": "none", "headers": ["a", "b"]},
            )
            session.add(thing)
            await session.flush()
            if with_event:
                context = ServiceContext(settings, session, hub, principal, utc_now, "benchmark")
                await hub.publish(ThingCreated(thing_id=thing.id, label=thing.name), context)

    alone, both = [], []
    for _ in range(ROUNDS):
        alone.append(await _cpu_of(lambda: write(with_event=False)))
        both.append(await _cpu_of(lambda: write(with_event=True)))
    await database.close()
    # The quicker rounds say what it costs; what is above them, others on the machine have added.
    cost, cost_of_both = (statistics.quantiles(rounds)[0] for rounds in (alone, both))
    ratio = cost_of_both / cost
    figure = f"{ratio:.2f} x ({cost * 1e6:.0f} us alone)"
    return Row(f"a write with one event and one job, {engine}", figure, "<= 1.40 x", ratio <= 1.4)


async def _cpu_of(write: Callable[[], Awaitable[None]]) -> float:
    """CPU seconds for one."""
    start = time.process_time()
    for _ in range(WRITES):
        await write()
    return (time.process_time() - start) / WRITES
