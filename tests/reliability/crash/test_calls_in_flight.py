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
    story: CrashStory, call: Call, way: str
) -> None:
    await _killed_during(story, call, way)
    await holds(story)


@pytest.mark.slow
async def test_a_kill_during_the_preflight_is_made_good(story: CrashStory) -> None:
    await story.lives.begin()
    held = story.tenant.faults.hold("GET", "/v1.0/applications$")
    await story.send_form()
    await story.kill_at(held)
    await story.walk()
    await holds(story)


@pytest.mark.slow
async def test_a_secret_of_which_nobody_knows_goes_with_the_first_sweep(story: CrashStory) -> None:
    """Its answer was lost with the bot, and lag hides it from whoever looks too early."""
    story.tenant.faults.lag = (0.1, 0.5)
    story.tenant.faults.secret_lag = (0.2, 0.8)
    await _killed_during(story, CALLS[4], "has happened")
    assert len(story.live_secrets()) == 2

    await story.lives.restart(later=timedelta(minutes=16))
    await story.until(lambda: story.told("swept"))
    (left,) = story.live_secrets()
    assert story.secret.startswith(left["hint"])
    await holds(story)


@pytest.mark.slow
async def test_a_sweep_that_is_killed_sweeps_again(story: CrashStory) -> None:
    await _killed_during(story, CALLS[4], "has happened")

    held = story.tenant.faults.hold("POST", "/removePassword", when="before_effect")
    await story.lives.restart(later=timedelta(minutes=16))
    await story.kill_at(held)
    await story.lives.begin(later=LATER)
    await story.until(lambda: story.told("swept"))
    assert len(story.live_secrets()) == 1
    await holds(story)


async def _killed_during(story: CrashStory, call: Call, way: str) -> None:
    """Ask and approve; kill the bot at this call; begin again, and walk on."""
    await story.ask_for_it()
    when: When = "after_effect" if way == "has happened" else "before_effect"
    held = story.tenant.faults.hold(call.method, call.path, when=when)
    await story.click_approve()
    await story.reach(held)
    await story.lives.kill()
    if way == "happens later":
        held.release()
    else:
        held.drop()
    await story.revive()
    await story.walk_on()
