"""One table of requests to approvers: plans, rotations, handovers, purges; votes name theirs. Runs
name the executor that carries them, and count failed attempts.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Json, Moment

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

Row = Mapping[Any, Any]

WAITING = sa.text("state = 'waiting'")
PERSON = ("team_id", "user_id", "name")
HANDOVER_LASTS = timedelta(days=7)
"""How long a handover waits that was asked for before handovers expired."""
UNDECIDED_PLANS = {
    "pending": "waiting",
    "denied": "denied",
    "cancelled": "cancelled",
    "expired": "expired",
}
"""By the registration's status; a plan in any other state was approved."""
ROTATION_STATES = {"asked": "waiting", "confirmed": "approved", "withdrawn": "superseded"}
"""By the rotation's state; the others are the same."""
LIVING = ("planning", "pending", "approved", "failed", "ready")

RENAMES = """
UPDATE dues SET subject = registration WHERE kind = 'expire';
UPDATE dues SET kind = 'expire' WHERE kind = 'lapse';
INSERT INTO dues (id, registration, kind, subject, at)
    SELECT 'expire-' || id, registration, 'expire', id, expires_at FROM approval_requests
    WHERE kind = 'handover' AND state = 'waiting';
UPDATE dues SET subject = r.id FROM approval_requests AS r
    WHERE r.registration = dues.registration AND dues.kind = 'remind'
    AND r.state = 'waiting' AND r.kind <> 'handover';
UPDATE messages SET subject = r.id FROM approval_requests AS r
    WHERE r.registration = messages.registration AND messages.kind = 'reminder'
    AND r.state = 'waiting' AND r.kind <> 'handover';
UPDATE messages SET wanted = wanted + 1, shown_at = NULL FROM approval_requests AS r
    WHERE r.registration = messages.registration AND messages.kind IN ('card', 'progress')
    AND r.state = 'waiting' AND r.kind <> 'plan';
UPDATE messages SET kind = 'request', wanted = wanted + 1, shown_at = NULL
    WHERE kind = 'rotation' AND subject IN (SELECT id FROM approval_requests);
UPDATE messages SET kind = 'request', subject = r.id, wanted = wanted + 1, shown_at = NULL
    FROM approval_requests AS r
    WHERE r.registration = messages.registration AND r.kind = 'handover'
    AND messages.kind = 'handover' AND messages.subject = (
        SELECT max(m.subject) FROM messages AS m
        WHERE m.registration = r.registration AND m.kind = 'handover'
    );
UPDATE messages SET kind = 'retired', subject = NULL
    WHERE kind = 'rotation news' AND subject = 'retired';
-- Unsent news is about the latest rotation.
UPDATE messages SET kind = 'request news', subject = r.id FROM approval_requests AS r
    WHERE r.registration = messages.registration AND messages.kind = 'rotation news'
    AND messages.shown < messages.wanted AND r.kind = 'rotation' AND r.expires_at IS NOT NULL;
DELETE FROM messages WHERE kind IN ('rotation news', 'handover', 'rotation')
"""
"""Let timers and messages name the request. Redraw the posted ones with today's buttons."""


def upgrade() -> None:
    op.execute("ALTER TABLE runs RENAME COLUMN begun TO attempts")
    op.add_column("runs", sa.Column("carried_by", sa.String(16)))
    connection = op.get_bind()
    found = sa.MetaData()
    sa.event.listen(found, "column_reflect", _reflect_moments)
    found.reflect(connection, only=("registrations", "votes", "history"))
    history, votes = found.tables["history"], found.tables["votes"]
    query = sa.select(found.tables["registrations"])
    registrations = {row["id"]: row for row in connection.execute(query).mappings()}
    given = connection.execute(sa.select(votes).order_by(votes.c.at)).mappings().all()
    asking = sa.select(history).where(history.c.what.in_(("planned", "handover asked")))
    asked = {
        (row["registration"], row["what"]): row["at"]
        for row in connection.execute(asking.order_by(history.c.seq)).mappings()
    }
    requests = [*_older_rotations(registrations, given)]
    for row in registrations.values():
        requests += _requests(row, asked)
    op.drop_table("votes")
    _create(requests, given, registrations)
    for statement in RENAMES.split(";"):
        op.execute(statement)
    for name in ("heir", "former", "rotation"):
        op.drop_column("registrations", name)


def _reflect_moments(_: sa.Inspector, __: sa.Table, column: dict[str, Any]) -> None:
    """Read times in UTC, which SQLite forgets."""
    if isinstance(column["type"], sa.DateTime):
        column["type"] = Moment()


