"""The graph of a project: entities and the relationships between them."""

import sqlalchemy as sa
from alembic import op

from backend.app.db import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = ("entities", "relationships")
_VISIBLE = """
CASE (SELECT current_setting('touchstone.workspace', true))
    WHEN workspace_id THEN true
    WHEN '*' THEN true
    ELSE false
END
"""


def upgrade() -> None:
    op.create_table(
        "entities",
        *_identity(),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=600), nullable=False),
        *_statement(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entities")),
        sa.UniqueConstraint("project_id", "type", "name", name=op.f("uq_entities_project_id_type_name")),
    )
    with op.batch_alter_table("entities") as batch:
        batch.create_index("ix_entities_project_id_id", ["project_id", "id"])
        batch.create_index(batch.f("ix_entities_workspace_id"), ["workspace_id"])

    ends = ("source_id", "target_id")
    op.create_table(
        "relationships",
        *_identity(),
        sa.Column("type", sa.String(length=20), nullable=False),
        *(sa.Column(end, sa.String(length=26), nullable=False) for end in ends),
        sa.Column("name", sa.String(length=600), nullable=False),
        *_statement(),
        *(
            sa.ForeignKeyConstraint(
                [end], ["entities.id"], name=op.f(f"fk_relationships_{end}_entities"), ondelete="CASCADE"
            )
            for end in ends
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relationships")),
        sa.UniqueConstraint(
            "project_id", "type", *ends, name=op.f("uq_relationships_project_id_type_source_id_target_id")
        ),
    )
    with op.batch_alter_table("relationships") as batch:
        batch.create_index("ix_relationships_project_id_id", ["project_id", "id"])
        batch.create_index(batch.f("ix_relationships_workspace_id"), ["workspace_id"])
        for end in ends:
            batch.create_index(f"ix_relationships_{end}_id", [end, "id"])

    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenancy ON {table} USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _identity() -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length=26), nullable=False) for name in ("id", "workspace_id", "project_id")]


def _statement() -> list[sa.Column[object]]:
    return [
        sa.Column("properties", types.JsonText(), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("evidence", types.JsonText(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(timezone=True), nullable=False),
    ]
