"""The audit log: every write is told, late, without secrets, and can be asked for by object."""

import json
from datetime import timedelta

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import Asking, code_of

AUDITS = "/auditLogs/directoryAudits"
CREDENTIALS = "Update application – Certificates and secrets management"


async def told(graph: Asking, filter: str | None = None, **more: str) -> list[Json]:
    query = {"$filter": filter, **more} if filter else more
    answer = await graph.get(AUDITS, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


def names(entries: list[Json]) -> list[str]:
    """Activities, oldest first."""
    return [entry["activityDisplayName"] for entry in reversed(entries)]


async def a_whole_life(graph: Asking) -> Json:
    """Register an application, give it a secret and rights, and take all of it away again."""
    application = await graph.application()
    principal = await graph.principal(application["appId"])
    assignment = (await graph.grant(principal, "User.Read.All")).json()
    resource = assignment["resourceId"]
    made = (await graph.grant_scopes(principal, "User.Read")).json()
    secret = await graph.secret(application, displayName="Mimecast Key")
    path = f"/applications/{application['id']}"
    await graph.post(f"{path}/removePassword", {"keyId": secret["keyId"]})
    await graph.delete(f"/oauth2PermissionGrants/{made['id']}")
    await graph.delete(f"/servicePrincipals/{resource}/appRoleAssignedTo/{assignment['id']}")
    await graph.delete(f"/servicePrincipals/{principal['id']}")
    await graph.delete(path)
    await graph.delete(f"/directory/deletedItems/{application['id']}")
    return application


async def test_every_write_is_told(tenant: Tenant, wide: Asking) -> None:
    await a_whole_life(wide)
    entries = await told(wide)
    assert names(entries) == [
        "Add application",
        "Add owner to application",
        "Add service principal",
        "Add owner to service principal",
        "Add app role assignment to service principal",
        "Add delegated permission grant",
        CREDENTIALS,
        CREDENTIALS,
        "Remove delegated permission grant",
        "Remove app role assignment from service principal",
        "Remove service principal",
        "Delete application",
        "Hard Delete application",
    ]
    assert len({entry["id"] for entry in entries}) == len(entries)
    [app] = {json.dumps(entry["initiatedBy"]["app"]) for entry in entries}
    assert json.loads(app)["appId"] == tenant.administrator.client_id


async def test_what_failed_is_not_told(wide: Asking) -> None:
    assert (await wide.upsert("key-1", colour="red")).status_code == 400
    assert (await wide.delete("/applications/nobody")).status_code == 404
    assert await told(wide) == []


async def test_no_secret_is_told(tenant: Tenant, wide: Asking) -> None:
    await a_whole_life(wide)
    shown = (await wide.get(AUDITS)).text
    assert len(tenant.minted) > 1
    assert not [secret for secret in tenant.minted if secret in shown]
    assert "secretText" not in shown


async def test_a_grant_names_the_resource_the_role_and_the_client(wide: Asking) -> None:
    principal = await wide.principal((await wide.application())["appId"])
    await wide.grant(principal, "User.Read.All")
    [entry] = await told(wide, "startswith(activityDisplayName,'Add app role')")
    resource, client = entry["targetResources"]
    assert (resource["displayName"], client["id"]) == ("Microsoft Graph", principal["id"])
    changes = {each["displayName"]: each["newValue"] for each in resource["modifiedProperties"]}
    assert changes["AppRole.Value"] == '"User.Read.All"'


async def test_entries_can_be_asked_for(tenant: Tenant, clock: MovableClock, wide: Asking) -> None:
    first = await wide.application("key-1")
    clock.move(timedelta(minutes=10))
    middle = clock.now().isoformat().replace("+00:00", "Z")
    clock.move(timedelta(seconds=1))
    second = await wide.application("key-2")

    async def ids(filter: str, **more: str) -> list[str]:
        return [entry["targetResources"][0]["id"] for entry in await told(wide, filter, **more)]

    made = "activityDisplayName eq 'Add application'"
    assert await ids(f"{made} and activityDateTime ge {middle}") == [second["id"]]
    assert await ids(f"{made} and activityDateTime le {middle}") == [first["id"]]
    oldest = {"$orderby": "activityDateTime asc"}
    assert await ids(made, **oldest) == [first["id"], second["id"]]
    assert await ids(made) == [second["id"], first["id"]]
    mine = f"{made} and initiatedBy/app/appId eq '{tenant.administrator.client_id}'"
    assert len(await ids(mine)) == 2
    assert await ids("initiatedBy/app/appId eq 'nobody'") == []
    about = f"targetResources/any(t: t/id eq '{first['id']}')"
    assert names(await told(wide, about)) == ["Add application", "Add owner to application"]


async def test_entries_come_in_pages_and_one_by_one(wide: Asking) -> None:
    for number in range(3):
        await wide.application(f"key-{number}")
    page = (await wide.get(AUDITS, params={"$top": 2})).json()
    rest = (await wide.get(page["@odata.nextLink"])).json()
    assert len(page["value"] + rest["value"]) == 4
    [entry, *_] = page["value"]
    assert (await wide.get(f"{AUDITS}/{entry['id']}")).json()["id"] == entry["id"]
    assert (await wide.get(f"{AUDITS}/nonsense")).status_code == 404


async def test_entries_come_late_and_are_forgotten(clock: MovableClock, wide: Asking) -> None:
    wide.tenant.faults.audit_lag = 300
    await wide.application()
    assert await told(wide) == []
    clock.move(timedelta(minutes=6))
    assert names(await told(wide))[0] == "Add application"
    assert len(wide.tenant.audits) == 2
    clock.move(timedelta(days=31))
    assert wide.tenant.audits == []


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "activityDisplayName ge 'x'"},
        {"$filter": "activityDateTime ge 'yesterday'"},
        {"$filter": "activityDateTime ge 2026-99-99T00:00:00Z"},
        {"$filter": "targetResources/any(t: t/colour eq 'x')"},
        {"$filter": "targetResources/any(t: u/id eq 'x')"},
        {"$filter": "initiatedBy/app eq 'x'"},
        {"$orderby": "colour"},
        {"$orderby": "activityDateTime sideways"},
        {"$top": "1001"},
        {"$expand": "targetResources"},
    ],
)
async def test_what_is_not_supported_is_refused(wide: Asking, query: dict[str, str]) -> None:
    assert (await wide.get(AUDITS, params=query)).status_code == 400


async def test_the_log_asks_for_a_right_of_its_own(graph: Asking) -> None:
    answer = await graph.get(AUDITS)
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")
    assert (await graph.post(AUDITS, {})).status_code == 405
