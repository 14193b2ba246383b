"""The tables, once for both databases. `migrations/` upgrades older ones; a test compares."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: SQLite forgets the zone, so it is put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        assert isinstance(value, datetime)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
metadata = sa.MetaData()


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint | sa.Index) -> sa.Table:
    return sa.Table(name, metadata, *parts)


def _user() -> Iterator[sa.Column[str]]:
    """Yield the columns that say whom."""
    for name in ("team_id", "user_id"):
        yield sa.Column(name, sa.String(32), nullable=False)


def _registration() -> sa.Column[str]:
    return sa.Column("registration", sa.ForeignKey("registrations.id"), nullable=False)


def _index_where(condition: str, name: str, *columns: str, unique: bool = False) -> sa.Index:
    """Return a partial index."""
    where = sa.text(condition)
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


installation = _table(
    "installation",
    sa.Column("id", sa.String(32), primary_key=True),  # part of every application's uniqueName
    sa.Column("only", sa.Boolean, nullable=False, unique=True),  # always true: there is one row
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("searched_at", Moment, nullable=False),  # when the tenant was searched for orphans
    sa.Column("place", sa.String(120)),  # tells this database from a copy that was put in its place
    sa.Column("restored_at", Moment),  # since when a restored copy waits to be compared with Entra
)

registrations = _table(
    "registrations",
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("changed", sa.Integer, nullable=False, index=True),  # higher with each later change
    sa.Column("status", sa.String(24), nullable=False),
    *_user(),
    sa.Column("requester_name", sa.String(120), nullable=False),
    sa.Column("form", Json, nullable=False),
    sa.Column("profile_digest", sa.String(64), nullable=False),
    sa.Column("key", sa.String(120), nullable=False, unique=True),
    sa.Column("origin", sa.String(64), nullable=False, unique=True),  # the form it came from
    sa.Column("wish_digest", sa.String(64), nullable=False, index=True),  # equal for equal wishes
    sa.Column("plan", Json),
    sa.Column("digest", sa.String(64)),
    sa.Column("quorum", Json),  # that approved the plan, once it is approved
    sa.Column("reasons", Json, nullable=False),
    sa.Column("failure", Json),
    sa.Column("last_check", Json),  # result of the latest comparison with the tenant
    sa.Column("consent", Json),  # result of the latest look at an administrator's grants
    sa.Column("revocation", Json),  # who revoked it, and when
    sa.Column("deleted", Json),  # objects that it has made and deleted
    sa.Column("purged_at", Moment),  # when that was known to be gone for good
    sa.Column("deadline", Moment),
    sa.Column("head", sa.String(160)),  # the newest history entry's number and hash, signed
    sa.Column("created_at", Moment, nullable=False, index=True),
    sa.Index("registrations_by_requester", "team_id", "user_id", "created_at"),
    sa.Index("registrations_by_status", "status", "created_at"),
)

previous_requesters = _table(
    "previous_requesters",
    _registration(),
    sa.Column("position", sa.Integer, nullable=False),  # 0 for the first
    *_user(),
    sa.Column("name", sa.String(120), nullable=False),
    sa.PrimaryKeyConstraint("registration", "position"),
    sa.Index("previous_requesters_by_person", "team_id", "user_id"),
)

approval_requests = _table(
    "approval_requests",
    sa.Column("id", sa.String(40), primary_key=True),  # of the plan's, the registration's id
    _registration(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("asked_by", Json, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("digest", sa.String(64), nullable=False),  # of the plan that it is about
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("payload", Json, nullable=False),  # fields of some kinds only, and the reason
    sa.Index("approval_requests_by_registration", "registration", "asked_at"),
    _index_where(
        "state = 'waiting'", "approval_requests_one_waiting", "registration", "kind", unique=True
    ),
)

votes = _table(
    "votes",
    sa.Column("request", sa.ForeignKey("approval_requests.id"), nullable=False),
    *_user(),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),  # of the plan that was voted on
    sa.Column("groups", Json, nullable=False),  # approver groups that the person was in
    sa.Column("void", sa.String(120)),  # why it no longer counts
    sa.Column("at", Moment, nullable=False),
    sa.PrimaryKeyConstraint("request", "team_id", "user_id"),
)

runs = _table(
    "runs",
    sa.Column("id", sa.String(40), primary_key=True),
    _registration(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(40)),  # its secret or approval request, or who asked for a check
    sa.Column("attempts", sa.Integer, nullable=False),  # that failed since it last got on
    sa.Column("carried_by", sa.String(16)),  # the executor whose death is a failed attempt
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("outcome", sa.String(120)),
    sa.Index("runs_by_registration", "registration", "created_at"),
    sa.Index("runs_by_end", "ended_at"),
    sa.Index("runs_by_outcome", "outcome", "kind", "ended_at"),
    _index_where("ended_at IS NULL", "runs_one_open", "registration", unique=True),
)

steps = _table(
    "steps",
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("name", sa.String(80), nullable=False),
    _registration(),
    sa.Column("title", sa.String(120), nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("lasting", sa.Boolean, nullable=False),  # its facts serve later runs, too
    sa.Column("intended_at", Moment),  # stored before a call that must not be made twice
    sa.Column("ended_at", Moment),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("facts", Json),
    sa.PrimaryKeyConstraint("run", "name"),
    sa.Index("steps_by_registration", "registration"),
)

secrets = _table(
    "secrets",
    sa.Column("id", sa.String(40), primary_key=True),
    _registration(),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("nonce", sa.String(16), nullable=False, unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("key_id", sa.String(40)),
    sa.Column("hint", sa.String(16)),
    sa.Column("expires_at", Moment),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("remove_at", Moment),  # when it is to be removed from Entra, if that is known
    sa.Column("removed_because", sa.String(24)),  # from the moment on that it is out of use
    sa.Column("removed_at", Moment),  # since when Entra is known not to hold it
    sa.Column("sealed", sa.LargeBinary),  # Fernet; gone as soon as it is claimed
    sa.Column("answer_to", sa.LargeBinary),  # sealed response_url by which it can be masked
    sa.Index("secrets_by_registration", "registration"),
    sa.Index("secrets_by_run", "run"),
    sa.Index("secrets_by_expiry", "expires_at"),
    _index_where("sealed IS NOT NULL", "secrets_sealed", "registration"),
)

messages = _table(
    "messages",
    sa.Column("id", sa.String(40), primary_key=True),
    _registration(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("audience", sa.String(32), nullable=False),  # a channel, or a user for a DM
    sa.Column("subject", sa.String(40)),  # the secret, run, request, … it is about, if any
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("channel", sa.String(32)),
    sa.Column("ts", sa.String(32)),
    sa.Column("claimed_until", Moment),
    sa.Column("shown_at", Moment),
    sa.Column("waiting_since", Moment),  # since when it is stale, once a look has seen that
    sa.Column("shows", sa.String(24)),  # the status of its registration when it was last drawn
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),  # deleted in Slack: never shown again
    sa.Column("trouble", sa.String(60)),  # why it cannot be shown there, mostly Slack's word
    sa.Index("messages_by_registration", "registration"),
    sa.Index("messages_by_kind", "kind", "shown_at"),
    _index_where("shown < wanted", "messages_stale", "shown_at"),
)

timers = _table(
    "dues",
    sa.Column("id", sa.String(40), primary_key=True),
    _registration(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(40)),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Index("dues_by_registration", "registration", "kind"),
    sa.Index("dues_by_kind", "kind", "registration"),
)

history = _table(
    "history",
    _registration(),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    *_user(),
    sa.Column("what", sa.String(40), nullable=False),
    sa.Column("details", Json, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("mac", sa.String(80)),  # signs the hash; every entry has one
    sa.PrimaryKeyConstraint("registration", "seq"),
    sa.Index("history_by_time", "at"),
)

seen_events = _table(
    "seen_events",
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("at", Moment, nullable=False),
)

sign_ins = _table(
    "sign_ins",
    sa.Column("id", sa.String(64), primary_key=True),  # SHA-256 of the token in the link
    _registration(),
    *_user(),  # the approver
    sa.Column("browser", sa.String(64)),  # SHA-256 of the cookie of the browser that began
    sa.Column("state", sa.String(64), unique=True),  # SHA-256 of what comes back from Entra
    sa.Column("flow", sa.LargeBinary),  # sealed state, verifier and nonce; gone once it is used
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("used_at", Moment),
    sa.Index("sign_ins_by_registration", "registration"),
)

plain_readers = _table(  # users who have chosen plain cards
    "plain_readers",
    *_user(),
    sa.PrimaryKeyConstraint("user_id", "team_id"),
)

accepted_signatures = _table(
    "accepted_signatures",
    sa.Column("digest", sa.String(64), primary_key=True),  # SHA-256 of Slack's signature
    sa.Column("expires_at", Moment, nullable=False, index=True),  # no longer valid after this
)
