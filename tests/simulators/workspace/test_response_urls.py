"""response_urls: the only way to change an ephemeral message, five times in half an hour."""

from datetime import timedelta

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions
from tests.support.small_bot import Recorder, connected


async def post(url: str, body: Json) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        said = await answer.json()
        return answer.status, said.get("error", "ok")


@pytest.fixture
async def url(workspace: Workspace, client: Client, bot: Recorder) -> str:
    """Where a click in an ephemeral message is answered."""
    channel, rosa = workspace.channels["general"].id, workspace.people["rosa"].id
    await client.chat_postEphemeral(channel=channel, user=rosa, text="x", blocks=[actions("Go")])
    await workspace.click("rosa", "Go")
    return str(bot.heard[-1]["response_url"])


async def test_a_click_in_an_ephemeral_message_comes_without_it(
    workspace: Workspace, client: Client, bot: Recorder, url: str
) -> None:
    payload = bot.heard[-1]
    assert payload["response_url"] == url
    assert "message" not in payload
    assert payload["container"]["is_ephemeral"] is True
    await client.chat_postMessage(
        channel=workspace.channels["approvals"].id, text="x", blocks=[actions("Go")]
    )
    await workspace.click("ada", "Go")
    assert bot.heard[-1]["message"]["text"] == "x"
    assert bot.heard[-1]["container"]["is_ephemeral"] is False


async def test_only_the_click_can_change_the_ephemeral_message(
    workspace: Workspace, url: str
) -> None:
    await post(url, {"text": "shown", "replace_original": True})
    await post(url, {"text": "masked", "replace_original": True, "response_type": "in_channel"})
    assert [it["text"] for it in workspace.ephemerals("rosa")] == ["masked"]
    assert workspace.messages("general") == []


async def test_without_replacing_it_adds(workspace: Workspace, url: str) -> None:
    await post(url, {"text": "more"})
    await post(url, {"text": "for all", "response_type": "in_channel"})
    assert [it["text"] for it in workspace.ephemerals("rosa")] == ["x", "more"]
    assert [it["text"] for it in workspace.messages("general")] == ["for all"]


async def test_it_works_five_times(workspace: Workspace, url: str) -> None:
    answers = [await post(url, {"text": str(n), "replace_original": True}) for n in range(6)]
    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert [it["text"] for it in workspace.ephemerals("rosa")] == ["4"]


async def test_it_works_for_half_an_hour(clock: MovableClock, url: str) -> None:
    clock.move(timedelta(minutes=29))
    assert await post(url, {"text": "x", "replace_original": True}) == (200, "ok")
    clock.move(timedelta(minutes=2))
    assert await post(url, {"text": "y", "replace_original": True}) == (404, "expired_url")


async def test_a_replacement_after_a_reload_is_seen_by_nobody(
    workspace: Workspace, url: str
) -> None:
    workspace.reload("rosa")
    assert await post(url, {"text": "late", "replace_original": True}) == (200, "ok")
    assert workspace.ephemerals("rosa") == []
    assert [it.what for it in workspace.complaints] == ["a replacement of a message that is gone"]


async def test_a_command_cannot_replace_its_earlier_answer(
    workspace: Workspace, app: AsyncApp
) -> None:
    @app.command("/aad-setup")
    async def answer(ack: AsyncAck, respond: AsyncRespond) -> None:
        await respond("one")
        await respond("two", replace_original=True)
        await ack("three")

    async with connected(app, workspace):
        reply = await workspace.command("rosa", "help")
    assert reply.text == "one\ntwo\nthree"
    assert len(workspace.ephemerals("rosa")) == 3


async def test_what_cannot_be_shown_is_refused(workspace: Workspace, url: str) -> None:
    assert await post(url, {"blocks": [{"type": "plan"}]}) == (400, "invalid_blocks")
    assert await post(url, {"text": "x", "replace": True}) == (400, "invalid_arguments")
    assert await post(workspace.url + "/actions/guess", {"text": "x"}) == (404, "expired_url")
