"""The result of the latest look at an administrator's grants."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registrations", sa.Column("consent", Json, nullable=True))
