"""The stages as data, and what steps do where Entra gives a rare answer."""

from functools import partial

import httpx
import pytest

from graph.calls import Json
from graph.errors import GraphError, NotFound, NotOurs
from graph.permissions import Kind, lookup
from graph.plan import Plan
from graph.retry import REPLICATION_TIME
from graph.step_context import Step, StepContext
from graph.steps import reads, stages
from tests.support import graph_fakes
from tests.support.graph_fakes import Script, answer, plan, refusal, token

OURS = {"id": "o1", "appId": "a1", "tags": list(plan().tags), "createdByAppId": "bot"}
TAKEN, MISSING = "Request_MultipleObjectsWithSameKeyValue", "Request_ResourceNotFound"
FACTS: dict[str, Json] = {
    "application": {"object_id": "o1", "app_id": "a1", "created_at": "2026-01-01T00:00:00+00:00"},
    "service_principal": {"object_id": "sp1", "created_at": "2026-01-01T00:00:00+00:00"},
}
WITH_SCOPE = plan(scopes=(lookup("User.Read", Kind.SCOPE),))
site = partial(graph_fakes.site, plan=WITH_SCOPE, facts=FACTS)


def test_the_stages_are_in_the_order_that_was_promised() -> None:
    assert [[each.name for each in stage] for stage in stages(WITH_SCOPE)] == [
        ["application"],
        ["service_principal"],
        ["role:User.Read.All", "scopes"],
        ["secret"],
        ["sign_in"],
        ["directory"],
    ]


def test_what_belongs_to_one_run_only_is_not_lasting() -> None:
    passing = [each.name for stage in stages(WITH_SCOPE) for each in stage if not each.lasting]
    assert passing == ["secret", "sign_in", "directory"]


def test_without_permissions_there_is_no_consent_stage() -> None:
    assert len(stages(plan(roles=()))) == 5


def test_the_directory_test_reads_only_what_was_granted() -> None:
    assert set(reads(plan_with("Domain.Read.All"))) == {"policy"}
    assert set(reads(plan_with("GroupMember.Read.All"))) == {"policy", "groups"}
    assert set(reads(plan_with("Directory.Read.All"))) == {
        "policy",
        "users",
        "groups",
        "organization",
    }


def test_basic_profiles_are_read_without_what_they_do_not_show() -> None:
    users = reads(plan_with("User.ReadBasic.All"))["users"]
    assert users.query["$select"] == "id,mail"


async def test_the_notes_name_who_approved() -> None:
    graph = Script([answer(201, OURS)])
    async with site(graph, facts={}, approved_by="U2") as here:
        await step("application").do(here)
    assert graph.bodies[0]["notes"] == "Approved by U2. Registered by aad-setup."


async def test_a_key_that_is_taken_before_our_first_try_is_not_ours() -> None:
    with pytest.raises(NotOurs):
        await done("application", refusal(409, TAKEN), facts={})


async def test_a_key_that_our_lost_try_has_taken_is_ours() -> None:
    answers = (httpx.ReadError, refusal(409, TAKEN), refusal(404, MISSING), answer(200, OURS))
    facts = await done("application", *answers, facts={})
    assert (facts["object_id"], facts["app_id"]) == ("o1", "a1")


async def test_a_collision_after_a_lost_try_does_not_forget_that_try() -> None:
    collision = refusal(409, "Directory_ConcurrencyViolation")
    answers = (httpx.ReadError, collision, answer(204), answer(200, OURS))
    assert (await done("application", *answers, facts={}))["object_id"] == "o1"


@pytest.mark.parametrize("change", [{"tags": ["aad-setup"]}, {"createdByAppId": None}])
async def test_tags_and_creator_must_both_be_ours(change: Json) -> None:
    graph = Script([answer(204), answer(200, {**OURS, **change})])
    async with site(graph, facts={}) as here:
        await here.journal.record_intent("application")
        with pytest.raises(NotOurs):
            await step("application").do(here)


async def test_a_service_principal_that_is_there_is_found() -> None:
    taken = refusal(409, TAKEN, "is already in use")
    found = await done("service_principal", taken, answer(200, {"id": "sp1"}))
    assert found["object_id"] == "sp1"


async def test_a_grant_that_is_there_is_a_success() -> None:
    there = "Permission being assigned already exists on the object"
    granted = await done("role:User.Read.All", refusal(400, "Request_BadRequest", there))
    assert "granted_at" in granted


