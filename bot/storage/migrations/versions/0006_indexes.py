"""Indexes for what is asked often, and the order in which registrations have changed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_registrations_changed", "registrations", ["changed"]),
    ("registrations_by_status", "registrations", ["status", "created_at"]),
    ("runs_by_registration", "runs", ["registration", "created_at"]),
    ("runs_by_end", "runs", ["ended_at"]),
    ("runs_by_outcome", "runs", ["outcome", "kind", "ended_at"]),
    ("secrets_by_run", "secrets", ["run"]),
    ("secrets_by_expiry", "secrets", ["expires_at"]),
    ("messages_by_kind", "messages", ["kind", "shown_at"]),
    ("dues_by_registration", "dues", ["registration", "kind"]),
    ("dues_by_kind", "dues", ["kind", "registration"]),
)
SEALED = sa.text("sealed IS NOT NULL")


def upgrade() -> None:
    changed = sa.Column("changed", sa.Integer(), nullable=False, server_default="0")
    op.add_column("registrations", changed)
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    op.create_index(
        "secrets_sealed", "secrets", ["registration"], sqlite_where=SEALED, postgresql_where=SEALED
    )


def downgrade() -> None:
    op.drop_index("secrets_sealed", table_name="secrets")
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_column("registrations", "changed")
