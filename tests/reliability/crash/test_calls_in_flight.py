"""Killed in the middle of a call to Entra: before it counts, when it counts, and when it is late.

The tenant holds the request or its answer until the caller is dead. What came too late to be
answered may still be carried out after the bot has begun again.
"""

from datetime import timedelta

import pytest

from bot.playground.tenant.faults import When
from tests.support.crash_calls import CALLS, Call
from tests.support.crash_checks import holds
from tests.support.crash_story import LATER, CrashStory

WAYS = ("never arrives", "has happened", "happens later")
SAMPLE = (("secret", "has happened"),)
MATRIX = [
    pytest.param(
        call,
        way,
        id=f"{call.name} {way}",
        marks=() if (call.name, way) in SAMPLE else pytest.mark.slow,
    )
    for call in CALLS
    for way in WAYS
]


@pytest.mark.parametrize(("call", "way"), MATRIX)
async def test_a_kill_during_a_call_leaves_one_of_each(
    crash_story: CrashStory, call: Call, way: str
) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await _killed_during(crash_story, call, way)
    await crash_story.walk_on()
    await holds(crash_story)


@pytest.mark.slow
async def test_a_kill_during_the_preflight_is_made_good(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    held = crash_story.tenant.faults.hold("GET", "/v1.0/applications$")
    await crash_story.send_form()
    await crash_story.kill_at(held)
    await crash_story.walk()
    await holds(crash_story)


@pytest.mark.slow
async def test_a_secret_of_which_nobody_knows_goes_with_the_first_sweep(
    crash_story: CrashStory,
) -> None:
    """Its answer was lost with the bot, and lag hides it from whoever looks too early."""
    crash_story.tenant.faults.lag = (0.1, 0.5)
    crash_story.tenant.faults.secret_lag = (0.2, 0.8)
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await _killed_during(crash_story, CALLS[4], "has happened")
    await crash_story.walk_on()
    assert len(crash_story.live_secrets()) == 2

    assert await crash_story.lives.stop() == 0
    await crash_story.lives.begin(later=timedelta(minutes=16))
    await crash_story.until(lambda: crash_story.told("swept"))
    (left,) = crash_story.live_secrets()
    assert crash_story.secret.startswith(left["hint"])
    await holds(crash_story)


@pytest.mark.slow
async def test_a_sweep_that_is_killed_sweeps_again(crash_story: CrashStory) -> None:
    await crash_story.lives.begin()
    await crash_story.ask_for_it()
    await _killed_during(crash_story, CALLS[4], "has happened")
    await crash_story.walk_on()

    assert await crash_story.lives.stop() == 0
    held = crash_story.tenant.faults.hold("POST", "/removePassword", when="before_effect")
    await crash_story.lives.begin(later=timedelta(minutes=16))
    await crash_story.kill_at(held)
    await crash_story.lives.begin(later=LATER)
    await crash_story.until(lambda: crash_story.told("swept"))
    assert len(crash_story.live_secrets()) == 1
    await holds(crash_story)


async def _killed_during(crash_story: CrashStory, call: Call, way: str) -> None:
    """Approve; kill the bot at this call; begin again."""
    when: When = "after_effect" if way == "has happened" else "before_effect"
    held = crash_story.tenant.faults.hold(call.method, call.path, when=when)
    await crash_story.click_approve()
    await crash_story.reach(held)
    await crash_story.lives.kill()
    if way == "happens later":
        held.release()
    else:
        held.drop()
    await crash_story.revive()
