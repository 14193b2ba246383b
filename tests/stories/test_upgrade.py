"""An upgrade: a bot of an older commit is killed at its work, and this one goes on."""

import asyncio
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.playground.stage import Stage
from tests.support.http_endpoint import HttpEndpoint
from tests.support.rotation_story import rotate
from tests.support.serve_process import served
from tests.support.story import Story, updates

Json = dict[str, Any]

OLD = "57c3435"
"""The last commit before approval requests had a table of their own."""
ROOT = Path(__file__).parents[2]
SECONDS = 60.0


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a folder with the old code."""
    archive = ["git", "-C", str(ROOT), "archive", OLD, "bot", "graph", "handlers"]
    packed = subprocess.run(archive, capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip("the clone has no history, so there is no older commit to upgrade from")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(tmp_path / "old", filter="data")
    return tmp_path / "old"


async def until(predicate: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not predicate():  # noqa: ASYNC110 - the tenant wakes nobody
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_work_in_flight_goes_on_after_a_kill_and_an_upgrade(stage: Stage, old: Path) -> None:
    story, tenant, workspace = Story(stage), stage.tenant, stage.workspace
    door = HttpEndpoint()
    environ = stage.environ(**door.watched())
    program = (sys.executable, "-m", "bot", "serve")
    async with served(environ, door, folder=stage.folder, program=program, PYTHONPATH=str(old)):
        rotated = await story.ready("rotated")
        await story.revealed(rotated)
        await workspace.click("rosa", "Hide", on=workspace.ephemerals("rosa")[-1])
        await until(lambda: "for good" in workspace.text_of(story.notice(rotated)))
        assert "asked" in await rotate(story, rotated)
        await until(lambda: any(_asks(story, it) for it in workspace.messages("approvals")))
        waiting = await story.ask("waiting")
        killed = await story.ask("killed")
        held = tenant.faults.hold("POST", "/addPassword", when="after_effect")
        await workspace.click("ada", "Approve", on=story.card_of(killed))
        await until(held.reached.is_set)
    held.drop()  # the old process was killed while Entra's answer was on its way
    async with served(environ, door, folder=stage.folder):
        await until(lambda: story.is_announced(killed))
        await story.approve(waiting)
        await until(lambda: updates(story, _request(story)))  # its buttons are of the new code
        await workspace.click("grace", "Confirm the rotation", on=_request(story))
        await until(lambda: len(tenant.live_secrets(_app_of(story, "rotated"))) == 2)
    names = sorted(it["displayName"] for it in tenant.applications)
    assert names == ["killed", "rotated", "waiting"]
    assert len(tenant.live_secrets(_app_of(story, "waiting"))) == 1


def _app_of(story: Story, name: str) -> str:
    return next(str(it["appId"]) for it in story.tenant.applications if it["displayName"] == name)


def _request(story: Story) -> Json:
    """Return the message that asks approvers for the rotation."""
    return next(it for it in story.workspace.messages("approvals") if _asks(story, it))


def _asks(story: Story, message: Json) -> bool:
    return "asks for a new secret" in story.workspace.text_of(message)
