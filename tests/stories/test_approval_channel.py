"""The approval channel after the start: shared with another organization, or open to everybody."""

from datetime import timedelta
from functools import partial

import pytest
import structlog.testing

from bot.playground.stage import Stage
from handlers.slack.destinations import RECENTLY
from tests.support.home_story import opened, seen
from tests.support.running_bot import Bot
from tests.support.story import Story
from tests.support.waiting import eventually

ADVICE = "It is shared with another organization: end that, or set APPROVAL_CHANNEL"


async def test_no_plan_is_posted_to_a_channel_that_was_shared_after_the_start(story: Story) -> None:
    channel = story.workspace.channels["approvals"]
    await story.ask("first")
    channel.is_ext_shared = True
    with structlog.testing.capture_logs() as logs:
        await story.fill_and_send("second")
        await story.until(lambda: any(it.get("code") == "channel_is_shared" for it in logs))
    assert len(story.workspace.messages("approvals")) == 1
    await opened(story, "ada")
    await story.until(lambda: ADVICE in seen(story, "ada"))
    channel.is_ext_shared = False
    await eventually(
        story, lambda: len(story.workspace.messages("approvals")) == 2, step=timedelta(seconds=31)
    )


@pytest.mark.slow
async def test_a_card_says_no_more_in_a_channel_that_was_shared_since_its_post(
    story: Story,
) -> None:
    channel = story.workspace.channels["approvals"]
    id, other = await story.ask("first"), await story.ask("second")
    channel.is_ext_shared = True
    story.clock.move(RECENTLY)
    before = [story.card(each) for each in (id, other)]
    with structlog.testing.capture_logs() as logs:
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        await story.workspace.command("rosa", f"cancel {other}")
        await story.until(lambda: story.is_announced(id))
        await story.until(lambda: any(it.get("code") == "channel_is_shared" for it in logs))
    await story.until(lambda: f"{other} was cancelled" in story.direct("rosa"))
    assert [story.card(each) for each in (id, other)] == before
    channel.is_ext_shared = False
    await eventually(
        story,
        lambda: f"{id} is ready" in story.card(id) and is_cancelled(story, other),
        step=timedelta(seconds=31),
    )


def is_cancelled(story: Story, id: str) -> bool:
    return "cancelled" in story.card(id)


@pytest.mark.slow
async def test_many_changes_of_cards_ask_once_who_reads_them(story: Story) -> None:
    ids = [await story.ask(name) for name in ("first", "second", "third")]
    before = len(story.workspace.calls("conversations.info"))
    for id in ids:
        await story.workspace.command("rosa", f"cancel {id}")
    for id in ids:
        await story.until(partial(is_cancelled, story, id))
    assert len(story.workspace.calls("conversations.info")) <= before + 1


async def test_it_is_looked_at_daily_and_at_the_start(stage: Stage, bot: Bot) -> None:
    channel = stage.workspace.channels["approvals"]
    channel.private = False
    with structlog.testing.capture_logs() as logs:

        def said(event: str) -> int:
            return sum(it["event"] == event for it in logs)

        async with bot() as running:
            assert said("the approval channel is public") == 1
            await running.slack.channel.look()
            assert said("the approval channel is public") == 1
            channel.is_ext_shared = True
            stage.clock.move(timedelta(days=1))
            await running.slack.channel.look()
            assert said("the approval channel is public") == 2
            assert said("messages cannot be shown") == 1
            stage.workspace.faults.breaks("conversations.info")
            stage.clock.move(timedelta(days=1))
            await running.slack.channel.look()
            assert said("approval channel not looked at") == 1
