"""Look-ups of people: no user uses them all up, and while Slack says too often who people are
who they were minutes ago counts."""

from datetime import timedelta

import pytest

from bot.playground.clock import MovableClock
from handlers.slack.rate_limits import (
    EACH_BURST,
    KEPT_FOR_APPROVERS,
    PEOPLE_A_MINUTE,
    LookupLimits,
)
from tests.support.story import UNKNOWN, Story


async def test_help_looks_nobody_up(story: Story) -> None:
    before = len(story.workspace.calls("users.info"))
    for _ in range(30):
        assert "/aad-setup status" in await story.command("ben", "help")
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


@pytest.mark.slow
async def test_what_slack_said_a_moment_ago_counts_meanwhile(story: Story) -> None:
    id = await story.ask()
    before = len(story.workspace.calls("users.info"))
    for _ in range(EACH_BURST + 10):
        assert id in await story.command("ben", f"status {id}")
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


EVER = 10_000
REMEMBERED = timedelta(minutes=5)  # as USAGE.md promises


@pytest.mark.slow
async def test_while_slack_is_asked_too_often_whom_it_has_just_named_can_act(story: Story) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.faults.throttle("users.info", times=EVER)
    assert (await story.command("ben", f"status {id}")) == UNKNOWN
    await story.approve(id, by="ada")
    assert not story.workspace.complaints


@pytest.mark.slow
async def test_whoever_may_no_longer_act_does_so_five_minutes_longer_at_most(story: Story) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.people["ada"].is_restricted = True
    story.workspace.faults.throttle("users.info", times=EVER)
    story.clock.move(REMEMBERED - timedelta(seconds=1))
    assert f"{id} waits" in await story.command("ada", f"status {id}")
    story.clock.move(timedelta(seconds=1))  # what was remembered is no newer for having been used
    assert (await story.command("ada", f"status {id}")) == UNKNOWN


@pytest.mark.slow
async def test_once_slack_answers_again_its_answer_counts(story: Story) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.people["ada"].is_restricted = True
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert "Guest accounts" in story.whispers("ada")
    story.workspace.faults.throttle("users.info", times=EVER)
    assert "Guest accounts" in await story.answer_to("ada", "Approve", on=story.card_of(id))
