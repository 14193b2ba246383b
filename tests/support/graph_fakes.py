"""Small stand-ins for the edges of graph/: a scripted Graph, tokens, a ledger in memory."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from bot.playground.clock import MovableClock
from graph.calls import Answer
from graph.client import Client, Token
from graph.errors import SecretsLost
from graph.permissions import MICROSOFT_GRAPH, Kind, lookup
from graph.plan import Plan, PlanRequest
from graph.signin import SignIn
from graph.step_context import SECRET_ATTEMPTS, Sealed, StepContext
from tests.support.still_clock import StillClock

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
GRAPH_URL = "https://graph.test"

Handler = Callable[[httpx.Request], httpx.Response]


def token(*roles: str, access: str = "token", tenant_id: str = "") -> Token:
    return Token(
        access=access,
        roles=frozenset(roles),
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
        tenant_id=tenant_id,
    )


class Tokens:
    """A source of tokens that counts how often a fresh one was asked for."""

    def __init__(self, *roles: str, tenant_id: str = "") -> None:
        self.roles = roles
        self.tenant_id = tenant_id
        self.made = 1

    async def token(self) -> Token:
        return self._token

    async def fresh(self, stale: Token) -> Token:
        self.made += 1
        return await self.token()

    @property
    def _token(self) -> Token:
        return token(*self.roles, access=f"token-{self.made}", tenant_id=self.tenant_id)


class Script:
    """A Graph that gives the answers of a list, one after another, and keeps what it was sent."""

    def __init__(self, answers: Iterable[httpx.Response | type[Exception]]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, type):
            raise answer("the connection broke")
        return answer

    @property
    def bearers(self) -> list[str]:
        """The tokens that came with the requests."""
        return [each.headers["authorization"].split()[-1] for each in self.requests]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests if request.content]


@asynccontextmanager
async def client(
    handler: Handler, *, tokens: Tokens | None = None, clock: MovableClock | None = None
) -> AsyncIterator[Client]:
    clock = clock or StillClock(eager=True)
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        yield Client(
            http=http,
            graph_url=GRAPH_URL,
            tokens=tokens or Tokens(),
            clock=clock,
            jitter=lambda: 1.0,
        )


async def send(
    handler: Handler,
    method: str = "GET",
    path: str = "/me",
    *,
    tokens: Tokens | None = None,
    clock: MovableClock | None = None,
    **call: Any,
) -> Answer:
    """Send one call with a client of its own."""
    async with client(handler, tokens=tokens, clock=clock) as caller:
        return await caller.send(method, path, **call)


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return httpx.Response(status, headers=shown)
    return httpx.Response(status, json=body, headers=shown)


def refusal(status: int, code: str, message: str = "", **headers: str) -> httpx.Response:
    return answer(status, {"error": {"code": code, "message": message}}, **headers)


def jwt(claims: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.{part({})}"


@dataclass
class MemoryLedger:
    """What a run remembers, in memory. It survives a `kill` of the code that uses it."""

    intentions: set[str] = field(default_factory=set)
    nonces: list[str] = field(default_factory=list)
    found: Sealed | None = None
    secret: str = field(default="", repr=False)
    adopted: dict[str, dict[str, Any]] = field(default_factory=dict)
    intended_at: datetime = EPOCH

    async def record_intent(self, step: str) -> bool:
        before = step in self.intentions
        self.intentions.add(step)
        return before

    async def last_intent(self, step: str) -> datetime | None:
        return self.intended_at if step in self.intentions else None

    async def clear_intent(self, step: str) -> None:
        self.intentions.discard(step)

    async def adopt(self, step: str, learnt: dict[str, Any]) -> None:
        self.adopted[step] = learnt

    async def attempt(self) -> Sealed | str:
        if self.found is not None:
            return self.found
        if len(self.nonces) >= SECRET_ATTEMPTS:
            raise SecretsLost
        self.nonces.append(f"nonce-{len(self.nonces) + 1}")
        return self.nonces[-1]

    async def seal(
        self, nonce: str, *, secret: str, key_id: str, hint: str, expires_at: datetime
    ) -> str:
        self.secret = secret
        self.found = Sealed(id=f"sealed-{nonce}", key_id=key_id, expires_at=expires_at, hint=hint)
        return self.found.id

    async def unseal(self, id: str) -> str:
        assert self.found is not None
        assert self.found.id == id
        return self.secret


class NoSignIn(SignIn):
    """For steps that have a token."""

    def __init__(self) -> None:
        self._held = {}

    async def token(self, client_id: str, credential: Any) -> Token:
        raise AssertionError("a token is held")


@asynccontextmanager
async def site(
    handler: Handler,
    *,
    plan: Plan,
    facts: dict[str, dict[str, Any]],
    tokens: Tokens | None = None,
    approved_by: str = "",
) -> AsyncIterator[StepContext]:
    """Yield the context of steps on a clock that jumps."""
    clock = StillClock(eager=True)
    async with client(handler, tokens=tokens, clock=clock) as caller:
        yield StepContext(
            graph=caller,
            plan=plan,
            facts=facts,
            clock=clock,
            journal=MemoryLedger(),
            sign_in=NoSignIn(),
            bot_client_id="bot",
            approved_by=approved_by,
        )


COMMON: dict[str, Any] = {
    "registration": "AAD-7K3F",
    "key": "aad-setup-one-0123456789abcdef0123456789abcdef",
    "installation": "one",
    "profile": "mimecast",
    "profile_digest": "d1",
    "name": "Mimecast sync",
    "redirect": None,
    "scopes": (),
    "secret_name": "Mimecast Key",
    "secret_days": 90,
    "consent_mode": "autonomous",
}
"""What a request for a plan and the plan have in common."""


def wish(**changes: Any) -> PlanRequest:
    usual: dict[str, Any] = {
        "reason": "the mail gateway must know our people",
        "requester": "Rosa Diaz (U1 in T1)",
        "roles": ("User.Read.All",),
        "profile_days": 180,
    }
    return PlanRequest(**{**COMMON, **usual, **changes})


def plan(**changes: Any) -> Plan:
    usual: dict[str, Any] = {
        "tenant_id": "11111111-1111-1111-1111-111111111111",
        "tenant_name": "Contoso",
        "domain": "contoso.example",
        "resource_id": "22222222-2222-2222-2222-222222222222",
        "notes": "Registered by aad-setup.",
        "tags": ("aad-setup", "aad-setup:AAD-7K3F", "aad-setup:one:AAD-7K3F"),
        "roles": (lookup("User.Read.All", Kind.ROLE),),
        "secret_limited_by": "requester",
        "warnings": (),
    }
    return Plan(**{**COMMON, **usual, **changes})


_OFF: dict[str, Any] = {"isDisabled": None, "disabledByMicrosoftStatus": None}


def application_of(plan: Plan, **changes: Any) -> dict[str, Any]:
    """Return what Graph shows of a plan's application, as the bot has made it."""
    implicit = {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False}
    redirects = [plan.redirect] if plan.redirect else []
    access = [{"id": each.id, "type": each.kind.value} for each in (*plan.roles, *plan.scopes)]
    return {
        **_OFF,
        "displayName": plan.name,
        "signInAudience": "AzureADMyOrg",
        "isFallbackPublicClient": None,
        "web": {"redirectUris": redirects, "implicitGrantSettings": implicit},
        "spa": {"redirectUris": []},
        "publicClient": {"redirectUris": []},
        "identifierUris": [],
        "appRoles": [],
        "api": {"oauth2PermissionScopes": [], "preAuthorizedApplications": []},
        "requiredResourceAccess": [{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": access}],
        "passwordCredentials": [],
        "keyCredentials": [],
        "tags": [*plan.tags],
        "notes": plan.notes,
        "serviceManagementReference": plan.registration,
        **changes,
    }


def principal_of(**changes: Any) -> dict[str, Any]:
    """Return what Graph shows of its service principal."""
    held: dict[str, Any] = {"passwordCredentials": [], "keyCredentials": []}
    return {**_OFF, **held, "accountEnabled": True, **changes}
