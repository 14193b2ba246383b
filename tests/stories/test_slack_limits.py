"""Slack says no for longer: what is stopped by it, what is not, and who is told.

The clock stands still but for real time and for what a story moves it by, so that a wait is a wait.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import pytest
import structlog.testing

from bot.app import App
from bot.playground.clock import MovableClock
from bot.playground.workspace import NeverHappened
from bot.storage import message_queue, registrations
from tests.support.small_bot import client_of
from tests.support.story import Story

pytestmark = pytest.mark.slow

POST = "chat.postMessage"
TEN_MINUTES = timedelta(minutes=10)
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


async def never(story: Story, predicate: Callable[[], object], *, seconds: float = 0.5) -> None:
    """See that it does not come true while the bot looks at storage several times."""
    with pytest.raises(NeverHappened):
        await story.until(predicate, timeout=seconds)


def calls(story: Story, method: str) -> int:
    return len(story.workspace.calls(method))


def refused(story: Story) -> int:
    """Count the tries to post in the approval channel that Slack has refused. Before each one the
    bot asks who can read there, and where it is not in the channel that is refused already.
    """
    tried = [*story.workspace.calls(POST), *story.workspace.calls("conversations.info")]
    return sum(not call.answer["ok"] for call in tried)


def refused_again(story: Story, before: int) -> bool:
    return refused(story) > before


async def test_updates_that_come_too_often_stop_updates_only(story: Story) -> None:
    id = await story.ask("billing")
    story.workspace.faults.throttle("chat.update", retry_after=600)
    before = calls(story, "chat.update")
    await story.approve(id)
    assert calls(story, "chat.update") <= before + 2  # as many as were under way
    asked = calls(story, "chat.update")
    await never(story, lambda: "is ready" in story.card())
    assert calls(story, "chat.update") == asked
    story.clock.move(TEN_MINUTES)
    await story.until(lambda: f"{id} is ready" in story.card())
    await story.until(lambda: f"{id} is ready" in story.direct("rosa"))


async def test_posts_that_come_too_often_stop_one_channel_only(story: Story) -> None:
    await story.fill_and_send()
    await story.until(lambda: story.workspace.messages("rosa"))
    story.workspace.faults.throttle("chat.postMessage", retry_after=600)
    await story.until(lambda: any(not it.answer["ok"] for it in story.workspace.calls(POST)))
    await story.fill_and_send("payroll")
    await story.until(lambda: len(story.workspace.messages("rosa")) == 2)
    await never(story, lambda: story.workspace.messages("approvals"))
    story.clock.move(TEN_MINUTES)
    await story.until(lambda: len(story.workspace.messages("approvals")) == 2)


async def test_a_slow_answer_keeps_no_other_card_waiting(story: Story) -> None:
    slow, other = await story.ask("billing"), await story.ask("payroll")
    held = story.workspace.faults.hold("chat.update")
    await story.workspace.click("ada", "Approve", on=story.card_of(slow))
    await held.reached.wait()
    await story.approve(other)
    await story.until(lambda: "is ready" in story.card(other))
    held.release()
    await story.until(lambda: "is ready" in story.card(slow))


@pytest.mark.parametrize("trouble", ["removed", "archived"])
async def test_a_closed_channel_is_said_aloud_and_tried_slowly(story: Story, trouble: str) -> None:
    channel = story.workspace.channels["approvals"]
    if trouble == "removed":
        channel.members.discard(story.workspace.bot_user_id)
    else:
        channel.archived = True
    with structlog.testing.capture_logs() as logged:
        await story.fill_and_send()
        await story.fill_and_send("payroll")
        await story.until(lambda: len(story.workspace.messages("rosa")) == 2)
        await story.until(lambda: refused(story))
        await never(story, lambda: story.workspace.messages("approvals"))
        for _ in range(6):
            tried = refused(story)
            story.clock.move(FIVE_MINUTES)
            await story.until(partial(refused_again, story, tried))
            await never(story, lambda: story.workspace.messages("approvals"))
            assert refused(story) <= tried + 2  # as many as go at once
    said = [it for it in logged if it["event"] == "messages cannot be shown"]
    assert 6 <= len(said) <= 8
    assert all(it["log_level"] == "error" and it["channel"] == channel.id for it in said)
    assert all(it["advice"] for it in said)

    channel.members.add(story.workspace.bot_user_id)
    channel.archived = False
    story.clock.move(FIVE_MINUTES)
    await story.until(lambda: len(story.workspace.messages("approvals")) == 2)


async def test_a_post_whose_answers_are_lost_is_made_more_and_more_rarely(story: Story) -> None:
    await story.fill_and_send()
    await story.until(lambda: story.workspace.messages("rosa"))
    for _ in range(100):
        story.workspace.faults.lose(POST)
    await story.until(lambda: story.workspace.messages("approvals"))
    for _ in range(30):
        story.clock.move(timedelta(minutes=2))
        await never(story, lambda: False, seconds=0.2)
    posted = [it["text"] for it in story.workspace.messages("approvals")]
    cards = posted.count(posted[0])  # the others are reminders
    # Each try may add one: an outage of an hour must not fill the channel.
    assert 5 <= cards <= 20


async def test_a_token_that_is_revoked_is_said_aloud_and_all_is_shown_later(story: Story) -> None:
    id = await story.ask("billing")
    held = story.workspace.faults.hold("chat.update")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await held.reached.wait()
    with structlog.testing.capture_logs() as logged:
        story.workspace.revoke_token()
        held.release()
        await story.until(
            lambda: any(it.answer.get("error") == "token_revoked" for it in story.workspace.log)
        )
        await never(story, lambda: "is ready" in story.card())
        made = len(story.workspace.log)
        await never(story, lambda: "is ready" in story.card())
        assert len(story.workspace.log) == made
    [said] = [it for it in logged if it["log_level"] == "error"]
    assert said["code"] == "token_revoked"
    assert "SLACK_BOT_TOKEN" in said["advice"]

    story.workspace.installation.refused_tokens.clear()
    story.clock.move(FIVE_MINUTES)
    await story.until(lambda: f"{id} is ready" in story.card())
    await story.until(lambda: story.is_announced(id))


async def test_a_card_deleted_by_hand_is_neither_posted_again_nor_in_the_way(story: Story) -> None:
    id, other = await story.ask("billing"), await story.ask("payroll")
    card = story.card_of(id)
    await story.workspace.click("ada", "Approve", on=card)
    async with client_of(story.workspace) as client:
        await client.chat_delete(channel=card["channel"], ts=card["ts"])
    await story.until(lambda: story.is_announced(id))
    await story.approve(other)
    await story.until(lambda: f"{other} is ready" in story.card())
    assert len(story.workspace.messages("approvals")) == 1


async def test_nothing_is_sent_for_a_version_that_looks_the_same(story: Story, app: App) -> None:
    id = await story.ready("billing")
    await story.until(lambda: f"{id} is ready" in story.card())
    await story.until(lambda: f"{id} is ready" in story.direct("rosa"))
    await never(story, lambda: False)
    before = calls(story, "chat.update")
    await app.services.database.write(registrations.bump_version, id)
    app.dispatcher.loop.wakeup.set()
    async with asyncio.timeout(15):
        while await _stale(app, story):
            await never(story, lambda: False, seconds=0.1)
    assert calls(story, "chat.update") == before


async def _stale(app: App, story: Story) -> Sequence[object]:
    async with app.services.database.reading() as tx:
        now = story.clock.now()
        return await message_queue.stale(tx, now, drawn_before=now, limit=10)
