"""Killed while a secret in use is followed by another: the old one works, and one new one comes."""

import asyncio

import pytest

from bot.domain.lifetimes import PREVIOUS_SECRET
from tests.support.crash_process import NONCE, SEALED, Death, learnt, told
from tests.support.crash_story import LATER, CrashStory, in_use

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize("death", NAMED, ids=str)
async def test_a_kill_anywhere_in_a_rotation_loses_nothing(story: CrashStory, death: Death) -> None:
    old = await in_use(story)
    await story.lives.begin(death)
    await _rotate(story)
    await story.until(lambda: story.lives.deaths == 1)
    assert await story.sign_in(old) == 200  # both work until the grace is over
    assert await story.sign_in(story.secret) == 200
    await _grace_is_over(story)


@pytest.mark.parametrize("death", LAST, ids=str)
async def test_a_kill_while_the_old_secret_goes_loses_nothing(
    story: CrashStory, death: Death
) -> None:
    await in_use(story)
    await story.lives.begin()
    await _rotate(story)
    await _grace_is_over(story, death)


async def _rotate(story: CrashStory) -> None:
    known = {each["ts"] for each in story.notices()}
    await story.insist(lambda: _ask(story), lambda: story.told("rotation asked"))
    await story.insist(lambda: _confirm(story), lambda: story.told("rotation confirmed"))
    await story.insist(
        lambda: asyncio.sleep(0), lambda: {each["ts"] for each in story.notices()} - known
    )
    story.workspace.reload("rosa")
    await story.take_it()


async def _grace_is_over(story: CrashStory, death: Death | None = None) -> None:
    """A week after it was seen there is the new secret, and nothing else."""
    await story.lives.restart(death, later=PREVIOUS_SECRET)
    for _ in range(RUNS):
        await _are_idle(story)
        if story.told("previous secret removed"):
            break
        if not story.lives.dead:
            await story.lives.restart(later=LATER)
    assert len(story.live_secrets()) == 1
    assert await story.sign_in(story.secret) == 200
    assert story.told("previous secret removed") == 1
    assert not story.workspace.complaints


async def _are_idle(story: CrashStory) -> None:
    """Wait until no run is open, or the bot has died."""

    def is_idle() -> bool:
        is_open = story.stored("SELECT count(*) FROM runs WHERE ended_at IS NULL")
        owed = story.stored("SELECT count(*) FROM dues WHERE at <= ?", _plain(story))
        return story.lives.dead or not (is_open or owed)

    await story.until_written(is_idle)


def _plain(story: CrashStory) -> str:
    """Return the stage's moment as SQLite keeps it."""
    return story.clock.now().strftime("%Y-%m-%d %H:%M:%S.%f")


async def _ask(story: CrashStory) -> None:
    await story.workspace.command("rosa", f"rotate {story.id}")


async def _confirm(story: CrashStory) -> None:
    for message in story.workspace.messages("approvals"):
        if "[Confirm the rotation]" in story.workspace.text_of(message):
            await story.workspace.click("ada", "Confirm the rotation", on=message)
            return
    await story.until(lambda: story.cards("[Confirm the rotation]") or story.lives.dead)
    if not story.lives.dead:
        await _confirm(story)
