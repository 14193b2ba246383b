"""Killed in the middle of a call to Entra: before it counts, when it counts, and when it is late.

The tenant holds the request or its answer until the caller is dead. What came too late to be
answered may still be carried out after the bot has begun again.
"""

from datetime import timedelta
from typing import NamedTuple

import pytest

from bot.playground.tenant.faults import When
from tests.support.crash_checks import holds
from tests.support.crash_story import LATER, Road


class Call(NamedTuple):
    """A call of the road, as the tenant sees it."""

    name: str
    method: str
    path: str


CALLS = (
    Call("application", "PATCH", r"/applications\(uniqueName"),
    Call("service principal", "PATCH", r"/servicePrincipals\(appId"),
    Call("role", "POST", "/appRoleAssignedTo"),
    Call("scopes", "POST", "/oauth2PermissionGrants"),
    Call("secret", "POST", "/addPassword"),
    Call("sign-in", "POST", "/token"),
    Call("directory", "POST", r"/\$batch"),
)
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
async def test_a_kill_during_a_call_leaves_one_of_each(road: Road, call: Call, way: str) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    await _killed_during(road, call, way)
    await road.walk_on()
    await holds(road)


@pytest.mark.slow
async def test_a_kill_during_the_preflight_is_made_good(road: Road) -> None:
    await road.lives.begin()
    held = road.tenant.faults.hold("GET", "/v1.0/applications$")
    await road.send_form()
    await road.kill_at(held)
    await road.walk()
    await holds(road)


@pytest.mark.slow
async def test_a_secret_of_which_nobody_knows_goes_with_the_first_sweep(road: Road) -> None:
    """Its answer was lost with the bot, and lag hides it from whoever looks too early."""
    road.tenant.faults.lag = (0.1, 0.5)
    road.tenant.faults.secret_lag = (0.2, 0.8)
    await road.lives.begin()
    await road.ask_for_it()
    await _killed_during(road, CALLS[4], "has happened")
    await road.walk_on()
    assert len(road.live_secrets()) == 2

    assert await road.lives.stop() == 0
    await road.lives.begin(later=timedelta(minutes=16))
    await road.until(lambda: road.told("swept"))
    (left,) = road.live_secrets()
    assert road.secret.startswith(left["hint"])
    await holds(road)


@pytest.mark.slow
async def test_a_sweep_that_is_killed_sweeps_again(road: Road) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    await _killed_during(road, CALLS[4], "has happened")
    await road.walk_on()

    assert await road.lives.stop() == 0
    held = road.tenant.faults.hold("POST", "/removePassword", when="before_effect")
    await road.lives.begin(later=timedelta(minutes=16))
    await road.kill_at(held)
    await road.lives.begin(later=LATER)
    await road.until(lambda: road.told("swept"))
    assert len(road.live_secrets()) == 1
    await holds(road)


async def _killed_during(road: Road, call: Call, way: str) -> None:
    """Approve; kill the bot at this call; begin again."""
    when: When = "after_effect" if way == "has happened" else "before_effect"
    held = road.tenant.faults.hold(call.method, call.path, when=when)
    await road.click_approve()
    await road.reach(held)
    await road.lives.kill()
    if way == "happens later":
        held.release()
    else:
        held.drop()
    await road.revive()
