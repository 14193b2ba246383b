"""Every request of the whole road, of a failure, an undo and the sweeps fits Microsoft's schema."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.playground.tenant.calls import Call
from bot.playground.tenant.faults import Faults
from graph.rights import ConsentMode, rights
from tests.graph_schema import Misfit, Schema, read_schema
from tests.requests_fit import MUST_BE_REFUSED, SAME_AS, Made, allowing, fitting
from tests.scene import Scene
from tests.waiting import eventually

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
CONNECTOR = {
    ("GET", "/users"),
    ("GET", "/groups"),
    ("GET", "/organization"),
    ("GET", "/policies/defaultappmanagementpolicy"),
}


@pytest.fixture(scope="module")
def schema() -> Schema:
    found = read_schema()
    if found is None:
        pytest.skip("Microsoft's schema is not beside this checkout: NO request was checked")
    return found


async def test_every_request_fits_and_needs_no_right_that_is_not_listed(
    scene: Scene, schema: Schema
) -> None:
    await a_road_with_lost_answers(scene)
    await a_failure_that_is_undone(scene)
    made = fitting(schema, scene.tenant.log, bot=scene.tenant.administrator.client_id)
    assert {(it.method, it.template) for it in made if it.by_the_bot} >= ROAD | REPAIRS | UNDO
    assert {(it.method, it.template) for it in made if not it.by_the_bot} == CONNECTOR
    every_right_is_used(schema, made)
    no_exception_is_stale(schema, made)


async def a_road_with_lost_answers(scene: Scene) -> None:
    for method, path in (
        ("PATCH", "/applications"),
        ("PATCH", "/servicePrincipals"),
        ("POST", "/oauth2PermissionGrants"),
        ("POST", "/addPassword"),
    ):
        scene.tenant.faults.reset(method, path, when="after_effect")
    await scene.ready("billing")
    [application] = scene.tenant.applications_named("billing")
    assert len(scene.tenant.live_secrets(application["appId"])) == 2
    scene.clock.move(timedelta(minutes=16))
    await eventually(scene, lambda: len(scene.tenant.live_secrets(application["appId"])) == 1)


async def a_failure_that_is_undone(scene: Scene) -> None:
    refuse_the_test(scene.tenant.faults)
    id = await scene.ask("crm")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: f"{id} was undone" in scene.card())


def refuse_the_test(faults: Faults) -> None:
    faults.fail("POST", "batch", status=403, code="Authorization_RequestDenied", times=10_000)


def every_right_is_used(schema: Schema, made: set[Made]) -> None:
    held = rights(ConsentMode.AUTONOMOUS)
    calls = [it for it in made if it.by_the_bot]
    assert set().union(*(allowing(schema, it, held) for it in calls)) == held


def no_exception_is_stale(schema: Schema, made: set[Made]) -> None:
    assert set(SAME_AS) <= {it.template for it in made}
    assert not any(schema.rows("GET", template) for template in SAME_AS)
    assert set(MUST_BE_REFUSED) <= {(it.method, it.template) for it in made if not it.by_the_bot}


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/v1.0/aplications", "Graph has no aplications here"),
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
        fitting(schema, [call(method, path)], bot=BOT)


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
def test_a_body_that_does_not_fit_is_noticed(
    schema: Schema, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(Misfit, match=said):
        fitting(schema, [call("PATCH", f"/v1.0/applications/{ID}", body=body)], bot=BOT)


@pytest.mark.parametrize(
    "query",
    [{"$select": "id,color"}, {"$filter": "color eq 'red'"}, {"$top": "1000"}, {"top": "5"}],
)
def test_a_query_that_does_not_fit_is_noticed(schema: Schema, query: dict[str, str]) -> None:
    with pytest.raises(Misfit):
        fitting(schema, [call("GET", "/v1.0/applications", query=query)], bot=BOT)


def test_parameters_of_an_action_are_checked(schema: Schema) -> None:
    path = f"/v1.0/applications/{ID}/removePassword"
    fitting(schema, [call("POST", path, body={"keyId": ID})], bot=BOT)
    with pytest.raises(Misfit, match="an operation has no keyid"):
        fitting(schema, [call("POST", path, body={"keyid": ID})], bot=BOT)


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
