"""Pieces that pure tests are made of, as the gallery makes them: people, a form, a registration."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.approval_requests import ApprovalRequest, RequestKind, Vote
from bot.domain.events import Subject
from bot.domain.people import Person
from bot.domain.registration import Form, Registration, Status
from bot.domain.secrets import Secret
from bot.playground.gallery import homes
from bot.playground.gallery import registrations as made
from bot.playground.gallery.registrations import ADA, BEN, CLIENT_ID, GRACE, ROSA, TEAM
from bot.registrar.queries import Home
from bot.storage.messages import Message, MessageKind
from bot.storage.queries import ListLine
from graph.permissions import Kind, lookup
from tests.support.secret_lives import FIELDS, SecretLife

__all__ = ["ADA", "BEN", "CLIENT_ID", "GRACE", "ROSA", "TEAM"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GROUPS = frozenset({"S0ADMINS", "S0SECURITY"})
EVERYBODY = frozenset({"*"})
PLAN = made.plan(
    key="aad-setup-x-y",
    installation="x",
    profile_digest="",
    name="billing",
    consent_mode="autonomous",
    roles=(lookup("User.Read.All", Kind.ROLE),),
    scopes=(),
    secret_days=365,
    warnings=(),
).to_json()


def ids(*people: Person) -> frozenset[str]:
    return frozenset(person.user_id for person in people)


def form(**changes: Any) -> Form:
    usual: dict[str, Any] = {"name": "billing", "reason": "To sync", "secret_days": 365}
    return made.form(**(usual | changes))


def registration(
    status: Status = Status.READY,
    *,
    requester: Person = ROSA,
    votes: tuple[Vote, ...] = (),
    secret: Secret | None = None,
    options: Mapping[str, Any] | None = None,
) -> Registration:
    return made.registration(
        status,
        requester=requester,
        form=form(options=options or {}),
        profile_digest="",
        key="aad-setup-x-y",
        created_at=NOON,
        looked_at=None,
        plan=PLAN,
        digest=None,
        requests=made.plan_asked(
            status, asked_by=requester, asked_at=NOON, expires_at=None, votes=votes
        ),
        facts={"application": {"app_id": CLIENT_ID}, "sign_in": {}},
        secret=secret,
    )


def asked(kind: RequestKind = RequestKind.ROTATION, **changes: Any) -> ApprovalRequest:
    """Return a request that waits."""
    usual: dict[str, Any] = {"id": "r1", "asked_at": NOON, "expires_at": None}
    return made.asked(kind, **(usual | changes))


def secret(life: SecretLife = SecretLife.SEALED) -> Secret:
    expires_at = datetime(2027, 3, 1, tzinfo=UTC)
    return made.secret(run="r1", hint="abc", expires_at=expires_at, made_at=NOON, **FIELDS[life])


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
    expires_at = NOON + timedelta(days=9)
    usual: dict[str, Any] = {"name": "billing", "created_at": NOON, "expires_at": expires_at}
    return homes.list_line(**(usual | changes))


def home_of(**found: Any) -> Home:
    """Return the Home of somebody for whom nothing is there but this."""
    return replace(replace(homes.NOTHING, may_ask=False, at=NOON), **found)
