"""Sign-ins of approvers at the consent client."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("registration", sa.String(16), sa.ForeignKey("registrations.id"), nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("browser", sa.String(64)),
        sa.Column("state", sa.String(64), unique=True),
        sa.Column("flow", sa.LargeBinary),
        sa.Column("expires_at", Moment(), nullable=False, index=True),
        sa.Column("used_at", Moment()),
        sa.Index("sign_ins_by_registration", "registration"),
    )
