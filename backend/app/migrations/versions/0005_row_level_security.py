"""Row-level security on PostgreSQL: a connection sees the rows of one workspace, or of every one, or none.

The setting is read once for a statement, by the sub-select. The planner takes a CASE for true half of the time; from
the same rule written with OR it concludes that next to no row passes, and sorts a whole backlog in place of walking an
index.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = (
    "anomalies",
    "api_descriptions",
    "discoveries",
    "endpoint_results",
    "endpoints",
    "events",
    "finding_sightings",
    "findings",
    "idempotency_keys",
    "jobs",
    "project_statistics",
    "projects",
    "scans",
    "test_runs",
)
_VISIBLE = """
CASE (SELECT current_setting('touchstone.workspace', true))
    WHEN workspace_id THEN true
    WHEN '*' THEN true
    ELSE false
END
"""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenancy ON {table} USING ({_VISIBLE}) WITH CHECK ({_VISIBLE})")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(f"DROP POLICY tenancy ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
