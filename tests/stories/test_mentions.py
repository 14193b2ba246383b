"""Whom a new request notifies: Slack tells people of a message in a channel that mentions them."""

import pytest

from bot.playground.stage import Stage
from tests.conftest import Bot
from tests.support.rotation_story import asked, in_use
from tests.support.story import Scene


def notified(scene: Scene, person: str, id: str) -> list[str]:
    """Return what a person was notified of in the approval channel about a registration."""
    channel = scene.workspace.channels["approvals"].id
    return [
        each.text
        for each in scene.workspace.notifications(person)
        if each.channel == channel and id in each.text
    ]


async def test_a_new_request_notifies_the_approvers_and_not_its_requester(
    stage: Stage, bot: Bot
) -> None:
    people = stage.workspace.people
    everybody = ",".join(people[name].id for name in ("rosa", "ada", "grace"))
    async with bot(APPROVERS=everybody):
        scene = Scene(stage)
        id = await scene.ask()
        assert len(notified(scene, "ada", id)) == len(notified(scene, "grace", id)) == 1
        assert not notified(scene, "rosa", id)
        assert not notified(scene, "ben", id)
        await scene.approve(id)
        assert len(notified(scene, "ada", id)) == 1
        assert "For @" not in scene.workspace.text_of(scene.card_of(id))


async def test_where_there_are_approver_groups_those_are_mentioned(stage: Stage, bot: Bot) -> None:
    people = stage.workspace.people
    group = stage.workspace.add_group("security", "ben")
    async with bot(APPROVERS=people["ada"].id, APPROVER_GROUPS=group.id):
        scene = Scene(stage)
        id = await scene.ask()
        assert notified(scene, "ben", id)
        assert not notified(scene, "ada", id)


async def test_nobody_is_mentioned_if_that_is_set(stage: Stage, bot: Bot) -> None:
    async with bot(MENTION="none"):
        scene = Scene(stage)
        id = await scene.ask()
        assert not notified(scene, "ada", id)


@pytest.mark.parametrize("person", ["ada", "grace"])
async def test_a_rotation_that_is_asked_for_notifies_the_approvers(
    scene: Scene, person: str
) -> None:
    id = await in_use(scene)
    before = len(notified(scene, person, id))
    await asked(scene, id)
    assert len(notified(scene, person, id)) == before + 1
