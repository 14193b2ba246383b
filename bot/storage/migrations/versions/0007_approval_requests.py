"""One table of what approvers are asked for: plans, rotations, handovers, purges; votes name it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Json, Moment

revision = "0007"
down_revision = "0008"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")
PERSON = ("team_id", "user_id", "name")
HANDOVER_LASTS = timedelta(days=7)
"""How long a handover waits that was asked for before handovers expired."""

VOTE = (*PERSON, "verdict", "digest", "void", "groups", "at")
JSON = ("heir", "former", "rotation", "details", "asked_by", "payload", "groups")
MOMENTS = ("deadline", "created_at", "at", "shown_at", "asked_at", "expires_at")
NUMBERS = ("seq", "wanted", "shown", "position")


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(each, _type(name, each)) for each in columns))


def _type(table: str, column: str) -> sa.types.TypeEngine[Any]:
    if column in JSON and (table, column) != ("votes", "rotation"):
        return Json
    if column in MOMENTS:
        return Moment()
    return sa.Integer() if column in NUMBERS else sa.String()


registrations = _table(
    "registrations",
    *("id", "status", "team_id", "user_id", "requester_name", "digest"),
    *("heir", "former", "rotation", "deadline", "created_at"),
)
history = _table("history", "registration", "seq", "at", "what", "details")
messages = _table("messages", "registration", "kind", "subject", "wanted", "shown", "shown_at")
dues = _table("dues", "id", "registration", "kind", "subject", "at")
previous_requesters = _table("previous_requesters", "registration", "position", *PERSON)
requests = _table(
    "approval_requests",
    *("id", "registration", "kind", "asked_by", "asked_at", "expires_at"),
    *("digest", "state", "payload"),
)
votes = _table("votes", "request", *VOTE)
old_votes = _table("votes", "registration", "rotation", *VOTE)

PLAN_STATES = {
    "pending": "waiting",
    "denied": "denied",
    "cancelled": "cancelled",
    "expired": "expired",
}
"""By the registration's status; a plan in any other state was approved."""
ROTATION_STATES = {"asked": "waiting", "confirmed": "approved", "withdrawn": "superseded"}
"""By the rotation's state; the others are the same."""
LIVING = ("planning", "pending", "approved", "failed", "ready")


def upgrade() -> None:
    connection = op.get_bind()
    given = list(connection.execute(sa.select(old_votes).order_by(old_votes.c.at)).mappings())
    first: dict[str, dict[str, Any]] = {}
    for vote in given:
        if vote["rotation"]:
            first.setdefault(vote["registration"], {}).setdefault(vote["rotation"], vote)
    found = list(connection.execute(sa.select(registrations)).mappings())
    asked = {
        (row.registration, row.what): row
        for row in connection.execute(
            sa.select(history)
            .where(history.c.what.in_(("planned", "handover asked")))
            .order_by(history.c.seq)
        )
    }
    _create()
    added = [each for row in found for each in _requests(row, asked, first)]
    _insert(connection, requests, added)
    known = {each["id"] for each in added}
    moved = [_vote(row) for row in given]
    _insert(connection, votes, [each for each in moved if each["request"] in known])
    former = [
        {"registration": row["id"], "position": position} | {k: each[k] for k in PERSON}
        for row in found
        for position, each in enumerate(row["former"] or ())
    ]
    _insert(connection, previous_requesters, former)
    for each in added:
        _rename_subjects(connection, each)
    connection.execute(
        sa.update(messages)
        .where(messages.c.kind == "rotation news", messages.c.subject == "retired")
        .values(kind="retired", subject=None)
    )
    connection.execute(
        sa.delete(messages).where(messages.c.kind.in_(("rotation news", "handover", "rotation")))
    )
    for name in ("heir", "former", "rotation"):
        op.drop_column("registrations", name)


