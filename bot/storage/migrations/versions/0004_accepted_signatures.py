"""Signatures of Slack's requests that were accepted, so that each counts once on all replicas."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accepted_signatures",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(
        op.f("ix_accepted_signatures_expires_at"), "accepted_signatures", ["expires_at"]
    )


def downgrade() -> None:
    op.drop_table("accepted_signatures")
