"""App Home: one person's own, told of when it is opened, redrawn by hash."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.workspace import CannotAct, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, error_of, modal, section
from tests.support.small_bot import connected


def home(text: str) -> Json:
    return {"type": "home", "blocks": [section(text), actions("Go")]}


class Bot:
    """Notes who opens it and what is clicked there, and opens a modal from there."""

    def __init__(self, app: AsyncApp) -> None:
        self.client = app.client
        self.opened: list[Json] = []
        self.clicked: list[Json] = []
        app.event("app_home_opened")(self.open)
        app.action("go")(self.go)

    async def open(self, event: Json) -> None:
        self.opened.append(event)

    async def go(self, ack: AsyncAck, body: Json, client: Client) -> None:
        self.clicked.append(body)
        await client.views_open(trigger_id=body["trigger_id"], view=modal(section("Sure?")))
        await ack()


@pytest.fixture
async def bot(app: AsyncApp, workspace: Workspace) -> AsyncIterator[Bot]:
    async with connected(app, workspace):
        yield Bot(app)


async def test_opening_tells_which_tab_and_what_is_shown(workspace: Workspace, bot: Bot) -> None:
    await workspace.open_home("rosa")
    await bot.client.views_publish(user_id=workspace.people["rosa"].id, view=home("mine"))
    await workspace.open_home("rosa")
    await workspace.open_messages("rosa")
    with pytest.raises(CannotAct, match="rosa sees no 'Go'"):
        await workspace.click("rosa", "Go")
    first, second, third = bot.opened
    assert [event["tab"] for event in bot.opened] == ["home", "home", "messages"]
    assert "view" not in first
    assert second["view"]["blocks"][0]["text"]["text"] == "mine"
    assert "view" not in third


async def test_a_home_is_its_owners_alone(workspace: Workspace, bot: Bot) -> None:
    await bot.client.views_publish(user_id=workspace.people["rosa"].id, view=home("mine"))
    assert await workspace.open_home("ada") is None
    shown = await workspace.open_home("rosa")
    assert shown
    assert workspace.text_of(shown) == "mine\n[Go]"
    with pytest.raises(CannotAct, match="ada sees no 'Go'"):
        await workspace.click("ada", "Go", on=shown)


async def test_a_home_is_published_while_it_is_opened(workspace: Workspace, app: AsyncApp) -> None:
    @app.event("app_home_opened")
    async def opened(event: Json, client: Client) -> None:
        await client.views_publish(user_id=event["user"], view=home("Welcome"))

    async with connected(app, workspace):
        shown = await workspace.open_home("rosa")
    assert shown
    assert workspace.text_of(shown) == "Welcome\n[Go]"
    assert workspace.home_of("ada") is None


async def test_only_an_open_home_can_be_clicked_in(workspace: Workspace, bot: Bot) -> None:
    await bot.client.views_publish(user_id=workspace.people["rosa"].id, view=home("mine"))
    with pytest.raises(CannotAct, match="rosa sees no 'Go'"):
        await workspace.click("rosa", "Go")
    await workspace.open_home("rosa")
    await workspace.click("rosa", "Go")
    view = workspace.view_of("rosa")
    [click] = bot.clicked
    assert click["container"]["type"] == click["view"]["type"].replace("home", "view")
    assert not {"channel", "message", "response_url"} & set(click)
    assert view
    assert workspace.text_of(view).startswith("Form")


async def test_the_block_says_which_of_several_equal_buttons(
    workspace: Workspace, bot: Bot
) -> None:
    rows = [{**actions("Go"), "block_id": id} for id in ("first", "second")]
    view = {"type": "home", "blocks": rows}
    await bot.client.views_publish(user_id=workspace.people["rosa"].id, view=view)
    shown = await workspace.open_home("rosa")
    await workspace.click("rosa", "go", on=shown, block_id="second")
    assert bot.clicked[0]["actions"][0]["block_id"] == "second"
    with pytest.raises(CannotAct, match="rosa sees no 'go'"):
        await workspace.click("rosa", "go", on=shown, block_id="third")


async def test_a_hash_guards_a_home(workspace: Workspace, client: Client) -> None:
    rosa = workspace.people["rosa"].id
    early = client.views_publish(user_id=rosa, view=home("x"), hash="made up")
    assert await error_of(early) == "hash_conflict"
    first = (await client.views_publish(user_id=rosa, view=home("one")))["view"]
    second = (await client.views_publish(user_id=rosa, view=home("two"), hash=first["hash"]))[
        "view"
    ]
    assert second["id"] == first["id"]
    stale = client.views_publish(user_id=rosa, view=home("three"), hash=first["hash"])
    assert await error_of(stale) == "hash_conflict"
    shown = workspace.home_of("rosa")
    assert shown
    assert "two" in workspace.text_of(shown)


async def test_a_home_is_published_and_not_updated(workspace: Workspace, client: Client) -> None:
    rosa = workspace.people["rosa"].id
    view = (await client.views_publish(user_id=rosa, view=home("one")))["view"]
    assert await error_of(client.views_update(view_id=view["id"], view=home("x"))) == "not_found"
    dora = client.views_publish(user_id=workspace.people["dora"].id, view=home("x"))
    assert await error_of(dora) == "invalid_arguments"


async def test_a_tab_that_is_off_cannot_be_opened(workspace: Workspace, client: Client) -> None:
    workspace.installation.home_enabled = False
    workspace.installation.messages_tab_enabled = False
    with pytest.raises(CannotAct, match="no home tab"):
        await workspace.open_home("rosa")
    off = client.views_publish(user_id=workspace.people["ada"].id, view=home("x"))
    assert await error_of(off) == "not_enabled"
    with pytest.raises(CannotAct, match="no messages tab"):
        await workspace.open_messages("rosa")
