"""Codes for devices: msal as the judge of the way that works, and every refusal."""

import asyncio
import ssl
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import msal  # type: ignore[import-untyped]  # msal ships no types
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Credential, Tenant
from graph.calls import Json
from graph.clouds import CLOUDS, Cloud
from tests.support.graph_caller import post_form
from tests.support.person import CONTEXT, REDIRECT, SCOPES, claims_of

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that waits for a person, and the code that it shows."""

    tenant: Tenant
    credential: Credential
    flow: Json

    async def entered(self, user: Json, **how: Any) -> Any:
        """Let a person enter the code."""
        page, user_code = self.flow["verification_uri"], self.flow["user_code"]
        return await self.tenant.sign_in_as(user, page, user_code=user_code, **how)

    async def ask(self, **more: str) -> httpx.Response:
        form = {"grant_type": GRANT, "client_id": self.credential.client_id, **more}
        code = self.flow["device_code"]
        return await post_form(self.tenant, "token", {**form, "device_code": code})

    async def refusal(self, **more: str) -> tuple[int, str, int]:
        answer = await self.ask(**more)
        told = answer.json()
        return answer.status_code, told["error"], told["error_codes"][0]


async def waiting(tenant: Tenant, credential: Credential) -> Device:
    form = {"client_id": credential.client_id, "scope": " ".join(["openid", "profile", *SCOPES])}
    flow: Json = (await post_form(tenant, "devicecode", form)).json()
    return Device(tenant=tenant, credential=credential, flow=flow)


@pytest.fixture
async def device(tenant: Tenant, ada: Json) -> Device:
    client = tenant.add_consent_client(REDIRECT, assigned=[ada], public_flows=True)
    return await waiting(tenant, client)


async def test_msal_waits_for_a_person_and_gets_what_a_browser_gets(
    tenant: Tenant, device: Device, ada: Json
) -> None:
    with httpx.Client(verify=ssl.create_default_context(cafile=str(tenant.ca_file))) as http:
        app = await asyncio.to_thread(
            msal.PublicClientApplication,
            device.credential.client_id,
            authority=tenant.authority,
            instance_discovery=False,
            exclude_scopes=["offline_access"],
            http_client=http,
        )
        begin, redeem = app.initiate_device_flow, app.acquire_token_by_device_flow
        flow = await asyncio.to_thread(begin, [*SCOPES], claims_challenge=CONTEXT)
        assert (flow["interval"], flow["expires_in"]) == (5, 900)
        assert flow["user_code"] in flow["message"]
        landing = await replace(device, flow=flow).entered(ada, acrs=["c1"])
        assert (landing.url, landing.error) == (None, None)
        answer = await asyncio.to_thread(redeem, flow)
    told = answer["id_token_claims"]
    assert (told["oid"], told["tid"], told["acrs"]) == (ada["id"], tenant.id, ["c1"])
    assert "nonce" not in told
    assert "refresh_token" not in answer
    access = claims_of(answer["access_token"])
    assert set(access["scp"].split()) == {*SCOPES, "openid", "profile"}
    assert (access["appid"], access["appidacr"]) == (device.credential.client_id, "0")
    assert answer["access_token"] in tenant.issued_to_users
    log = repr([(call.body, call.query) for call in tenant.log])
    assert not any(text in log for text in tenant.issued_to_users)


async def test_it_waits_until_somebody_has_signed_in_and_then_once(
    device: Device, ada: Json, clock: MovableClock
) -> None:
    assert await device.refusal() == (400, "authorization_pending", 70016)
    clock.move(timedelta(seconds=5))
    await device.entered(ada)
    assert (await device.ask()).status_code == 200
    assert await device.refusal() == (400, "invalid_grant", 54005)


async def test_a_device_that_asks_too_often_has_to_wait_longer(
    device: Device, clock: MovableClock
) -> None:
    await device.ask()
    assert await device.refusal() == (400, "slow_down", 70016)
    clock.move(timedelta(seconds=5))
    assert (await device.refusal())[1] == "slow_down"
    clock.move(timedelta(seconds=15))
    assert (await device.refusal())[1] == "authorization_pending"


async def test_it_expires(device: Device, ada: Json, clock: MovableClock) -> None:
    clock.move(timedelta(minutes=15))
    assert await device.refusal() == (400, "expired_token", 70020)
    landing = await device.entered(ada)
    assert "70018" in (landing.error or "")


async def test_a_person_can_decline(device: Device, ada: Json) -> None:
    assert (await device.entered(ada, cancel=True)).error is None
    assert await device.refusal() == (400, "authorization_declined", 70018)
    assert "70018" in ((await device.entered(ada)).error or "")


async def test_it_is_of_use_to_its_own_client_without_a_credential(
    tenant: Tenant, device: Device, ada: Json
) -> None:
    other = tenant.add_consent_client(REDIRECT, public_flows=True)
    await device.entered(ada)
    by_other = await replace(device, credential=other).refusal()
    assert by_other[1:] == ("bad_verification_code", 70018)
    with_secret = {"client_secret": device.credential.client_secret}
    assert await device.refusal(**with_secret) == (401, "invalid_client", 700025)
    assert (await replace(device, flow={"device_code": ""}).refusal())[2] == 900144
    assert (await device.ask()).status_code == 200


async def test_a_client_that_is_not_public_gets_no_token(tenant: Tenant, ada: Json) -> None:
    device = await waiting(tenant, tenant.add_consent_client(REDIRECT, assigned=[ada]))
    await device.entered(ada)
    assert await device.refusal() == (401, "invalid_client", 7000218)


async def test_refusals_of_a_person_are_told_on_the_page_and_the_device_waits(
    device: Device, users: list[Json], clock: MovableClock
) -> None:
    ada, other = users[:2]
    assert "AADSTS50105" in ((await device.entered(other)).error or "")
    assert "AADSTS53003" in ((await device.entered(ada, blocked="sign-in")).error or "")
    assert (await device.refusal())[1] == "authorization_pending"
    await device.entered(ada, blocked="redemption")
    clock.move(timedelta(seconds=5))
    assert await device.refusal() == (400, "interaction_required", 53003)


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"client_id": ""}, 900144),
        ({"client_id": "0f0f0f0f-0000-4000-8000-000000000000"}, 700016),
        ({"scope": ""}, 900144),
        ({"scope": "openid Wrong.Name"}, 650053),
        ({"claims": "{"}, 9002313),
    ],
)
async def test_a_request_for_a_code_is_checked(
    tenant: Tenant, device: Device, change: Json, number: int
) -> None:
    form = {"client_id": device.credential.client_id, "scope": "openid User.Read", **change}
    answer = await post_form(tenant, "devicecode", form)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [number])


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
async def test_in_each_cloud(cloud: Cloud, device: Device, ada: Json) -> None:
    await device.entered(ada)
    answer = (await device.ask()).json()
    assert claims_of(answer["access_token"])["aud"] == cloud.graph
