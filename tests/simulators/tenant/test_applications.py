"""Applications: found or made by their key, changed, deleted, restored."""

from datetime import timedelta

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import Asking, asking, code_of, connector

OTHER_ID = "b0a5c0f4-0c1d-4a53-8a0e-6f7d3b0f2c11"
ROLE: Json = {
    "id": "354ab5bc-bc09-4ae9-bfb6-93c46e111918",
    "allowedMemberTypes": ["Application"],
    "displayName": "Payroll",
    "description": "Reads payrolls",
    "value": "Payroll.Read",
}
OTHER = ("Application.ReadWrite.OwnedBy", "Application.Read.All")


async def test_an_upsert_makes_one_and_then_changes_it(tenant: Tenant, graph: Asking) -> None:
    first = await graph.upsert("key-1")
    second = await graph.upsert("key-1", displayName="Renamed")
    assert (first.status_code, second.status_code, second.content) == (201, 204, b"")
    assert [row["displayName"] for row in tenant.applications] == ["Renamed"]
    assert tenant.applications[0]["createdByAppId"] == tenant.administrator.client_id


async def test_without_prefer_a_missing_key_is_404(tenant: Tenant, graph: Asking) -> None:
    answer = await graph.patch("/applications(uniqueName='key-1')", {"displayName": "Mimecast"})
    assert (answer.status_code, code_of(answer)) == (404, "Request_ResourceNotFound")
    assert tenant.applications == []


async def test_an_upsert_never_takes_over_what_another_owns(tenant: Tenant, graph: Asking) -> None:
    await graph.application()
    async with connector(tenant, *OTHER) as other:
        answer = await other.upsert("key-1", displayName="Mine now")
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")
    assert tenant.applications_named("Mimecast")


async def test_names_are_not_unique_but_keys_are(tenant: Tenant, graph: Asking) -> None:
    body = {"displayName": "Mimecast", "uniqueName": "key-1"}
    assert (await graph.post("/applications", body)).status_code == 201
    assert (await graph.post("/applications", {"displayName": "Mimecast"})).status_code == 201
    again = await graph.post("/applications", body)
    assert (again.status_code, code_of(again)) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert len(tenant.applications_named("Mimecast")) == 2


@pytest.mark.parametrize("key", ["{id}", "(appId='{appId}')", "(uniqueName='{uniqueName}')"])
async def test_an_application_is_found_by_each_of_its_keys(graph: Asking, key: str) -> None:
    application = await graph.application()
    path = key.format(**application)
    answer = await graph.get("/applications" + (path if path[0] == "(" else f"/{path}"))
    assert answer.json()["id"] == application["id"]


async def test_a_name_with_a_quote_is_filtered_by_doubling_it(graph: Asking) -> None:
    await graph.application(displayName="O'Hara's sync")
    await graph.application("key-2", displayName="Other")
    answer = await graph.get(
        "/applications",
        params={"$filter": "displayName eq 'o''hara''s SYNC'", "$select": "displayName"},
    )
    assert answer.json()["value"] == [{"displayName": "O'Hara's sync"}]


async def test_tags_can_be_searched(graph: Asking) -> None:
    application = await graph.application(tags=["aad-setup", "aad-setup:AAD-7K3F"])
    await graph.application("key-2")
    answer = await graph.get(
        "/applications", params={"$filter": "tags/any(t:t eq 'aad-setup:AAD-7K3F')"}
    )
    assert [row["id"] for row in answer.json()["value"]] == [application["id"]]


async def test_a_change_keeps_what_it_does_not_name_however_deep(graph: Asking) -> None:
    application = await graph.application(web={"redirectUris": ["https://vendor.example/back"]})
    path = f"/applications/{application['id']}"
    settings = {"enableAccessTokenIssuance": True, "enableIdTokenIssuance": True}
    for change in (
        {"logoutUrl": "https://vendor.example/out"},
        *({"implicitGrantSettings": {name: True}} for name in settings),
    ):
        assert (await graph.patch(path, {"web": change})).status_code == 204
    web = (await graph.get(path)).json()["web"]
    assert web["redirectUris"] == ["https://vendor.example/back"]
    assert web["logoutUrl"] == "https://vendor.example/out"
    assert web["implicitGrantSettings"] == settings


