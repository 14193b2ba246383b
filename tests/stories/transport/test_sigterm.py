"""SIGTERM under load: what was acknowledged is done, and nothing is done twice."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from bot.playground.stage import Stage
from bot.playground.workspace.results import Submitted
from tests.support.http_endpoint import HttpEndpoint, stamped
from tests.support.http_modes import MODES, environ
from tests.support.marks import slow
from tests.support.serve_process import STOP_SECONDS, served
from tests.support.story import Story

pytestmark = pytest.mark.slow

EACH = 6
"""So many commands, submissions and clicks are under way: look-ups of people have their limits."""


@pytest.mark.parametrize("mode", MODES)
async def test_a_stop_under_load_loses_nothing(stage: Stage, door: HttpEndpoint, mode: str) -> None:
    settings = environ(mode, door, stage) | {"REQUESTERS": "*"}
    story, workspace = Story(stage), stage.workspace
    people = [workspace.add_person(f"p{n}", f"Person {n}").name for n in range(2 * EACH)]
    askers, senders = people[:EACH], people[EACH:]
    async with served(stage.environ(**settings), door, folder=stage.folder) as bot:
        ids = [await story.ask(f"of {name}", by=name) for name in askers]
        cards = [story.card_of(id) for id in ids]
        for name in senders:
            await workspace.command(name, "")
        held = workspace.faults.hold("users.info", times=3 * EACH)
        load = asyncio.gather(
            asyncio.gather(*(workspace.command(name, "status") for name in askers)),
            asyncio.gather(*(send(story, name) for name in senders)),
            asyncio.gather(*(workspace.click("ada", "Approve", on=card) for card in cards)),
        )
        await under_way(story, 3 * EACH)
        bot.terminate()
        await door.until("/readyz", 503)
        held.release()
        async with asyncio.timeout(STOP_SECONDS):  # nothing is held back any more
            assert await bot.ended() == 0
        replies, sent, clicked = await load
    # All were being listened to when the signal came, so all were answered.
    errors = [it.error for it in replies] + [it.error for it in sent]
    assert errors + [it.error for it in clicked] == [None] * 3 * EACH
    taken = {name for name, it in zip(senders, sent, strict=True) if not it.errors}
    found = names(stage.folder / "aad-setup.db")
    assert found == Counter(f"of {name}" for name in taken | set(askers))
    # A look-up that took more than a second on a busy machine is a no, said to the person.
    refused = story.whispers("ada").count("Slack did not say who you are")

    async with served(stage.environ(**settings), door, folder=stage.folder) as bot:
        await story.until(
            lambda: (
                sum(f"{id} is ready" in story.read(story.card_of(id)) for id in ids)
                == EACH - refused
            )
        )
        await story.until(lambda: len(workspace.messages("approvals")) == len(found))
        bot.terminate()
        assert await bot.ended() == 0
    made = Counter(it["displayName"] for it in stage.tenant.applications)
    assert max(made.values(), default=0) <= 1
    assert "Traceback" not in (stage.folder / "serve.log").read_text()
    assert not workspace.complaints


@pytest.mark.parametrize("mode", MODES)
async def test_what_comes_while_it_stops_is_there_once_or_not_at_all(
    stage: Stage, door: HttpEndpoint, mode: str
) -> None:
    """The signal comes in the middle of a stream of forms, not after it."""
    settings = environ(mode, door, stage) | {"REQUESTERS": "*"}
    story, workspace = Story(stage), stage.workspace
    people = [workspace.add_person(f"p{n}", f"Person {n}").name for n in range(3 * EACH)]
    async with served(stage.environ(**settings), door, folder=stage.folder) as bot:
        for name in people:
            await workspace.command(name, "")
        first, rest = people[: 2 * EACH], people[2 * EACH :]
        load = asyncio.gather(*(send(story, name) for name in first))
        await under_way(story, EACH)
        bot.terminate()
        late = asyncio.gather(*(send(story, name) for name in rest))
        async with asyncio.timeout(STOP_SECONDS):
            assert await bot.ended() == 0
        sent = dict(zip(people, [*await load, *await late], strict=True))
    found = names(stage.folder / "aad-setup.db")
    for name, it in sent.items():
        most_likely = 1 if it.acked and not it.errors else 0
        assert most_likely <= found[f"of {name}"] <= 1, name
    async with served(stage.environ(**settings), door, folder=stage.folder) as bot:
        await story.until(lambda: len(workspace.messages("approvals")) == sum(found.values()))
        bot.terminate()
        assert await bot.ended() == 0
    assert names(stage.folder / "aad-setup.db") == found


async def test_slack_s_own_oauth_settings_in_the_environment_change_nothing(
    stage: Stage, door: HttpEndpoint
) -> None:
    """Bolt takes them for its own, drops the token, and looks for installations in files."""
    trap = {
        "SLACK_CLIENT_ID": "111.222",
        "SLACK_CLIENT_SECRET": "of-the-app",
        "SLACK_VERIFICATION_TOKEN": "old",
        "SLACK_SCOPES": "admin",
        "HOME": str(stage.folder),
    }
    environ = stage.environ(**door.signed(stage))
    async with served(environ, door, folder=stage.folder, **trap) as bot:
        answer = await stage.workspace.command("rosa", "help")
        assert "/aad-setup status AAD-7K3F shows one" in answer.text
        for path in ("/slack/install", "/slack/oauth_redirect"):
            assert (await door.ask(path)).status == 404
        bot.terminate()
        assert await bot.ended() == 0
    assert not [it for it in stage.folder.iterdir() if "install" in it.name or it.is_dir()]


@pytest.mark.parametrize("mode", [slow("socket mode"), "http mode"])
async def test_no_line_of_the_log_quotes_slack(stage: Stage, door: HttpEndpoint, mode: str) -> None:
    environment = stage.environ(**environ(mode, door, stage), LOG_LEVEL="DEBUG")
    async with served(environment, door, folder=stage.folder) as bot:
        await stage.workspace.command("rosa", "typed-in-confidence")
        await stage.workspace.command("rosa", "")
        sent = await stage.workspace.submit("rosa", {"Application name": "x" * 300, "Reason": "y"})
        assert sent.errors
        text = "text=typed-by-somebody"
        forged = stamped("another-secret", text)
        told = await door.send("POST", "/slack/events", data=text, headers=forged)
        assert told.status == (401 if mode == "http mode" else 404)
        if mode == "socket mode":
            stage.workspace.faults.breaks("link", status=503, times=1)
            await stage.workspace.drop_connections()
            told = await door.until("/readyz", 503)
            assert told.body == {"ready": False, "because": ["nothing comes in from Slack"]}
            assert (await door.ask("/healthz")).status == 200
            await door.until("/readyz", 200)
            answer = await stage.workspace.command("rosa", "help")
            assert "/aad-setup status AAD-7K3F shows one" in answer.text
        bot.terminate()
        assert await bot.ended() == 0
    log = (stage.folder / "serve.log").read_text("utf-8")
    assert "event=running" in log
    assert ("request refused" in log) is (mode == "http mode")
    delivered = [it.sent["payload"] for it in stage.workspace.log if "payload" in it.sent]
    urls = [it["response_url"].rpartition("/")[2] for it in delivered if "response_url" in it]
    workspace = stage.workspace
    secrets = (workspace.signing_secret, workspace.bot_token, workspace.app_token, *urls)
    for hidden in (*secrets, forged["X-Slack-Signature"], "ticket=", "typed-", "x" * 200):
        assert hidden not in log


async def send(story: Story, name: str) -> Submitted:
    return await story.workspace.submit(
        name, {"Application name": f"of {name}", "Reason": "To sync the directory"}
    )


async def under_way(story: Story, count: int) -> None:
    """Wait until so many more listeners have begun, which is when they look somebody up."""
    calls = story.workspace.calls
    before = len(calls("users.info"))
    await story.until(lambda: len(calls("users.info")) >= before + count)


def names(database: Path) -> Counter[str]:
    """Count the registrations of each application name, in the bot's own file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT form FROM registrations").fetchall()
    return Counter(json.loads(form)["name"] for (form,) in rows)
