"""What a sign-in of an approver must show before its token is used, and what it is refused with."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from graph.approver_sign_in import (
    ContextMissing,
    ScopesMissing,
    SignedIn,
    Unproven,
    WrongPerson,
    WrongTenant,
)
from graph.calls import Json
from graph.errors import GraphError, UnexpectedAnswer
from tests.support.scripted_sign_in import ADA, at_consent_client, scripted, token_of
from tests.support.still_clock import StillClock

OTHER = "22222222-2222-3333-4444-555555555555"


async def redeemed(claims: Json, *, auth_context: str | None = None, **body: Any) -> SignedIn:
    """Begin a sign-in, and redeem its code for an answer with these claims and properties."""
    answers: list[Json] = []
    sign_in = scripted(lambda _: httpx.Response(200, json=answers.pop()))
    approver_sign_in = at_consent_client(sign_in, StillClock(), auth_context=auth_context)
    begun = await approver_sign_in.begin()
    nonce = parse_qs(urlsplit(begun.uri).query)["nonce"][0]
    answers.append({**token_of(**{"name": "Ada", "nonce": nonce, **claims}), **body})
    form = {"code": "code", "state": begun.state}
    try:
        return await approver_sign_in.redeem(begun.flow, form, object_id=ADA)
    finally:
        sign_in.close()


async def test_what_belongs_to_the_sign_in_is_believed() -> None:
    signed_in = await redeemed({})
    assert (signed_in.name, signed_in.token.access) == ("Ada", "opaque")
    assert "opaque" not in repr(signed_in)


@pytest.mark.parametrize(
    ("claims", "body", "error"),
    [
        ({"tid": OTHER}, {}, WrongTenant),
        ({"oid": OTHER}, {}, WrongPerson),
        ({"aud": OTHER}, {}, Unproven),
        ({"nonce": "another"}, {}, Unproven),
        ({"oid": None}, {}, Unproven),
        ({"acrs": "c1"}, {}, Unproven),
        ({}, {"id_token": "no token"}, UnexpectedAnswer),
        ({}, {"id_token": None}, UnexpectedAnswer),
        ({}, {"access_token": " "}, UnexpectedAnswer),
        ({}, {"scope": "Application.Read.All"}, ScopesMissing),
    ],
)
async def test_an_answer_that_says_anything_else_is_no_sign_in(
    claims: Json, body: Json, error: type[GraphError]
) -> None:
    with pytest.raises(error) as caught:
        await redeemed(claims, **body)
    assert type(caught.value) is error
    if error is ScopesMissing:
        assert "Missing: AppRoleAssignment.ReadWrite.All" in caught.value.sentence


async def test_the_authentication_context_must_be_met() -> None:
    assert await redeemed({"acrs": ["c1", "c2"]}, auth_context="c1")
    for claims in ({}, {"acrs": ["c2"]}):
        with pytest.raises(ContextMissing):
            await redeemed(claims, auth_context="c1")