async def test_a_delegated_grant_that_is_there_is_left_when_it_is_enough() -> None:
    there = answer(200, {"value": [{"id": "g1", "scope": "User.Read openid"}]})
    assert "granted_at" in await done("scopes", refusal(409, TAKEN), there)


async def test_a_delegated_grant_that_is_there_but_not_seen_is_looked_for_as_a_new_one() -> None:
    graph = Script([refusal(409, TAKEN), *(answer(200, {"value": []}) for _ in range(1_000))])
    async with site(graph) as here:
        since = here.clock.now()
        with pytest.raises(GraphError, match="oauth2PermissionGrants"):
            await step("scopes").do(here)
        assert here.clock.now() - since >= REPLICATION_TIME


@pytest.mark.parametrize("name", ["role:User.Read.All", "scopes"])
async def test_a_bot_that_may_not_revoke_leaves_that_to_the_service_principal(name: str) -> None:
    denied = [refusal(403, "Authorization_RequestDenied") for _ in range(2)]
    async with site(Script(denied)) as here:
        await undo(name, here)


async def test_a_grant_is_revoked_by_its_own_id() -> None:
    id = lookup("User.Read.All", Kind.ROLE).id
    held = {"value": [{"id": "x", "appRoleId": "other"}, {"id": "y", "appRoleId": id}]}
    graph = Script([answer(200, held), answer(204)])
    async with site(graph) as here:
        await undo("role:User.Read.All", here)
    assert graph.requests[1].url.path.endswith("/appRoleAssignedTo/y")


async def test_undo_never_deletes_what_is_not_ours() -> None:
    graph = Script([answer(200, {**OURS, "createdByAppId": "somebody"})])
    async with site(graph, facts={}) as here:
        await here.journal.record_intent("application")
        with pytest.raises(NotOurs):
            await undo("application", here)
    assert [request.method for request in graph.requests] == ["GET"]


async def test_undo_looks_once_where_nothing_was_ever_written() -> None:
    graph = Script([refusal(404, MISSING)])
    async with site(graph, facts={}) as here:
        await undo("application", here)
    assert [request.method for request in graph.requests] == ["GET"]


@pytest.mark.parametrize("status", [204, 404])
async def test_a_service_principal_whose_step_never_ended_is_removed_if_it_is_there(
    status: int,
) -> None:
    graph = Script([answer(status)])
    async with site(graph, facts={"application": FACTS["application"]}) as here:
        await undo("service_principal", here)
    assert graph.requests[0].url.path == "/v1.0/servicePrincipals(appId='a1')"


async def test_a_write_of_long_ago_is_not_waited_for() -> None:
    with pytest.raises(NotFound):
        await done("secret", refusal(404, MISSING))


DENIED = 403, {"error": {"code": "Authorization_RequestDenied", "message": ""}}
BAD = 400, {"error": {"code": "Request_BadRequest", "message": ""}}


@pytest.mark.parametrize(
    ("policy", "users", "failure"),
    [
        (BAD, (200, {"value": []}), "GET /policies.* 400"),
        (DENIED, BAD, "GET /users 400"),
        # As long after the grant as this, nothing is on its way any more.
        (DENIED, DENIED, "GET /users 403"),
    ],
)
async def test_a_read_that_fails_fails_the_test(
    policy: tuple[int, Json], users: tuple[int, Json], failure: str
) -> None:
    told = {"policy": policy, "users": users}.items()
    responses = [{"id": id, "status": status, "body": body} for id, (status, body) in told]
    async with site(Script([answer(200, {"responses": responses})])) as here:
        here.sign_in.hold("a1", token("User.Read.All"))
        with pytest.raises(GraphError, match=failure):
            await step("directory").do(here)


async def done(name: str, *answers: httpx.Response | type[Exception], facts: Json = FACTS) -> Json:
    """Carry out a step where Graph answers like this, and return what it has learnt."""
    async with site(Script(answers), facts=facts) as here:
        return await step(name).do(here)


def step(name: str) -> Step:
    return next(each for stage in stages(WITH_SCOPE) for each in stage if each.name == name)


async def undo(name: str, here: StepContext) -> None:
    take_back = step(name).undo
    assert take_back is not None
    await take_back(here)


def plan_with(*roles: str) -> Plan:
    return plan(roles=tuple(lookup(name, Kind.ROLE) for name in roles))
