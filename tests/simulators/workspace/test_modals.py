"""Modals: opened by a trigger, filled in as a client allows, answered by an ack."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.fields import filled
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, error_of, modal, plain, section, text_input
from tests.support.small_bot import connected


class Bot:
    """Opens a view at the command and answers submissions with what it is told to."""

    def __init__(self, app: AsyncApp, view: Json | None = None) -> None:
        self.client = app.client
        self.view = view
        self.answer: dict[str, Any] = {}
        self.triggers: list[str] = []
        self.values: Json = {}
        self.closed: list[Json] = []
        app.command("/aad-setup")(self.command)
        app.view("form")(self.submitted)
        app.view_closed("form")(self.view_closed)
        app.action("go")(self.clicked)

    async def command(self, ack: AsyncAck, body: Json, client: Client) -> None:
        self.triggers.append(body["trigger_id"])
        if self.view:
            await client.views_open(trigger_id=body["trigger_id"], view=self.view)
        await ack()

    async def clicked(self, ack: AsyncAck, body: Json) -> None:
        self.triggers.append(body["trigger_id"])
        await ack()

    async def submitted(self, ack: AsyncAck, view: Json) -> None:
        self.values = view["state"]["values"]
        await ack(**self.answer)

    async def view_closed(self, ack: AsyncAck, body: Json) -> None:
        self.closed.append(body)
        await ack()


@pytest.fixture
async def bot(app: AsyncApp, workspace: Workspace) -> AsyncIterator[Bot]:
    async with connected(app, workspace):
        yield Bot(app, modal(text_input("Name", max_length=5), actions("Go")))


async def test_a_trigger_opens_one_view(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    assert bot.view
    again = bot.client.views_open(trigger_id=bot.triggers[0], view=bot.view)
    assert await error_of(again) == "exchanged_trigger_id"
    guessed = bot.client.views_open(trigger_id="1.2.x", view=bot.view)
    assert await error_of(guessed) == "invalid_trigger_id"


async def test_a_trigger_lives_three_seconds(
    workspace: Workspace, client: Client, clock: MovableClock, bot: Bot
) -> None:
    bot.view = None
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
    assert bot.values == {}


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


async def test_an_answer_slack_would_not_take_is_the_apps_fault(
    workspace: Workspace, bot: Bot
) -> None:
    bot.answer = {"response_action": "errors", "errors": {"nowhere": "No."}}
    await workspace.command("rosa")
    refused = await workspace.submit("rosa", {"Name": "one"})
    assert refused.error == "invalid_error_blocks"
    assert refused.view is not None
    assert len(workspace.complaints) == 1


async def test_answers_update_push_and_clear(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    second = modal(text_input("Name"), title=plain("Second"))
    bot.answer = {"response_action": "update", "view": second}
    updated = await workspace.submit("rosa", {"Name": "one"})
    assert updated.view
    assert workspace.text_of(updated.view) == "Second\n──────\nName: one\n[Send]"
    bot.answer = {"response_action": "push", "view": modal(section("Sure?"))}
    assert (await workspace.submit("rosa")).view != updated.view
    bot.answer = {"response_action": "clear"}
    assert (await workspace.submit("rosa")).view is None


async def test_an_empty_answer_uncovers_the_view_below(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    for _ in range(2):
        await workspace.click("rosa", "Go")
        view = modal(section("x"), actions("Go"))
        await bot.client.views_push(trigger_id=bot.triggers[-1], view=view)
    await workspace.click("rosa", "Go")
    fourth = bot.client.views_push(trigger_id=bot.triggers[-1], view=modal(section("x")))
    assert await error_of(fourth) == "push_limit_reached"
    left = (await workspace.submit("rosa")).view
    assert left
    assert left["previous_view_id"] == left["root_view_id"]


async def test_only_a_click_inside_can_push(workspace: Workspace, bot: Bot) -> None:
    bot.view = None
    await workspace.command("rosa")
    pushed = bot.client.views_push(trigger_id=bot.triggers[0], view=modal(section("x")))
    assert await error_of(pushed) == "not_found"


async def test_an_update_needs_an_open_view_and_its_hash(workspace: Workspace, bot: Bot) -> None:
    await workspace.command("rosa")
    view = workspace.view_of("rosa")
    assert view
    new = modal(section("new"))
    await bot.client.views_update(view_id=view["id"], hash=view["hash"], view=new)
    stale = bot.client.views_update(view_id=view["id"], hash=view["hash"], view=new)
    assert await error_of(stale) == "hash_conflict"
    await workspace.close_view("rosa")
    closed = bot.client.views_update(view_id=view["id"], view=new)
    assert await error_of(closed) == "not_found"


async def test_closing_is_told_to_those_who_ask(workspace: Workspace, bot: Bot) -> None:
    bot.view = modal(text_input("Name"), notify_on_close=True)
    await workspace.command("rosa")
    workspace.fill("rosa", {"Name": "x"})
    await workspace.close_view("rosa")
    assert bot.closed[0]["view"]["state"] == {"values": {}}
    assert workspace.view_of("rosa") is None


async def test_every_kind_of_field_can_be_filled_in(workspace: Workspace, bot: Bot) -> None:
    options = [{"text": plain(word), "value": word.lower()} for word in ("Red", "Blue")]
    elements: list[Json] = [
        {"type": "static_select", "options": options},
        {"type": "checkboxes", "options": options, "initial_options": options},
        {"type": "plain_text_input"},
    ]
    typed = ["Red", ["Red"], "payroll"]
    kinds = [str(element["type"]) for element in elements]
    blocks = [
        {
            "type": "input",
            "block_id": kind,
            "label": plain(kind),
            "element": {**element, "action_id": "it"},
        }
        for kind, element in zip(kinds, elements, strict=True)
    ]
    bot.view = modal(*blocks)
    await workspace.command("rosa")
    view = workspace.fill("rosa", dict(zip(kinds, typed, strict=True)))
    shown = workspace.text_of(view)
    await workspace.submit("rosa")
    assert bot.values["static_select"]["it"]["selected_option"]["value"] == "red"
    assert bot.values["checkboxes"]["it"]["selected_options"] == options[:1]
    assert bot.values["plain_text_input"]["it"]["value"] == "payroll"
    assert "static_select: Red\ncheckboxes: ☑ Red  ☐ Blue\nplain_text_input: payroll" in shown


async def test_a_menu_that_is_dispatched_tells_the_app(
    workspace: Workspace, app: AsyncApp, bot: Bot
) -> None:
    options = [{"text": plain(word), "value": word} for word in ("Mimecast", "Sophos")]
    menu = {"type": "static_select", "action_id": "pick", "options": options}
    field = {"type": "input", "label": plain("Kind"), "element": menu, "dispatch_action": True}
    bot.view = modal(field)
    seen: list[Json] = []

    @app.action("pick")
    async def pick(ack: AsyncAck, action: Json, body: Json, client: Client) -> None:
        seen.append(action)
        view = modal(field, section(f"for {action['selected_option']['value']}"))
        await client.views_update(view_id=body["view"]["id"], view=view)
        await ack()

    await workspace.command("rosa")
    await workspace.choose("rosa", "Kind", "Sophos")
    view = workspace.view_of("rosa")
    assert view
    assert seen[0]["selected_option"]["value"] == "Sophos"
    assert "for Sophos" in workspace.text_of(view)


@pytest.mark.parametrize(
    ("element", "wanted", "refusal"),
    [
        ({"type": "plain_text_input", "min_length": 3}, "ab", "too few"),
        (
            {"type": "static_select", "options": [{"text": plain("Red"), "value": "r"}]},
            "r",
            "no choice 'r'; there are 'Red'",
        ),
        ({"type": "file_input"}, "x", "Nobody can fill in"),
    ],
)
def test_a_field_takes_only_what_a_client_would_send(
    element: Json, wanted: object, refusal: str
) -> None:
    with pytest.raises(CannotAct, match=refusal):
        filled(element, wanted)


async def test_a_view_without_a_submit_button_cannot_be_submitted(
    workspace: Workspace, bot: Bot
) -> None:
    view = modal(section("read only"), clear_on_close=True, notify_on_close=True)
    del view["submit"]
    bot.view = view
    await workspace.command("rosa")
    with pytest.raises(CannotAct, match="nothing to submit"):
        await workspace.submit("rosa")
    await workspace.close_view("rosa")
    with pytest.raises(CannotAct, match="no view open"):
        await workspace.submit("rosa")
    assert bot.closed[0]["is_cleared"] is True


async def test_a_broken_app_leaves_the_form_open(workspace: Workspace, app: AsyncApp) -> None:
    Bot(app, modal(text_input("Name")))
    async with connected(app, workspace):
        await workspace.command("rosa")
    refused = await workspace.submit("rosa", {"Name": "x"})
    assert refused.error == "dispatch_failed"
    assert refused.view is not None
