"""Somebody who signs in to the tenant and calls Graph, over TLS like everybody else."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bot.playground.tenant import Credential, Tenant

GRAPH = "00000003-0000-0000-c000-000000000000"
CREATE = {"Prefer": "create-if-missing"}
WIDE = (
    "AuditLog.Read.All",
    "Directory.Read.All",
    "GroupMember.Read.All",
    "Policy.ReadWrite.ApplicationConfiguration",
    "User.Read.All",
)
EVENTUAL = {"ConsistencyLevel": "eventual"}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Calls below `/v1.0` with one token, and the few things that most stories begin with."""

    tenant: Tenant
    http: httpx.AsyncClient

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(path, **more)

    async def post(self, path: str, json: object, **more: Any) -> httpx.Response:
        return await self.http.post(path, json=json, **more)

    async def patch(self, path: str, json: object, **more: Any) -> httpx.Response:
        return await self.http.patch(path, json=json, **more)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(path)

    async def upsert(self, key: str, **body: Any) -> httpx.Response:
        wanted = {"displayName": "Mimecast", "signInAudience": "AzureADMyOrg", **body}
        return await self.patch(f"/applications(uniqueName='{key}')", wanted, headers=CREATE)

    async def application(self, key: str = "key-1", **body: Any) -> dict[str, Any]:
        answer = await self.upsert(key, **body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def principal(self, app_id: str) -> dict[str, Any]:
        answer = await self.patch(f"/servicePrincipals(appId='{app_id}')", {}, headers=CREATE)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def resource(self) -> dict[str, Any]:
        return dict((await self.get(f"/servicePrincipals(appId='{GRAPH}')")).json())

    async def grant(self, principal: dict[str, Any], role: str) -> httpx.Response:
        resource = await self.resource()
        ids = {offer["value"]: offer["id"] for offer in resource["appRoles"]}
        return await self.post(
            f"/servicePrincipals/{resource['id']}/appRoleAssignedTo",
            {"principalId": principal["id"], "resourceId": resource["id"], "appRoleId": ids[role]},
        )

    async def grant_scopes(
        self, principal: dict[str, Any], scope: str, **changes: Any
    ) -> httpx.Response:
        """Grant delegated permissions of Microsoft Graph for everybody."""
        resource = (await self.resource())["id"]
        grant = {"clientId": principal["id"], "consentType": "AllPrincipals"}
        body = {**grant, "resourceId": resource, "scope": scope, **changes}
        return await self.post("/oauth2PermissionGrants", body)

    async def secret(self, application: dict[str, Any], **wanted: Any) -> dict[str, Any]:
        answer = await self.add_password(application, **wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def add_password(self, application: dict[str, Any], **wanted: Any) -> httpx.Response:
        path = f"/applications/{application['id']}/addPassword"
        return await self.post(path, {"passwordCredential": wanted})


@asynccontextmanager
async def asking(tenant: Tenant, credential: Credential) -> AsyncIterator[Asking]:
    async with client(tenant) as http:
        answer = await sign_in(http, tenant, credential.client_id, credential.client_secret)
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Asking(tenant=tenant, http=http)


@asynccontextmanager
async def connector(tenant: Tenant, *roles: str) -> AsyncIterator[Asking]:
    """An application as the bot makes them: with these rights and no others."""
    async with asking(tenant, tenant.add_administrator(roles)) as http:
        yield http


def client(tenant: Tenant) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(tenant.ca_file))
    return httpx.AsyncClient(base_url=f"{tenant.graph_url}/v1.0", verify=context)


async def post_form(tenant: Tenant, endpoint: str, form: dict[str, str]) -> httpx.Response:
    """Post to a part of the sign-in service, such as “token”."""
    async with client(tenant) as http:
        return await http.post(f"{tenant.authority}/oauth2/v2.0/{endpoint}", data=form)


async def sign_in(
    http: httpx.AsyncClient, tenant: Tenant, client_id: str, secret: str, **form: str
) -> httpx.Response:
    wanted = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": f"{tenant.graph_url}/.default",
        **form,
    }
    return await http.post(f"{tenant.authority}/oauth2/v2.0/token", data=wanted)


def federated(
    name: str = "ci-runner", subject: str = "s", issuer: str = "https://ci.example"
) -> dict[str, Any]:
    """Return a federated credential, as Graph takes it."""
    audiences = ["api://AzureADTokenExchange"]
    return {"name": name, "issuer": issuer, "subject": subject, "audiences": audiences}


def one_by_one(**values: list[Any]) -> list[dict[str, Any]]:
    """Return an object of one property for each of these values."""
    return [{name: value} for name, them in values.items() for value in them]


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def message_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])
