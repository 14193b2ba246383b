"""The same over HTTP, and delivery over signed HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.clock import MovableClock
from bot.playground.workspace import Kind, Workspace
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, choice, error_of, field, modal, plain, section, text_input
from tests.support.small_bot import connected, served

JSON = {"Content-Type": "application/json"}


class Sim:
    """Another program that acts through `/sim/`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def look(self, verb: str, **arguments: str) -> Any:
        async with self._session.get(f"{self._url}/sim/{verb}", params=arguments) as answer:
            return (await answer.json())["result"]

    async def act(self, verb: str, **arguments: object) -> tuple[int, Any]:
        async with self._session.post(f"{self._url}/sim/{verb}", json=arguments) as answer:
            said = await answer.json()
            return answer.status, said.get("result", said.get("error"))


@pytest.fixture
async def sim(workspace: Workspace) -> AsyncIterator[Sim]:
    async with aiohttp.ClientSession() as session:
        yield Sim(session, workspace.url)


def teach(app: AsyncApp, workspace: Workspace) -> None:
    """A wish is typed into a form, shown to approvers and approved."""
    kinds = field("Kind", choice("static_select", "Mimecast"))

    @app.command("/aad-setup")
    async def ask(ack: AsyncAck, body: Json, client: Client) -> None:
        await client.views_open(
            trigger_id=body["trigger_id"], view=modal(text_input("Name"), kinds)
        )
        await ack("opened")

    @app.view("form")
    async def sent(ack: AsyncAck, body: Json, client: Client) -> None:
        name = body["view"]["state"]["values"]["name"]["typed"]["value"]
        if name == "taken":
            await ack(response_action="errors", errors={"name": "This name is taken."})
            return
        await ack()
        asked = section(f"*Asked by* <@{body['user']['id']}>")
        card = [{"type": "header", "text": plain(name)}, asked, actions("Approve")]
        approvals = workspace.channels["approvals"].id
        await client.chat_postMessage(channel=approvals, text=name, blocks=card)

    @app.action("approve")
    async def approve(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        await respond(f"Approved by <@{body['user']['id']}>", replace_original=True, blocks=[])


async def test_a_program_can_do_what_people_do(
    workspace: Workspace, app: AsyncApp, sim: Sim
) -> None:
    teach(app, workspace)
    async with connected(app, workspace):
        status, reply = await sim.act("command", person="rosa", text="")
        assert (status, reply["text"]) == (200, "opened")
        assert "[Send]" in (await sim.look("view", person="rosa"))["shown"]
        await sim.act("fill", person="rosa", values={"Name": "payroll"})
        await sim.act("submit", person="rosa", values={"Kind": "Mimecast"})
        [message] = await sim.look("messages", where="approvals")
        assert message["shown"] == "payroll\nAsked by @rosa\n[Approve]"
        assert (await sim.act("click", person="ada", label="Approve"))[0] == 200
        [approved] = await sim.look("messages", where="approvals")
        assert approved["shown"] == "Approved by @ada"
        assert [it["text"] for it in await sim.look("ephemerals", person="rosa")] == ["opened"]
        assert await sim.look("home", person="rosa") is None
    state = await sim.look("state")
    assert (state["connections"], state["complaints"]) == (0, [])
    assert "rosa" in await sim.look("picture")
    assert {"call", "delivery", "message"} <= {it["kind"] for it in await sim.look("log")}


async def test_what_people_cannot_do_a_program_cannot_either(
    workspace: Workspace, sim: Sim
) -> None:
    assert await sim.act("submit", person="rosa") == (409, "rosa has no view open.")
    status, error = await sim.act("command", who="rosa")
    assert (status, "arguments" in error) == (409, True)
    assert (await sim.act("dance"))[0] == 404
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{workspace.url}/sim/command", data="{", headers=JSON) as answer,
    ):
        assert answer.status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9999"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_page_in_a_browser_can_neither_act_nor_look(
    workspace: Workspace, headers: dict[str, str], status: int
) -> None:
    body, deactivate = b'{"person": "ada"}', f"{workspace.url}/sim/deactivate"
    async with aiohttp.ClientSession() as session:
        async with session.post(deactivate, data=body, headers=JSON | headers) as answer:
            assert answer.status == status
        assert workspace.people["ada"].deleted is (status == 200)
        looks = {name: it for name, it in headers.items() if name != "Content-Type"}
        async with session.get(f"{workspace.url}/sim/state", headers=looks) as answer:
            assert answer.status == (status if looks else 200)


