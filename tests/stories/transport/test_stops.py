"""SIGTERM is obeyed within two seconds, whatever is under way: it goes on at the next start."""

import asyncio
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import pytest

from bot.playground.stage import Stage
from bot.playground.tenant.faults import Hold, When
from tests.support.crash_runner import living
from tests.support.http_endpoint import HttpEndpoint
from tests.support.serve_process import STOP_SECONDS, served, starting
from tests.support.story import Story

pytestmark = pytest.mark.slow

RUNS = 10
SECONDS = 30.0
SEARCHING_OFTEN = """if True:
    from functools import partial
    from bot import app
    from bot.cli.serving import serve
    app.running = partial(app.running, intervals=app.Intervals(orphans=0.2))
    serve()
"""
"""A bot that looks five times a second, and not once a minute, whether a search is due."""
BLOCKED = """if True:
    import time
    from bot.cli.serving import serve
    from bot.worker import engine
    engine._use_wal = lambda url: time.sleep(600)
    serve()
"""
"""A bot whose loop is blocked when it opens the engine's file, as by a lock, but for as long as the
test needs: SQLite waits five seconds, and a stalled machine takes longer to notice."""
SLOW_SECONDS = 3.0
SWEPT = timedelta(minutes=16)
LATER = timedelta(minutes=2)
"""When another process may take up what this one had claimed."""
OFTEN = 1000


class Call(NamedTuple):
    """A call of Graph that every run makes."""

    method: str
    path: str
    when: When = "before_effect"


CALLS = (
    Call("PATCH", r"/applications\(uniqueName", "after_effect"),
    Call("PATCH", r"/servicePrincipals\(appId"),
    Call("POST", "/appRoleAssignedTo|/oauth2PermissionGrants"),
    Call("POST", "/appRoleAssignedTo", "after_effect"),
    Call("POST", "/addPassword"),
    Call("POST", "/addPassword", "after_effect"),
    Call("POST", r"/\$batch"),
)


async def test_a_stop_in_the_middle_of_calls_is_obeyed_at_once_and_all_goes_on(
    stage: Stage, door: HttpEndpoint
) -> None:
    """There are more stops than runs may be begun in vain: a stop is no such beginning."""
    story, tenant, workspace = Story(stage), stage.tenant, stage.workspace
    environ = stage.environ(**door.watched())
    took = []
    async with served(environ, door, folder=stage.folder) as bot:
        ids = [await story.ask(f"of {n}") for n in range(RUNS)]
        held = _held(stage, CALLS[0])
        for id in ids:
            await workspace.click("ada", "Approve", on=story.card_of(id))
        await _all_are_in(held)
        took.append(await bot.stop())
    for call in CALLS[1:]:
        held.drop()
        held = _held(stage, call)
        async with served(environ, door, folder=stage.folder) as bot:
            await _all_are_in(held)
            took.append(await bot.stop())
    held.drop()
    tenant.faults.latency = SLOW_SECONDS
    for _ in range(3):
        async with served(environ, door, folder=stage.folder) as bot:
            took.append(await bot.stop())
    tenant.faults.latency = 0.0
    assert max(took) < STOP_SECONDS, took

    async with living(stage) as lives:
        await lives.begin(later=LATER)
        await lives.until(lambda: all(story.is_announced(id) for id in ids))
        await lives.stop()
        await lives.begin(later=SWEPT)
        await _until(lambda: set(_secrets(stage).values()) == {1})
    made = Counter(it["displayName"] for it in tenant.applications)
    assert made == Counter(f"of {n}" for n in range(RUNS))
    _is_calm(stage)


def _held(stage: Stage, call: Call) -> Hold:
    return stage.tenant.faults.hold(call.method, call.path, times=OFTEN, when=call.when)


async def _until(predicate: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not predicate():  # noqa: ASYNC110 - the tenant wakes nobody
            await asyncio.sleep(0.02)


async def _all_are_in(held: Hold) -> None:
    await _until(lambda: OFTEN - held.times >= RUNS)


def _secrets(stage: Stage) -> dict[str, int]:
    """Count the secrets that work, by application."""
    ids = [it["appId"] for it in stage.tenant.applications]
    return {id: len(stage.tenant.live_secrets(id)) for id in ids}


def _is_calm(stage: Stage) -> None:
    """Check that nothing that happened was taken for a bug."""
    for log in stage.folder.glob("*.log"):
        assert not re.search(r"event=bug|Traceback|given up", log.read_text("utf-8")), log
    assert not stage.workspace.complaints


async def test_a_stop_in_the_daily_search_is_obeyed_at_once(
    stage: Stage, door: HttpEndpoint
) -> None:
    environ, program = stage.environ(**door.watched()), (sys.executable, "-c", SEARCHING_OFTEN)
    searching = partial(served, environ, door, folder=stage.folder, program=program)
    async with searching() as bot:
        await bot.stop()
    _last_searched(stage, "-2 days")
    held = _held(stage, Call("GET", "/v1.0/applications$"))
    async with searching() as bot:
        await _until(held.reached.is_set)
        assert await bot.stop() < STOP_SECONDS
    held.drop()
    searches = _searches(stage)
    _last_searched(stage, "-2 hours")
    async with searching():  # no search is lost by it
        await _until(lambda: _searches(stage) > searches)
    _is_calm(stage)


def _last_searched(stage: Stage, earlier: str) -> None:
    """Let the last search be so much earlier."""
    with closing(sqlite3.connect(stage.folder / "aad-setup.db")) as database, database:
        moved = f"datetime(searched_at, '{earlier}')"
        database.execute(f"UPDATE installation SET searched_at = {moved}")


def _searches(stage: Stage) -> int:
    return sum(it.path.endswith("/v1.0/applications") for it in stage.tenant.log)


async def test_a_stop_while_slack_keeps_a_post_is_obeyed_at_once(
    stage: Stage, door: HttpEndpoint
) -> None:
    story, workspace = Story(stage), stage.workspace
    async with served(stage.environ(**door.watched()), door, folder=stage.folder) as bot:
        await story.open_form()
        held = workspace.faults.hold("chat.postMessage")
        await workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
        await _until(held.reached.is_set)
        assert await bot.stop() < STOP_SECONDS
        held.drop()
    async with living(stage) as lives:
        await lives.begin(later=LATER)
        await lives.until(lambda: workspace.messages("approvals"))
    assert len(workspace.messages("approvals")) == 1
    _is_calm(stage)


async def test_a_stop_while_slack_keeps_a_click_waiting_is_obeyed_at_once(
    stage: Stage, door: HttpEndpoint
) -> None:
    workspace = stage.workspace
    async with served(stage.environ(**door.watched()), door, folder=stage.folder) as bot:
        held = workspace.faults.hold("views.open")
        typed = asyncio.create_task(workspace.command("rosa", ""))
        await _until(held.reached.is_set)
        assert await bot.stop() < STOP_SECONDS
        held.drop()
        await typed
    _is_calm(stage)


async def test_a_stop_is_obeyed_at_once_while_the_loop_is_blocked(
    stage: Stage, door: HttpEndpoint
) -> None:
    environ, program = stage.environ(**door.watched()), (sys.executable, "-c", BLOCKED)
    async with starting(environ, stage.folder, program) as bot:
        await bot.listens(door)
        await _is_blocked(door)
        assert await bot.stop() < STOP_SECONDS


async def _is_blocked(door: HttpEndpoint) -> None:
    """Wait until nobody answers any more."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await door.ask("/healthz")
            except TimeoutError:
                return
