"""Authorization codes at the token endpoint: what redeems one, once, and what comes of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import post_form
from tests.support.person import REDIRECT, SCOPES, ConsentClient, changed, claims_of


@pytest.fixture
async def form(people: ConsentClient, ada: Json) -> dict[str, str]:
    """The form that redeems a code of Ada's."""
    return await _form(people, ada)


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"code": "1.nonsense"}, 400, "invalid_grant", 70000),
        ({"code": ""}, 400, "invalid_request", 900144),
        ({"redirect_uri": f"{REDIRECT}/"}, 401, "invalid_client", 500112),
        ({"redirect_uri": ""}, 400, "invalid_request", 900144),
        ({"code_verifier": "a" * 43}, 400, "invalid_grant", 501481),
        ({"code_verifier": ""}, 400, "invalid_grant", 501481),
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"scope": "openid User.Read"}, 400, "invalid_scope", 70011),
    ],
)
async def test_a_redemption_must_be_that_of_the_request(
    tenant: Tenant,
    change: dict[str, str],
    status: int,
    error: str,
    number: int,
    form: dict[str, str],
) -> None:
    answer = await post_form(tenant, "token", {**form, **change})
    told = answer.json()
    assert (answer.status_code, told["error"], told["error_codes"]) == (status, error, [number])


async def test_a_code_is_of_use_once(tenant: Tenant, form: dict[str, str]) -> None:
    assert (await post_form(tenant, "token", form)).status_code == 200
    assert (await post_form(tenant, "token", form)).json()["error_codes"] == [54005]


async def test_a_code_is_of_use_for_ten_minutes(
    tenant: Tenant, clock: MovableClock, form: dict[str, str]
) -> None:
    clock.move(timedelta(minutes=10))
    assert (await post_form(tenant, "token", form)).json()["error_codes"] == [70008]


async def test_a_code_is_of_use_to_its_own_client(tenant: Tenant, form: dict[str, str]) -> None:
    other = tenant.add_consent_client(REDIRECT)
    secret = {"client_id": other.client_id, "client_secret": other.client_secret}
    assert (await post_form(tenant, "token", {**form, **secret})).json()["error_codes"] == [70000]
    assert (await post_form(tenant, "token", form)).status_code == 200


async def test_who_is_disabled_or_blocked_meanwhile_gets_no_token(
    tenant: Tenant, people: ConsentClient, ada: Json, form: dict[str, str]
) -> None:
    refused = await _form(people, ada, blocked="redemption")
    told = (await post_form(tenant, "token", refused)).json()
    assert (told["error"], told["error_codes"]) == ("interaction_required", [53003])
    ada["accountEnabled"] = False
    assert (await post_form(tenant, "token", form)).json()["error_codes"] == [50057]


async def test_a_wrong_verifier_spends_the_code(tenant: Tenant, form: dict[str, str]) -> None:
    await post_form(tenant, "token", {**form, "code_verifier": "a" * 43})
    assert (await post_form(tenant, "token", form)).json()["error_codes"] == [54005]


async def test_msal_gets_what_it_tells_accounts_apart_by(
    tenant: Tenant, people: ConsentClient, ada: Json
) -> None:
    form = await _form(people, ada)
    assert "client_info" not in (await post_form(tenant, "token", form)).json()
    form = await _form(people, ada)
    assert "client_info" in (await post_form(tenant, "token", {**form, "client_info": "1"})).json()


async def test_only_who_asks_for_offline_access_gets_a_refresh_token(
    tenant: Tenant, people: ConsentClient, ada: Json, flow: Json
) -> None:
    url = changed(flow["auth_uri"], scope=f"offline_access {' '.join(flow['scope'])}")
    landing = await tenant.sign_in_as(ada, url)
    flow["scope"] = ["offline_access", *flow["scope"]]
    answer = await asyncio.to_thread(people.redeem, flow, landing.answer)
    assert answer["refresh_token"] in tenant.issued_to_users
    assert "offline_access" not in answer["scope"]


async def test_default_means_every_scope_that_was_consented_to(
    tenant: Tenant, people: ConsentClient, ada: Json
) -> None:
    graph = tenant.cloud.graph
    answer = await people.sign_in(ada, scopes=[f"{graph}/.default"])
    assert set(claims_of(answer["access_token"])["scp"].split()) == {*SCOPES, "openid", "profile"}
    assert {f"{graph}/{name}" for name in SCOPES} <= set(answer["scope"].split())


async def test_nothing_that_was_issued_is_in_the_log(
    tenant: Tenant, people: ConsentClient, ada: Json, flow: Json
) -> None:
    landing = await tenant.sign_in_as(ada, flow["auth_uri"])
    await asyncio.to_thread(people.redeem, flow, landing.answer)
    log = repr([(call.body, call.query) for call in tenant.log])
    assert len(tenant.issued_to_users) == 3
    assert not any(text in log for text in [*tenant.issued_to_users, flow["code_verifier"]])


async def _form(people: ConsentClient, user: Json, **options: Any) -> dict[str, str]:
    """Sign a user in; return what redeems the code."""
    flow = await asyncio.to_thread(people.flow)
    landing = await people.tenant.sign_in_as(user, flow["auth_uri"], **options)
    return {
        "grant_type": "authorization_code",
        "client_id": people.credential.client_id,
        "client_secret": people.credential.client_secret,
        "code": landing.answer["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": flow["code_verifier"],
    }
