"""Modals: opened by a trigger, filled in as a client allows, answered by an ack, stacked."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import (
    actions,
    choice,
    error_of,
    field,
    modal,
    plain,
    section,
    text_input,
)
from tests.support.small_bot import connected


class Bot:
    """Opens a form at the command, pushes another at a click, and answers as it is told to."""

    def __init__(self, app: AsyncApp) -> None:
        self.client = app.client
        self.first: Json | None = modal(text_input("Name", max_length=7), actions("Go"))
        self.second: Json | None = None
        self.answer: dict[str, Any] = {}
        self.triggers: list[str] = []
        self.submitted: list[Json] = []
        app.command("/aad-setup")(self.command)
        app.action("go")(self.click)
        app.view("form")(self.submit)

    @property
    def values(self) -> Json:
        """What was sent last."""
        return dict(self.submitted[-1]["state"]["values"])

    async def command(self, ack: AsyncAck, body: Json, client: Client) -> None:
        self.triggers.append(body["trigger_id"])
        if self.first:
            await client.views_open(trigger_id=body["trigger_id"], view=self.first)
        await ack()

    async def click(self, ack: AsyncAck, body: Json, client: Client) -> None:
        self.triggers.append(body["trigger_id"])
        if self.second:
            await client.views_push(trigger_id=body["trigger_id"], view=self.second)
        await ack()

    async def submit(self, ack: AsyncAck, view: Json) -> None:
        self.submitted.append(view)
        await ack(**self.answer)


@pytest.fixture
async def bot(app: AsyncApp, workspace: Workspace) -> AsyncIterator[Bot]:
    async with connected(app, workspace):
        yield Bot(app)


def front(workspace: Workspace) -> Json:
    """Return the view before Rosa's eyes."""
    view = workspace.view_of("rosa")
    assert view
    return view


async def test_a_trigger_opens_one_view(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    assert bot.first
    again = bot.client.views_open(trigger_id=bot.triggers[0], view=bot.first)
    assert await error_of(again) == "exchanged_trigger_id"
    guessed = bot.client.views_open(trigger_id="1.2.x", view=bot.first)
    assert await error_of(guessed) == "invalid_trigger_id"


async def test_a_trigger_lives_three_seconds(
    workspace: Workspace, client: Client, clock: MovableClock, bot: Bot
) -> None:
    bot.first = None
    await workspace.command("rosa")
    clock.move(timedelta(seconds=4))
    late = client.views_open(trigger_id=bot.triggers[0], view=modal(section("x")))
    assert await error_of(late) == "expired_trigger_id"


async def test_a_client_refuses_what_does_not_fit(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    with pytest.raises(CannotAct, match="must be filled in"):
        await workspace.submit("rosa")
    with pytest.raises(CannotAct, match="too many"):
        await workspace.submit("rosa", {"Name": "too long"})
    with pytest.raises(CannotAct, match="no field 'Nam'"):
        await workspace.submit("rosa", {"Nam": "x"})
    assert bot.submitted == []


async def test_errors_stand_at_their_fields_and_what_was_typed_stays(
    workspace: Workspace, bot: Bot
) -> None:
    bot.answer = {"response_action": "errors", "errors": {"name": "Taken."}}
    await workspace.command("rosa")
    refused = await workspace.submit("rosa", {"Name": "one"})
    assert refused.errors == {"Name": "Taken."}
    bot.answer = {}
    sent = await workspace.submit("rosa")
    assert (sent.errors, sent.view) == ({}, None)
    assert bot.values["name"]["typed"]["value"] == "one"


async def test_only_a_click_inside_can_push(workspace: Workspace, bot: Bot) -> None:
    bot.first = None
    await workspace.command("rosa")
    pushed = bot.client.views_push(trigger_id=bot.triggers[0], view=modal(section("x")))
    assert await error_of(pushed) == "not_found"


async def test_every_kind_of_field_can_be_filled_in(workspace: Workspace, bot: Bot) -> None:
    menu, boxes = (choice(type, "Red", "Blue") for type in ("static_select", "checkboxes"))
    boxes["initial_options"] = boxes["options"]
    bot.first = modal(field("Menu", menu), field("Boxes", boxes), text_input("Name"))
    await workspace.command("rosa")
    view = workspace.fill("rosa", {"Menu": "Red", "Boxes": ["Red"], "Name": "payroll"})
    shown = workspace.text_of(view)
    await workspace.submit("rosa")
    assert bot.values["menu"]["pick"]["selected_option"]["value"] == "red"
    assert bot.values["boxes"]["pick"]["selected_options"] == boxes["options"][:1]
    assert bot.values["name"]["typed"]["value"] == "payroll"
    assert "Menu: Red\nBoxes: ☑ Red  ☐ Blue\nName: payroll" in shown


async def test_a_menu_that_is_dispatched_tells_the_app(
    workspace: Workspace, app: AsyncApp, bot: Bot
) -> None:
    menu = field("Kind", choice("static_select", "Mimecast", "Sophos"), dispatch_action=True)
    bot.first = modal(menu)
    seen: list[Json] = []

    @app.action("pick")
    async def pick(ack: AsyncAck, action: Json, body: Json, client: Client) -> None:
        seen.append(action)
        view = modal(menu, section(f"for {action['selected_option']['value']}"))
        await client.views_update(view_id=body["view"]["id"], view=view)
        await ack()

    await workspace.command("rosa")
    await workspace.choose("rosa", "Kind", "Sophos")
    assert seen[0]["selected_option"]["value"] == "sophos"
    assert "for sophos" in workspace.text_of(front(workspace))


async def test_an_answer_redraws_the_view_and_none_closes_it(
    workspace: Workspace, bot: Bot
) -> None:
    await workspace.command("rosa")
    second = modal(text_input("Name"), title=plain("Second"))
    bot.answer = {"response_action": "update", "view": second}
    updated = await workspace.submit("rosa", {"Name": "one"})
    assert updated.view
    assert workspace.text_of(updated.view) == "Second\n──────\nName: one\n[Send]"
    bot.answer = {}
    assert (await workspace.submit("rosa")).view is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"response_action": "errors", "errors": {"nowhere": "No."}}, "invalid_error_blocks"),
        ({"response_action": "update", "view": {"type": "modal"}}, "invalid_arguments"),
        ({"response_action": "dance"}, "invalid_response_action"),
    ],
)
async def test_an_answer_that_slack_would_not_take_is_the_app_s_fault_and_changes_nothing(
    workspace: Workspace, bot: Bot, answer: dict[str, Any], error: str
) -> None:
    bot.answer = answer
    await workspace.command("rosa")
    before = front(workspace)
    refused = await workspace.submit("rosa", {"Name": "one"})
    assert refused.error == error
    assert refused.view
    assert refused.view["id"] == before["id"]
    assert len(workspace.complaints) == 1


