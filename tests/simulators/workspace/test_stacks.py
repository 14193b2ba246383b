"""Modals upon modals, and what the app may still do to each."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, error_of, modal, plain, section, text_input
from tests.support.small_bot import connected


class Bot:
    """Opens a form at the command, pushes another at a click, and answers as it is told to."""

    def __init__(self, app: AsyncApp) -> None:
        self.client = app.client
        self.first = modal(text_input("Name"), actions("Go"), notify_on_close=True)
        self.second = modal(section("Sure?"), actions("Go"), notify_on_close=True)
        self.answer: dict[str, Any] = {}
        self.closed: list[Json] = []
        self.submitted: list[Json] = []
        app.command("/aad-setup")(self.command)
        app.action("go")(self.push)
        app.view("form")(self.submit)
        app.view_closed("form")(self.close)

    async def command(self, ack: AsyncAck, body: Json, client: Client) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=self.first)
        await ack()

    async def push(self, ack: AsyncAck, body: Json, client: Client) -> None:
        await client.views_push(trigger_id=body["trigger_id"], view=self.second)
        await ack()

    async def submit(self, ack: AsyncAck, view: Json) -> None:
        self.submitted.append(view)
        await ack(**self.answer)

    async def close(self, ack: AsyncAck, body: Json) -> None:
        self.closed.append(body)
        await ack()


@pytest.fixture
async def bot(app: AsyncApp, workspace: Workspace) -> AsyncIterator[Bot]:
    async with connected(app, workspace):
        yield Bot(app)


async def test_closing_shows_the_view_below(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    first = workspace.view_of("rosa")
    workspace.fill("rosa", {"Name": "payroll"})
    await workspace.click("rosa", "Go")
    second = workspace.view_of("rosa")
    assert first
    assert second
    assert second["root_view_id"] == second["previous_view_id"] == first["id"]
    await workspace.close_view("rosa")
    below = workspace.view_of("rosa")
    assert below
    assert "Name: payroll" in workspace.text_of(below)
    [told] = bot.closed
    assert (told["view"]["id"], told["is_cleared"]) == (second["id"], False)


async def test_the_cross_closes_the_whole_stack(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    first = workspace.view_of("rosa")
    await workspace.click("rosa", "Go")
    await workspace.close_view("rosa", whole=True)
    assert first
    assert workspace.view_of("rosa") is None
    [told] = bot.closed
    assert (told["view"]["id"], told["is_cleared"]) == (first["id"], True)
    gone = bot.client.views_update(view_id=first["id"], view=bot.second)
    assert await error_of(gone) == "not_found"


async def test_an_app_that_did_not_ask_hears_of_no_closing(workspace: Workspace, bot: Bot) -> None:
    bot.first = modal(section("x"))
    await workspace.command("rosa")
    await workspace.close_view("rosa")
    await workspace.command("rosa")
    await workspace.close_view("rosa", whole=True)
    assert bot.closed == []


async def test_a_view_below_can_be_updated_too(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    below = workspace.fill("rosa", {"Name": "payroll"})
    await workspace.click("rosa", "Go")
    view = modal(text_input("Name"), text_input("Why"))
    await bot.client.views_update(view_id=below["id"], view=view)
    await workspace.close_view("rosa")
    shown = workspace.view_of("rosa")
    assert shown
    text = workspace.text_of(shown)
    assert "Name: payroll" in text
    assert "Why: ____" in text


async def test_a_field_that_is_another_forgets_what_was_typed(
    workspace: Workspace, client: Client, bot: Bot
) -> None:
    await workspace.command("rosa")
    view = workspace.fill("rosa", {"Name": "payroll"})
    renamed = text_input("Name", initial_value="begin")
    renamed["element"]["action_id"] = "other"
    await client.views_update(view_id=view["id"], view=modal(renamed))
    await workspace.submit("rosa")
    assert bot.submitted[0]["state"]["values"] == {
        "name": {"other": {"type": "plain_text_input", "value": "begin"}}
    }


async def test_optional_fields_may_stay_empty(workspace: Workspace, bot: Bot) -> None:
    option = {"text": plain("Red"), "value": "r"}
    colours = {"type": "checkboxes", "action_id": "which", "options": [option]}
    bot.first = modal(
        {**text_input("Why"), "optional": True},
        {
            "type": "input",
            "block_id": "colours",
            "label": plain("Colours"),
            "element": colours,
            "optional": True,
        },
        text_input("Name"),
    )
    await workspace.command("rosa")
    with pytest.raises(CannotAct, match="'Name' must be filled in"):
        await workspace.submit("rosa")
    await workspace.submit("rosa", {"Name": "payroll"})
    values = bot.submitted[0]["state"]["values"]
    assert values["why"]["typed"]["value"] is None
    assert values["colours"]["which"]["selected_options"] == []


@pytest.mark.parametrize(
    "answer",
    [{"response_action": "update", "view": {"type": "modal"}}, {"response_action": "dance"}],
)
async def test_an_answer_that_slack_would_not_take_changes_nothing(
    workspace: Workspace, bot: Bot, answer: dict[str, Any]
) -> None:
    bot.answer = answer
    await workspace.command("rosa")
    before = workspace.view_of("rosa")
    refused = await workspace.submit("rosa", {"Name": "payroll"})
    assert refused.error
    assert before
    assert refused.view
    assert refused.view["id"] == before["id"]
    assert len(workspace.complaints) == 1


async def test_what_a_view_carries_has_its_limits(workspace: Workspace, bot: Bot) -> None:
    bot.first = modal(section("x"), private_metadata="x" * 3000)
    await workspace.command("rosa")
    view = workspace.view_of("rosa")
    assert view
    too_much = modal(section("x"), private_metadata="x" * 3001)
    with pytest.raises(SlackApiError, match="private_metadata"):
        await bot.client.views_update(view_id=view["id"], view=too_much)
    bare = {**modal(text_input("Name"))}
    del bare["submit"]
    with pytest.raises(SlackApiError, match="submit"):
        await bot.client.views_update(view_id=view["id"], view=bare)


async def test_a_later_update_wins_only_with_the_newest_hash(
    workspace: Workspace, client: Client, bot: Bot
) -> None:
    await workspace.command("rosa")
    view = workspace.view_of("rosa")
    assert view
    workspace.fill("rosa", {"Name": "typing changes no hash"})
    first = await client.views_update(view_id=view["id"], hash=view["hash"], view=bot.second)
    second = client.views_update(view_id=view["id"], hash=view["hash"], view=bot.first)
    assert await error_of(second) == "hash_conflict"
    again = await client.views_update(
        view_id=view["id"], hash=first["view"]["hash"], view=bot.first
    )
    assert again["view"]["hash"] != first["view"]["hash"]
