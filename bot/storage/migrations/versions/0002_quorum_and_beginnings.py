"""What a plan took, how often a run was begun, and reminders of secrets that expire."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Json, Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

registrations = sa.table(
    "registrations",
    sa.column("id", sa.String),
    sa.column("status", sa.String),
    sa.column("created_at", Moment()),
)
dues = sa.table(
    "dues",
    sa.column("id", sa.String),
    sa.column("registration", sa.String),
    sa.column("kind", sa.String),
    sa.column("subject", sa.String),
    sa.column("at", Moment()),
)
ANY_SECRET = "-:0"
"""The subject of a due that is about no secret yet: the keeper then plans the right one."""


def upgrade() -> None:
    op.add_column("registrations", sa.Column("quorum", Json, nullable=True))
    op.add_column("runs", sa.Column("begun", sa.Integer(), nullable=False, server_default="0"))
    # Secrets that were handed over before are to be reminded of, too.
    ready = sa.select(
        sa.literal("expiring-").concat(registrations.c.id),
        registrations.c.id,
        sa.literal("expiring"),
        sa.literal(ANY_SECRET),
        registrations.c.created_at,
    ).where(registrations.c.status == "ready")
    columns = ("id", "registration", "kind", "subject", "at")
    op.execute(sa.insert(dues).from_select(columns, ready))


def downgrade() -> None:
    op.execute(sa.delete(dues).where(dues.c.kind == "expiring"))
    op.drop_column("runs", "begun")
    op.drop_column("registrations", "quorum")