async def test_an_update_needs_an_open_view_and_its_newest_hash(
    workspace: Workspace, client: Client, bot: Bot
) -> None:
    await workspace.command("rosa")
    view, new = front(workspace), modal(section("new"))
    workspace.fill("rosa", {"Name": "typing"})  # changes no hash
    first = await client.views_update(view_id=view["id"], hash=view["hash"], view=new)
    stale = client.views_update(view_id=view["id"], hash=view["hash"], view=new)
    assert await error_of(stale) == "hash_conflict"
    newest = first["view"]["hash"]
    again = await client.views_update(view_id=view["id"], hash=newest, view=new)
    assert again["view"]["hash"] != newest
    await workspace.close_view("rosa")
    closed = client.views_update(view_id=view["id"], view=new)
    assert await error_of(closed) == "not_found"


async def test_views_are_stacked_three_high_and_closing_shows_the_one_below(
    workspace: Workspace, bot: Bot
) -> None:
    bot.second = modal(section("Sure?"), actions("Go"))
    await workspace.command("rosa")
    first = workspace.fill("rosa", {"Name": "payroll"})
    await workspace.click("rosa", "Go")
    second = front(workspace)
    assert second["root_view_id"] == second["previous_view_id"] == first["id"]
    await workspace.click("rosa", "Go")
    bot.second = None
    await workspace.click("rosa", "Go")
    fourth = bot.client.views_push(trigger_id=bot.triggers[-1], view=modal(section("x")))
    assert await error_of(fourth) == "push_limit_reached"
    left = (await workspace.submit("rosa")).view  # an empty answer uncovers the view below
    assert left
    assert left["previous_view_id"] == left["root_view_id"]
    await workspace.close_view("rosa")
    assert "Name: payroll" in workspace.text_of(front(workspace))
    await workspace.close_view("rosa")
    assert workspace.view_of("rosa") is None


async def test_a_view_below_can_be_updated_too(workspace: Workspace, bot: Bot) -> None:
    bot.second = modal(section("Sure?"))
    await workspace.command("rosa")
    below = workspace.fill("rosa", {"Name": "payroll"})
    await workspace.click("rosa", "Go")
    view = modal(text_input("Name"), text_input("Why"))
    await bot.client.views_update(view_id=below["id"], view=view)
    await workspace.close_view("rosa")
    text = workspace.text_of(front(workspace))
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
    assert bot.values == {"name": {"other": {"type": "plain_text_input", "value": "begin"}}}


async def test_optional_fields_may_stay_empty(workspace: Workspace, bot: Bot) -> None:
    colours = field("Colours", choice("checkboxes", "Red"), optional=True)
    bot.first = modal({**text_input("Why"), "optional": True}, colours, text_input("Name"))
    await workspace.command("rosa")
    with pytest.raises(CannotAct, match="'Name' must be filled in"):
        await workspace.submit("rosa")
    await workspace.submit("rosa", {"Name": "payroll"})
    assert bot.values["why"]["typed"]["value"] is None
    assert bot.values["colours"]["pick"]["selected_options"] == []


async def test_what_a_view_carries_has_its_limits(workspace: Workspace, bot: Bot) -> None:
    bot.first = modal(section("x"), private_metadata="x" * 3000)
    await workspace.command("rosa")
    view = front(workspace)
    too_much = modal(section("x"), private_metadata="x" * 3001)
    with pytest.raises(SlackApiError, match="private_metadata"):
        await bot.client.views_update(view_id=view["id"], view=too_much)


async def test_a_view_without_a_submit_button_cannot_be_submitted(
    workspace: Workspace, bot: Bot
) -> None:
    bot.first = modal(section("read only"))
    del bot.first["submit"]
    await workspace.command("rosa")
    with pytest.raises(CannotAct, match="nothing to submit"):
        await workspace.submit("rosa")
    await workspace.close_view("rosa")
    with pytest.raises(CannotAct, match="no view open"):
        await workspace.submit("rosa")


async def test_a_broken_app_leaves_the_form_open(workspace: Workspace, app: AsyncApp) -> None:
    Bot(app)
    async with connected(app, workspace):
        await workspace.command("rosa")
    refused = await workspace.submit("rosa", {"Name": "x"})
    assert refused.error == "dispatch_failed"
    assert refused.view is not None
