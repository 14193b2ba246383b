"""Killed while a secret in use is followed by another: the old one works, and one new one comes."""

import asyncio

import pytest

from bot.registrar.secrets import GRACE
from tests.reliability.crash.test_every_commit import NONCE, SEALED, learnt, told
from tests.support.crash_process import Death
from tests.support.crash_story import LATER, Road

SAMPLE = (Death(when="before", at=learnt("secret")),)
NAMED = (
    *(Death(when="after", at=told(what)) for what in ("rotation asked", "rotation confirmed")),
    *(Death(when=when, at=at) for when in ("before", "after") for at in (NONCE, SEALED)),
    *(Death(when=when, at=told("rotated")) for when in ("before", "after")),
    *(Death(when="before", at=learnt(step)) for step in ("sign_in", "directory")),
    *(Death(when="after", at=told(what)) for what in ("secret claimed", "secret shown")),
)
RUNS = 8
"""The old secret is removed when the sweeps that are due by then are through, one by one."""
LAST = (
    Death(when="before", at=told("previous secret removed")),
    Death(when="after", at=told("previous secret removed")),
)


@pytest.mark.parametrize("death", SAMPLE, ids=str)
async def test_a_kill_during_a_rotation_loses_nothing(road: Road, death: Death) -> None:
    await _dies_while_rotating(road, death)


@pytest.mark.slow
@pytest.mark.parametrize("death", NAMED, ids=str)
async def test_a_kill_anywhere_in_a_rotation_loses_nothing(road: Road, death: Death) -> None:
    await _dies_while_rotating(road, death)


@pytest.mark.slow
@pytest.mark.parametrize("death", LAST, ids=str)
async def test_a_kill_while_the_old_secret_goes_loses_nothing(road: Road, death: Death) -> None:
    await in_use(road)
    await road.lives.begin()
    await _rotate(road)
    await _grace_is_over(road, death)


async def _dies_while_rotating(road: Road, death: Death) -> None:
    old = await in_use(road)
    await road.lives.begin(death)
    await _rotate(road)
    await road.until(lambda: road.lives.deaths == 1)
    assert await road.sign_in(old) == 200  # both work until the grace is over
    assert await road.sign_in(road.secret) == 200
    await _grace_is_over(road)


async def in_use(road: Road) -> str:
    """Walk the whole road, and return the secret; the bot is stopped then."""
    await road.lives.begin()
    await road.walk()
    assert await road.lives.stop() == 0
    return road.secret


async def _rotate(road: Road) -> None:
    known = {each["ts"] for each in road.notices()}
    await road.insist(lambda: _ask(road), lambda: road.told("rotation asked"))
    await road.insist(lambda: _confirm(road), lambda: road.told("rotation confirmed"))
    await road.insist(
        lambda: asyncio.sleep(0), lambda: {each["ts"] for each in road.notices()} - known
    )
    road.workspace.reload("rosa")
    await road.take_it()


async def _grace_is_over(road: Road, death: Death | None = None) -> None:
    """A week after it was seen there is the new secret, and nothing else."""
    assert await road.lives.stop() == 0
    await road.lives.begin(death, later=GRACE)
    for _ in range(RUNS):
        await _are_idle(road)
        if road.told("previous secret removed"):
            break
        if not road.lives.dead:
            assert await road.lives.stop() == 0
        await road.lives.begin(later=LATER)
    assert len(road.live_secrets()) == 1
    assert await road.sign_in(road.secret) == 200
    assert road.told("previous secret removed") == 1
    assert not road.workspace.complaints


async def _are_idle(road: Road) -> None:
    """Wait until no run is open, or the bot has died."""
    for _ in range(100):
        is_open = road.stored("SELECT count(*) FROM runs WHERE ended_at IS NULL")
        owed = road.stored("SELECT count(*) FROM dues WHERE at <= ?", _plain(road))
        if road.lives.dead or not (is_open or owed):
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("A run or a due is still open after 10 s.")


def _plain(road: Road) -> str:
    """Return the stage's moment as SQLite keeps it."""
    return road.clock.now().strftime("%Y-%m-%d %H:%M:%S.%f")


async def _ask(road: Road) -> None:
    await road.workspace.command("rosa", f"rotate {road.id}")


async def _confirm(road: Road) -> None:
    for message in road.workspace.messages("approvals"):
        if "[Confirm the rotation]" in road.workspace.text_of(message):
            await road.workspace.click("ada", "Confirm the rotation", on=message)
            return
    await road.until(lambda: road.cards("[Confirm the rotation]") or road.lives.dead)
    if not road.lives.dead:
        await _confirm(road)
