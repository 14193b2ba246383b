"""Marks in the tenant: whose they are is told by whole tags, and secrets by their names."""

from typing import Any

from graph.orphans import MARK, marked
from graph.preflight import tags
from tests.graph.bots import Bot

HERE, ELSEWHERE = "aaaabbbbcccc", "ddddeeeeffff"


async def test_only_this_installation_s_applications_are_ours(bot: Bot) -> None:
    mine = await planted(bot, tags(HERE, "AAD-7K3F"))
    await planted(bot, tags(ELSEWHERE, "AAD-7K3F"))
    await planted(bot, (MARK, f"{MARK}:AAD-7K3F"))
    await planted(bot, ("vendor", f"x{MARK}:{HERE}:AAD-7K3F"))
    marks = await marked(bot.graph, installation=HERE)
    assert [(it.app_id, it.registration, it.is_complete) for it in marks.ours] == [
        (mine["appId"], "AAD-7K3F", True)
    ]
    assert marks.elsewhere == 2
    assert (marks.ours[0].created_by, marks.ours[0].key) == (bot.client_id, None)


async def test_every_page_is_read(bot: Bot) -> None:
    ids = {(await planted(bot, tags(HERE, f"AAD-222{n}")))["appId"] for n in range(5)}
    marks = await marked(bot.graph, installation=HERE, page=2)
    assert {it.app_id for it in marks.ours} == ids
    assert len(bot.tenant.calls("GET", "/applications")) == 3


async def test_a_copied_tag_alone_is_incomplete(bot: Bot) -> None:
    await planted(bot, (MARK, f"{MARK}:{HERE}:AAD-7K3F"))
    (found,) = (await marked(bot.graph, installation=HERE)).ours
    assert not found.is_complete


async def test_secrets_are_known_by_the_registration_s_id_in_their_names(bot: Bot) -> None:
    application = await planted(bot, tags(HERE, "AAD-7K3F"))
    names = ("Key · AAD-7K3F · 0123", "Key · AAD-7K3G · 0123", "by hand", "AAD-7K3F")
    keys = [await secret(bot, application, name) for name in names]
    (found,) = (await marked(bot.graph, installation=HERE)).ours
    assert found.secrets == (keys[0],)


async def test_looking_changes_nothing(bot: Bot) -> None:
    await planted(bot, tags(HERE, "AAD-7K3F"))
    before = len(bot.tenant.log)
    await marked(bot.graph, installation=HERE)
    assert {call.method for call in bot.tenant.log[before:]} == {"GET"}


async def planted(bot: Bot, marks: tuple[str, ...], **more: Any) -> dict[str, Any]:
    body = {
        "displayName": "planted",
        "signInAudience": "AzureADMyOrg",
        "tags": list(marks),
        **more,
    }
    return (await bot.graph.send("POST", "/applications", body=body)).body


async def secret(bot: Bot, application: dict[str, Any], name: str) -> str:
    answer = await bot.graph.send(
        "POST",
        f"/applications/{application['id']}/addPassword",
        body={"passwordCredential": {"displayName": name}},
        repeatable=False,
    )
    key_id: str = answer.body["keyId"]
    return key_id
