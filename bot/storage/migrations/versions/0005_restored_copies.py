"""Where the database stands, and since when an older copy of it waits to be compared with Entra."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("installation", sa.Column("place", sa.String(120), nullable=True))
    op.add_column("installation", sa.Column("restored_at", Moment(), nullable=True))


def downgrade() -> None:
    op.drop_column("installation", "restored_at")
    op.drop_column("installation", "place")