def _create() -> None:
    op.create_table(
        "previous_requesters",
        sa.Column("registration", sa.String(16), sa.ForeignKey("registrations.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("registration", "position"),
    )
    op.create_index("previous_requesters_by_person", "previous_requesters", ["team_id", "user_id"])
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("registration", sa.String(16), sa.ForeignKey("registrations.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("asked_by", Json, nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
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
    op.drop_table("votes")
    _create_votes(
        sa.Column("request", sa.String(40), sa.ForeignKey("approval_requests.id"), nullable=False),
        sa.PrimaryKeyConstraint("request", "team_id", "user_id"),
    )


def _create_votes(*of: sa.schema.SchemaItem) -> None:
    op.create_table(
        "votes",
        *of,
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("groups", Json, nullable=False),
        sa.Column("void", sa.String(120), nullable=True),
        sa.Column("at", Moment(), nullable=False),
    )


def _requests(
    row: Mapping[Any, Any],
    asked: Mapping[tuple[str, str], Any],
    first: Mapping[str, Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Yield what approvers were asked for of one registration. `first` is the first vote on each
    rotation.
    """
    id, status = row["id"], row["status"]
    requester = {
        "team_id": row["team_id"],
        "user_id": row["user_id"],
        "name": row["requester_name"],
    }
    common = {"registration": id, "digest": row["digest"] or "", "payload": {}}
    if row["digest"] is not None:
        planned = asked.get((id, "planned"))
        yield common | {
            "id": id,
            "kind": "plan",
            "asked_by": (row["former"] or [requester])[0],
            "asked_at": planned.at if planned else row["created_at"],
            "expires_at": row["deadline"] if status == "pending" else None,
            "state": PLAN_STATES.get(status, "approved"),
        }
    rotation = row["rotation"]
    latest = rotation["id"] if rotation else None
    for vote in first.get(id, {}).values():
        if vote["rotation"] != latest:  # an older one, of which the votes are all that is known
            yield common | {
                "id": vote["rotation"],
                "kind": "rotation",
                "asked_by": requester,
                "asked_at": vote["at"],
                "expires_at": None,
                "state": "superseded",
            }
    if rotation:
        state = ROTATION_STATES.get(rotation["state"], rotation["state"])
        yield common | {
            "id": rotation["id"],
            "kind": "rotation",
            "asked_by": {name: rotation["asked_by"][name] for name in PERSON},
            "asked_at": datetime.fromisoformat(rotation["asked_at"]),
            "expires_at": datetime.fromisoformat(rotation["until"]),
            "state": "superseded" if state == "waiting" and status != "ready" else state,
        }
    if row["heir"]:
        named = asked.get((id, "handover asked"))
        by = {"team_id": row["team_id"], "user_id": row["heir"]["named_by"], "name": ""}
        known = named.details.get("request") if named else None  # after a downgrade
        yield common | {
            "id": known or uuid4().hex,
            "kind": "handover",
            "asked_by": by,
            "asked_at": named.at if named else row["created_at"],
            "expires_at": datetime.now(UTC) + HANDOVER_LASTS,
            "state": "waiting" if status in LIVING else "superseded",
            "payload": {"to": {name: row["heir"][name] for name in PERSON}},
        }


def _vote(row: Mapping[Any, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in VOTE}
    return kept | {"request": row["rotation"] or row["registration"]}


def _rename_subjects(connection: sa.Connection, request: Mapping[str, Any]) -> None:
    """Let timers and messages name the request; what was posted is drawn anew, with its buttons."""
    id, registration, kind = request["id"], request["registration"], request["kind"]
    is_waiting = request["state"] == "waiting"
    of_dues = sa.update(dues).where(dues.c.registration == registration)
    of_messages = sa.update(messages).where(messages.c.registration == registration)
    again = {"wanted": messages.c.wanted + 1, "shown_at": None}
    if kind == "plan" and is_waiting:
        connection.execute(of_dues.where(dues.c.kind == "expire").values(subject=id))
    if kind == "rotation":
        connection.execute(
            of_dues.where(dues.c.kind == "lapse", dues.c.subject == id).values(kind="expire")
        )
        of_it = of_messages.where(messages.c.kind == "rotation", messages.c.subject == id)
        connection.execute(of_it.values(kind="request", **again))
        if request["expires_at"] is not None:  # the latest one, which unsent news is about
            news = of_messages.where(
                messages.c.kind == "rotation news",
                messages.c.subject != "retired",
                messages.c.shown < messages.c.wanted,
            )
            connection.execute(news.values(kind="request news", subject=id))
    if kind != "plan" and is_waiting:
        of_it = of_messages.where(messages.c.kind.in_(("card", "progress")))
        connection.execute(of_it.values(again))
    if kind == "handover":
        newest = connection.scalar(
            sa.select(sa.func.max(messages.c.subject)).where(
                messages.c.registration == registration, messages.c.kind == "handover"
            )
        )
        of_it = of_messages.where(messages.c.kind == "handover", messages.c.subject == newest)
        connection.execute(of_it.values(kind="request", subject=id, **again))
        if is_waiting:
            connection.execute(
                sa.insert(dues).values(
                    id=uuid4().hex,
                    registration=registration,
                    kind="expire",
                    subject=id,
                    at=request["expires_at"],
                )
            )
    elif is_waiting:
        connection.execute(of_dues.where(dues.c.kind == "remind").values(subject=id))
        connection.execute(of_messages.where(messages.c.kind == "reminder").values(subject=id))


def _insert(connection: sa.Connection, table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def downgrade() -> None:
    connection = op.get_bind()
    asked = list(connection.execute(sa.select(requests).order_by(requests.c.asked_at)).mappings())
    given = list(connection.execute(sa.select(votes)).mappings())
    before = list(
        connection.execute(
            sa.select(previous_requesters).order_by(previous_requesters.c.position)
        ).mappings()
    )
    op.drop_table("votes")
    op.drop_table("approval_requests")
    op.drop_table("previous_requesters")
    _create_votes(
        sa.Column("registration", sa.String(16), sa.ForeignKey("registrations.id"), nullable=False),
        sa.Column("rotation", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("registration", "rotation", "team_id", "user_id"),
    )
    for name in ("heir", "former", "rotation"):
        op.add_column("registrations", sa.Column(name, Json, nullable=True))
    of = {each["id"]: each for each in asked}
    old = [
        {name: row[name] for name in VOTE}
        | {
            "registration": of[row["request"]]["registration"],
            "rotation": row["request"] if of[row["request"]]["kind"] == "rotation" else "",
        }
        for row in given
        if of[row["request"]]["kind"] in ("plan", "rotation")
    ]
    _insert(connection, old_votes, old)
    for each in asked:
        if values := _as_before(each):
            query = sa.update(registrations).where(registrations.c.id == each["registration"])
            connection.execute(query.values(values))
    former: dict[str, list[dict[str, str]]] = {}
    for row in before:
        former.setdefault(row["registration"], []).append({name: row[name] for name in PERSON})
    for id, people in former.items():
        query = sa.update(registrations).where(registrations.c.id == id)
        connection.execute(query.values(former=people))
    _old_subjects(connection, asked)


def _as_before(request: Mapping[Any, Any]) -> dict[str, Any]:
    if request["kind"] == "rotation":
        states = {new: old for old, new in ROTATION_STATES.items()}
        return {
            "rotation": {
                "id": request["id"],
                "state": states.get(request["state"], request["state"]),
                "asked_by": request["asked_by"],
                "asked_at": request["asked_at"].isoformat(),
                "until": (request["expires_at"] or request["asked_at"]).isoformat(),
            }
        }
    if request["kind"] == "handover" and request["state"] == "waiting":
        named_by = request["asked_by"]["user_id"]
        return {"heir": {**request["payload"]["to"], "named_by": named_by}}
    if request["kind"] == "plan" and request["state"] == "waiting":
        return {"deadline": request["expires_at"]}
    return {}


def _old_subjects(connection: sa.Connection, asked: list[Any]) -> None:
    for each in asked:
        of_it = sa.and_(dues.c.registration == each["registration"], dues.c.subject == each["id"])
        kinds = {"plan": ("expire", None), "rotation": ("lapse", each["id"])}
        kind, subject = kinds.get(each["kind"], ("expire", None))
        if each["kind"] not in kinds:
            connection.execute(sa.delete(dues).where(of_it))
        expire = sa.update(dues).where(of_it, dues.c.kind == "expire")
        connection.execute(expire.values(kind=kind, subject=subject))
        remind = sa.update(dues).where(of_it, dues.c.kind == "remind")
        connection.execute(remind.values(subject="1"))
    gone = messages.c.kind.in_(("request", "request news"))
    connection.execute(sa.delete(messages).where(gone))
    connection.execute(
        sa.update(messages)
        .where(messages.c.kind == "retired")
        .values(kind="rotation news", subject="retired")
    )
