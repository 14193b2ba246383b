"""Both transports under the whole bot: the main road, breaks, stops, and what is not for us."""

import asyncio
import socket

import pytest
import sqlalchemy as sa

from bot.checks import CannotStart
from bot.playground.stage import Stage
from bot.storage.tables import votes
from tests.support.http_endpoint import HttpEndpoint, stamped
from tests.support.http_modes import MODES, Serving, environ
from tests.support.marks import slow
from tests.support.story import Story

FORM = {"Application name": "billing", "Reason": "To sync the directory"}


async def test_the_main_road_by_signed_requests(
    stage: Stage, serving: Serving, door: HttpEndpoint
) -> None:
    async with serving(**door.signed(stage)):
        story = Story(stage)
        assert (await door.ask("/readyz")).body == {"ready": True}
        assert (await door.ask("/healthz")).body == {"alive": True}
        id = await story.ready()
        assert "••••••••" in await story.values(id)
        assert "••••••••" not in await story.reveal()
        asked = await story.workspace.mention("ben", f"status {id}")
        await story.until(lambda: story.workspace.replies(asked))
        await story.workspace.redeliver()  # newly signed, as Slack's own retries are
        assert len(story.workspace.replies(asked)) == 1
        sent = await story.workspace.command("ben", "")
        assert sent.text.startswith("You can't request applications yet.")
        assert story.workspace.connections == 0
        assert not story.workspace.calls("apps.connections.open")
    assert not stage.workspace.complaints


async def test_what_is_forged_changes_nothing(
    stage: Stage, serving: Serving, door: HttpEndpoint
) -> None:
    async with serving(**door.signed(stage)):
        body = f"command=%2Faad-setup&team_id={stage.workspace.team_id}&text=help"
        headers = stamped("another-secret", body)
        told = await door.send("POST", "/slack/events", data=body, headers=headers)
        assert (told.status, told.body) == (401, "")
        assert not stage.workspace.calls("users.info")


@pytest.mark.slow
async def test_a_captured_approval_does_not_count_again_after_a_restart(
    stage: Stage, serving: Serving, door: HttpEndpoint
) -> None:
    story, changes = Story(stage), {**door.signed(stage), "APPROVALS_NEEDED": "2"}
    http = story.workspace.deliver_to(f"{door.url}/slack/events")
    async with serving(**changes):
        id = await story.ask()
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        captured = http._latest
        assert captured
        await story.until(lambda: "1 of 2" in story.card())
        await story.workspace.click("ada", "Withdraw my approval", on=story.card_of(id))
        await story.until(lambda: "1 of 2" not in story.card())
    async with serving(**changes) as bot:
        assert (await http.send(*captured)).status == 401
        async with bot.services.database.reading() as tx:
            assert not (await tx.execute(sa.select(votes))).all()


async def test_in_socket_mode_nothing_is_taken_at_the_port(
    stage: Stage, serving: Serving, door: HttpEndpoint
) -> None:
    async with serving(**door.watched()):
        body = "command=%2Faad-setup&text=help"
        headers = stamped(stage.workspace.signing_secret, body)
        told = await door.send("POST", "/slack/events", data=body, headers=headers)
        assert told.status == 404
        assert (await door.ask("/readyz")).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_a_stop_finishes_what_is_listened_to_and_takes_nothing_more(
    stage: Stage, serving: Serving, door: HttpEndpoint, mode: str
) -> None:
    changes = environ(mode, door, stage)
    workspace, stopping, started = stage.workspace, asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with serving(**changes):
            started.set()
            await stopping.wait()

    living = asyncio.create_task(live())
    await started.wait()
    held = workspace.faults.hold("views.open")
    asking = asyncio.create_task(workspace.command("rosa", ""))
    await held.reached.wait()
    stopping.set()
    assert (await door.until("/readyz", 503)).body["because"] == ["nothing comes in from Slack"]
    late = asyncio.create_task(workspace.command("ben", "help"))
    held.release()
    asked = await asking
    await living
    assert asked.acked
    assert not (await late).acked
    async with serving(**changes):  # the form is still open
        assert not (await workspace.submit("rosa", FORM)).errors
        await Story(stage).until(lambda: workspace.messages("approvals"))


@pytest.mark.parametrize("mode", [MODES[0], slow(MODES[1])])
async def test_what_is_for_another_app_is_refused_wherever_it_comes_in(
    stage: Stage, serving: Serving, door: HttpEndpoint, mode: str
) -> None:
    async with serving(**environ(mode, door, stage)):
        story = Story(stage)
        id = await story.ask()
        await story.open_form()
        stage.workspace.installation.api_app_id = "A0ANOTHER"
        ignored = "This was sent to another Slack app, so it was ignored."
        assert (await story.workspace.command("rosa", "help")).text == ignored
        sent = await story.workspace.submit("rosa", FORM)
        assert list(sent.errors.values()) == [ignored]
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        assert story.whispers("ada") == ignored
        await story.workspace.mention("ben", f"status {id}")
        await story.until(lambda: story.whispers("ben") == ignored)
        assert len(story.workspace.messages("approvals")) == 1


async def refused(serving: Serving, **changes: str) -> tuple[str, ...]:
    with pytest.raises(CannotStart) as caught:
        async with serving(**changes):
            pass
    return caught.value.problems


async def test_scopes_that_are_missing_stop_the_start_in_one_sentence(
    stage: Stage, serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    scopes = stage.workspace.installation.scopes
    scopes.add("files:read")
    async with serving():
        assert "files:read" in "".join(capsys.readouterr())
    scopes -= {"users:read", "im:write"}
    assert await refused(serving, SLACK_APP_TOKEN="xapp-of-another") == (
        "SLACK_BOT_TOKEN lacks these scopes: im:write, users:read. Update the app from"
        " `aad-setup manifest` and install it again.",
        "Slack does not take SLACK_APP_TOKEN: invalid_auth. Make one with connections:write on the"
        " app's page, Basic Information.",
    )


async def test_an_app_that_slack_does_not_name_stops_the_start(
    stage: Stage, serving: Serving
) -> None:
    stage.workspace.faults.fail("bots.info", "bot_not_found")
    assert await refused(serving) == ("Slack does not take SLACK_BOT_TOKEN: bot_not_found.",)


async def test_a_port_that_is_taken_stops_the_start(serving: Serving) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        told = await refused(serving, PORT=port, BIND_ADDRESS="127.0.0.1")
    assert told == (
        f"PORT {port} on 127.0.0.1 cannot be listened on: address already in use. Choose another,"
        " or stop what uses it.",
    )
