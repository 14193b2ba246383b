"""Whom a new request notifies: Slack tells people of a message in a channel that mentions them."""

import pytest

from bot.playground.stage import Stage
from tests.support.rotation_story import asked, in_use
from tests.support.running_bot import Bot
from tests.support.story import Story


def notified(story: Story, person: str, id: str) -> list[str]:
    """Return what a person was notified of in the approval channel about a registration."""
    channel = story.workspace.channels["approvals"].id
    return [
        each.text
        for each in story.workspace.notifications(person)
        if each.channel == channel and id in each.text
    ]


@pytest.mark.slow
async def test_a_new_request_notifies_all_approvers_but_its_requester(
    stage: Stage, bot: Bot
) -> None:
    people = stage.workspace.people
    everybody = ",".join(people[name].id for name in ("rosa", "ada", "grace"))
    async with bot(APPROVERS=everybody):
        story = Story(stage)
        id = await story.ask()
        assert len(notified(story, "ada", id)) == len(notified(story, "grace", id)) == 1
        assert not notified(story, "rosa", id)
        assert not notified(story, "ben", id)
        await story.approve(id)
        assert len(notified(story, "ada", id)) == 1
        assert "For @" not in story.card(id)


async def test_where_there_are_approver_groups_those_are_mentioned(stage: Stage, bot: Bot) -> None:
    people = stage.workspace.people
    group = stage.workspace.add_group("security", "ben")
    async with bot(APPROVERS=people["ada"].id, APPROVER_GROUPS=group.id):
        story = Story(stage)
        id = await story.ask()
        assert notified(story, "ben", id)
        assert not notified(story, "ada", id)


@pytest.mark.settings(MENTION="none")
async def test_nobody_is_mentioned_if_that_is_set(story: Story) -> None:
    id = await story.ask()
    assert not notified(story, "ada", id)


@pytest.mark.slow
@pytest.mark.parametrize("person", ["ada", "grace"])
async def test_a_request_for_a_rotation_notifies_the_approvers(story: Story, person: str) -> None:
    id = await in_use(story)
    before = len(notified(story, person, id))
    await asked(story, id)
    assert len(notified(story, person, id)) == before + 1
