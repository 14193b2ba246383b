"""Revoking while something else is at work: it is done at once, and that leaves nothing."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.playground.tenant.faults import When
from bot.runs.provisioning import Provisioning
from bot.storage import secrets, timers
from bot.storage.secrets import Purpose
from bot.storage.timers import TimerKind
from tests.support import rotation_story
from tests.support.command_story import said
from tests.support.drift_story import settled
from tests.support.factories import ADA
from tests.support.registrar_env import two_registrar_envs
from tests.support.removal_story import nothing_is_left, press
from tests.support.running_bot import Bot
from tests.support.secret_lives import SecretLife, life_of
from tests.support.story import Story
from tests.support.waiting import make_a_new_one

pytestmark = pytest.mark.slow

ROUNDS = 4


async def test_it_does_not_wait_for_a_check(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.check(id, by="rosa")
    await held.reached.wait()
    await press(story, id)
    assert story.whispers("ada") == ""
    await story.until(lambda: f"{id} was revoked" in story.card())
    held.release()
    assert nothing_is_left(story)
    assert "· compared with the tenant" not in await said(story, "rosa", f"history {id}")


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a new secret is on its way: a call to the tenant, before or after it has effect."""

    name: str
    method: str
    path: str
    when: When = "after_effect"


POINTS = [
    Point(name="before it is made", method="POST", path="/addPassword", when="before_effect"),
    Point(name="made and not known", method="POST", path="/addPassword"),
    Point(name="while it is tried", method="POST", path="/oauth2/v2.0/token"),
    Point(name="while it reads the directory", method="POST", path=r"\$batch"),
    Point(name="while the old one is removed", method="POST", path="/removePassword"),
]
SAMPLE = (POINTS[1],)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(each, id=each.name, marks=() if each in SAMPLE else pytest.mark.slow)
        for each in POINTS
    ],
)
async def test_it_does_not_wait_for_a_new_secret_which_nobody_gets(
    stage: Stage, bot: Bot, point: Point
) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        await story.revealed(id)
        story.clock.move(timedelta(minutes=16))  # it is masked, and settled
        held = story.tenant.faults.hold(point.method, point.path, when=point.when)
        await make_a_new_one(story, id)
        async with asyncio.timeout(60):
            await held.reached.wait()
        await press(story, id)
        assert story.whispers("ada") == ""
        await story.until(lambda: f"{id} was revoked" in story.card())
        held.release()
    assert nothing_is_left(story)
    with closing(sqlite3.connect(stage.folder / "aad-setup.db")) as database:
        query = "SELECT count(*) FROM secrets WHERE sealed IS NOT NULL"
        assert database.execute(query).fetchone() == (0,)
        query = "SELECT count(*) FROM messages WHERE kind = 'values'"
        assert database.execute(query).fetchone() == (1,)
        told = [what for (what,) in database.execute("SELECT what FROM history ORDER BY seq")]
    assert told[-3:] == ["new secret asked", "revoke asked", "revoked"]


async def test_it_does_not_wait_for_a_rotation(story: Story) -> None:
    id = await rotation_story.in_use(story)
    await rotation_story.asked(story, id)
    held = story.tenant.faults.hold("POST", "/addPassword")
    await rotation_story.decide(story, "Confirm", by="grace")
    await held.reached.wait()
    await press(story, id)
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    held.release()
    assert nothing_is_left(story)
    request = story.workspace.text_of(rotation_story.request(story))
    assert f"{id}: this request for a new secret is over." in request


async def test_a_run_that_ends_at_the_same_moment_hands_nothing_over(
    database_url: str, clock: MovableClock
) -> None:
    """Whichever is first: the run to announce its secret, or the revocation to end it."""
    async with two_registrar_envs(database_url, clock) as (one, other):
        for _ in range(ROUNDS):
            id = await one.ready()
            await one.open(id)
            run = await one.owe(id, RunKind.REPLACE_SECRET)
            made = await one.seal(id, run)
            provisioning = Provisioning(one.services)
            await asyncio.gather(
                provisioning.carry(provisioning._finish, run),
                other.registrar.revocation.revoke(id, by=ADA),
            )
            found = await one.found(id)
            assert (found.status, found.run) == (Status.REVOKING, RunKind.REVOKE)
            async with one.database.reading() as tx:
                secret = await secrets.get(tx, made)
                assert (made, Purpose.SECRET) not in await secrets.kept(tx, id)
                come = await timers.find_due(tx, clock.now() + timedelta(days=400), limit=500)
            assert secret is not None
            assert life_of(secret) is SecretLife.CLOSED
            assert {due.kind for due in come if due.registration == id} == {TimerKind.MASK}