async def test_what_an_application_offers_is_disabled_before_it_is_taken_back(
    graph: Asking, path: str
) -> None:
    role = {**ROLE, "isEnabled": True}
    assert (await graph.patch(path, {"appRoles": [role]})).status_code == 204
    for roles in ([], [{**role, "description": "Other"}]):
        refused = await graph.patch(path, {"appRoles": roles})
        assert code_of(refused) == "CannotDeleteOrUpdateEnabledEntitlement"
    for roles in ([{**role, "isEnabled": False}], []):
        assert (await graph.patch(path, {"appRoles": roles})).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"appRoles": [{key: ROLE[key] for key in ROLE if key != "description"}]},
        {"appRoles": [ROLE, {**ROLE, "id": OTHER_ID}]},
        {"api": {"oauth2PermissionScopes": [{"id": ROLE["id"], "value": "Relay"}]}},
        {
            "api": {
                "preAuthorizedApplications": [
                    {"appId": OTHER_ID, "delegatedPermissionIds": [ROLE["id"]]}
                ]
            }
        },
        {"identifierUris": ["payroll"]},
        {"identifierUris": ["https://contoso.example.evil.example/x"]},
        {"identifierUris": ["api://payroll/"]},
    ],
)
async def test_what_an_application_cannot_offer_is_refused(graph: Asking, body: Json) -> None:
    application = await graph.application()
    refused = await graph.patch(f"/applications/{application['id']}", body)
    assert refused.status_code == 400


async def test_an_identifier_uri_is_one_application_s(tenant: Tenant, graph: Asking) -> None:
    first, second = await graph.application(), await graph.application("key-2")
    uri = {"identifierUris": [f"https://sync.{tenant.domain}/payroll"]}
    assert (await graph.patch(f"/applications/{first['id']}", uri)).status_code == 204
    assert (await graph.patch(f"/applications/{second['id']}", uri)).status_code == 409


async def test_a_deleted_application_takes_its_service_principal_along(graph: Asking) -> None:
    application = await graph.application()
    principal = await graph.principal(application["appId"])
    await graph.grant(principal, "User.Read.All")
    assert (await graph.delete(f"/applications/{application['id']}")).status_code == 204
    assert (graph.tenant.applications, graph.tenant.service_principals) == ([], [])
    assert graph.tenant.roles_of(application["appId"]) == set()
    again = await graph.delete(f"/applications/{application['id']}")
    assert again.status_code == 404


async def test_a_restored_application_comes_back_without_its_service_principal(
    tenant: Tenant, graph: Asking, application: Json
) -> None:
    await graph.principal(application["appId"])
    await graph.delete(f"/applications/{application['id']}")
    listed = await graph.get("/directory/deletedItems/microsoft.graph.application")
    assert [row["id"] for row in listed.json()["value"]] == [application["id"]]
    # The path promises a directoryObject only, so what it is has to be said.
    path, type = f"/directory/deletedItems/{application['id']}", "#microsoft.graph.application"
    assert (await graph.get(path)).json()["@odata.type"] == type
    restored = await graph.http.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["@odata.type"]) == (200, type)
    assert len(tenant.applications) == 1
    assert tenant.service_principals == []


async def test_the_key_of_a_deleted_application_stays_taken_until_it_is_purged(
    graph: Asking, application: Json
) -> None:
    await graph.delete(f"/applications/{application['id']}")
    assert (await graph.upsert("key-1")).status_code == 409
    await graph.delete(f"/directory/deletedItems/{application['id']}")
    assert (await graph.upsert("key-1")).status_code == 201


async def test_what_was_deleted_goes_for_good_after_30_days(
    tenant: Tenant, clock: MovableClock, graph: Asking, application: Json
) -> None:
    path = f"/directory/deletedItems/{application['id']}"
    assert (await graph.delete(path)).status_code == 404  # it is not deleted
    await graph.delete(f"/applications/{application['id']}")
    clock.move(timedelta(days=29, hours=23))
    async with asking(tenant, tenant.administrator) as later:  # tokens last an hour
        assert (await later.get(path)).status_code == 200
    clock.move(timedelta(hours=2))
    async with asking(tenant, tenant.administrator) as later:
        assert (await later.get(path)).status_code == 404
        assert (await later.http.post(f"{path}/restore")).status_code == 404
    assert tenant.deleted == []