def _create(
    requests: list[dict[str, Any]], given: Sequence[Row], registrations: Mapping[str, Row]
) -> None:
    former = op.create_table(
        "previous_requesters",
        _registration(),
        sa.Column("position", sa.Integer(), nullable=False),
        *_person(),
        sa.PrimaryKeyConstraint("registration", "position"),
    )
    op.create_index("previous_requesters_by_person", "previous_requesters", ["team_id", "user_id"])
    table = op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(40), primary_key=True),
        _registration(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("asked_by", Json, nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment()),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("payload", Json, nullable=False),
    )
    op.create_index(
        "approval_requests_by_registration", "approval_requests", ["registration", "asked_at"]
    )
    op.create_index(
        "approval_requests_one_waiting",
        "approval_requests",
        ["registration", "kind"],
        unique=True,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    votes = op.create_table(
        "votes",
        sa.Column("request", sa.String(40), sa.ForeignKey("approval_requests.id"), nullable=False),
        *_person(),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("groups", Json, nullable=False),
        sa.Column("void", sa.String(120)),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("request", "team_id", "user_id"),
    )
    known = {request["id"] for request in requests}
    moved = [{**row, "request": row["rotation"] or row["registration"]} for row in given]
    op.bulk_insert(table, requests)
    op.bulk_insert(votes, [_of(votes, row) for row in moved if row["request"] in known])
    op.bulk_insert(
        former,
        [
            {"registration": id, "position": position} | _name(person)
            for id, row in registrations.items()
            for position, person in enumerate(row["former"] or ())
        ],
    )


def _registration() -> sa.Column[str]:
    key = sa.ForeignKey("registrations.id")
    return sa.Column("registration", sa.String(16), key, nullable=False)


def _person() -> Iterator[sa.Column[str]]:
    for name, length in zip(PERSON, (32, 32, 120), strict=True):
        yield sa.Column(name, sa.String(length), nullable=False)


def _name(person: Row) -> dict[str, Any]:
    return {name: person[name] for name in PERSON}


def _of(table: sa.Table, row: Row) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.c}


def _request(row: Row, **values: Any) -> dict[str, Any]:
    common = {"registration": row["id"], "digest": row["digest"] or "", "payload": {}}
    return common | {"expires_at": None} | values


def _requester(row: Row) -> dict[str, Any]:
    return _name({**row, "name": row["requester_name"]})


def _requests(row: Row, asked: Mapping[tuple[str, str], datetime]) -> Iterator[dict[str, Any]]:
    """Yield the requests of one registration that are known with more than their votes."""
    id, status, rotation, heir = row["id"], row["status"], row["rotation"], row["heir"]
    if row["digest"] is not None:
        yield _request(
            row,
            id=id,
            kind="plan",
            asked_by=(row["former"] or [_requester(row)])[0],
            asked_at=asked.get((id, "planned"), row["created_at"]),
            expires_at=row["deadline"] if status == "pending" else None,
            state=UNDECIDED_PLANS.get(status, "approved"),
        )
    if rotation:
        state = ROTATION_STATES.get(rotation["state"], rotation["state"])
        yield _request(
            row,
            id=rotation["id"],
            kind="rotation",
            asked_by=_name(rotation["asked_by"]),
            asked_at=datetime.fromisoformat(rotation["asked_at"]),
            expires_at=datetime.fromisoformat(rotation["until"]),
            state="superseded" if state == "waiting" and status != "ready" else state,
        )
    if heir:
        yield _request(
            row,
            id=uuid4().hex,
            kind="handover",
            asked_by={"team_id": row["team_id"], "user_id": heir["named_by"], "name": ""},
            asked_at=asked.get((id, "handover asked"), row["created_at"]),
            expires_at=datetime.now(UTC) + HANDOVER_LASTS,
            state="waiting" if status in LIVING else "superseded",
            payload={"to": _name(heir)},
        )


def _older_rotations(
    registrations: Mapping[str, Row], given: Sequence[Row]
) -> Iterator[dict[str, Any]]:
    """Yield the rotations before the latest, of which the votes, oldest first, are all that is
    known.
    """
    latest = {row["rotation"]["id"] for row in registrations.values() if row["rotation"]}
    first: dict[str, Row] = {}
    for vote in given:
        first.setdefault(vote["rotation"], vote)
    for id, vote in first.items():
        if id and id not in latest:
            row = registrations[vote["registration"]]
            yield _request(
                row,
                id=id,
                kind="rotation",
                asked_by=_requester(row),
                asked_at=vote["at"],
                state="superseded",
            )
