"""The repositories of projects, and the deliveries about them that were taken."""

import sqlalchemy as sa
from alembic import op

from backend.app.db import types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("git_sources", "git_deliveries")
_VISIBLE = """
CASE (SELECT current_setting('touchstone.workspace', true))
    WHEN workspace_id THEN true
    WHEN '*' THEN true
    ELSE false
END
"""


def upgrade() -> None:
    op.create_table(
        "git_sources",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=600), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("subfolder", sa.Text(), nullable=False),
        sa.Column("credential_kind", sa.String(length=10), nullable=False),
        sa.Column("credential_sealed", sa.Text(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=True),
        sa.Column("api_url", sa.Text(), nullable=True),
        sa.Column("webhook_sealed", sa.Text(), nullable=False),
        sa.Column("hook_id", sa.Text(), nullable=True),
        sa.Column("webhook_registered_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_commit", sa.String(length=64), nullable=True),
        sa.Column("last_scanned_at", types.UtcDateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_git_sources_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_git_sources")),
        sa.UniqueConstraint("project_id", "name_key", name=op.f("uq_git_sources_project_id_name_key")),
    )
    op.create_index("ix_git_sources_project_id_id", "git_sources", ["project_id", "id"])
    op.create_index(op.f("ix_git_sources_workspace_id"), "git_sources", ["workspace_id"])
    op.create_table(
        "git_deliveries",
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("source_id", sa.String(length=26), nullable=False),
        sa.Column("delivery_id", sa.String(length=200), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["git_sources.id"], name=op.f("fk_git_deliveries_source_id_git_sources"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "delivery_id", name=op.f("pk_git_deliveries")),
    )
    op.create_index(op.f("ix_git_deliveries_workspace_id"), "git_deliveries", ["workspace_id"])
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenancy ON {table} USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    op.drop_table("git_deliveries")
    op.drop_table("git_sources")
