"""Webhooks of git sources that are gone, for as long as the provider is asked to remove them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_VISIBLE = """
CASE (SELECT current_setting('touchstone.workspace', true))
    WHEN workspace_id THEN true
    WHEN '*' THEN true
    ELSE false
END
"""


def upgrade() -> None:
    op.create_table(
        "git_left_webhooks",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("credential_kind", sa.String(length=10), nullable=False),
        sa.Column("credential_sealed", sa.Text(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=True),
        sa.Column("api_url", sa.Text(), nullable=True),
        sa.Column("hook_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_git_left_webhooks")),
    )
    op.create_index(op.f("ix_git_left_webhooks_project_id"), "git_left_webhooks", ["project_id"])
    op.create_index(op.f("ix_git_left_webhooks_workspace_id"), "git_left_webhooks", ["workspace_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE git_left_webhooks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenancy ON git_left_webhooks USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    op.drop_table("git_left_webhooks")
