"""Secrets: shown once, within the policy, gone when removed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from tests.support.graph_caller import Asking, code_of, sign_in


async def test_a_secret_is_shown_once(graph: Asking) -> None:
    application = await graph.application()
    secret = await graph.secret(application, displayName="Mimecast Key")
    read = (await graph.get(f"/applications/{application['id']}")).json()["passwordCredentials"]
    assert read == [{**_without_context(secret), "secretText": None}]
    assert secret["secretText"].startswith(secret["hint"])
    assert 16 <= len(secret["secretText"]) <= 64


async def test_without_an_end_a_secret_lives_two_years(graph: Asking) -> None:
    secret = await graph.secret(await graph.application())
    start, end = (datetime.fromisoformat(secret[f"{name}DateTime"]) for name in ("start", "end"))
    assert end - start == timedelta(days=730)


@pytest.mark.parametrize(
    "wanted",
    [
        {"secretText": "my-own-secret-of-thirty-letters"},
        {"keyId": "0f0f0f0f-0000-4000-8000-000000000000"},
        {"endDateTime": "2020-01-01T00:00:00Z"},
        {"endDateTime": "2999-01-01T00:00:00"},
        {"endDateTime": "never"},
        {"displayName": "x" * 257},
        {"colour": "red"},
    ],
)
async def test_a_wrong_wish_is_refused(
    tenant: Tenant, graph: Asking, wanted: dict[str, Any]
) -> None:
    application = await graph.application()
    assert (await graph.add_password(application, **wanted)).status_code == 400
    assert tenant.live_secrets(application["appId"]) == []


async def test_a_removed_secret_no_longer_signs_in(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application()
    await graph.principal(application["appId"])
    secret = await graph.secret(application)
    path = f"/applications/{application['id']}/removePassword"
    assert (await graph.post(path, {"keyId": secret["keyId"]})).status_code == 204
    answer = await sign_in(graph.http, tenant, application["appId"], secret["secretText"])
    assert answer.json()["error_codes"] == [7000215]
    assert (await graph.post(path, {"keyId": secret["keyId"]})).status_code == 400


async def test_no_secret_comes_with_a_new_application(tenant: Tenant, graph: Asking) -> None:
    body = {"displayName": "Mimecast", "passwordCredentials": [{"displayName": "key"}]}
    assert (await graph.post("/applications", body)).status_code == 400
    assert tenant.applications == []


async def test_a_tenant_without_restrictions_says_so(graph: Asking) -> None:
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["isEnabled"] is False
    assert policy["applicationRestrictions"]["passwordCredentials"] == []


async def test_a_ban_on_secrets_is_readable_and_enforced(tenant: Tenant, graph: Asking) -> None:
    tenant.set_policy(secrets_banned=True)
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    entry = policy["applicationRestrictions"]["passwordCredentials"][0]
    assert (entry["restrictionType"], entry["state"]) == ("passwordAddition", "enabled")
    answer = await graph.add_password(await graph.application())
    assert code_of(answer) == "CredentialTypeNotAllowedAsPerAppPolicy"


async def test_a_cap_on_lifetime_is_readable_and_enforced(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.set_policy(longest_secret=timedelta(days=90))
    policy = (await graph.get("/policies/defaultAppManagementPolicy")).json()
    assert policy["applicationRestrictions"]["passwordCredentials"][0]["maxLifetime"] == "P90D"
    application = await graph.application()
    late = await graph.add_password(application, endDateTime=_in_days(clock, 91))
    assert code_of(late) == "CredentialInvalidLifetimeAsPerAppPolicy"
    assert late.json()["error"]["details"][0]["code"] == "InvalidKeyEndDate"
    early = await graph.add_password(application, endDateTime=_in_days(clock, 89))
    assert early.status_code == 200


async def test_a_policy_may_leave_older_applications_alone(tenant: Tenant, graph: Asking) -> None:
    application = await graph.application()
    since = datetime.now(UTC) + timedelta(days=1)
    tenant.set_policy(secrets_banned=True, for_applications_since=since)
    assert (await graph.add_password(application)).status_code == 200


def _in_days(clock: MovableClock, days: int) -> str:
    return (clock.now() + timedelta(days=days)).isoformat()


def _without_context(secret: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in secret.items() if not name.startswith("@odata.")}
