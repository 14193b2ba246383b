"""What holds under load whatever the time of day: Slack's rate is used, in order, nothing is lost.

A long outage of chat.update makes the backlog, and Slack's limits are enforced from its end on.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from datetime import timedelta

import pytest

from bot.app import App
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.storage import message_queue
from handlers.outbox.dispatcher import AT_ONCE
from handlers.outbox.outcomes import LONGEST_WAIT
from tests.bench.readiness import path_of
from tests.load import report
from tests.load.crowd import Crowd
from tests.load.report import UPDATE
from tests.support.running_bot import Bot

ANSWERED, WAITING = 45, 10
PEOPLE = 15
"""Few enough for the bot to look everybody up within a minute."""
OUTAGE = 100_000
STEP = timedelta(seconds=0.5)
TICK_SECONDS = 0.04
"""Real time for the bot to look again after each step."""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


async def while_time_passes(work: Awaitable[object], app: App, clock: MovableClock) -> None:
    """Do the work while the clock is moved on whenever nothing is on its way to Slack."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait([task], timeout=TICK_SECONDS)
        if app.dispatcher.is_idle:
            clock.move(STEP)
    await task


@pytest.mark.slow
async def test_a_backlog_drains_as_fast_as_slack_allows_final_states_first(
    stage: Stage, bot: Bot, clock: MovableClock
) -> None:
    workspace = stage.workspace
    workspace.faults.breaks(UPDATE, times=OUTAGE)
    async with bot(REQUESTERS="*") as app:
        crowd = Crowd(stage, people=PEOPLE, every=0.1, patience=60)
        # Slow enough for everybody to be told that it is planned before it is.
        stage.tenant.faults.latency = 0.5
        asking = asyncio.ensure_future(crowd.ask(ANSWERED + WAITING))
        await while_time_passes(asking, app, clock)
        ids = asking.result()
        stage.tenant.faults.latency = 0.0
        await crowd.approve(ids[:ANSWERED])
        announced = workspace.until(lambda: crowd.announced() == ANSWERED, timeout=60)
        await while_time_passes(announced, app, clock)
        async with app.services.database.reading() as tx:
            later = clock.now() + LONGEST_WAIT
            stale = await message_queue.stale(tx, later, drawn_before=later, limit=1000)
        owed = 2 * ANSWERED + sum(it.status in message_queue.ON_THE_WAY for it in stale)
        assert owed > 2 * ANSWERED

    workspace.faults.clear()
    workspace.rates.clear()
    workspace.rates.enforced = True
    clock.move(LONGEST_WAIT)
    with closing(sqlite3.connect(path_of(stage))) as database:
        # Or what waited through the whole outage would come first, whatever it is.
        database.execute("UPDATE messages SET waiting_since = NULL")
        database.commit()
    async with bot(REQUESTERS="*") as app:
        drained = workspace.until(lambda: len(report.updates(workspace)) >= owed, timeout=90)
        await while_time_passes(drained, app, clock)

    shown = report.updates(workspace)
    finals = [each for each in shown if each.is_final]
    # What is under way at the same time may arrive in any order.
    assert all(each.is_final for each in shown[: len(finals) - AT_ONCE])
    assert finals == [each for each in shown[: len(finals) + AT_ONCE] if each.is_final]
    assert {each.id for each in finals} == set(ids[:ANSWERED])
    # In two minutes there is more to do than Slack allows.
    in_time = shown[0].at + 2 * MINUTE + timedelta(seconds=3)
    assert sum(each.at <= in_time for each in shown) >= 0.9 * min(owed, 2 * 50)
    assert not workspace.rates.count(UPDATE).refused
    where = ["approvals", *crowd.names]
    assert report.lost(workspace, where, ids[:ANSWERED]) == 0
    assert report.doubles(workspace, where) == 0
    assert len(workspace.messages("approvals")) == ANSWERED + WAITING
