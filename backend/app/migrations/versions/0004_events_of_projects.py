"""Leave what has no project out of the index of the projects' events: every insert pays for each index."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_A_PROJECT = sa.text("project_id IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_events_project", "events")
    op.create_index(
        "ix_events_project",
        "events",
        ["project_id", "position"],
        postgresql_where=_OF_A_PROJECT,
        sqlite_where=_OF_A_PROJECT,
    )


def downgrade() -> None:
    op.drop_index("ix_events_project", "events")
    op.create_index("ix_events_project", "events", ["project_id", "position"])
