"""What a sign-in of an approver must show before its token is used, and what it is refused with."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from graph.approver_sign_in import (
    SCOPES,
    ApproverSignIn,
    ConsentClient,
    ContextMissing,
    ScopesMissing,
    SignedIn,
    Unproven,
    WrongPerson,
    WrongTenant,
)
from graph.calls import Json
from graph.clouds import PUBLIC
from graph.connection import Access
from graph.errors import GraphError, UnexpectedAnswer
from graph.signin import SignIn
from tests.support.still_clock import StillClock

TENANT = "11111111-2222-3333-4444-555555555555"
OTHER = "22222222-2222-3333-4444-555555555555"
ADA = "0f0f0f0f-0000-4000-8000-000000000000"
AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"
TOLD = {name: f"{AUTHORITY}/{name}" for name in ("token_endpoint", "issuer")}
DISCOVERED = {**TOLD, "authorization_endpoint": f"{AUTHORITY}/authorize"}


@contextmanager
def sign_in_at(answers: list[Json]) -> Iterator[SignIn]:
    """Yield a sign-in whose token endpoint gives these answers, the last one first."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=DISCOVERED if request.method == "GET" else answers.pop())

    sign_in = SignIn(authority=AUTHORITY, cloud=PUBLIC)
    sign_in._channel.http = httpx.Client(transport=httpx.MockTransport(answer))
    yield sign_in
    sign_in.close()


async def redeemed(claims: Json, *, auth_context: str | None = None, **body: Any) -> SignedIn:
    """Begin a sign-in, and redeem its code for an answer with these claims and properties."""
    answers: list[Json] = []
    client = ConsentClient(
        client_id="consent",
        client_secret="hunter2",
        redirect_uri="https://bot.example.com/consent/callback",
        auth_context=auth_context,
    )
    access = SimpleNamespace(cloud=PUBLIC, authority=AUTHORITY, tenant_id=TENANT)
    with sign_in_at(answers) as sign_in:
        approver_sign_in = ApproverSignIn(
            sign_in=sign_in,
            consent_client=client,
            access=cast(Access, access),
            clock=StillClock(),
        )
        begun = await approver_sign_in.begin()
        said = {
            "aud": client.client_id,
            "tid": TENANT,
            "oid": ADA,
            "sub": "pairwise",
            "iss": f"{AUTHORITY}/v2.0",
            "name": "Ada",
            "nonce": parse_qs(urlsplit(begun.uri).query)["nonce"][0],
            **claims,
        }
        told = {
            "token_type": "Bearer",
            "expires_in": 3599,
            "scope": " ".join(f"https://graph.microsoft.com/{scope}" for scope in SCOPES),
            "access_token": "opaque",
            "id_token": jwt.encode(said, "k" * 32),
            **body,
        }
        answers.append(told)
        form = {"code": "code", "state": begun.state}
        return await approver_sign_in.redeem(begun.flow, form, object_id=ADA)


async def test_what_belongs_to_the_sign_in_is_believed() -> None:
    signed_in = await redeemed({})
    assert (signed_in.name, signed_in.token.access) == ("Ada", "opaque")
    assert "opaque" not in repr(signed_in)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"tid": OTHER}, WrongTenant),
        ({"oid": OTHER}, WrongPerson),
        ({"aud": OTHER}, Unproven),
        ({"nonce": "another"}, Unproven),
        ({"oid": None}, Unproven),
        ({"acrs": "c1"}, Unproven),
    ],
)
async def test_an_id_token_that_says_anything_else_is_not_believed(
    changes: Json, error: type[GraphError]
) -> None:
    with pytest.raises(error) as caught:
        await redeemed(changes)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"id_token": "no token"}, UnexpectedAnswer),
        ({"id_token": None}, UnexpectedAnswer),
        ({"access_token": " "}, UnexpectedAnswer),
        ({"scope": "Application.Read.All"}, ScopesMissing),
    ],
)
async def test_an_odd_answer_of_the_token_endpoint_is_no_sign_in(
    body: Json, error: type[GraphError]
) -> None:
    with pytest.raises(error) as caught:
        await redeemed({}, **body)
    assert type(caught.value) is error
    if error is ScopesMissing:
        assert "Missing: AppRoleAssignment.ReadWrite.All" in caught.value.sentence


async def test_the_authentication_context_must_be_met() -> None:
    assert await redeemed({"acrs": ["c1", "c2"]}, auth_context="c1")
    for claims in ({}, {"acrs": ["c2"]}):
        with pytest.raises(ContextMissing):
            await redeemed(claims, auth_context="c1")
