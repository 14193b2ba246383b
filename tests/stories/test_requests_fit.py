"""Every request of the whole road, of failures, undo, checks and sweeps fits Microsoft's schema.

What other stories ask of the tenant is looked at when they end: tests/conftest.py.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.playground.tenant.calls import Call
from bot.playground.tenant.faults import Faults
from graph.rights import ConsentMode, rights
from tests.support import doctor_cli
from tests.support.drift_story import somebody
from tests.support.graph_requests import (
    MEMBERS,
    MUST_BE_REFUSED,
    SAME_AS,
    Made,
    allowing,
    fitting,
    story_fits,
)
from tests.support.graph_schema import Misfit, Schema
from tests.support.purge_story import purge
from tests.support.removal_story import undo
from tests.support.story import Story

pytestmark = pytest.mark.slow

ID = "11111111-2222-4333-8444-555555555555"
BOT = "the-bot"

ROAD = {
    ("GET", "/organization"),
    ("GET", "/applications"),
    ("GET", "/policies/defaultappmanagementpolicy"),
    ("GET", "/serviceprincipals(appid={value})"),
    ("PATCH", "/applications(uniquename={value})"),
    ("PATCH", "/serviceprincipals(appid={value})"),
    ("POST", "/serviceprincipals/{id}/approleassignedto"),
    ("POST", "/oauth2permissiongrants"),
    ("POST", "/applications/{id}/addpassword"),
}
REPAIRS = {
    ("GET", "/applications(uniquename={value})"),  # its answer was lost: is it ours?
    ("GET", "/oauth2permissiongrants"),
    ("PATCH", "/oauth2permissiongrants/{id}"),  # somebody else was quicker to make it
    ("GET", "/applications/{id}"),  # a sweep looks for strays
    ("POST", "/applications/{id}/removepassword"),
}
UNDO = {
    ("GET", "/serviceprincipals/{id}/approleassignments"),
    ("DELETE", "/serviceprincipals/{id}/approleassignedto/{id}"),
    ("DELETE", "/oauth2permissiongrants/{id}"),
    ("DELETE", "/serviceprincipals/{id}"),
    ("DELETE", "/applications/{id}"),
}
PURGE = {("GET", "/directory/deleteditems/{id}"), ("DELETE", "/directory/deleteditems/{id}")}
LOOKS = {
    ("GET", "/applications/{id}/owners"),
    ("GET", "/serviceprincipals/{id}/owners"),
    ("GET", "/directory/deleteditems/{id}"),
    ("GET", "/directory/deleteditems/microsoft.graph.application"),
}
CONNECTOR = {
    ("GET", "/users"),
    ("GET", "/groups"),
    ("GET", "/organization"),
    ("GET", "/policies/defaultappmanagementpolicy"),
}


@pytest.fixture(name="schema")
def needed(schema: Schema | None) -> Schema:
    if schema is None:
        pytest.skip("Microsoft's schema is not beside this checkout: NO request was checked")
    return schema


async def test_every_request_fits_and_needs_no_right_that_is_not_listed(
    story: Story, schema: Schema
) -> None:
    await a_road_with_lost_answers(story)
    await a_failure_that_is_undone_and_purged(story)
    await a_grant_that_a_person_was_quicker_to_make(story)
    await a_deletion_that_is_looked_into(story)
    made = story_fits(schema, story.tenant)
    calls = {(it.method, it.template) for it in made if it.by_the_bot}
    assert calls >= ROAD | REPAIRS | UNDO | PURGE | LOOKS
    assert {(it.method, it.template) for it in made if not it.by_the_bot} == CONNECTOR
    every_right_is_used(schema, made)
    no_exception_is_stale(schema, made)


async def a_road_with_lost_answers(story: Story) -> None:
    for method, path in (
        ("PATCH", "/applications"),
        ("PATCH", "/servicePrincipals"),
        ("POST", "/oauth2PermissionGrants"),
        ("POST", "/addPassword"),
    ):
        story.tenant.faults.reset(method, path, when="after_effect")
    await story.ready("billing")
    [application] = story.tenant.applications_named("billing")
    assert len(story.tenant.live_secrets(application["appId"])) == 2
    story.clock.move(timedelta(minutes=16))
    await story.eventually(lambda: len(story.tenant.live_secrets(application["appId"])) == 1)


async def a_failure_that_is_undone_and_purged(story: Story) -> None:
    refuse_the_test(story.tenant.faults)
    id = await story.fails("crm")
    await undo(story, id)
    story.tenant.faults.failures.clear()
    await purge(story, id)
    await story.until(lambda: "Deleted for good" in story.card(id))


async def a_grant_that_a_person_was_quicker_to_make(story: Story) -> None:
    held = story.tenant.faults.hold("POST", "/oauth2PermissionGrants$", when="before_effect")
    id = await story.ask("payroll")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await held.reached.wait()
    [application] = story.tenant.applications_named("payroll")
    async with somebody(story) as hand:
        principal = await hand.get(f"/servicePrincipals(appId='{application['appId']}')")
        grant = {
            "clientId": principal.json()["id"],
            "consentType": "AllPrincipals",
            "resourceId": (await hand.resource())["id"],
            "scope": "openid",
        }
        assert (await hand.post("/oauth2PermissionGrants", grant)).status_code == 201
    held.release()
    await story.until(lambda: story.is_announced(id))
    assert story.tenant.scopes_of(application["appId"]) == {"openid", "User.Read.All"}


async def a_deletion_that_is_looked_into(story: Story) -> None:
    """By a check, and by `aad-setup doctor --orphans`."""
    id = await story.ready("sales")
    story.clock.move(timedelta(minutes=16))
    [application] = story.tenant.applications_named("sales")
    async with somebody(story) as hand:
        deleted = await hand.delete(f"/applications/{application['id']}")
        assert deleted.status_code == 204
    await story.check(id)
    await story.until(lambda: "it can be restored until then" in story.direct("rosa"))
    await doctor_cli.call(story.stage, "--orphans")


def refuse_the_test(faults: Faults) -> None:
    faults.refuse("POST", "batch")


def every_right_is_used(schema: Schema, made: set[Made]) -> None:
    held = rights(ConsentMode.AUTONOMOUS)
    calls = [it for it in made if it.by_the_bot]
    assert set().union(*(allowing(schema, it, held) for it in calls)) == held


def no_exception_is_stale(schema: Schema, made: set[Made]) -> None:
    assert set(SAME_AS) <= {it.template for it in made}
    assert not any(schema.rows("GET", template) for template in SAME_AS)
    assert set(MEMBERS) <= {it.template for it in made}
    assert set(MUST_BE_REFUSED) <= {(it.method, it.template) for it in made if not it.by_the_bot}


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/v1.0/aplications", "Graph has no aplications here"),
        ("GET", "/v1.0/directory/deletedItems/microsoft.graph.aplication", "is no directoryObj"),
        ("GET", f"/v1.0/applications/{ID}/secrets", "application leads to no secrets"),
        ("POST", f"/v1.0/applications/{ID}", "POST on /applications/{id}"),
        ("GET", f"/v1.0/users/{ID}/messages", "none of"),
        ("DELETE", f"/v1.0/users/{ID}", "none of"),
    ],
)
def test_a_path_or_a_right_that_is_not_there_is_noticed(
    schema: Schema, method: str, path: str, said: str
) -> None:
    with pytest.raises(Misfit, match=said):
        fitting(schema, [call(method, path)], bots={BOT})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"displayname": "billing"}, "application has no displayname"),
        ({"displayName": 7}, "not a value of Edm.String"),
        ({"tags": "aad-setup"}, "needs a list"),
        ({"appId": ID}, "'appId'.* cannot be written"),
        ({"id": ID}, "'id'.* cannot be written"),
        ({"web": {"redirectUrls": []}}, "webApplication has no redirectUrls"),
        (
            {"requiredResourceAccess": [{"resourceAccess": [{"id": "User.Read.All"}]}]},
            "not a value of Edm.Guid",
        ),
        ({"passwordCredentials": [{"secretText": "mine"}]}, "'secretText'.* cannot be written"),
        ({"nativeAuthenticationApisEnabled": "some"}, "nativeAuthenticationApisEnabled"),
    ],
)
def test_a_body_that_does_not_fit_is_seen(schema: Schema, body: dict[str, Any], said: str) -> None:
    with pytest.raises(Misfit, match=said):
        fitting(schema, [call("PATCH", f"/v1.0/applications/{ID}", body=body)], bots={BOT})


@pytest.mark.parametrize(
    "query",
    [
        {"$select": "id,color"},
        {"$filter": "color eq 'red'"},
        {"$filter": "colors/any(c:c eq 'red')"},
        {"$top": "1000"},
        {"top": "5"},
    ],
)
def test_a_query_that_does_not_fit_is_noticed(schema: Schema, query: dict[str, str]) -> None:
    with pytest.raises(Misfit):
        fitting(schema, [call("GET", "/v1.0/applications", query=query)], bots={BOT})


def test_members_of_a_collection_have_what_their_types_have_and_no_more(schema: Schema) -> None:
    owners = f"/v1.0/applications/{ID}/owners"
    fitting(schema, [call("GET", owners, query={"$select": "id,displayName"})], bots={BOT})
    with pytest.raises(Misfit, match="user or servicePrincipal has no color"):
        fitting(schema, [call("GET", owners, query={"$select": "id,color"})], bots={BOT})


def test_what_must_be_refused_to_a_connector_is_noticed(schema: Schema) -> None:
    made = call("GET", "/v1.0/policies/defaultAppManagementPolicy")
    fitting(schema, [made], bots={BOT})
    with pytest.raises(Misfit, match="must be refused"):
        fitting(schema, [made], bots=())


def test_parameters_of_an_action_are_checked(schema: Schema) -> None:
    path = f"/v1.0/applications/{ID}/removePassword"
    fitting(schema, [call("POST", path, body={"keyId": ID})], bots={BOT})
    with pytest.raises(Misfit, match="an operation has no keyid"):
        fitting(schema, [call("POST", path, body={"keyid": ID})], bots={BOT})


def call(
    method: str, path: str, *, body: object = None, query: dict[str, str] | None = None
) -> Call:
    return Call(
        at=datetime.now(UTC),
        kind="graph",
        method=method,
        path=path,
        query=query or {},
        status=200,
        caller_app_id=BOT,
        body=body,
        error_code=None,
        request_id=ID,
    )
