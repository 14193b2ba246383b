"""Pieces that pure tests are made of: people, a form, a registration in any state."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState, Vote
from bot.domain.events import Subject
from bot.domain.people import Person
from bot.domain.registration import Form, Registration, Status
from bot.domain.secrets import Secret
from bot.registrar.queries import Home, Part
from bot.storage.history import HistoryPage
from bot.storage.messages import Message, MessageKind
from bot.storage.queries import ListLine, ListPage, Mark
from graph.permissions import Kind, lookup
from graph.plan import Plan
from tests.support.secret_lives import FIELDS, SecretLife

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEAM = "T0HOME"
ROSA = Person(team_id=TEAM, user_id="U0ROSA", name="Rosa Marin")
ADA = Person(team_id=TEAM, user_id="U0ADA", name="Ada Lovelace")
GRACE = Person(team_id=TEAM, user_id="U0GRACE", name="Grace Hopper")
BEN = Person(team_id=TEAM, user_id="U0BEN", name="Ben Okafor")

GROUPS = frozenset({"S0ADMINS", "S0SECURITY"})
EVERYBODY = frozenset({"*"})
PLAN = Plan(
    registration="AAD-7K3F",
    key="aad-setup-x-y",
    installation="x",
    profile="mimecast",
    profile_digest="",
    name="billing",
    redirect=None,
    secret_name="Mimecast Key",
    consent_mode="autonomous",
    tenant_id="11111111-2222-3333-4444-555555555555",
    tenant_name="Northwind Traders",
    domain="northwind.example",
    resource_id="22222222-2222-3333-4444-555555555555",
    notes="Registered by aad-setup.",
    tags=("aad-setup",),
    roles=(lookup("User.Read.All", Kind.ROLE),),
    scopes=(),
    secret_days=365,
    secret_limited_by="requester",
    warnings=(),
).to_json()
CLIENT_ID = "99999999-2222-3333-4444-555555555555"


def ids(*people: Person) -> frozenset[str]:
    return frozenset(person.user_id for person in people)


def form(**changes: Any) -> Form:
    wish: dict[str, Any] = {
        "profile": "mimecast",
        "name": "billing",
        "reason": "To sync",
        "secret_days": 365,
    }
    return Form(**(wish | changes))


def registration(
    status: Status = Status.READY,
    *,
    requester: Person = ROSA,
    votes: tuple[Vote, ...] = (),
    secret: Secret | None = None,
    options: Mapping[str, Any] | None = None,
) -> Registration:
    return Registration(
        id="AAD-7K3F",
        version=1,
        status=status,
        requester=requester,
        form=form(options=options or {}),
        profile_digest="",
        key="aad-setup-x-y",
        created_at=NOON,
        plan=PLAN,
        requests=plan_asked(status, votes, by=requester),
        facts={"application": {"app_id": CLIENT_ID}, "sign_in": {}},
        secret=secret,
    )


def plan_asked(
    status: Status, votes: tuple[Vote, ...] = (), *, by: Person = ROSA
) -> tuple[ApprovalRequest, ...]:
    """Return what was asked of approvers of a registration that stands like this."""
    if status in (Status.PLANNING, Status.REFUSED):
        return ()
    named = {Status.PENDING: RequestState.WAITING, Status.DENIED: RequestState.DENIED}
    state = named.get(status, RequestState.APPROVED)
    if status in (Status.CANCELLED, Status.EXPIRED):
        state = RequestState(status)
    return (
        ApprovalRequest(
            id="AAD-7K3F",
            kind=RequestKind.PLAN,
            asked_by=by,
            asked_at=NOON,
            state=state,
            votes=votes,
        ),
    )


def asked(kind: RequestKind = RequestKind.ROTATION, **changes: Any) -> ApprovalRequest:
    """Return a request that waits."""
    of: dict[str, Any] = {"id": "r1", "kind": kind, "asked_by": ROSA, "asked_at": NOON}
    return ApprovalRequest(**(of | changes))


def secret(life: SecretLife = SecretLife.SEALED) -> Secret:
    return Secret(
        id="s1",
        run="r1",
        **FIELDS[life],
        key_id="k1",
        hint="abc",
        expires_at=datetime(2027, 3, 1, tzinfo=UTC),
        made_at=NOON,
    )


def values_message(id: str) -> Message:
    """Return a message that is not posted yet."""
    return Message(
        id=id,
        registration="AAD-7K3F",
        kind=MessageKind.VALUES,
        audience=ROSA.user_id,
        subject=Subject(secret="s1"),
        wanted=1,
        shown=0,
        channel=None,
        ts=None,
        shown_at=None,
        tries=0,
    )


def list_line(**changes: Any) -> ListLine:
    """Return the row of a registration that is ready, as lists show it."""
    row: dict[str, Any] = {
        "id": "AAD-7K3F",
        "status": Status.READY,
        "run": None,
        "requester": ROSA,
        "name": "billing",
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=9),
    }
    return ListLine(**(row | changes))


def home_of(**found: Any) -> Home:
    """Return the Home of somebody for whom nothing is there but this."""
    nothing: dict[str, Any] = {
        "contact": "#it-help",
        "may_ask": False,
        "is_approver": False,
        "pages": dict.fromkeys(Part, 1),
        "mine": (),
        "waiting": (),
        "expiring": ListPage(lines=(), total=0),
        "history": HistoryPage(entries=(), total=0),
        "totals": dict.fromkeys(Part, 0),
        "health": None,
        "mark": Mark(versions=(), unshown=()),
        "at": NOON,
    }
    return Home(**(nothing | found))
