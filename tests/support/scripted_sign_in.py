"""A sign-in service without a tenant: the discovery document, and the answers of a test."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import httpx
import jwt

from graph.approver_sign_in import SCOPES, ApproverSignIn, ConsentClient
from graph.calls import Json
from graph.clock import Clock
from graph.clouds import PUBLIC
from graph.connection import Access
from graph.signin import SignIn

TENANT = "11111111-2222-3333-4444-555555555555"
ADA = "0f0f0f0f-0000-4000-8000-000000000000"
AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
ADDRESSES = ("token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "issuer")
DISCOVERED = {name: f"{AUTHORITY}/{name}" for name in ADDRESSES}


def scripted(
    answer: Callable[[httpx.Request], httpx.Response], discovered: Mapping[str, str] = DISCOVERED
) -> SignIn:
    """Return a sign-in whose token endpoint and its neighbours answer like this."""

    def answered(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=discovered) if request.method == "GET" else answer(request)

    sign_in = SignIn(authority=AUTHORITY, cloud=PUBLIC)
    sign_in._channel.http = httpx.Client(transport=httpx.MockTransport(answered))
    return sign_in


def at_consent_client(
    sign_in: SignIn, clock: Clock, *, auth_context: str | None = None
) -> ApproverSignIn:
    client = ConsentClient(
        client_id="consent",
        client_secret="hunter2",
        redirect_uri="https://bot.example.com/consent/callback",
        auth_context=auth_context,
    )
    access = SimpleNamespace(cloud=PUBLIC, authority=AUTHORITY, tenant_id=TENANT)
    return ApproverSignIn(
        sign_in=sign_in, consent_client=client, access=cast(Access, access), clock=clock
    )


def token_of(**claims: Any) -> Json:
    """Return the token endpoint's answer once Ada has signed in; her claims can be changed."""
    said = {"aud": "consent", "tid": TENANT, "oid": ADA, "sub": "pairwise", "iss": AUTHORITY}
    return {
        "token_type": "Bearer",
        "expires_in": 3599,
        "scope": " ".join(f"https://graph.microsoft.com/{scope}" for scope in SCOPES),
        "access_token": "opaque",
        "id_token": jwt.encode({**said, **claims}, "k" * 32),
    }
