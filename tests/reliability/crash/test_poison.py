"""A run that kills the bot whenever it is begun: after a few deaths it has failed, and can be tried
again, while everything else works.
"""

import pytest

from bot.worker.attempts import MOST
from tests.reliability.crash.test_every_commit import learnt
from tests.support.crash_checks import holds
from tests.support.crash_process import Commit, Death
from tests.support.crash_story import Road

BOTH = "SELECT count(*) FROM runs WHERE kind = 'register' AND begun = 1 AND ended_at IS NULL"


@pytest.mark.slow
async def test_a_run_that_kills_the_bot_each_time_is_given_up(road: Road) -> None:
    await road.lives.begin()
    await road.ask_for_it()
    assert await road.lives.stop() == 0
    poison = Death(when="before", at=learnt("application"))
    await road.lives.begin(poison)
    await road.click_approve()
    await road.lives.until_dead()
    for _ in range(MOST - 1):
        await road.lives.begin(poison)
        await road.lives.until_dead()
    assert road.lives.deaths == MOST

    await road.lives.begin(poison)  # which would die once more
    await road.until(lambda: road.cards(f"{road.id} failed"))
    assert "this is a bug, and nothing you did" in road.cards(f"{road.id} failed")[-1]
    assert road.lives.deaths == MOST
    assert await road.lives.stop() == 0
    await road.lives.begin()
    card = road.workspace.messages("approvals")[-1]
    await road.workspace.click("ada", "Retry", on=card)
    await road.walk_on()
    await holds(road)


@pytest.mark.slow
async def test_a_run_beside_it_is_carried_to_its_end(road: Road) -> None:
    """Both are at work when the bot dies for the first time, and are resumed each time."""
    await road.lives.begin()
    innocent, killer = await road.ask("payroll"), await road.ask("billing")
    held = road.tenant.faults.hold("PATCH", r"/applications\(uniqueName", times=2)
    for id in (innocent, killer):
        await road.workspace.click("ada", "Approve", on=road.card_of(id))
    await road.until(lambda: road.stored(BOTH) == 2)
    await road.kill_at(held)

    run = road.stored("SELECT id FROM runs WHERE registration = ? AND ended_at IS NULL", killer)
    words = rf"UPDATE steps SET [^\n]*facts=[^\n]*'{run}', 'application'\)"
    poison = Death(when="before", at=Commit("facts of the killer", words))
    for _ in range(MOST - 1):
        await road.lives.begin(poison)
        await road.lives.until_dead()
    await road.lives.begin(poison)
    await road.until(lambda: road.cards(f"{killer} failed"))
    await road.until(lambda: road.cards(f"{innocent} is ready"))
    assert road.lives.deaths == MOST
    assert await road.lives.stop() == 0
