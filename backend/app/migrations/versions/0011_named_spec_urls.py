"""Descriptions of a project that are read again where they were named."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("discoveries", sa.Column("spec_name", sa.String(length=200), nullable=True))
    op.add_column("api_descriptions", sa.Column("spec_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_descriptions", "spec_url")
    op.drop_column("discoveries", "spec_name")
