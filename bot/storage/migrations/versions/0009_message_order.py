"""Since when a message waits, and which status it shows: what its place in the order depends on."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("waiting_since", Moment(), nullable=True))
    op.add_column("messages", sa.Column("shows", sa.String(24), nullable=True))
