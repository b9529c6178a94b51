"""Files that are handed in for discovery."""

import sqlalchemy as sa
from alembic import op

from backend.app.db import types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("discovery_upload_chunks", "discovery_uploads")
_VISIBLE = """
CASE (SELECT current_setting('touchstone.workspace', true))
    WHEN workspace_id THEN true
    WHEN '*' THEN true
    ELSE false
END
"""


def upgrade() -> None:
    op.create_table(
        "discovery_uploads",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("name", types.AnyText(), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discovery_uploads")),
    )
    op.create_index(op.f("ix_discovery_uploads_created_at"), "discovery_uploads", ["created_at"])
    op.create_index(op.f("ix_discovery_uploads_project_id_id"), "discovery_uploads", ["project_id", "id"])
    op.create_index(op.f("ix_discovery_uploads_workspace_id"), "discovery_uploads", ["workspace_id"])
    op.create_table(
        "discovery_upload_chunks",
        sa.Column("upload_id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_discovery_upload_chunks")),
    )
    op.create_index(op.f("ix_discovery_upload_chunks_workspace_id"), "discovery_upload_chunks", ["workspace_id"])
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenancy ON {table} USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
