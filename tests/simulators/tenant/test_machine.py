"""A machine's endpoints of managed identities are as strict as Azure's."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import jwt
import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Credential, Machine, Tenant

GRAPH = "https://graph.microsoft.com"
IMDS = {"api-version": "2018-02-01", "resource": GRAPH}
APP_SERVICE = {"api-version": "2019-08-01", "resource": GRAPH}
METADATA = {"Metadata": "true"}


@pytest.fixture
def identity(tenant: Tenant) -> Credential:
    return tenant.add_managed_identity()


@pytest.fixture
async def machine(tenant: Tenant, identity: Credential) -> AsyncIterator[Machine]:
    async with tenant.machine(system=identity) as machine:
        yield machine


async def ask(
    machine: Machine, query: dict[str, str], headers: dict[str, str], **changes: str
) -> httpx.Response:
    """Ask the metadata service; with App Service's header, its own endpoint."""
    at = machine.app_service["IDENTITY_ENDPOINT"]
    if "X-IDENTITY-HEADER" not in headers:
        at = machine.virtual_machine["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
        at += "/metadata/identity/oauth2/token"
    wanted = {name: value for name, value in {**query, **changes}.items() if value}
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(at, params=wanted, headers=headers)


async def test_both_forms_give_a_token_with_the_identity_s_roles(
    machine: Machine, identity: Credential, clock: MovableClock
) -> None:
    imds = (await ask(machine, IMDS, METADATA)).json()
    app_service = (await ask(machine, APP_SERVICE, {"X-IDENTITY-HEADER": machine.secret})).json()
    claims = jwt.decode(imds["access_token"], options={"verify_signature": False})
    assert (claims["appid"], "Application.Read.All" in claims["roles"]) == (
        identity.client_id,
        True,
    )
    assert imds["access_token"] == app_service["access_token"]
    assert 86_000 < int(imds["expires_in"]) <= 86_400
    assert int(app_service["expires_on"]) > clock.now().timestamp() + 86_000
    assert "expires_in" not in app_service
    for told in (imds, app_service):
        assert {type(value) for value in told.values()} == {str}


NOBODY = {"client_id": "0f0f0f0f-0000-4000-8000-000000000000"}
FORWARDED = METADATA | {"X-Forwarded-For": "10.0.0.1"}
REFUSED: tuple[tuple[dict[str, str], dict[str, str], str], ...] = (
    ({}, {}, "Required metadata header not specified"),
    ({"Metadata": "false"}, {}, "Required metadata header not specified"),
    (FORWARDED, {}, "forwarded"),
    (METADATA, {"api-version": ""}, "api-version"),
    (METADATA, {"api-version": "2019-08-01"}, "api-version"),
    (METADATA, {"resource": ""}, "audience parameter"),
    (METADATA, {"resource": "https://vault.example"}, "AADSTS500011"),
    (METADATA, NOBODY, "not found"),
    (METADATA, {"client_id": "a", "object_id": "b"}, "one of the ids"),
)


async def test_the_metadata_service_refuses(machine: Machine) -> None:
    for headers, changes, words in REFUSED:
        answer = await ask(machine, IMDS, headers, **changes)
        assert answer.status_code == 400, (headers, changes)
        assert words in answer.json()["error_description"]


REFUSED_BY_APP_SERVICE: tuple[tuple[str | None, dict[str, str], int, str], ...] = (
    ("wrong", {}, 401, "Unauthorized"),
    ("", {}, 401, "Unauthorized"),
    (None, {"api-version": "2018-02-01"}, 400, "api-version"),
    (None, {"resource": ""}, 400, "resource"),
    (None, {"resource": "https://vault.example"}, 500, "AAD Token"),
    (None, NOBODY, 400, "No User Assigned"),
)


async def test_app_service_refuses(machine: Machine) -> None:
    for header, changes, status, words in REFUSED_BY_APP_SERVICE:
        sent = {"X-IDENTITY-HEADER": machine.secret if header is None else header}
        answer = await ask(machine, APP_SERVICE, sent, **changes)
        assert answer.status_code == status, (header, changes)
        assert words in answer.json()["message"]


async def test_which_identity_answers_for_none_in_particular(tenant: Tenant) -> None:
    one, two = tenant.add_managed_identity(), tenant.add_managed_identity()
    async with tenant.machine() as machine:
        app_service = {"X-IDENTITY-HEADER": machine.secret}
        assert "not found" in (await ask(machine, IMDS, METADATA)).text
        machine.assigned = (one.client_id,)
        # The metadata service gives the only one that there is, App Service does not.
        assert (await ask(machine, IMDS, METADATA)).json()["client_id"] == one.client_id
        assert "No Managed Identity" in (await ask(machine, APP_SERVICE, app_service)).text
        machine.assigned = (one.client_id, two.client_id)
        assert "Multiple user assigned" in (await ask(machine, IMDS, METADATA)).text
        for query, headers in ((IMDS, METADATA), (APP_SERVICE, app_service)):
            named = await ask(machine, query, headers, client_id=two.client_id)
            assert named.json()["client_id"] == two.client_id


async def test_a_right_that_is_granted_later_comes_with_the_next_token_a_day_later(
    tenant: Tenant, machine: Machine, identity: Credential, clock: MovableClock
) -> None:
    async def rights() -> list[str]:
        access = (await ask(machine, IMDS, METADATA)).json()["access_token"]
        claims = jwt.decode(access, options={"verify_signature": False, "verify_exp": False})
        return list(claims["roles"])

    before = await rights()
    tenant.allow(identity, "AuditLog.Read.All")
    clock.move(timedelta(hours=23))
    assert await rights() == before
    clock.move(timedelta(hours=1))
    assert set(await rights()) == {*before, "AuditLog.Read.All"}


async def test_its_calls_are_logged_without_secrets_and_can_fail(
    tenant: Tenant, machine: Machine, identity: Credential
) -> None:
    tenant.faults.fail("GET", "metadata", status=410)
    tenant.faults.reset("GET", "msi", times=1)
    assert (await ask(machine, IMDS, METADATA)).status_code == 410
    with pytest.raises(httpx.RequestError):
        await ask(machine, APP_SERVICE, {"X-IDENTITY-HEADER": machine.secret})
    await ask(machine, APP_SERVICE, {"X-IDENTITY-HEADER": machine.secret})
    calls = tenant.calls("GET", "token")
    assert [call.status for call in calls] == [410, 0, 200]
    assert calls[-1].caller_app_id == identity.client_id
    assert machine.secret not in repr(calls) + repr(machine)
