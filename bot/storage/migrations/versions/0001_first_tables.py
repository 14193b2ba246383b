"""The first tables: registrations, votes, runs, steps, secrets, messages, dues, history."""

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Json, Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("only", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("patrolled_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("only"),
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("requester_name", sa.String(length=120), nullable=False),
        sa.Column("form", Json, nullable=False),
        sa.Column("profile_digest", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("wish_digest", sa.String(length=64), nullable=False),
        sa.Column("plan", Json, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("failure", Json, nullable=True),
        sa.Column("heir", Json, nullable=True),
        sa.Column("former", Json, nullable=True),
        sa.Column("rotation", Json, nullable=True),
        sa.Column("last_check", Json, nullable=True),
        sa.Column("revocation", Json, nullable=True),
        sa.Column("deleted", Json, nullable=True),
        sa.Column("purged_at", Moment(), nullable=True),
        sa.Column("deadline", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("origin"),
    )
    op.create_index(
        "registrations_by_requester",
        "registrations",
        ["team_id", "user_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_registrations_wish_digest"), "registrations", ["wish_digest"], unique=False
    )
    op.create_index(
        op.f("ix_registrations_created_at"), "registrations", ["created_at"], unique=False
    )
    op.create_table(
        "seen_events",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "dues",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_dues_at"), "dues", ["at"], unique=False)
    op.create_table(
        "history",
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.PrimaryKeyConstraint("registration", "seq"),
    )
    op.create_index("history_by_time", "history", ["at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("audience", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=True),
        sa.Column("ts", sa.String(length=32), nullable=True),
        sa.Column("claimed_until", Moment(), nullable=True),
        sa.Column("shown_at", Moment(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("messages_by_registration", "messages", ["registration"], unique=False)
    op.create_index(
        "messages_stale",
        "messages",
        ["shown_at"],
        unique=False,
        sqlite_where=sa.text("shown < wanted"),
        postgresql_where=sa.text("shown < wanted"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=120), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "runs_one_open",
        "runs",
        ["registration"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "votes",
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("rotation", sa.String(length=40), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("groups", Json, nullable=False),
        sa.Column("void", sa.String(length=120), nullable=True),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.PrimaryKeyConstraint("registration", "rotation", "team_id", "user_id"),
    )
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("nonce", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=True),
        sa.Column("hint", sa.String(length=16), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("retires_at", Moment(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answer_to", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("nonce"),
    )
    op.create_index("secrets_by_registration", "secrets", ["registration"], unique=False)
    op.create_table(
        "steps",
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("registration", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("intended_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("facts", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["registration"],
            ["registrations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run", "name"),
    )
    op.create_index("steps_by_registration", "steps", ["registration"], unique=False)


def downgrade() -> None:
    op.drop_index("steps_by_registration", table_name="steps")
    op.drop_table("steps")
    op.drop_index("secrets_by_registration", table_name="secrets")
    op.drop_table("secrets")
    op.drop_table("votes")
    op.drop_index(
        "runs_one_open",
        table_name="runs",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("runs")
    op.drop_index(
        "messages_stale",
        table_name="messages",
        sqlite_where=sa.text("shown < wanted"),
        postgresql_where=sa.text("shown < wanted"),
    )
    op.drop_index("messages_by_registration", table_name="messages")
    op.drop_table("messages")
    op.drop_index("history_by_time", table_name="history")
    op.drop_table("history")
    op.drop_index(op.f("ix_dues_at"), table_name="dues")
    op.drop_table("dues")
    op.drop_table("seen_events")
    op.drop_index("registrations_by_requester", table_name="registrations")
    op.drop_table("registrations")
    op.drop_table("installation")
