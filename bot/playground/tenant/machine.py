"""A machine in Azure that has managed identities of the tenant.

It has two forms: the metadata service of virtual machines (IMDS), and App Service's endpoint. A
program is pointed at either only by the environment variables that Microsoft's libraries read.
learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
learn.microsoft.com/azure/app-service/overview-managed-identity.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bot.playground.tenant import tokens
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.dispatch import moment
from bot.playground.tenant.log import Log
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.sign_in import is_graph, roles_of
from bot.server.serving import serving

HOST = "127.0.0.1"
IMDS, APP_SERVICE = "/metadata/identity/oauth2/token", "/msi/token"
LIFE = timedelta(hours=24)
_IDS = frozenset({"client_id", "object_id", "msi_res_id", "mi_res_id"})


class Refusal(Exception):
    """Why there is no token: a status, IMDS's code, and the words."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message


@dataclass(kw_only=True)
class Machine:
    """`system` and `assigned` are client ids; they may change while the machine runs."""

    directory: Directory
    log: Log
    system: str | None = None
    assigned: tuple[str, ...] = ()
    url: str = ""
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    """App Service gives it to the program, which proves by it that it is on the machine."""
    _held: dict[str, tuple[str, datetime]] = field(default_factory=dict, repr=False)

    @property
    def virtual_machine(self) -> dict[str, str]:
        """The environment of a program on a virtual machine."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}

    @property
    def app_service(self) -> dict[str, str]:
        """The environment of a program in App Service."""
        return {"IDENTITY_ENDPOINT": self.url + APP_SERVICE, "IDENTITY_HEADER": self.secret}

    async def serve(self, http: web.Request) -> web.StreamResponse:
        faults, now = self.directory.faults, self.directory.now()
        caller: str | None = None
        if fault := faults.failure(http.method, http.path, "before_effect"):
            answer = fault.answer
        elif throttled := faults.throttled(http.method, http.path, now):
            answer = throttled
        else:
            try:
                caller = self._identity(http)
                answer = Answer(status=200, body=self._token(http, caller))
            except Refusal as refusal:
                answer = Answer(status=refusal.status, body=_body(refusal, http))
        self._remember(http, caller, answer)
        if answer is None:
            if http.transport is not None:
                http.transport.abort()
            return web.Response()
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)

    def _identity(self, http: web.Request) -> str:
        """Return the client id of the identity that a well-formed request asks for."""
        (_check_metadata if http.path == IMDS else self._check_app_service)(http)
        asked = [name for name in http.query if name in _IDS]
        if len(asked) > 1:
            raise Refusal(400, "invalid_request", "Only one of the ids may name an identity.")
        if asked:
            return self._assigned(http, asked[0])
        if self.system is not None:
            return self.system
        if http.path == IMDS and len(self.assigned) == 1:
            return self.assigned[0]  # whether the program has meant it or not
        if http.path == IMDS and self.assigned:
            raise Refusal(
                400,
                "invalid_request",
                "Multiple user assigned identities exist, please specify the clientId / resourceId"
                " of the identity in the token request",
            )
        raise _no_identity("No Managed Identity", http)

    def _assigned(self, http: web.Request, name: str) -> str:
        wanted = http.query[name].lower()
        if name == "client_id" and wanted in (*self.assigned, self.system):
            return wanted
        raise _no_identity("No User Assigned or Delegated Managed Identity", http)

    def _check_app_service(self, http: web.Request) -> None:
        if not secrets.compare_digest(
            http.headers.get("X-IDENTITY-HEADER", "").encode(), self.secret.encode()
        ):
            raise Refusal(401, "unauthorized", "Unauthorized")
        if http.query.get("api-version") != "2019-08-01":
            raise Refusal(400, "bad_request", "The api-version is not supported.")
        if not http.query.get("resource"):
            raise Refusal(400, "bad_request", "The resource is missing.")
        if not is_graph(self.directory, http.query["resource"]):
            message = "An unexpected error occured while fetching the AAD Token."
            raise Refusal(500, "server_error", message)

    def _token(self, http: web.Request, client_id: str) -> dict[str, Any]:
        if not is_graph(self.directory, resource := http.query["resource"]):
            message = (
                f"AADSTS500011: The resource principal named {resource} was not found in the"
                " tenant."
            )
            raise Refusal(400, "invalid_resource", message)
        access, ends = self._issued(client_id)
        told = {
            "access_token": access,
            "client_id": client_id,
            "expires_on": str(int(ends.timestamp())),
            "resource": resource,
            "token_type": "Bearer",
        }
        if http.path != IMDS:
            return told
        left = int((ends - self.directory.now()).total_seconds())
        begins = int((ends - LIFE).timestamp())
        return {
            **told,
            "expires_in": str(left),
            "ext_expires_in": str(left),
            "not_before": str(begins),
        }

    def _issued(self, client_id: str) -> tuple[str, datetime]:
        """Return the token that is kept for an identity, with the roles of when it was issued.

        The real endpoint keeps tokens for about a day: a right granted meanwhile comes late.
        """
        directory, now = self.directory, self.directory.now()
        principal = directory.find(Kind.SERVICE_PRINCIPAL, appId=client_id)
        if principal is None or not principal["accountEnabled"]:
            message = f"AADSTS7000112: Application '{client_id}' is disabled."
            raise Refusal(400, "unauthorized_client", message)
        held = self._held.get(client_id)
        if held is None or held[1] - now < timedelta(minutes=5):
            roles = roles_of(directory, principal["id"], moment(directory))
            access = tokens.issue(
                directory,
                principal,
                audience=directory.cloud.graph,
                roles=roles,
                proof=tokens.ASSERTION,
                life=LIFE,
            )
            held = self._held[client_id] = access, now + LIFE
        return held

    def _remember(self, http: web.Request, caller: str | None, answer: Answer | None) -> None:
        self.log.add(
            "token",
            http.method,
            http.path,
            query=dict(http.query),
            body=None,
            caller=caller,
            answer=answer,
            request_id=self.directory.new_id(),
        )


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[Machine]:
    """Serve on loopback without TLS, as the real endpoints do, until the block ends."""
    app = web.Application()
    app.router.add_get(IMDS, machine.serve)
    app.router.add_get(APP_SERVICE, machine.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    listener = socket.create_server((HOST, 0))
    machine.url = f"http://{HOST}:{listener.getsockname()[1]}"
    async with serving(runner, listener):
        yield machine


def _check_metadata(http: web.Request) -> None:
    if "X-Forwarded-For" in http.headers:
        raise Refusal(400, "bad_request", "Requests must not be forwarded.")
    if http.headers.get("Metadata", "").lower() != "true":
        raise Refusal(400, "bad_request_102", "Required metadata header not specified")
    if http.query.get("api-version") != "2018-02-01":
        message = "api-version is invalid or was not specified in the request."
        raise Refusal(400, "invalid_request", message)
    if not http.query.get("resource"):
        raise Refusal(400, "invalid_request", "Required audience parameter not specified")


def _no_identity(what: str, http: web.Request) -> Refusal:
    if http.path == IMDS:
        return Refusal(400, "invalid_request", "Identity not found")
    message = f"{what} found for specified ClientId/ResourceId/PrincipalId."
    return Refusal(400, "bad_request", message)


def _body(refusal: Refusal, http: web.Request) -> dict[str, Any]:
    if http.path == IMDS:
        return {"error": refusal.error, "error_description": refusal.message}
    return {"statusCode": refusal.status, "message": refusal.message, "correlationId": "playground"}
