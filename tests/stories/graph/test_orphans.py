"""Marks in the tenant: whose they are is told by whole tags, and secrets by their names."""

from datetime import timedelta
from typing import Any

from graph.application import CREATE
from graph.orphans import MARK, find_deleted, find_lone_principals, find_tagged
from graph.preflight import tags
from tests.support.graph_bot import Bot, secret

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
    assert found[1].purged_at - found[0].purged_at == timedelta(days=1)
    left = found[0].purged_at - bot.clock.now()
    assert timedelta(days=26) < left <= timedelta(days=27)


async def bury_but_the_principal(bot: Bot, application: dict[str, Any]) -> None:
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


async def planted(bot: Bot, marks: tuple[str, ...], **more: Any) -> dict[str, Any]:
    body = {"displayName": "planted", "signInAudience": "AzureADMyOrg", "tags": list(marks), **more}
    return (await bot.graph.send("POST", "/applications", body=body)).body