async def test_only_its_owner_deletes_for_good_with_the_lesser_right(graph: Asking) -> None:
    application = await graph.application()
    await graph.delete(f"/applications/{application['id']}")
    path = f"/directory/deletedItems/{application['id']}"
    for right in ("Application.ReadWrite.OwnedBy", "Application.Read.All"):
        async with connector(graph.tenant, right) as other:
            assert (await other.delete(path)).status_code == 403
    assert (await graph.delete(path)).status_code == 204
    assert (await graph.delete(path)).status_code == 404


async def test_owned_by_opens_what_the_caller_made_and_nothing_else(graph: Asking) -> None:
    theirs = await graph.application()
    async with connector(graph.tenant, "Application.ReadWrite.OwnedBy") as other:
        mine = await other.application("key-2")
        listed = (await other.get("/applications")).json()["value"]
        read = await other.get(f"/applications/{theirs['id']}")
        change = await other.patch(f"/applications/{theirs['id']}", {"notes": "x"})
        remove = await other.delete(f"/applications/{theirs['id']}")
        secret = await other.add_password(theirs)
    assert [row["id"] for row in listed] == [mine["id"]]
    refused = [answer.status_code for answer in (read, change, remove, secret)]
    assert refused == [403, 403, 403, 403]


async def test_an_owner_may_change_what_somebody_else_made(tenant: Tenant, wide: Asking) -> None:
    application = await wide.application()
    path = f"/applications/{application['id']}"
    async with connector(tenant, *OTHER) as other:
        assert (await other.patch(path, {"notes": "x"})).status_code == 403
        me = (await other.get("/servicePrincipals", params=_by_name("aad-setup"))).json()["value"]
        ids = [f"{tenant.url}/v1.0/directoryObjects/{principal['id']}" for principal in me]
        added = [await wide.post(f"{path}/owners/$ref", {"@odata.id": id}) for id in ids]
        assert {answer.status_code for answer in added} == {204, 400}  # its maker is one already
        assert (await other.patch(path, {"notes": "x"})).status_code == 204
    assert len((await wide.get(f"{path}/owners")).json()["value"]) == len(me) == 2


@pytest.mark.parametrize("reference", ["nonsense", None, "https://vendor.example/v1.0/users/me"])
async def test_a_wrong_reference_makes_no_owner(wide: Asking, reference: str | None) -> None:
    application = await wide.application()
    path = f"/applications/{application['id']}/owners/$ref"
    assert (await wide.post(path, {"@odata.id": reference})).status_code == 400


async def test_a_person_is_an_owner_and_a_stranger_is_none(tenant: Tenant, wide: Asking) -> None:
    application = await wide.application()
    path = f"/applications/{application['id']}/owners"
    ada = tenant.people.users[0]["id"]
    by = {id: f"https://graph.microsoft.com/v1.0/users/{id}" for id in (ada, OTHER_ID)}
    added = [await wide.post(f"{path}/$ref", {"@odata.id": by[id]}) for id in (ada, OTHER_ID)]
    assert [answer.status_code for answer in added] == [204, 404]
    rows = (await wide.get(f"{path}?$select=id")).json()["value"]
    assert {row["@odata.type"] for row in rows if row["id"] == ada} == {"#microsoft.graph.user"}
    assert len(rows) == 2


async def test_rights_are_taken_away_from_later_tokens(tenant: Tenant) -> None:
    tenant.deny(tenant.administrator, "Policy.Read.All")
    async with asking(tenant, tenant.administrator) as graph:
        answer = await graph.get("/policies/defaultAppManagementPolicy")
    assert (answer.status_code, code_of(answer)) == (403, "Authorization_RequestDenied")


def _by_name(name: str) -> dict[str, str]:
    return {"$filter": f"displayName eq '{name}'"}
