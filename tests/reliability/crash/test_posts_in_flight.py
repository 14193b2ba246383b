"""Killed in the middle of a call to Slack: the post is made and its answer never arrives."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.crash_checks import holds
from tests.support.crash_story import LATER, CrashStory


@pytest.mark.slow
async def test_the_requester_s_first_message_is_found_again_and_stays_one(
    crash_story: CrashStory,
) -> None:
    await crash_story.lives.begin()
    held = crash_story.workspace.faults.hold("chat.postMessage")
    await crash_story.send_form()
    await crash_story.kill_at(held)
    await crash_story.walk()
    assert len(crash_story.progress_messages()) == 1
    await holds(crash_story)


@pytest.mark.slow
async def test_the_card_is_posted_twice_at_most_and_one_of_them_lives(
    crash_story: CrashStory,
) -> None:
    await crash_story.lives.begin()
    preflight = crash_story.tenant.faults.hold("GET", "/v1.0/applications$")
    await crash_story.send_form()
    await crash_story.until(crash_story.progress_messages)
    held = crash_story.workspace.faults.hold("chat.postMessage")
    preflight.release()
    await crash_story.kill_at(held)
    await crash_story.revive()
    await crash_story.until(lambda: len(crash_story.cards("waits for approval")) == 2)
    await crash_story.walk()
    assert len(crash_story.cards("[Approve]")) == 1, "nobody edits the one whose place nobody knows"
    await holds(crash_story, cards=2)


@pytest.mark.slow
async def test_a_click_on_the_card_that_was_posted_twice_decides_once(
    crash_story: CrashStory,
) -> None:
    await crash_story.lives.begin()
    preflight = crash_story.tenant.faults.hold("GET", "/v1.0/applications$")
    await crash_story.send_form()
    await crash_story.until(crash_story.progress_messages)
    held = crash_story.workspace.faults.hold("chat.postMessage")
    preflight.release()
    await crash_story.kill_at(held)
    await crash_story.revive()
    await crash_story.until(lambda: len(crash_story.cards("waits for approval")) == 2)
    orphan, card = crash_story.workspace.messages("approvals")
    await crash_story.workspace.click("ada", "Approve", on=orphan)
    assert crash_story.cards("this copy does not count")
    assert crash_story.cards("waits for approval"), "nothing was decided by it"
    await crash_story.workspace.click("ada", "Approve", on=card)
    await crash_story.walk()
    await holds(crash_story, cards=2)


@pytest.mark.slow
async def test_the_values_are_announced_once(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    held = crash_story.workspace.faults.hold("chat.postMessage")
    await crash_story.click_approve()
    await crash_story.kill_at(held)
    await crash_story.revive()
    await crash_story.walk_on()
    assert len(crash_story.notices()) == 1
    await holds(crash_story)


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 2, 3])  # more are not certain: changes are drawn together
async def test_cards_that_were_being_redrawn_are_drawn_to_the_end(
    crash_story: CrashStory, nth: int
) -> None:
    """One card may show the new state and the other one the old."""
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await crash_story.click_approve()
    for _ in range(nth):
        held = crash_story.workspace.faults.hold("chat.update")
        await crash_story.reach(held)
        if nth > 1:
            held.release()
    await crash_story.lives.kill()
    held.drop()
    await crash_story.walk_on()
    await holds(crash_story)


async def test_a_secret_that_may_have_been_seen_is_masked_and_replaced(
    crash_story: CrashStory,
) -> None:
    """Slack has shown it, and nobody was left to hear so."""
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await crash_story.approve_it()
    await crash_story.values(crash_story.id)
    held = crash_story.workspace.faults.hold("response_url")
    click = asyncio.create_task(crash_story.reveal())
    await crash_story.reach(held)
    doubtful = crash_story.in_the_clear() or ""
    assert await crash_story.sign_in(doubtful) == 200
    await crash_story.lives.kill()
    held.drop()
    await click

    await crash_story.revive()
    await crash_story.until(lambda: doubtful not in crash_story.whispers("rosa"))
    await crash_story.until(crash_story.is_doubtful)
    await crash_story.take_it()
    assert crash_story.secret != doubtful
    assert await crash_story.sign_in(doubtful) == 401
    await holds(crash_story)


@pytest.mark.slow
async def test_a_secret_on_the_screen_is_masked_by_the_next_life(crash_story: CrashStory) -> None:
    await _shown(crash_story)
    await crash_story.lives.kill()
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(lambda: crash_story.secret not in crash_story.whispers("rosa"))
    await crash_story.until(crash_story.is_over)
    await holds(crash_story)


@pytest.mark.slow
async def test_a_mask_whose_answer_is_lost_is_laid_again(crash_story: CrashStory) -> None:
    await _shown(crash_story)
    assert await crash_story.lives.stop() == 0
    held = crash_story.workspace.faults.hold("response_url")
    await crash_story.lives.begin(later=timedelta(seconds=61))
    await crash_story.reach(held)
    assert crash_story.secret not in crash_story.whispers("rosa")
    await crash_story.lives.kill()
    held.drop()
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(crash_story.is_over)
    await holds(crash_story)


@pytest.mark.slow
async def test_a_hide_that_is_killed_is_finished_by_the_mask(crash_story: CrashStory) -> None:
    await _shown(crash_story)
    held = crash_story.workspace.faults.hold("response_url")
    click = asyncio.create_task(crash_story.hide())
    await crash_story.kill_at(held)
    await click
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(crash_story.is_over)
    await holds(crash_story)


async def _shown(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await crash_story.approve_it()
    await crash_story.reveal_it()
