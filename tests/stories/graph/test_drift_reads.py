"""What a comparison with the tenant reads, what each difference costs, and what is not believed."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.playground.clock import MovableClock
from graph.calls import Answer, Call
from graph.drift import Drift, look
from graph.drift import snapshot as parts
from graph.errors import Forbidden, NotFound
from graph.permissions import Kind, lookup
from graph.plan import Plan
from graph.tenant_cache import TenantCache
from tests.support.graph_bot import Bot
from tests.support.graph_caller import federated
from tests.support.graph_fakes import Script, answer, client


async def looked(bot: Bot, plan: Plan) -> Drift:
    knowledge = TenantCache(graph=bot.graph, clock=bot.clock)
    known = {bot.facts["secret"]["key_id"]: bot.clock.now() + timedelta(days=90)}
    bot.tenant.log.clear()
    return await look(bot.site(plan), tenant_cache=knowledge, secrets=known)


async def granted_by_hand(bot: Bot, plan: Plan, principal_id: str, role_id: str) -> None:
    id = plan.resource_id
    body = {"principalId": principal_id, "resourceId": id, "appRoleId": role_id}
    await bot.graph.send("POST", f"/servicePrincipals/{id}/appRoleAssignedTo", body=body)


def graph_calls(bot: Bot) -> list[str]:
    return [
        f"{each.method} {each.path.removeprefix('/v1.0')}"
        for each in bot.tenant.log
        if each.kind == "graph"
    ]


async def test_a_check_of_what_is_untouched_is_one_call(bot: Bot, made: Plan) -> None:
    assert await looked(bot, made) == Drift()
    assert graph_calls(bot) == ["POST /$batch"]


async def test_an_application_opened_to_others_costs_no_call(bot: Bot, made: Plan) -> None:
    [application] = bot.tenant.applications
    path, scope, role = f"/applications/{application['id']}", str(uuid4()), str(uuid4())
    exposed = {"id": scope, "value": "Mail.Relay", "type": "Admin", "isEnabled": True}
    words = {"adminConsentDisplayName": "Relay", "adminConsentDescription": "Relays mail"}
    offered = {"id": role, "value": "Payroll.Admin", "isEnabled": True, "displayName": "Admin"}
    client = str(uuid4())
    for body in (
        {"isFallbackPublicClient": True},
        {"web": {"implicitGrantSettings": {"enableAccessTokenIssuance": True}}},
        {"web": {"implicitGrantSettings": {"enableIdTokenIssuance": True}}},
        {"identifierUris": [f"api://{application['appId']}"]},
        {"appRoles": [{**offered, "description": "All", "allowedMemberTypes": ["User"]}]},
        {"api": {"oauth2PermissionScopes": [{**exposed, **words}]}},
        {
            "api": {
                "preAuthorizedApplications": [{"appId": client, "delegatedPermissionIds": [scope]}]
            }
        },
        {"spa": {"redirectUris": ["https://evil.example/spa"]}},
        {"publicClient": {"redirectUris": ["http://localhost"]}},
    ):
        await bot.graph.send("PATCH", path, body=body)
    told = await looked(bot, made)
    assert graph_calls(bot) == ["POST /$batch"]
    assert told.alarming == told.differences
    assert [each for each in told.differences if "redirect URL" in each] == [
        "A redirect URL was added: http://localhost",
        "A redirect URL was added: https://evil.example/spa",
    ]
    for word in ("Public client", "access tokens", "ID tokens", "api://", "Payroll", "Relay"):
        assert [each for each in told.differences if word in each], word
    assert [each for each in told.differences if each.endswith(f" consent: {client}")]
    assert len(told.differences) == 9


async def test_a_permission_never_granted_by_the_bot_costs_one_call(bot: Bot, made: Plan) -> None:
    [principal] = bot.tenant.service_principals
    sensitive = "9492366f-7969-46a4-8d15-ed1a20078fff"  # Sites.ReadWrite.All
    await granted_by_hand(bot, made, principal["id"], sensitive)
    told = await looked(bot, made)
    assert told.differences == ("Granted and not in the plan: Sites.ReadWrite.All (application).",)
    assert len(graph_calls(bot)) == 2


async def test_a_deleted_application_costs_one_call_more(bot: Bot, made: Plan) -> None:
    [application] = bot.tenant.applications
    await bot.graph.send("DELETE", f"/applications/{application['id']}")
    (told,) = (await looked(bot, made)).differences
    assert "it can be restored until then" in told
    assert graph_calls(bot) == ["POST /$batch", "POST /$batch"]


async def test_a_federated_credential_is_a_way_in_and_costs_no_call(bot: Bot, made: Plan) -> None:
    [application] = bot.tenant.applications
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    subject = "repo:mallory/x:ref:refs/heads/main"
    body = federated("build", subject, "https://token.actions.example")
    await bot.graph.send("POST", path, body=body)
    (told,) = (await looked(bot, made)).differences
    assert told == (
        "A federated credential was added by hand (“build”): https://token.actions.example lets"
        " “repo:mallory/x:ref:refs/heads/main” sign in as this application, without a secret."
    )
    assert graph_calls(bot) == ["POST /$batch"]


async def test_a_service_principal_made_anew_is_looked_at_instead(bot: Bot, made: Plan) -> None:
    [principal] = bot.tenant.service_principals
    await bot.graph.send("DELETE", f"/servicePrincipals/{principal['id']}")
    body = {"appId": principal["appId"]}
    new = (await bot.graph.send("POST", "/servicePrincipals", body=body)).body
    await granted_by_hand(bot, made, new["id"], lookup("Group.Read.All", Kind.ROLE).id)
    bot.clock.move(timedelta(hours=1))
    told = (await looked(bot, made)).differences
    assert told == (
        f"The service principal was deleted and made again by hand (object id {new['id']})."
        " Grants do not come back by themselves.",
        "Granted and not in the plan: Group.Read.All (application).",
        "No longer granted: Directory.Read.All (application).",
        "No longer granted: User.Read.All (application).",
        "No longer granted: User.Read (delegated).",
        "No longer granted: User.Read.All (delegated).",
    )
    assert graph_calls(bot) == ["POST /$batch", "POST /$batch"]


async def test_a_service_principal_that_both_is_there_and_is_not_is_a_lagging_replica(
    bot: Bot, made: Plan
) -> None:
    [principal] = bot.tenant.service_principals
    path = f"/servicePrincipals/{principal['id']}"
    bot.tenant.faults.fail("GET", path, status=404, code="Request_ResourceNotFound", times=4)
    with pytest.raises(NotFound):
        await parts.read(bot.site(made))


async def test_a_bot_that_lost_its_rights_asks_again_with_a_new_token(bot: Bot, made: Plan) -> None:
    bot.tenant.deny(bot.tenant.administrator, "Application.Read.All")
    bot.clock.move(timedelta(hours=2))
    told = await looked(bot, made)
    assert told.differences == ()
    assert "The application permissions: Entra refused (insufficient privileges)." in told.unseen
    assert len(graph_calls(bot)) == 2  # the batch, and once more with a new token


async def test_a_right_granted_since_the_token_was_made_is_used(bot: Bot, made: Plan) -> None:
    bot.tenant.deny(bot.tenant.administrator, "Application.Read.All")
    bot.clock.move(timedelta(hours=2))
    await bot.graph.roles()
    bot.tenant.allow(bot.tenant.administrator, "Application.Read.All")
    assert await looked(bot, made) == Drift()
    assert len(graph_calls(bot)) == 2


async def test_a_bot_that_may_see_nothing_fails(bot: Bot, made: Plan) -> None:
    bot.tenant.faults.refuse("GET", ".*")
    site = bot.site(made)
    with pytest.raises(Forbidden):
        await parts.read(site)


async def test_a_part_missing_beside_its_whole_is_not_believed(bot: Bot, made: Plan) -> None:
    bot.tenant.faults.fail("GET", "/owners", status=404, code="Request_ResourceNotFound", times=1)
    with pytest.raises(NotFound):
        await parts.read(bot.site(made))


async def test_a_collection_of_several_pages_is_read_whole() -> None:
    def page(*ids: str, **more: Any) -> httpx.Response:
        return answer(200, {"value": [{"id": id} for id in ids], **more})

    following = "https://graph.test/v1.0/x?$skiptoken=2"
    script = Script([page("a", **{"@odata.nextLink": following}), page("b")])
    first = {"value": [{"id": "a"}], "@odata.nextLink": following}
    async with client(script, clock=MovableClock(eager=True)) as graph:
        call, read = Call("GET", "/x"), Answer(status=200, body=first, request_id="")
        whole = await parts.whole(graph, call, read, parts.SHAPES[parts.OWNERS])
    assert [each["id"] for each in whole["value"]] == ["a", "b"]
