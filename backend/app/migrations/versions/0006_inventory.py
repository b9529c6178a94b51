"""The inventory with its sources: who vouches for an endpoint, what people noted, what a discovery changed."""

import sqlalchemy as sa
from alembic import op

from backend.app.db import types

revision = "0006"
down_revision = "0005"
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
        "endpoint_sources",
        sa.Column("endpoint_id", sa.String(length=26), nullable=False),
        sa.Column("slot", sa.String(length=300), nullable=False),
        sa.Column("workspace_id", sa.String(length=26), nullable=False),
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("source", types.AnyText(), nullable=False),
        sa.Column("location", types.AnyText(), nullable=False),
        sa.Column("evidence", types.JsonText(), nullable=False),
        sa.Column("operation", types.JsonText(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", types.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name=op.f("fk_endpoint_sources_endpoint_id_endpoints"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "slot", name=op.f("pk_endpoint_sources")),
    )
    with op.batch_alter_table("endpoint_sources") as batch:
        batch.create_index("ix_endpoint_sources_project_id_slot", ["project_id", "slot"])
        batch.create_index(batch.f("ix_endpoint_sources_workspace_id"), ["workspace_id"])
    op.execute(
        "INSERT INTO endpoint_sources SELECT id, 'openapi', workspace_id, project_id, 'document', source, '', "
        "'{}', NULL, '', first_seen_at, last_seen_at FROM endpoints WHERE status = 'active'"
    )

    with op.batch_alter_table("endpoints") as batch:
        batch.alter_column(
            "status", new_column_name="state", existing_type=sa.String(length=10), type_=sa.String(length=20)
        )
        batch.alter_column("source", existing_type=sa.String(length=50), type_=sa.Text(), existing_nullable=False)
        batch.add_column(sa.Column("from_root", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.drop_constraint(batch.f("uq_endpoints_project_id_method_path"), type_="unique")
        batch.create_unique_constraint(
            batch.f("uq_endpoints_project_id_method_path_from_root"), ["project_id", "method", "path", "from_root"]
        )
        batch.add_column(
            sa.Column("kinds", types.JsonValue(none_as_null=True), server_default='["document"]', nullable=False)
        )
        batch.add_column(sa.Column("unresolved", types.AnyText(), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("own_tags", types.JsonValue(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("owner", types.AnyText(), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("notes", types.AnyText(), server_default=sa.text("''"), nullable=False))
        batch.add_column(sa.Column("ignored", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.execute("UPDATE endpoints SET kinds = '[]' WHERE state = 'gone'")
    op.execute("UPDATE endpoints SET state = 'deprecated' WHERE state = 'active' AND deprecated")

    with op.batch_alter_table("discoveries") as batch:
        batch.add_column(sa.Column("strategies", types.JsonText(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("uploads", types.JsonText(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("git_sources", types.JsonText(), nullable=True))
        batch.add_column(sa.Column("parts", types.JsonText(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("drift", types.JsonText(), server_default="[]", nullable=False))
        batch.add_column(sa.Column("breaking", sa.Integer(), server_default="0", nullable=False))
        batch.add_column(sa.Column("risky", sa.Integer(), server_default="0", nullable=False))
        batch.add_column(sa.Column("safe", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE discoveries SET strategies = '[\"' || strategy || '\"]'")
    with op.batch_alter_table("discoveries") as batch:
        batch.drop_column("strategy")
        batch.drop_column("source")
        batch.drop_column("location")
        batch.drop_column("report")

    with op.batch_alter_table("api_descriptions") as batch:
        batch.add_column(sa.Column("slot", sa.String(length=300), server_default="openapi", nullable=False))
        batch.drop_constraint(batch.f("pk_api_descriptions"), type_="primary")
        batch.create_primary_key(batch.f("pk_api_descriptions"), ["project_id", "slot"])

    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE endpoint_sources ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenancy ON endpoint_sources USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    op.execute("DELETE FROM api_descriptions WHERE slot <> 'openapi'")
    with op.batch_alter_table("api_descriptions") as batch:
        batch.drop_constraint(batch.f("pk_api_descriptions"), type_="primary")
        batch.create_primary_key(batch.f("pk_api_descriptions"), ["project_id"])
        batch.drop_column("slot")

    with op.batch_alter_table("discoveries") as batch:
        batch.add_column(sa.Column("strategy", sa.String(length=50), server_default="openapi", nullable=False))
        batch.add_column(sa.Column("source", sa.String(length=50), nullable=True))
        batch.add_column(sa.Column("location", sa.Text(), nullable=True))
        batch.add_column(sa.Column("report", types.JsonText(), server_default="[]", nullable=False))
        for name in ("strategies", "uploads", "git_sources", "parts", "drift", "breaking", "risky", "safe"):
            batch.drop_column(name)

    # Only what a document vouches for was kept.
    op.execute(
        "DELETE FROM endpoints WHERE state <> 'gone' AND id NOT IN "
        "(SELECT endpoint_id FROM endpoint_sources WHERE kind = 'document')"
    )
    op.execute("UPDATE endpoints SET state = 'active' WHERE state <> 'gone'")
    op.execute("DELETE FROM endpoints WHERE from_root")
    op.drop_table("endpoint_sources")
    with op.batch_alter_table("endpoints") as batch:
        batch.alter_column(
            "state", new_column_name="status", existing_type=sa.String(length=20), type_=sa.String(length=10)
        )
        batch.drop_constraint(batch.f("uq_endpoints_project_id_method_path_from_root"), type_="unique")
        batch.create_unique_constraint(batch.f("uq_endpoints_project_id_method_path"), ["project_id", "method", "path"])
        for name in ("from_root", "kinds", "unresolved", "own_tags", "owner", "notes", "ignored", "version"):
            batch.drop_column(name)
        batch.alter_column("source", existing_type=sa.Text(), type_=sa.String(length=50), existing_nullable=False)
