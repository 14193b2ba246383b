"""Which executor carries a run, and how many attempts at it have failed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE runs RENAME COLUMN begun TO attempts")
    op.add_column("runs", sa.Column("carried_by", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "carried_by")
    op.execute("ALTER TABLE runs RENAME COLUMN attempts TO begun")
