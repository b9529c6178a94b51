"""Alembic's entry: on the connection of `db.migrate`, or, called as `alembic`, on the database of the settings."""

from collections.abc import Iterable
from typing import Any

from alembic import context
from alembic.operations import MigrationScript
from sqlalchemy import Connection

from backend.app.core.settings import load_settings
from backend.app.db import migrate
from backend.app.db.models import metadata


def number(_context: Any, _revision: Any, scripts: Iterable[MigrationScript]) -> None:
    """Revisions are counted: 0001, 0002."""
    for script in scripts:
        script.rev_id = f"{int(migrate.head() or 0) + 1:04}"


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata(), process_revision_directives=number, **migrate.OPTIONS
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is None:
    migrate.perform(load_settings().database.url, run)
else:
    run(connection)
