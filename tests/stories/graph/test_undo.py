"""What was made is removed, all of it and nothing else: whose it is, marks tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graph.application import CREATE
from graph.calls import Json
from graph.errors import GraphError, NotOurs
from graph.orphans import MARK, find_deleted, find_lone_principals, find_tagged
from graph.plan import Plan, tags
from graph.removal import purge
from graph.step_context import StepContext
from graph.steps import remove_secret, remove_strays, stages
from tests.support.graph_bot import Bot, secret


@pytest.mark.slow
@pytest.mark.parametrize("window", [0.0, 2.0])
async def test_undo_leaves_nothing(bot: Bot, window: float, made: Plan) -> None:
    bot.tenant.faults.conflict_window = window
    app_id = bot.facts["application"]["app_id"]
    await bot.take_back(made)
    assert bot.tenant.applications == bot.tenant.service_principals == bot.tenant.grants == []
    with pytest.raises(GraphError):
        await bot.sign_in.token(app_id, bot.ledger.secret)


async def test_undo_can_be_repeated(bot: Bot, made: Plan) -> None:
    await bot.take_back(made)
    await bot.take_back(made)
    assert bot.tenant.applications == []


@pytest.mark.slow
@pytest.mark.parametrize("lag", [0.0, 60.0])
async def test_undo_of_a_run_that_failed_early_finds_what_it_made(bot: Bot, lag: float) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    bot.tenant.faults.reset("POST", "/appRoleAssignedTo", times=99)
    with pytest.raises(GraphError):
        await bot.carry_out(plan)
    await bot.take_back(plan)
    assert bot.tenant.applications == bot.tenant.service_principals == []


@pytest.mark.slow
async def test_undo_finds_an_application_whose_answer_was_lost(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.reset("PATCH", "/applications", times=99, when="after_effect")
    with pytest.raises(GraphError):
        await bot.carry_out(plan)
    assert len(bot.tenant.applications) == 1
    await bot.take_back(plan)
    assert bot.tenant.applications == []


async def test_undo_of_nothing_does_nothing(bot: Bot) -> None:
    await bot.take_back(await bot.plan())
    assert bot.tenant.calls("DELETE") == []


async def test_a_removed_secret_is_removed_again_without_a_fuss(bot: Bot, made: Plan) -> None:
    key_id = bot.facts["secret"]["key_id"]
    await remove_secret(bot.site(made), key_id)
    await remove_secret(bot.site(made), key_id)
    assert bot.tenant.live_secrets(bot.facts["application"]["app_id"]) == []


async def test_a_sweep_removes_strays_of_ours_and_nothing_else(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.reset("POST", "/addPassword", times=2, when="after_effect")
    await bot.carry_out(plan)
    application = f"/applications/{bot.facts['application']['object_id']}"
    by_hand = await bot.graph.send(
        "POST",
        f"{application}/addPassword",
        body={"passwordCredential": {"displayName": "by hand"}},
        repeatable=False,
    )
    ours = bot.facts["secret"]["key_id"]
    removed = await remove_strays(bot.site(plan), frozenset({ours}))
    left = bot.tenant.live_secrets(bot.facts["application"]["app_id"])
    assert len(removed) == 2
    assert {each["keyId"] for each in left} == {ours, by_hand.body["keyId"]}


async def test_undo_says_what_entra_keeps_of_it(bot: Bot, made: Plan) -> None:
    ids = {name: bot.facts[name]["object_id"] for name in ("application", "service_principal")}
    app_id = bot.facts["application"]["app_id"]
    first, again = await taken_back(bot, made), await taken_back(bot, made)
    assert {name: each["object_id"] for name, each in first.items()} == ids
    assert {each["app_id"] for each in first.values()} == {app_id}
    assert all(each["was_there"] for each in first.values())
    assert not any(each["was_there"] for each in again.values())


async def purged(site: StepContext, step: str, buried: Json, **changes: Any) -> bool:
    wanted = {name: buried[name] for name in ("object_id", "app_id")} | changes
    return await purge(site, step=step, deleted_at=site.clock.now(), **wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"key": "another"}, {"tags": ("aad-setup", "of another")}, {}], ids=str
)
async def test_only_what_carries_all_marks_is_deleted_for_good(
    bot: Bot, changes: Json, made: Plan
) -> None:
    buried = (await taken_back(bot, made))["application"]
    site = replace(bot.site(replace(made, **changes)), facts={})
    if changes:
        with pytest.raises(NotOurs):
            await purged(site, "application", buried)
    with pytest.raises(NotOurs):
        await purged(site, "application", buried, app_id="another")
    with pytest.raises(NotOurs):
        await purged(replace(site, bot_client_id="another"), "application", buried)
    assert len(bot.tenant.deleted) == 2
    if not changes:
        assert await purged(site, "application", buried)
        assert not await purged(site, "application", buried)
        assert len(bot.tenant.deleted) == 1


async def test_a_service_principal_of_another_registration_stays_in_the_bin(
    bot: Bot, made: Plan
) -> None:
    buried = (await taken_back(bot, made))["service_principal"]
    others = replace(made, key="another", tags=("aad-setup", "of another"))
    with pytest.raises(NotOurs):
        await purged(replace(bot.site(others), facts={}), "service_principal", buried)
    assert len(bot.tenant.deleted) == 2
    assert await purged(replace(bot.site(made), facts={}), "service_principal", buried)


async def taken_back(bot: Bot, plan: Plan) -> Json:
    """Walk back, and return what each step says of what Entra keeps."""
    kept = {}
    for stage in reversed(stages(plan)):
        for each in stage:
            if each.undo is not None and (buried := await each.undo(bot.site(plan))):
                kept[each.name] = buried
    return kept


HERE, ELSEWHERE = "aaaabbbbcccc", "ddddeeeeffff"


async def test_only_this_installation_s_applications_are_ours(bot: Bot) -> None:
    mine = await planted(bot, tags(HERE, "AAD-7K3F"))
    await planted(bot, tags(ELSEWHERE, "AAD-7K3F"))
    await planted(bot, (MARK, f"{MARK}:AAD-7K3F"))
    await planted(bot, ("vendor", f"x{MARK}:{HERE}:AAD-7K3F"))
    marks = await find_tagged(bot.graph, installation=HERE)
    assert [(it.app_id, it.registration, it.is_complete) for it in marks.ours] == [
        (mine["appId"], "AAD-7K3F", True)
    ]
    assert marks.elsewhere == 2
    assert (marks.ours[0].created_by, marks.ours[0].key) == (bot.client_id, None)


async def test_every_page_is_read(bot: Bot) -> None:
    ids = {(await planted(bot, tags(HERE, f"AAD-222{n}")))["appId"] for n in range(5)}
    marks = await find_tagged(bot.graph, installation=HERE, page=2)
    assert {it.app_id for it in marks.ours} == ids
    assert len(bot.tenant.calls("GET", "/applications")) == 3


async def test_a_copied_tag_alone_is_incomplete(bot: Bot) -> None:
    await planted(bot, (MARK, f"{MARK}:{HERE}:AAD-7K3F"))
    (found,) = (await find_tagged(bot.graph, installation=HERE)).ours
    assert not found.is_complete


async def test_secrets_are_known_by_the_registration_s_id_in_their_names(bot: Bot) -> None:
    application = await planted(bot, tags(HERE, "AAD-7K3F"))
    names = ("Key · AAD-7K3F · 0123", "Key · AAD-7K3G · 0123", "by hand", "AAD-7K3F")
    keys = [await secret(bot, application, name) for name in names]
    (found,) = (await find_tagged(bot.graph, installation=HERE)).ours
    assert [each.key_id for each in found.held] == [keys[0]]


async def test_a_service_principal_is_alone_only_if_its_application_is_gone(bot: Bot) -> None:
    untagged = await planted(bot, tags(HERE, "AAD-7K3F"))
    lost = await planted(bot, tags(HERE, "AAD-2222"))
    theirs = await planted(bot, tags(ELSEWHERE, "AAD-2222"))
    for each in (untagged, lost, theirs):
        path = f"/servicePrincipals(appId='{each['appId']}')"
        await bot.graph.send("PATCH", path, body={}, headers=CREATE)
    await bot.graph.send("PATCH", f"/applications/{untagged['id']}", body={"tags": []})
    for each in (lost, theirs):
        await bury_but_the_principal(bot, each)
    (found,) = await find_lone_principals(bot.graph, installation=HERE, known=set(), page=1)
    assert (found.app_id, found.registration) == (lost["appId"], "AAD-2222")
    known = {lost["appId"]}
    assert await find_lone_principals(bot.graph, installation=HERE, known=known) == ()


async def test_the_next_to_be_purged_comes_first(bot: Bot) -> None:
    ids = []
    for number in (3, 2, 4):
        each = await planted(bot, tags(HERE, f"AAD-222{number}"))
        await bot.graph.send("DELETE", f"/applications/{each['id']}")
        ids.append(each["id"])
        bot.clock.move(timedelta(days=1))
    theirs = await planted(bot, tags(ELSEWHERE, "AAD-2222"))
    await bot.graph.send("DELETE", f"/applications/{theirs['id']}")
    found = await find_deleted(bot.graph, installation=HERE, page=2)
    assert [each.id for each in found] == ids
    apart = found[1].purged_at - found[0].purged_at  # of whole seconds
    assert abs(apart - timedelta(days=1)) <= timedelta(seconds=1)
    left = found[0].purged_at - bot.clock.now()
    assert timedelta(days=26) < left <= timedelta(days=27)


async def bury_but_the_principal(bot: Bot, application: Json) -> None:
    (principal,) = [
        each for each in bot.tenant.service_principals if each["appId"] == application["appId"]
    ]
    await bot.graph.send("DELETE", f"/applications/{application['id']}")
    await bot.graph.send("POST", f"/directory/deletedItems/{principal['id']}/restore", body={})
    bot.tenant.log.clear()  # somebody else's hand, with rights that the bot does not have


async def test_looking_changes_nothing(bot: Bot) -> None:
    await planted(bot, tags(HERE, "AAD-7K3F"))
    before = len(bot.tenant.log)
    await find_tagged(bot.graph, installation=HERE)
    await find_lone_principals(bot.graph, installation=HERE, known=())
    await find_deleted(bot.graph, installation=HERE)
    assert {call.method for call in bot.tenant.log[before:]} == {"GET"}


async def planted(bot: Bot, marks: tuple[str, ...], **more: Any) -> Json:
    body = {"displayName": "planted", "signInAudience": "AzureADMyOrg", "tags": list(marks), **more}
    return (await bot.graph.send("POST", "/applications", body=body)).body
