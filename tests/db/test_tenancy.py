"""Row-level security: the wall that stands when a query forgets its workspace. PostgreSQL has it, SQLite has not."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from typing import Annotated, Any, ClassVar

import hypothesis.strategies as st
import pytest
import structlog
from fastapi import APIRouter, Depends
from hypothesis import given, settings
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.message_hub import Event, MessageHub
from backend.app.core.permissions import Permission, system_principal
from backend.app.core.responses import Envelope, envelope
from backend.app.core.runtime import service_context
from backend.app.core.settings import DatabaseSettings, Settings
from backend.app.core.views import access_control, view
from backend.app.db import migrate, tenancy
from backend.app.db.engine import create_engine
from backend.app.db.models import metadata
from backend.app.db.outbox import EventRecord
from backend.app.db.rows import PreparedSelect
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.modules.projects.models import ProjectRecord
from tests.support import databases
from tests.support.apps import client_of, small_app

ADA, BOB = "ada", "bob"
OWNER = {ADA: {"ada's"}, BOB: {"bob's"}, EVERY_WORKSPACE: {"ada's", "bob's"}, "": set()}
"""The projects that each workspace sees."""
_FORGETFUL = PreparedSelect(select(ProjectRecord.__table__.c.name).where(bindparam("always", True)))


def project(workspace_id: str, name: str) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": new_ulid(),
        "workspace_id": workspace_id,
        "name": name,
        "name_key": name,
        "description": "",
        "environment": "test",
        "auth_type": "none",
        "auth_fields": [],
        "created_at": now,
        "updated_at": now,
    }


async def names(session: AsyncSession) -> set[str]:
    """Of projects, by a query that forgot its workspace."""
    return set(await session.scalars(select(ProjectRecord.name)))


async def names_past_the_orm(session: AsyncSession) -> set[str]:
    return {row["name"] for row in await _FORGETFUL.fetch(session, {})}


@pytest.fixture
async def product(postgres_url: str) -> AsyncIterator[Database]:
    """One connection for writing and one for reading, on a database with a project of Ada's and one of Bob's."""
    database = Database(create_engine(DatabaseSettings(url=postgres_url, pool_size=1)))
    async with database.transaction(EVERY_WORKSPACE) as session:
        await session.execute(insert(ProjectRecord), [project(ADA, "ada's"), project(BOB, "bob's")])
    yield database
    await database.close()


def test_every_table_with_a_workspace_has_the_policy_or_a_reason(postgres_url: str) -> None:
    protected = migrate.perform(
        postgres_url,
        lambda connection: set(
            connection.scalars(
                text(
                    "SELECT tablename FROM pg_policies JOIN pg_class ON pg_class.oid = tablename::regclass "
                    "WHERE policyname = 'tenancy' AND cmd = 'ALL' AND roles = '{public}' AND permissive = 'PERMISSIVE' "
                    "AND relrowsecurity AND relforcerowsecurity"
                )
            )
        ),
    )
    with_workspace = {table.name for table in metadata().tables.values() if "workspace_id" in table.columns}
    assert protected | tenancy.OUTSIDE == with_workspace, "a migration as 0005 for the table, or a reason in OUTSIDE"
    assert not protected & tenancy.OUTSIDE


@pytest.mark.parametrize("look", [names, names_past_the_orm])
@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("workspace_id", OWNER)
async def test_a_query_that_forgot_its_workspace_sees_that_of_the_transaction(
    product: Database, workspace_id: str, write: bool, look: Callable[[AsyncSession], Any]
) -> None:
    async with product.transaction(workspace_id, write=write) as session:
        assert await look(session) == OWNER[workspace_id]


async def test_a_connection_that_was_told_nothing_sees_nothing(product: Database, postgres_url: str) -> None:
    engine = create_engine(DatabaseSettings(url=postgres_url))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM projects")) == 0
    await engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        insert(ProjectRecord).values(project(BOB, "planted")),
        update(ProjectRecord).where(ProjectRecord.name == "ada's").values(workspace_id=BOB),
    ],
    ids=["plant", "move"],
)
async def test_no_row_gets_into_another_workspace(product: Database, statement: Any) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with product.transaction(ADA) as session:
            await session.execute(statement)
    async with product.transaction(BOB) as session:
        assert await names(session) == OWNER[BOB]


async def test_the_rows_of_another_workspace_are_out_of_reach(product: Database) -> None:
    async with product.transaction(ADA) as session:
        changed: Any = await session.execute(update(ProjectRecord).values(description="changed"))
        removed: Any = await session.execute(delete(ProjectRecord))
    assert (changed.rowcount, removed.rowcount) == (1, 1)
    async with product.transaction(BOB) as session:
        assert set(await session.scalars(select(ProjectRecord.description))) == {""}


class Noted(Event):
    name: ClassVar = "note.made"

    note_id: str


async def publish(session: AsyncSession, workspace_id: str) -> None:
    context = ServiceContext(Settings(), session, MessageHub(), system_principal(workspace_id), utc_now, "request")
    await context.hub.publish(Noted(note_id=new_ulid()), context)


async def test_an_event_goes_to_the_workspace_of_its_context_and_the_transaction_stays_in_its_own(
    product: Database,
) -> None:
    async with product.transaction(ADA) as session:
        await publish(session, ADA)
        await publish(session, BOB)
        assert await names(session) == OWNER[ADA]
        assert set(await session.scalars(select(EventRecord.workspace_id))) == {ADA}
    async with product.transaction(EVERY_WORKSPACE, write=False) as session:
        assert set(await session.scalars(select(EventRecord.workspace_id))) == {ADA, BOB}


class _Undone(Exception):
    pass


async def _commit(product: Database, workspace_id: str) -> set[str]:
    async with product.transaction(workspace_id) as session:
        return await names(session)


async def _roll_back(product: Database, workspace_id: str) -> set[str]:
    seen: set[str] = set()
    try:
        async with product.transaction(workspace_id) as session:
            seen |= await names(session)
            await session.execute(insert(ProjectRecord), project(workspace_id, "undone"))
            raise _Undone
    except _Undone:
        return seen


async def _fail(product: Database, workspace_id: str) -> set[str]:
    seen: set[str] = set()
    try:
        async with product.transaction(workspace_id) as session:
            seen |= await names(session)
            await session.execute(text("SELECT 1 / 0"))
    except DBAPIError:
        return seen
    raise AssertionError


async def _visit(product: Database, workspace_id: str) -> set[str]:
    """With an event for somebody else, which is rolled back."""
    seen: set[str] = set()
    try:
        async with product.transaction(workspace_id) as session:
            await publish(session, BOB if workspace_id == ADA else ADA)
            seen |= await names(session)
            raise _Undone
    except _Undone:
        return seen


async def _read(product: Database, workspace_id: str) -> set[str]:
    async with product.transaction(workspace_id, write=False) as session:
        return await names(session)


async def _read_past_the_orm(product: Database, workspace_id: str) -> set[str]:
    async with product.transaction(workspace_id, write=False) as session:
        return await names_past_the_orm(session)


async def _cancel(product: Database, workspace_id: str) -> set[str]:
    """Cancelled somewhere between the first word and the answer."""
    task = asyncio.create_task(_commit(product, workspace_id))
    for _ in range(secrets.randbelow(6)):
        await asyncio.sleep(0)
    task.cancel()
    (seen,) = await asyncio.gather(task, return_exceptions=True)
    return OWNER[workspace_id] if isinstance(seen, BaseException) else seen


_STEPS = (_commit, _roll_back, _fail, _visit, _read, _read_past_the_orm, _cancel)


@given(st.lists(st.tuples(st.sampled_from(_STEPS), st.sampled_from(list(OWNER))), min_size=2, max_size=12))
@settings(max_examples=50)
def test_nothing_of_a_tenant_stays_on_a_connection(steps: list[tuple[Any, str]]) -> None:
    """Whoever had the connection before, and however that ended."""
    url = databases.postgres_database()

    async def play() -> None:
        product = Database(create_engine(DatabaseSettings(url=url, pool_size=1)))
        async with product.transaction(EVERY_WORKSPACE) as session:
            await session.execute(delete(ProjectRecord))
            await session.execute(insert(ProjectRecord), [project(ADA, "ada's"), project(BOB, "bob's")])
        for number, (step, workspace_id) in enumerate(steps):
            assert await step(product, workspace_id) == OWNER[workspace_id], number
        await product.close()

    asyncio.run(play())


def forgetful() -> APIRouter:
    router = APIRouter()

    @view(router)
    class Views:
        context: Annotated[ServiceContext, Depends(service_context)]

        @router.get("/names")
        @access_control(Permission.PROJECTS_READ)
        async def read(self) -> Envelope[list[str]]:
            return envelope(sorted(await names(self.context.session)))

        @router.post("/names")
        @access_control(Permission.PROJECTS_WRITE)
        async def write(self) -> Envelope[list[str]]:
            return envelope(sorted(await names(self.context.session)))

    return router


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_route_that_forgot_its_workspace_answers_with_the_callers_own(product: Database, method: str) -> None:
    app = small_app(forgetful(), Settings(), product)
    for caller in (ADA, BOB, "somebody else", ADA):
        async with client_of(app, caller) as client:
            answer = await client.request(method, "/names")
        assert answer.json()["data"] == sorted(OWNER.get(caller, set())), answer.text


@pytest.fixture
def role() -> Iterator[str]:
    """A name that nobody has yet."""
    name = f"touchstone_role_{secrets.token_hex(4)}"
    yield name
    databases.postgres_of_a_superuser().execute(f"DROP ROLE IF EXISTS {name}")


@pytest.fixture
def unbound_url(role: str) -> Iterator[str]:
    """A migrated database, for a superuser."""
    server = databases.postgres_of_a_superuser()
    url = server.unbound(server.create())
    migrate.upgrade(url)
    yield url
    server.drop(url)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[MutableMapping[str, Any]]:
    """What the wall says in the log, whatever the process set its logs up with."""
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(tenancy, "log", logger)
    return capture.entries


async def test_a_superuser_is_bound_by_the_role_that_it_takes_on(
    unbound_url: str, role: str, said: list[MutableMapping[str, Any]]
) -> None:
    for _ in range(2):
        await asyncio.to_thread(migrate.upgrade, unbound_url, role=role)
    product = Database(create_engine(DatabaseSettings(url=unbound_url, role=role)))
    await tenancy.warn(product.engine)
    assert said == []
    await migrate.require_current(product.engine)
    async with product.transaction(ADA) as session:
        await session.execute(insert(ProjectRecord), project(ADA, "ada's"))
        await publish(session, ADA)
    for workspace_id, seen in ((ADA, {"ada's"}), (BOB, set()), ("", set())):
        assert await _read(product, workspace_id) == seen
        assert await _commit(product, workspace_id) == seen
    await product.close()


async def test_a_user_who_is_not_bound_is_told_what_to_set(
    unbound_url: str, postgres_url: str, said: list[MutableMapping[str, Any]]
) -> None:
    for url in (unbound_url, postgres_url):
        engine = create_engine(DatabaseSettings(url=url))
        await tenancy.warn(engine)
        await engine.dispose()
    (warning,) = said
    assert warning["event"] == "database.row_level_security_off"
    assert "database.role" in warning["hint"]
    assert "touchstone migrate" in warning["hint"]


def test_the_wall_goes_and_comes_with_its_migration(postgres_url: str) -> None:
    def protected() -> int:
        count = text("SELECT count(*) FROM pg_class WHERE relrowsecurity OR relforcerowsecurity")
        return int(migrate.perform(postgres_url, lambda connection: connection.scalar(count)) or 0)

    walled = protected()
    migrate.downgrade(postgres_url, "0004")
    down = protected()
    migrate.upgrade(postgres_url)
    assert (down, protected()) == (0, walled)
    assert walled > 0
