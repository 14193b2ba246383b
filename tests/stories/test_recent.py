"""Who somebody was a few minutes ago: said only while Slack is asked too often, and no longer."""

from datetime import timedelta

import pytest

from tests.support.story import Scene

UNKNOWN = "Slack did not say who you are, so nothing was done. Try again in a moment."
EVER = 10_000
REMEMBERED = timedelta(minutes=5)  # as README promises


async def test_while_slack_is_asked_too_often_people_can_act_whom_it_has_just_named(
    scene: Scene,
) -> None:
    id = await scene.ask()
    await scene.workspace.command("ada", f"status {id}")
    scene.workspace.faults.throttle("users.info", times=EVER)
    assert (await scene.workspace.command("ben", f"status {id}")).text == UNKNOWN
    await scene.approve(id, by="ada")
    assert not scene.workspace.complaints


async def test_whoever_may_no_longer_act_does_so_five_minutes_longer_at_most(scene: Scene) -> None:
    id = await scene.ask()
    await scene.workspace.command("ada", f"status {id}")
    scene.workspace.people["ada"].is_restricted = True
    scene.workspace.faults.throttle("users.info", times=EVER)
    scene.clock.move(REMEMBERED - timedelta(seconds=1))
    assert f"{id} waits" in (await scene.workspace.command("ada", f"status {id}")).text
    scene.clock.move(timedelta(seconds=1))  # what was remembered is no newer for having been used
    assert (await scene.workspace.command("ada", f"status {id}")).text == UNKNOWN


async def test_once_slack_answers_again_its_answer_counts(scene: Scene) -> None:
    id = await scene.ask()
    await scene.workspace.command("ada", f"status {id}")
    scene.workspace.people["ada"].is_restricted = True
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    assert "is a guest's" in scene.whispers("ada")
    scene.workspace.faults.throttle("users.info", times=EVER)
    scene.workspace.reload("ada")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    assert "is a guest's" in scene.whispers("ada")


@pytest.mark.parametrize("trouble", ["breaks", "hold", "user_not_found"])
async def test_any_other_trouble_is_a_no(scene: Scene, trouble: str) -> None:
    id = await scene.ask()
    faults = scene.workspace.faults
    await scene.workspace.command("ada", f"status {id}")
    match trouble:
        case "breaks":
            faults.breaks("users.info")
        case "hold":
            faults.hold("users.info")
        case code:
            faults.fail("users.info", code)
    assert (await scene.workspace.command("ada", f"status {id}")).text == UNKNOWN
