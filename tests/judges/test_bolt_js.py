"""Slack's own @slack/bolt for Node, in Socket Mode, has the simulated workspace for its Slack.

`BOLT_JS` names a folder in which `npm install @slack/bolt` was run.
"""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.playground.clock import MovableClock
from bot.playground.workspace import Workspace, running
from tests.judges.presence import need_program

pytestmark = pytest.mark.slow

APP = Path(__file__).with_name("bolt_app.js")
SECONDS = 30.0


@pytest.fixture
def modules() -> str:
    bolt = need_program("BOLT_JS", "node_modules/@slack/bolt", "npm install @slack/bolt")
    return str(bolt.parents[1])


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with running(clock=MovableClock()) as workspace:
        yield workspace


@asynccontextmanager
async def bolt(workspace: Workspace, modules: str) -> AsyncIterator[Process]:
    """Run the app; it has said that it is connected."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(APP)),
        stdout=PIPE,
        stderr=PIPE,
        env={
            "PATH": os.environ["PATH"],
            "NODE_PATH": modules,
            "SLACK_BOT_TOKEN": workspace.bot_token,
            "SLACK_APP_TOKEN": workspace.app_token,
            "SLACK_API_URL": workspace.api_url,
        },
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            said = b""
            while not said.endswith(b"connected\n"):
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                said += line
        await workspace.until(lambda: workspace.connections == 1)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_form_a_message_a_click_and_a_mention(workspace: Workspace, modules: str) -> None:
    async with bolt(workspace, modules):
        await workspace.command("rosa", "")
        await workspace.until(lambda: workspace.view_of("rosa"))
        refused = await workspace.submit("rosa", {"Name": "taken"})
        assert refused.errors == {"Name": "That name is taken."}
        await workspace.submit("rosa", {"Name": "reader"})
        assert workspace.view_of("rosa") is None
        await workspace.until(lambda: workspace.messages("general"))
        await workspace.click("ada", "Approve")
        ada = workspace.people["ada"].id
        await workspace.until(
            lambda: workspace.messages("general")[-1]["text"] == f"Approved by {ada}"
        )
        await workspace.until(lambda: workspace.ephemerals("ada"))
        asked = await workspace.mention("ben", "are you there?")
        await workspace.until(lambda: workspace.replies(asked))
        assert workspace.unacked == []
        assert workspace.complaints == []


async def test_it_comes_back_when_its_connection_is_refreshed(
    workspace: Workspace, modules: str
) -> None:
    async with bolt(workspace, modules):
        await workspace.disconnect()
        await workspace.until(
            lambda: (
                len(workspace.calls("apps.connections.open")) == 2 and workspace.connections == 1
            ),
            timeout=SECONDS,
        )
        await workspace.command("rosa", "")
        await workspace.until(lambda: workspace.view_of("rosa"))
