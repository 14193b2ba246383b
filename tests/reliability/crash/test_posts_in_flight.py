"""Killed in the middle of a call to Slack: the post is made and its answer never arrives."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.crash_checks import holds
from tests.support.crash_story import LATER, Road


@pytest.mark.slow
async def test_the_requester_s_first_message_is_found_again_and_stays_one(road: Road) -> None:
    await road.lives.begin()
    held = road.workspace.faults.hold("chat.postMessage")
    await road.send_form()
    await road.kill_at(held)
    await road.walk()
    assert len(road.progress_messages()) == 1
    await holds(road)


@pytest.mark.slow
async def test_the_card_is_posted_twice_at_most_and_one_of_them_lives(road: Road) -> None:
    await road.lives.begin()
    preflight = road.tenant.faults.hold("GET", "/v1.0/applications$")
    await road.send_form()
    await road.until(road.progress_messages)
    held = road.workspace.faults.hold("chat.postMessage")
    preflight.release()
    await road.kill_at(held)
    await road.revive()
    await road.until(lambda: len(road.cards("waits for approval")) == 2)
    await road.walk()
    assert len(road.cards("[Approve]")) == 1, "nobody edits the one whose place nobody knows"
    await holds(road, cards=2)


@pytest.mark.slow
async def test_a_click_on_the_card_that_was_posted_twice_decides_once(road: Road) -> None:
    await road.lives.begin()
    preflight = road.tenant.faults.hold("GET", "/v1.0/applications$")
    await road.send_form()
    await road.until(road.progress_messages)
    held = road.workspace.faults.hold("chat.postMessage")
    preflight.release()
    await road.kill_at(held)
    await road.revive()
    await road.until(lambda: len(road.cards("waits for approval")) == 2)
    orphan, card = road.workspace.messages("approvals")
    await road.workspace.click("ada", "Approve", on=orphan)
    assert road.cards("this copy does not count")
    assert road.cards("waits for approval"), "nothing was decided by it"
    await road.workspace.click("ada", "Approve", on=card)
    await road.walk()
    await holds(road, cards=2)


@pytest.mark.slow
async def test_the_values_are_announced_once(road: Road) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    held = road.workspace.faults.hold("chat.postMessage")
    await road.click_approve()
    await road.kill_at(held)
    await road.revive()
    await road.walk_on()
    assert len(road.notices()) == 1
    await holds(road)


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 2, 3])  # more are not certain: changes are drawn together
async def test_cards_that_were_being_redrawn_are_drawn_to_the_end(road: Road, nth: int) -> None:
    """One card may show the new state and the other one the old."""
    await road.lives.begin()
    await road.ask_for_it()
    await road.click_approve()
    for _ in range(nth):
        held = road.workspace.faults.hold("chat.update")
        await road.reach(held)
        if nth > 1:
            held.release()
    await road.lives.kill()
    held.drop()
    await road.walk_on()
    await holds(road)


async def test_a_secret_that_may_have_been_seen_is_masked_and_replaced(road: Road) -> None:
    """Slack has shown it, and nobody was left to hear so."""
    await road.lives.begin()
    await road.ask_for_it()
    await road.approve_it()
    await road.values(road.id)
    held = road.workspace.faults.hold("response_url")
    click = asyncio.create_task(road.reveal())
    await road.reach(held)
    doubtful = road.in_the_clear() or ""
    assert await road.sign_in(doubtful) == 200
    await road.lives.kill()
    held.drop()
    await click

    await road.revive()
    await road.until(lambda: doubtful not in road.whispers("rosa"))
    await road.until(road.is_doubtful)
    await road.take_it()
    assert road.secret != doubtful
    assert await road.sign_in(doubtful) == 401
    await holds(road)


@pytest.mark.slow
async def test_a_secret_on_the_screen_is_masked_by_the_next_life(road: Road) -> None:
    await _shown(road)
    await road.lives.kill()
    await road.lives.begin(later=LATER)
    await road.until(lambda: road.secret not in road.whispers("rosa"))
    await road.until(road.is_over)
    await holds(road)


@pytest.mark.slow
async def test_a_mask_whose_answer_is_lost_is_laid_again(road: Road) -> None:
    await _shown(road)
    assert await road.lives.stop() == 0
    held = road.workspace.faults.hold("response_url")
    await road.lives.begin(later=timedelta(seconds=61))
    await road.reach(held)
    assert road.secret not in road.whispers("rosa")
    await road.lives.kill()
    held.drop()
    await road.lives.begin(later=LATER)
    await road.until(road.is_over)
    await holds(road)


@pytest.mark.slow
async def test_a_hide_that_is_killed_is_finished_by_the_mask(road: Road) -> None:
    await _shown(road)
    held = road.workspace.faults.hold("response_url")
    click = asyncio.create_task(road.hide())
    await road.kill_at(held)
    await click
    await road.lives.begin(later=LATER)
    await road.until(road.is_over)
    await holds(road)


async def _shown(road: Road) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    await road.approve_it()
    await road.reveal_it()
