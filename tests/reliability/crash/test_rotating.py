"""Killed while a secret in use is followed by another: the old one works, and one new one comes."""

import asyncio

import pytest

from bot.domain.lifetimes import PREVIOUS_SECRET
from tests.support.crash_process import NONCE, SEALED, Death, learnt, told
from tests.support.crash_story import LATER, CrashStory, in_use

NAMED = (
    *(Death(when="after", at=told(what)) for what in ("rotation asked", "rotation confirmed")),
    *(Death(when=when, at=at) for when in ("before", "after") for at in (NONCE, SEALED)),
    *(Death(when=when, at=told("rotated")) for when in ("before", "after")),
    *(Death(when="before", at=learnt(step)) for step in ("secret", "sign_in", "directory")),
    *(Death(when="after", at=told(what)) for what in ("secret claimed", "secret shown")),
)
RUNS = 8
"""The old secret is removed when the sweeps that are due by then are through, one by one."""
LAST = (
    Death(when="before", at=told("previous secret removed")),
    Death(when="after", at=told("previous secret removed")),
)


@pytest.mark.slow
@pytest.mark.parametrize("death", NAMED, ids=str)
async def test_a_kill_anywhere_in_a_rotation_loses_nothing(
    crash_story: CrashStory, death: Death
) -> None:
    old = await in_use(crash_story)
    await crash_story.lives.begin(death)
    await _rotate(crash_story)
    await crash_story.until(lambda: crash_story.lives.deaths == 1)
    assert await crash_story.sign_in(old) == 200  # both work until the grace is over
    assert await crash_story.sign_in(crash_story.secret) == 200
    await _grace_is_over(crash_story)


@pytest.mark.slow
@pytest.mark.parametrize("death", LAST, ids=str)
async def test_a_kill_while_the_old_secret_goes_loses_nothing(
    crash_story: CrashStory, death: Death
) -> None:
    await in_use(crash_story)
    await crash_story.lives.begin()
    await _rotate(crash_story)
    await _grace_is_over(crash_story, death)


async def _rotate(crash_story: CrashStory) -> None:
    known = {each["ts"] for each in crash_story.notices()}
    await crash_story.insist(lambda: _ask(crash_story), lambda: crash_story.told("rotation asked"))
    await crash_story.insist(
        lambda: _confirm(crash_story), lambda: crash_story.told("rotation confirmed")
    )
    await crash_story.insist(
        lambda: asyncio.sleep(0), lambda: {each["ts"] for each in crash_story.notices()} - known
    )
    crash_story.workspace.reload("rosa")
    await crash_story.take_it()


async def _grace_is_over(crash_story: CrashStory, death: Death | None = None) -> None:
    """A week after it was seen there is the new secret, and nothing else."""
    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin(death, later=PREVIOUS_SECRET)
    for _ in range(RUNS):
        await _are_idle(crash_story)
        if crash_story.told("previous secret removed"):
            break
        if not crash_story.lives.dead:
            assert await crash_story.lives.stop() == 0
        await crash_story.lives.begin(later=LATER)
    assert len(crash_story.live_secrets()) == 1
    assert await crash_story.sign_in(crash_story.secret) == 200
    assert crash_story.told("previous secret removed") == 1
    assert not crash_story.workspace.complaints


async def _are_idle(crash_story: CrashStory) -> None:
    """Wait until no run is open, or the bot has died."""
    for _ in range(100):
        is_open = crash_story.stored("SELECT count(*) FROM runs WHERE ended_at IS NULL")
        owed = crash_story.stored("SELECT count(*) FROM dues WHERE at <= ?", _plain(crash_story))
        if crash_story.lives.dead or not (is_open or owed):
            return
        await asyncio.sleep(0.1)  # another process writes this, and nothing tells of it
    raise AssertionError("A run or a due is still open after 10 s.")


def _plain(crash_story: CrashStory) -> str:
    """Return the stage's moment as SQLite keeps it."""
    return crash_story.clock.now().strftime("%Y-%m-%d %H:%M:%S.%f")


async def _ask(crash_story: CrashStory) -> None:
    await crash_story.workspace.command("rosa", f"rotate {crash_story.id}")


async def _confirm(crash_story: CrashStory) -> None:
    for message in crash_story.workspace.messages("approvals"):
        if "[Confirm the rotation]" in crash_story.workspace.text_of(message):
            await crash_story.workspace.click("ada", "Confirm the rotation", on=message)
            return
    await crash_story.until(
        lambda: crash_story.cards("[Confirm the rotation]") or crash_story.lives.dead
    )
    if not crash_story.lives.dead:
        await _confirm(crash_story)
