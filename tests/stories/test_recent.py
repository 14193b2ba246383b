"""Who somebody was a few minutes ago: said only while Slack is asked too often, and no longer."""

from datetime import timedelta

import pytest

from tests.support.story import Story

pytestmark = pytest.mark.slow

UNKNOWN = "Slack did not say who you are, so nothing was done. Try again in a moment."
EVER = 10_000
REMEMBERED = timedelta(minutes=5)  # as USAGE.md promises


async def test_while_slack_is_asked_too_often_people_can_act_whom_it_has_just_named(
    story: Story,
) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.faults.throttle("users.info", times=EVER)
    assert (await story.workspace.command("ben", f"status {id}")).text == UNKNOWN
    await story.approve(id, by="ada")
    assert not story.workspace.complaints


async def test_whoever_may_no_longer_act_does_so_five_minutes_longer_at_most(story: Story) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.people["ada"].is_restricted = True
    story.workspace.faults.throttle("users.info", times=EVER)
    story.clock.move(REMEMBERED - timedelta(seconds=1))
    assert f"{id} waits" in (await story.workspace.command("ada", f"status {id}")).text
    story.clock.move(timedelta(seconds=1))  # what was remembered is no newer for having been used
    assert (await story.workspace.command("ada", f"status {id}")).text == UNKNOWN


async def test_once_slack_answers_again_its_answer_counts(story: Story) -> None:
    id = await story.ask()
    await story.workspace.command("ada", f"status {id}")
    story.workspace.people["ada"].is_restricted = True
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert "Guest accounts" in story.whispers("ada")
    story.workspace.faults.throttle("users.info", times=EVER)
    assert "Guest accounts" in await story.answer_to("ada", "Approve", on=story.card_of(id))


@pytest.mark.parametrize("trouble", ["breaks", "hold", "user_not_found"])
async def test_any_other_trouble_is_a_no(story: Story, trouble: str) -> None:
    id = await story.ask()
    faults = story.workspace.faults
    await story.workspace.command("ada", f"status {id}")
    match trouble:
        case "breaks":
            faults.breaks("users.info")
        case "hold":
            faults.hold("users.info")
        case code:
            faults.fail("users.info", code)
    assert (await story.workspace.command("ada", f"status {id}")).text == UNKNOWN