async def test_faults_and_time_are_in_reach(
    workspace: Workspace, client: Client, clock: MovableClock, sim: Sim
) -> None:
    await sim.act("faults", fault="fail", method="auth.test", error="fatal_error")
    assert await error_of(client.auth_test()) == "fatal_error"
    assert (await sim.act("faults", fault="rain"))[0] == 409
    await sim.act("clock", seconds=3600)
    assert (clock.now() - datetime.now(UTC)).total_seconds() > 3590


async def test_people_can_be_added_and_changed(
    workspace: Workspace, client: Client, sim: Sim
) -> None:
    await sim.act("add_person", name="zoe", real_name="Zoe New", is_restricted=True)
    await sim.act("add_external", name="pat", real_name="Pat Far")
    status, group = await sim.act("add_group", handle="admins", members=["ada", "zoe"])
    assert (status, group["members"][1]) == (200, workspace.people["zoe"].id)
    assert workspace.people["pat"].team_id != workspace.team_id
    await sim.act("change_person", person="zoe", is_restricted=False, tz="Asia/Tokyo")
    user = (await client.users_info(user=workspace.people["zoe"].id))["user"]
    assert (user["is_restricted"], user["tz"]) == (False, "Asia/Tokyo")
    assert (await sim.act("change_person", person="zoe", id="U1"))[0] == 409
    await sim.act("say", person="ben", text="@ada look")
    [notice] = await sim.look("notifications", person="ada")
    assert notice["text"] == "@ada look"
    await sim.act("rates", enforced=True)
    assert workspace.rates.enforced
    await sim.act("deactivate", person="zoe")
    assert workspace.groups["admins"].members == [workspace.people["ada"].id]


async def test_an_app_can_be_told_by_signed_requests(workspace: Workspace, app: AsyncApp) -> None:
    teach(app, workspace)
    heard: list[str] = []

    @app.event("app_mention")
    async def mentioned(event: Json) -> None:
        heard.append(event["text"])

    async with served(app.web_app()) as url:
        workspace.deliver_to(url)
        assert (await workspace.command("rosa")).text == "opened"
        refused = await workspace.submit("rosa", {"Name": "taken", "Kind": "Mimecast"})
        assert refused.errors == {"Name": "This name is taken."}
        sent = await workspace.submit("rosa", {"Name": "payroll"})
        assert (sent.acked, sent.view) == (True, None)
        assert (await workspace.click("ada", "Approve")).acked
        await workspace.mention("ada", "status")
    assert len(heard) == 1
    assert (await workspace.command("rosa")).error == "dispatch_failed"
    opened = app.client.apps_connections_open(app_token=workspace.app_token)
    assert await error_of(opened) == "forbidden_team"
    kinds = [it.what for it in workspace.log if it.kind is Kind.DELIVERY]
    acted = ["interactive"] * 3
    assert kinds == ["slash_commands", *acted, "events_api", "slash_commands"]


async def test_a_wrong_signature_is_refused_by_the_app(workspace: Workspace, app: AsyncApp) -> None:
    teach(app, workspace)
    workspace.installation.signing_secret = "changed"
    async with served(app.web_app()) as url:
        workspace.deliver_to(url)
        assert (await workspace.command("rosa")).error == "dispatch_failed"
        await workspace.mention("ada", "status")
    tries = [entry for entry in workspace.log if entry.what == "events_api"]
    assert len(tries) == 2
