"""Registrations in every state that a card can be in, made up, with hostile names among them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState, Vote
from bot.domain.people import Person
from bot.domain.registration import (
    Check,
    Consent,
    Deleted,
    Form,
    Registration,
    Revocation,
    Status,
)
from bot.domain.runs import Failure, RunKind, StepState
from bot.domain.secrets import RemovalReason, Secret, SecretState
from bot.storage.history import Entry
from graph.permissions import Kind, lookup
from graph.plan import Plan
from graph.rights import ConsentMode

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
TEAM = "T0HOME"
ROSA = Person(team_id=TEAM, user_id="U0ROSA", name="Rosa Marin")
ADA = Person(team_id=TEAM, user_id="U0ADA", name="Ada Lovelace")
GRACE = Person(team_id=TEAM, user_id="U0GRACE", name="Grace Hopper")
BEN = Person(team_id=TEAM, user_id="U0BEN", name="Ben Okafor")
ID = "AAD-7K3F"
CLIENT_ID = "274eb2cb-5898-4cbf-b3a5-c43462bc9481"
NEWEST, PREVIOUS = "s1", "s0"
"""The ids of secrets."""
DIGEST = "c0165adce61935a7" * 4

HOSTILE = "<!channel> *b* `c` _i_ :tada: <https://evil.example|Approve> & <script>alert(1)</script>"
TURNED = "Invoices \u202egnp.exe\u2066 <@U0ADA>\n*Approved by* Ada"
WARNINGS = (
    "New Mimecast tenants use Mimecast's own application with admin consent and need none of this."
    " Continue only if your Mimecast console asks for an Application Id and a Key.",
    "Azure AD Graph was retired in August 2025: its permissions can do nothing any more, and this"
    " bot never asks for them. For Directory.Read.All (application) and User.Read.All (delegated),"
    " the plan asks Microsoft Graph instead.",
)
TITLES = (
    "Register the application",
    "Add it to the tenant (service principal)",
    "Grant Directory.Read.All",
    "Grant User.Read.All",
    "Grant User.Read.All (delegated)",
    "Make the client secret",
    "Sign in with the new secret",
    "Read the directory as the connector will",
)
UNPLANNED = (Status.PLANNING, Status.REFUSED)
FAILURE = Failure(
    step="Make the client secret",
    sentence="The bot's own application lacks a right in this tenant.",
    advice="Ask this bot's administrators to check its rights in Entra, then press Retry.",
    request_id="5f1c6a2e-0c0b-4a53-9a5e-5a3c1d6e7f80",
)
OUTAGE = Failure(
    step="Read the tenant", sentence="Entra does not answer.", advice="The bot tries again."
)


def plan(**changes: Any) -> Plan:
    usual: dict[str, Any] = {
        "registration": ID,
        "key": "aad-setup-one-0123456789abcdef0123456789abcdef",
        "installation": "one",
        "profile": "mimecast",
        "profile_digest": "d1",
        "name": "Mimecast directory sync",
        "redirect": None,
        "secret_name": "Mimecast Key",
        "consent_mode": str(ConsentMode.PORTAL),
        "tenant_id": "11111111-2222-3333-4444-555555555555",
        "tenant_name": "Northwind Traders",
        "domain": "northwind.example",
        "resource_id": "22222222-2222-3333-4444-555555555555",
        "notes": "Registered by aad-setup.",
        "tags": ("aad-setup",),
        "roles": tuple(lookup(it, Kind.ROLE) for it in ("Directory.Read.All", "User.Read.All")),
        "scopes": (lookup("User.Read.All", Kind.SCOPE),),
        "secret_days": 180,
        "secret_limited_by": "requester",
        "warnings": WARNINGS,
    }
    return Plan(**{**usual, **changes})


def form(**changes: Any) -> Form:
    usual: dict[str, Any] = {
        "profile": "mimecast",
        "name": "Mimecast directory sync",
        "reason": "Mail security needs our users and groups, ticket OPS-1907",
        "secret_days": 180,
    }
    return Form(**{**usual, **changes})


def vote(by: Person, verdict: str = "approve", **changes: Any) -> Vote:
    return Vote(person=by, verdict=verdict, at=NOON, digest=DIGEST, **changes)


def asked(
    kind: RequestKind, state: RequestState = RequestState.WAITING, **changes: Any
) -> ApprovalRequest:
    usual: dict[str, Any] = {
        "id": ID if kind is RequestKind.PLAN else "r1",
        "asked_by": ROSA,
        "asked_at": NOON,
        "expires_at": NOON + timedelta(days=1),
    }
    return ApprovalRequest(**{**usual, "kind": kind, "state": state, **changes})


def entry(what: str, by: Person = ROSA, *, seq: int = 1, **details: str) -> Entry:
    """Return an entry of a history."""
    return Entry(
        seq=seq,
        at=NOON,
        team_id=by.team_id,
        user_id=by.user_id,
        what=what,
        details=details,
        previous="",
        hash="",
        mac=None,
    )


def steps(done: int, *, failed: bool = False) -> tuple[StepState, ...]:
    """Return the steps of which that many are done, and perhaps the next one has failed."""
    return tuple(
        StepState(
            name=f"s{n}",
            title=title,
            stage=n,
            ended_at=NOON + timedelta(seconds=n + 1) if n < done else None,
            failed=failed and n == done,
        )
        for n, title in enumerate(TITLES)
    )


def secret(state: SecretState = SecretState.SEEN, **changes: Any) -> Secret:
    usual: dict[str, Any] = {
        "id": NEWEST,
        "run": "run1",
        "key_id": "k1",
        "hint": "7Ai",
        "expires_at": NOON + timedelta(days=180),
        "made_at": NOON,
    }
    return Secret(**{**usual, "state": state, **changes})


def plan_asked(status: Status, **changes: Any) -> tuple[ApprovalRequest, ...]:
    """Return the request for the plan of a registration that stands like this, if there is one."""
    states = {
        Status.PENDING: (RequestState.WAITING, ()),
        Status.DENIED: (RequestState.DENIED, (vote(GRACE, "deny"),)),
        Status.CANCELLED: (RequestState.CANCELLED, ()),
        Status.EXPIRED: (RequestState.EXPIRED, ()),
    }
    state, votes = states.get(status, (RequestState.APPROVED, (vote(ADA),)))
    wanted = asked(RequestKind.PLAN, state, **{"votes": votes, **changes})
    return () if status in UNPLANNED else (wanted,)


def registration(status: Status, **changes: Any) -> Registration:
    has_plan = status not in UNPLANNED
    usual: dict[str, Any] = {
        "id": ID,
        "version": 1,
        "requester": ROSA,
        "form": form(),
        "profile_digest": "d1",
        "key": "aad-setup-one-0123456789abcdef0123456789abcdef",
        "created_at": NOON,
        "looked_at": NOON,
        "plan": plan().to_json() if has_plan else None,
        "digest": DIGEST if has_plan else None,
        "requests": plan_asked(status),
    }
    return Registration(**{**usual, "status": status, **changes})


def ready(**changes: Any) -> Registration:
    usual: dict[str, Any] = {
        "facts": {
            "application": {"app_id": CLIENT_ID},
            "sign_in": {},
            "directory": {"users": 2000, "groups": 150},
        },
        "steps": steps(len(TITLES)),
        "began_at": NOON,
        "secret": secret(),
    }
    return registration(Status.READY, **{**usual, **changes})


def with_request(found: Registration, request: ApprovalRequest) -> Registration:
    return replace(found, requests=(*found.requests, request))


def hostile(status: Status, **changes: Any) -> Registration:
    """Return one whose every foreign text tries to be more than text."""
    planned = plan(
        name=HOSTILE, tenant_name=HOSTILE, domain="<b>.example", redirect="https://x.example/<s>"
    )
    named = form(name=HOSTILE, reason=f"{TURNED}\n{HOSTILE}"[:500])
    begun = ready() if status is Status.READY else registration(status)
    requester = replace(ROSA, name="<!here> Rosa")
    return replace(begun, form=named, plan=planned.to_json(), requester=requester, **changes)


_MASKED = secret(made_at=NOON - timedelta(days=90), id=PREVIOUS, remove_at=NOON + timedelta(days=7))
_CONSENT = Consent(at=NOON, granted=("Directory.Read.All (application)",))
_REVOKED = Revocation(by=ADA, at=NOON)
_DELETED = Deleted(step="application", object_id="o1", app_id=CLIENT_ID, at=NOON, was_there=True)
_TO = {"team_id": BEN.team_id, "user_id": BEN.user_id, "name": BEN.name}
_WAITING = registration(Status.WAITING_FOR_CONSENT, deadline=NOON + timedelta(days=7))
_WAITING = replace(_WAITING, facts={"application": {"app_id": CLIENT_ID}})

STATES: Mapping[str, Registration] = {
    "Checking the tenant": registration(Status.PLANNING),
    "Checking, while Entra is down": registration(Status.PLANNING, failure=OUTAGE),
    "Can't be created": registration(
        Status.REFUSED, reasons=("The tenant does not allow client secrets.", "No such domain.")
    ),
    "Approval needed": registration(Status.PENDING),
    **{
        f"Approval needed, consent {mode}": registration(
            Status.PENDING,
            plan=plan(consent_mode=str(mode), redirect="https://vendor.example/back").to_json(),
        )
        for mode in ConsentMode
    },
    "Approval needed, one of two given": registration(
        Status.PENDING,
        requests=(asked(RequestKind.PLAN, votes=(vote(ADA),)),),
    ),
    "Approval needed again": registration(
        Status.PENDING,
        began_at=NOON,
        requests=(asked(RequestKind.PLAN, votes=(vote(ADA, void="The account is deactivated."),)),),
    ),
    "Approval needed, hostile names": hostile(Status.PENDING),
    "Denied": registration(Status.DENIED, reasons=("Use the application of last year.",)),
    "Cancelled": registration(Status.CANCELLED),
    "Expired": registration(Status.EXPIRED),
    "Being set up": registration(
        Status.APPROVED, steps=steps(3), began_at=NOON, run=RunKind.REGISTER
    ),
    "Being set up, while Entra is down": registration(
        Status.APPROVED, steps=steps(3), began_at=NOON, run=RunKind.REGISTER, failure=OUTAGE
    ),
    "Admin consent needed": replace(_WAITING, consent=_CONSENT),
    "Admin consent needed, something foreign granted": replace(
        _WAITING,
        consent=replace(
            _CONSENT, foreign=(f"Mail.Read was granted to {HOSTILE}.",), extras=("openid",)
        ),
    ),
    "Failed": registration(
        Status.FAILED,
        failure=FAILURE,
        steps=steps(5, failed=True),
        began_at=NOON,
        deadline=NOON + timedelta(days=7),
    ),
    "Being undone": registration(Status.FAILED, failure=FAILURE, run=RunKind.UNDO),
    "Undone": registration(Status.UNDONE, deleted=(_DELETED,)),
    "Ready, values not picked up": ready(
        secret=secret(SecretState.SEALED), deadline=NOON + timedelta(days=7)
    ),
    "Ready": ready(),
    "Ready, hostile names": hostile(Status.READY),
    "Ready, in doubt whether the secret was seen": ready(secret=secret(SecretState.UNKNOWN)),
    "Ready, secret never picked up": ready(
        secret=secret(SecretState.SEALED, removed_because=RemovalReason.UNREAD, removed_at=NOON)
    ),
    "Ready, secret expired": ready(looked_at=NOON + timedelta(days=200)),
    "Ready, two secrets": ready(other_secrets=(_MASKED,)),
    "Ready, changed in Entra": ready(
        check=Check(
            at=NOON,
            differences=(f"The application was renamed to “{HOSTILE}”.", "An owner was added."),
            alarming=("An owner was added.",),
        )
    ),
    "Ready, a rotation waits": with_request(ready(), asked(RequestKind.ROTATION)),
    "Ready, a new secret is being made": replace(
        with_request(
            ready(), asked(RequestKind.ROTATION, RequestState.APPROVED, votes=(vote(ADA),))
        ),
        run=RunKind.ADD_SECRET,
        steps=steps(2),
    ),
    "Ready, a handover waits": with_request(
        ready(), asked(RequestKind.HANDOVER, asked_by=ADA, payload={"to": _TO})
    ),
    "Ready, handed over": ready(requester=BEN, previous_requesters=(ROSA,)),
    "Being revoked": registration(
        Status.REVOKING, revocation=_REVOKED, run=RunKind.REVOKE, secret=secret()
    ),
    "Not revoked yet": registration(
        Status.REVOKING,
        revocation=_REVOKED,
        failure=FAILURE,
        deadline=NOON + timedelta(hours=1),
    ),
    "Revoked": registration(Status.REVOKED, revocation=_REVOKED, deleted=(_DELETED,)),
    "Revoked, a purge waits": with_request(
        registration(Status.REVOKED, revocation=_REVOKED, deleted=(_DELETED,)),
        asked(RequestKind.PURGE, asked_by=ADA),
    ),
    "Deleted for good": registration(
        Status.REVOKED, revocation=_REVOKED, deleted=(_DELETED,), purged_at=NOON
    ),
}
"""By a name that says how it stands."""
