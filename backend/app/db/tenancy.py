"""PostgreSQL's own wall between tenants: row-level security.

Every table with rows of tenants has a policy: a connection sees and writes the rows of the workspace that its setting
`touchstone.workspace` names, all rows if that is `EVERY_WORKSPACE`, no tenant's rows if it is empty or missing. SQLite
has no such thing: there the wall is the queries' alone. Why, and for whom it holds: docs/decisions/0007.
"""

from typing import Any, Final

import structlog
from sqlalchemy import Connection, PoolProxiedConnection, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import await_only

log = structlog.get_logger(module_id="db")

EVERY_WORKSPACE: Final = "*"
"""No ULID. For what serves all tenants: the claiming of jobs, metrics, the rotation of keys."""
OUTSIDE: Final = frozenset({"api_keys", "invitations", "memberships"})
"""Tables with a `workspace_id` that are read to learn in which workspace somebody may be."""

WORKSPACE: Final = "touchstone_workspace"
"""In `session.info`: what the session sees. In the info of a pooled connection: what it was last told."""

_FOR_THE_CONNECTION = "SELECT set_config('touchstone.workspace', $1, false)"
_FOR_THE_TRANSACTION = "SELECT set_config('touchstone.workspace', $1, true)"
SEE_ALL: Final = text("SELECT set_config('touchstone.workspace', '*', true)")
"""For the rest of a transaction; a migration may have to move every tenant's rows."""
_HINT: Final = (
    "The database user is a superuser or has BYPASSRLS. Set database.role to a name such as touchstone_app and run: "
    "touchstone migrate"
)
_BINDS: Final = text("SELECT row_security_active('projects')")


def enter(pooled: PoolProxiedConnection, workspace_id: str) -> None:
    """Tells a connection of PostgreSQL what it sees from here on, unless it was told so last.

    Outside of a transaction: a rollback would undo it unnoticed.
    """
    if pooled.info.get(WORKSPACE) == workspace_id:
        return
    pooled.info[WORKSPACE] = None  # who is cancelled while it is on its way does not know
    adapted: Any = pooled.dbapi_connection
    try:
        await_only(adapted.driver_connection.execute(_FOR_THE_CONNECTION, workspace_id))
    except Exception as error:
        adapted._handle_exception(error)  # the driver's error as a cursor would raise it
    pooled.info[WORKSPACE] = workspace_id


def covers(session: AsyncSession, workspace_id: str) -> bool:
    return session.info.get(WORKSPACE, "") in (workspace_id, EVERY_WORKSPACE)


def move(cursor: DBAPICursor, workspace_id: str) -> None:
    """Tells PostgreSQL what the open transaction sees until its end, or until it is told again."""
    cursor.execute(_FOR_THE_TRANSACTION, (workspace_id,))


def admit(connection: Connection, role: str) -> None:
    """Lets `role` read and write the rows of this schema, and who is connected take it on. It is made, without a login,
    when it is missing."""
    found = connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role})
    quote = connection.dialect.identifier_preparer.quote
    name, schema = quote(role), quote(connection.scalar(text("SELECT current_schema()")) or "public")
    if not found:
        connection.execute(text(f"CREATE ROLE {name} NOLOGIN"))
        connection.execute(text(f"GRANT {name} TO CURRENT_USER"))
    for grant in (
        f"USAGE ON SCHEMA {schema}",
        f"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}",
        f"USAGE ON ALL SEQUENCES IN SCHEMA {schema}",
    ):
        connection.execute(text(f"GRANT {grant} TO {name}"))


async def warn(engine: AsyncEngine) -> None:
    """Says in the log when row-level security does not bind the application's connections."""
    if engine.dialect.name != "postgresql":
        return
    async with engine.connect() as connection:
        bound = await connection.scalar(_BINDS)
    if not bound:
        log.warning("database.row_level_security_off", hint=_HINT)
