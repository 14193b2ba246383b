"""`/sim/`: the tenant's own API, for programs that cannot reach into this process.

It mirrors what `Tenant` offers: state, log, faults, holds, policy, administrators, credentials,
machines, people, the clock. It asks for no credential: the tenant listens on loopback only, and
`guard.py` keeps browsers out.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bot.playground.clock import MovableClock
from bot.playground.tenant.credentials import Credential
from bot.playground.tenant.errors import GraphFailure
from bot.playground.tenant.faults import SPANS, Faults, Span
from bot.playground.tenant.permissions import role_id
from bot.playground.tenant.policy import LONGEST
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.tenant import AUTONOMOUS, Tenant
from graph.clock import Clock


class Sim:
    def __init__(self, tenant: Tenant, clock: Clock, machines: AsyncExitStack) -> None:
        """Take what keeps machines running until the tenant stops."""
        self._tenant = tenant
        self._clock = clock
        self._machines = machines

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sim/state", self.state),
            web.get("/sim/log", self.log),
            web.get("/sim/faults", self.faults),
            web.post("/sim/faults", self.set_faults),
            web.delete("/sim/faults", self.clear_faults),
            web.post(r"/sim/holds/{number:\d+}/{decision:release|drop}", self.decide),
            web.get("/sim/policy", self.policy),
            web.post("/sim/policy", self.set_policy),
            web.post("/sim/administrators", self.add_administrator),
            web.post("/sim/credentials", self.add_credential),
            web.post("/sim/machines", self.add_machine),
            web.post("/sim/consent", self.consent),
            web.post("/sim/roles", self.assign_role),
            web.post("/sim/consent-clients", self.add_consent_client),
            web.post("/sim/sign-in", self.sign_in),
            web.get("/sim/clock", self.clock),
            web.post("/sim/clock", self.move_clock),
        ]

    async def state(self, _: web.Request) -> web.Response:
        tenant = self._tenant
        return _answer(
            {
                "id": tenant.id,
                "name": tenant.name,
                "domain": tenant.domain,
                "applications": tenant.applications,
                "servicePrincipals": tenant.service_principals,
                "appRoleAssignments": tenant.assignments,
                "oauth2PermissionGrants": tenant.grants,
                "deleted": tenant.deleted,
            }
        )

    async def log(self, request: web.Request) -> web.Response:
        wanted = request.query.get("method", ""), request.query.get("path", "")
        calls = self._tenant.calls(*wanted)
        return _answer({"calls": [dataclasses.asdict(call) for call in calls]})

    async def faults(self, _: web.Request) -> web.Response:
        return _answer(self._tenant.faults.to_json())

    async def set_faults(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            _set(self._tenant.faults, wanted)
        return _answer(self._tenant.faults.to_json())

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._tenant.faults.clear()
        return _answer(self._tenant.faults.to_json())

    async def decide(self, request: web.Request) -> web.Response:
        number, holds = int(request.match_info["number"]), self._tenant.faults.holds
        if number >= len(holds):
            raise web.HTTPNotFound(text=f"There is no hold {number}.")
        hold = holds[number]
        decide = hold.release if request.match_info["decision"] == "release" else hold.drop
        decide()
        return _answer({})

    async def policy(self, _: web.Request) -> web.Response:
        return _answer(self._tenant.policy.told())

    async def set_policy(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            for name in LONGEST:
                if (days := wanted.pop(f"{name}_days", None)) is not None:
                    wanted[name] = timedelta(days=days)
            self._tenant.set_policy(**wanted)
        return _answer({})

    async def add_administrator(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            rights = [str(right) for right in wanted["rights"]]
            for right in rights:
                role_id(right)  # raises for a right that Microsoft Graph does not publish
            credential = self._tenant.add_administrator(rights)
        return _answer(dataclasses.asdict(credential))

    async def consent(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        if self._tenant.faults.failure("POST", request.path, "before_effect"):
            # The portal tells no code: nothing but this, in red.
            raise web.HTTPForbidden(
                text="Insufficient privileges to grant admin consent: a fault is set."
            )
        with _told():
            self._tenant.grant_admin_consent(str(wanted["app_id"]))
        return _answer({})

    async def add_credential(self, request: web.Request) -> web.Response:
        """Let an application, the administrator unless named, sign in without a secret."""
        wanted = await _body(request)
        with _told():
            own = self._tenant.administrator.client_id
            application = Credential(client_id=wanted.get("client_id", own), client_secret="")
            if "certificates" in wanted:
                pem = str(wanted["certificates"]).encode()
                self._tenant.trust(application, *x509.load_pem_x509_certificates(pem))
            else:
                key = load_pem_public_key(str(wanted["public_key"]).encode())
                if not isinstance(key, RSAPublicKey):
                    raise ValueError("public_key is not RSA")
                subject = str(wanted["subject"])
                self._tenant.federate(application, str(wanted["issuer"]), key, subject=subject)
        return _answer({})

    async def add_machine(self, request: web.Request) -> web.Response:
        """Start a machine with an identity of its own, or with one that is assigned to it."""
        wanted = await _body(request)
        with _told():
            rights = [str(right) for right in wanted.get("rights", AUTONOMOUS)]
            for right in rights:
                role_id(right)
            identity = self._tenant.add_managed_identity(rights)
        system, assigned = (None, [identity]) if wanted.get("assigned") else (identity, [])
        running = self._tenant.machine(system=system, assigned=assigned)
        machine = await self._machines.enter_async_context(running)
        return _answer(
            {
                "client_id": identity.client_id,
                "virtual_machine": machine.virtual_machine,
                "app_service": machine.app_service,
            }
        )

    async def assign_role(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            self._tenant.assign_role(self._user(wanted["user"]), str(wanted["role"]))
        return _answer({})

    async def add_consent_client(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            if (assigned := wanted.get("assigned")) is not None:
                wanted["assigned"] = [self._user(each) for each in assigned]
            credential = self._tenant.add_consent_client(**wanted)
        return _answer(dataclasses.asdict(credential))

    async def sign_in(self, request: web.Request) -> web.Response:
        wanted = await _body(request)
        with _told():
            user = self._user(wanted.pop("user"))
            landing = await self._tenant.sign_in_as(user, **wanted)
        return _answer(dataclasses.asdict(landing))

    def _user(self, login: object) -> dict[str, Any]:
        users = self._tenant.people.users
        found = [user for user in users if login in (user["id"], user["userPrincipalName"])]
        if not found:
            raise LookupError(f"There is no user {login}.")
        return found[0]

    async def clock(self, _: web.Request) -> web.Response:
        return _answer({"now": self._clock.now()})

    async def move_clock(self, request: web.Request) -> web.Response:
        if not isinstance(self._clock, MovableClock):
            raise web.HTTPConflict(text="This tenant runs on the machine's clock.")
        wanted = await _body(request)
        with _told():
            self._clock.move(timedelta(seconds=wanted["seconds"]))
        return _answer({"now": self._clock.now()})


@contextmanager
def _told() -> Iterator[None]:
    """Answer mistakes of the caller with 400 and the reason."""
    try:
        yield
    except (TypeError, ValueError, LookupError, re.error, GraphFailure) as error:
        raise web.HTTPBadRequest(text=f"{type(error).__name__}: {error}") from error


def _set(faults: Faults, wanted: dict[str, Any]) -> None:
    """Set spans and switches; `fail`, `html`, `reset`, `throttle`, `hold` are lists to add."""
    adding: dict[str, Callable[..., object]] = {
        "fail": faults.fail,
        "html": faults.html,
        "reset": faults.reset,
        "throttle": faults.throttle,
        "hold": faults.hold,
    }
    for name, value in wanted.items():
        if name in adding:
            for fault in value:
                adding[name](**fault)
        elif name == "lag" and isinstance(value, dict):
            faults.lag = {Kind(kind): _span(span) for kind, span in value.items()}
        elif name == "lag" or name in SPANS:
            setattr(faults, name, _span(value))
        elif name == "conflict_window":
            faults.conflict_window = float(value)
        elif name == "unreachable":
            faults.unreachable = bool(value)
        else:
            raise ValueError(f"unknown fault {name!r}")


def _span(value: Any) -> Span:
    if isinstance(value, list):
        least, most = value
        return float(least), float(most)
    return float(value)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="A JSON object was expected.")
    return body


def _answer(body: dict[str, Any]) -> web.Response:
    text = json.dumps(body, default=str)
    return web.Response(text=text, content_type="application/json")
