"""Look-ups of people: nobody uses them all up, and approvers have some of their own."""

from datetime import timedelta

import pytest

from bot.playground.clock import MovableClock
from handlers.slack.rate_limits import (
    EACH_BURST,
    KEPT_FOR_APPROVERS,
    PEOPLE_A_MINUTE,
    LookupLimits,
)
from tests.support.story import Story


async def test_help_looks_nobody_up(story: Story) -> None:
    before = len(story.workspace.calls("users.info"))
    for _ in range(30):
        assert "/aad-setup status" in (await story.workspace.command("ben", "help")).text
    assert len(story.workspace.calls("users.info")) == before


@pytest.mark.slow
async def test_whoever_asks_without_end_keeps_no_approver_from_deciding(story: Story) -> None:
    story.workspace.rates.enforced = True
    id = await story.ask()
    for number in range(150):
        await story.workspace.command("ben", f"status {id}" if number % 2 else "nonsense")
    assert not story.workspace.rates.count("users.info").refused
    for name in ("gus", "ada"):  # nobody has remembered them
        await story.workspace.command(name, f"status {id}")
    await story.approve(id)


async def test_what_slack_said_a_moment_ago_counts_meanwhile(story: Story) -> None:
    id = await story.ask()
    before = len(story.workspace.calls("users.info"))
    for _ in range(EACH_BURST + 10):
        assert id in (await story.workspace.command("ben", f"status {id}")).text
    assert len(story.workspace.calls("users.info")) <= before + EACH_BURST + 2


def test_some_are_kept_for_approvers(clock: MovableClock) -> None:
    look_ups = LookupLimits(clock)
    others = [look_ups.take(f"U{number}") for number in range(PEOPLE_A_MINUTE)]
    assert others.count(True) == PEOPLE_A_MINUTE - KEPT_FOR_APPROVERS
    approvers = [look_ups.take(f"W{number}", is_approver=True) for number in range(100)]
    assert approvers.count(True) == KEPT_FOR_APPROVERS
    clock.move(timedelta(seconds=62))
    assert look_ups.take("U0")


def test_each_person_has_a_rate(clock: MovableClock) -> None:
    look_ups = LookupLimits(clock)
    assert [look_ups.take("U1") for _ in range(50)].count(True) == EACH_BURST
    assert look_ups.take("U2")
    clock.move(timedelta(seconds=4))
    assert look_ups.take("U1")
    assert not look_ups.take("U1")


def test_whoever_did_nothing_for_a_while_is_forgotten(clock: MovableClock) -> None:
    look_ups = LookupLimits(clock, a_minute=10**6)
    for number in range(3000):
        look_ups.take(f"U{number}")
        clock.move(timedelta(seconds=1))
    assert len(look_ups._each) <= 1000
