"""Killed in the middle of a call to Slack: the post is made and its answer never arrives."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.crash_checks import holds
from tests.support.crash_story import LATER, CrashStory

pytestmark = pytest.mark.slow


async def test_the_requester_s_first_message_is_found_again_and_stays_one(
    story: CrashStory,
) -> None:
    await story.lives.begin()
    held = story.workspace.faults.hold("chat.postMessage")
    await story.send_form()
    await story.kill_at(held)
    await story.walk()
    assert len(story.progress_messages()) == 1
    await holds(story)


async def _posted_twice(story: CrashStory) -> None:
    """Let it die while the card is posted, so that it is posted once more."""
    await story.lives.begin()
    preflight = story.tenant.faults.hold("GET", "/v1.0/applications$")
    await story.send_form()
    await story.until(story.progress_messages)
    held = story.workspace.faults.hold("chat.postMessage")
    preflight.release()
    await story.kill_at(held)
    await story.revive()
    await story.until(lambda: len(story.cards("waits for approval")) == 2)


async def test_the_card_is_posted_twice_at_most_and_one_of_them_lives(story: CrashStory) -> None:
    await _posted_twice(story)
    await story.walk()
    assert len(story.cards("[Approve]")) == 1, "nobody edits the one whose place nobody knows"
    await holds(story, cards=2)


async def test_a_click_on_the_card_that_was_posted_twice_decides_once(story: CrashStory) -> None:
    await _posted_twice(story)
    orphan, card = story.workspace.messages("approvals")
    await story.workspace.click("ada", "Approve", on=orphan)
    assert story.cards("this copy does not count")
    assert story.cards("waits for approval"), "nothing was decided by it"
    await story.workspace.click("ada", "Approve", on=card)
    await story.walk()
    await holds(story, cards=2)


async def test_the_values_are_announced_once(story: CrashStory) -> None:
    await story.ask_for_it()
    held = story.workspace.faults.hold("chat.postMessage")
    await story.click_approve()
    await story.kill_at(held)
    await story.revive()
    await story.walk_on()
    assert len(story.notices()) == 1
    await holds(story)


@pytest.mark.parametrize("nth", [1, 2, 3])  # more are not certain: changes are drawn together
async def test_cards_that_were_being_redrawn_are_drawn_to_the_end(
    story: CrashStory, nth: int
) -> None:
    """One card may show the new state and the other one the old."""
    await story.ask_for_it()
    await story.click_approve()
    for _ in range(nth):
        held = story.workspace.faults.hold("chat.update")
        await story.reach(held)
        if nth > 1:
            held.release()
    await story.lives.kill()
    held.drop()
    await story.walk_on()
    await holds(story)


async def test_a_secret_that_may_have_been_seen_is_masked_and_replaced(story: CrashStory) -> None:
    """Slack has shown it, and nobody was left to hear so."""
    await story.be_ready()
    await story.values(story.id)
    held = story.workspace.faults.hold("response_url")
    click = asyncio.create_task(story.reveal())
    await story.reach(held)
    doubtful = story.in_the_clear() or ""
    assert await story.sign_in(doubtful) == 200
    await story.lives.kill()
    held.drop()
    await click

    await story.revive()
    await story.until(lambda: doubtful not in story.whispers("rosa"))
    await story.until(story.is_doubtful)
    await story.take_it()
    assert story.secret != doubtful
    assert await story.sign_in(doubtful) == 401
    await holds(story)


async def test_a_secret_on_the_screen_is_masked_by_the_next_life(story: CrashStory) -> None:
    await _shown(story)
    await story.lives.kill()
    await story.lives.begin(later=LATER)
    await story.until(lambda: story.secret not in story.whispers("rosa"))
    await story.until(story.is_over)
    await holds(story)


async def test_a_mask_whose_answer_is_lost_is_laid_again(story: CrashStory) -> None:
    await _shown(story)
    held = story.workspace.faults.hold("response_url")
    await story.lives.restart(later=timedelta(seconds=61))
    await story.reach(held)
    assert story.secret not in story.whispers("rosa")
    await story.lives.kill()
    held.drop()
    await story.lives.begin(later=LATER)
    await story.until(story.is_over)
    await holds(story)


async def test_a_hide_that_is_killed_is_finished_by_the_mask(story: CrashStory) -> None:
    await _shown(story)
    held = story.workspace.faults.hold("response_url")
    click = asyncio.create_task(story.mask())
    await story.kill_at(held)
    await click
    await story.lives.begin(later=LATER)
    await story.until(story.is_over)
    await holds(story)


async def _shown(story: CrashStory) -> None:
    await story.be_ready()
    await story.reveal_it()
