"""A client that people sign in to, as msal drives it, and their calls of Graph afterwards."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import jwt
import msal  # type: ignore[import-untyped]  # msal ships no types

from bot.playground.tenant import Credential, Tenant
from tests.support.graph_caller import Asking, client

REDIRECT = "https://bot.northwind.example/consent/answer"
SCOPES = (
    "Application.Read.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
CONTEXT = '{"id_token": {"acrs": {"essential": true, "value": "c1"}}}'

User = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ConsentClient:
    """An application of a tenant that signs people in with msal, unchanged."""

    tenant: Tenant
    credential: Credential
    secret: Any = field(repr=False)
    """As msal takes it: the client secret, or a certificate's key."""
    http: "_Http"

    def flow(self, **wanted: Any) -> dict[str, Any]:
        """Begin a sign-in; `auth_uri` in it is for the browser."""
        asked = {"scopes": [*SCOPES], "redirect_uri": REDIRECT, "response_mode": "form_post"}
        flow: dict[str, Any] = self._msal().initiate_auth_code_flow(**{**asked, **wanted})
        return flow

    def redeem(self, flow: dict[str, Any], answer: Mapping[str, str]) -> dict[str, Any]:
        """Redeem the code in an answer."""
        told: dict[str, Any] = self._msal().acquire_token_by_auth_code_flow(flow, dict(answer))
        return told

    async def sign_in(
        self, user: User, *, acrs: tuple[str, ...] = ("c1", "c2"), **wanted: Any
    ) -> dict[str, Any]:
        """Do the whole of it; return the token endpoint's answer as msal tells it."""
        flow = await asyncio.to_thread(self.flow, **wanted)
        landing = await self.tenant.sign_in_as(user, flow["auth_uri"], acrs=acrs)
        return await asyncio.to_thread(self.redeem, flow, landing.answer)

    def _msal(self) -> Any:
        return msal.ConfidentialClientApplication(
            self.credential.client_id,
            client_credential=self.secret,
            authority=self.tenant.authority,
            instance_discovery=False,
            exclude_scopes=["offline_access"],
            http_client=self.http,
        )


@dataclass(frozen=True, kw_only=True)
class _Http:
    """msal has assertions as bytes, of which httpx would send Python's notation, b'…'."""

    http: httpx.Client

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.http.get(url, **options)

    def post(self, url: str, *, data: Mapping[str, Any], **options: Any) -> httpx.Response:
        text = {k: v.decode() if isinstance(v, bytes) else v for k, v in data.items()}
        return self.http.post(url, data=text, **options)


@asynccontextmanager
async def consent_client(
    tenant: Tenant, credential: Credential, *, secret: Any = None
) -> AsyncIterator[ConsentClient]:
    context = ssl.create_default_context(cafile=str(tenant.ca_file))
    with httpx.Client(verify=context) as http:
        yield ConsentClient(
            tenant=tenant,
            credential=credential,
            secret=secret or credential.client_secret,
            http=_Http(http=http),
        )


@asynccontextmanager
async def signed_in(
    tenant: Tenant, user: User, *, scopes: tuple[str, ...] = SCOPES
) -> AsyncIterator[Asking]:
    """Calls of Graph on behalf of a user, with these scopes and no others."""
    credential = tenant.add_consent_client(REDIRECT, assigned=[user], scopes=scopes)
    async with consent_client(tenant, credential) as people, client(tenant) as http:
        answer = await people.sign_in(user, scopes=[*scopes])
        http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        yield Asking(tenant=tenant, http=http)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def changed(url: str, **parameters: str | None) -> str:
    """Return an address with other parameters; None drops one."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    kept = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


def number_of(description: str) -> int:
    return int(description.partition(":")[0].removeprefix("AADSTS"))
