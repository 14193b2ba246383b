"""Slack says no for longer: what is stopped by it, what is not, and who is told.

The clock stands still but for real time and for what a story moves it by, so that a wait is a wait.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import structlog.testing

from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.playground.workspace import NeverHappened
from bot.storage import messages, registrations
from tests.conftest import Bot
from tests.support.small_bot import client_of
from tests.support.story import Scene

POST = "chat.postMessage"
TEN_MINUTES = timedelta(minutes=10)
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


async def never(scene: Scene, predicate: Callable[[], object], *, seconds: float = 0.5) -> None:
    """See that it does not come true while the bot looks at storage several times."""
    with pytest.raises(NeverHappened):
        await scene.until(predicate, timeout=seconds)


async def submit(scene: Scene, name: str = "billing") -> None:
    await scene.open_form()
    await scene.workspace.submit("rosa", {"Application name": name, "Reason": "To sync"})


def calls(scene: Scene, method: str) -> int:
    return len(scene.workspace.calls(method))


def refused(scene: Scene) -> int:
    """Count the tries to post in the approval channel that Slack has refused. Before each one the
    bot asks who can read there, and where it is not in the channel that is refused already.
    """
    tried = [*scene.workspace.calls(POST), *scene.workspace.calls("conversations.info")]
    return sum(not call.answer["ok"] for call in tried)


def refused_again(scene: Scene, before: int) -> bool:
    return refused(scene) > before


async def test_updates_that_come_too_often_stop_updates_only(scene: Scene) -> None:
    id = await scene.ask("billing")
    scene.workspace.faults.throttle("chat.update", retry_after=600)
    before = calls(scene, "chat.update")
    await scene.approve(id)
    assert calls(scene, "chat.update") <= before + 2  # as many as were under way
    asked = calls(scene, "chat.update")
    await never(scene, lambda: "is ready" in scene.card())
    assert calls(scene, "chat.update") == asked
    scene.clock.move(TEN_MINUTES)
    await scene.until(lambda: f"{id} is ready" in scene.card())
    await scene.until(lambda: f"{id} is ready" in scene.direct("rosa"))


async def test_posts_that_come_too_often_stop_one_channel_only(scene: Scene) -> None:
    await submit(scene)
    await scene.until(lambda: scene.workspace.messages("rosa"))
    scene.workspace.faults.throttle("chat.postMessage", retry_after=600)
    await scene.until(lambda: any(not it.answer["ok"] for it in scene.workspace.calls(POST)))
    await submit(scene, "payroll")
    await scene.until(lambda: len(scene.workspace.messages("rosa")) == 2)
    await never(scene, lambda: scene.workspace.messages("approvals"))
    scene.clock.move(TEN_MINUTES)
    await scene.until(lambda: len(scene.workspace.messages("approvals")) == 2)


async def test_a_slow_answer_keeps_no_other_card_waiting(scene: Scene) -> None:
    slow, other = await scene.ask("billing"), await scene.ask("payroll")
    held = scene.workspace.faults.hold("chat.update")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(slow))
    await held.reached.wait()
    await scene.approve(other)
    await scene.until(lambda: "is ready" in scene.workspace.text_of(scene.card_of(other)))
    held.release()
    await scene.until(lambda: "is ready" in scene.workspace.text_of(scene.card_of(slow)))


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["removed", "archived"])
async def test_a_closed_approval_channel_is_said_aloud_and_tried_slowly(
    scene: Scene, trouble: str
) -> None:
    channel = scene.workspace.channels["approvals"]
    if trouble == "removed":
        channel.members.discard(scene.workspace.bot_user_id)
    else:
        channel.archived = True
    with structlog.testing.capture_logs() as logged:
        await submit(scene)
        await submit(scene, "payroll")
        await scene.until(lambda: len(scene.workspace.messages("rosa")) == 2)
        await scene.until(lambda: refused(scene))
        await never(scene, lambda: scene.workspace.messages("approvals"))
        for _ in range(6):
            tried = refused(scene)
            scene.clock.move(FIVE_MINUTES)
            await scene.until(partial(refused_again, scene, tried))
            await never(scene, lambda: scene.workspace.messages("approvals"))
            assert refused(scene) <= tried + 2  # as many as go at once
    said = [it for it in logged if it["event"] == "messages cannot be shown"]
    assert 6 <= len(said) <= 8
    assert all(it["log_level"] == "error" and it["channel"] == channel.id for it in said)
    assert all(it["advice"] for it in said)

    channel.members.add(scene.workspace.bot_user_id)
    channel.archived = False
    scene.clock.move(FIVE_MINUTES)
    await scene.until(lambda: len(scene.workspace.messages("approvals")) == 2)


@pytest.mark.slow
async def test_a_post_whose_answers_are_lost_is_made_more_and_more_rarely(scene: Scene) -> None:
    await submit(scene)
    await scene.until(lambda: scene.workspace.messages("rosa"))
    for _ in range(100):
        scene.workspace.faults.lose(POST)
    await scene.until(lambda: scene.workspace.messages("approvals"))
    for _ in range(30):
        scene.clock.move(timedelta(minutes=2))
        await never(scene, lambda: False, seconds=0.2)
    posted = [it["text"] for it in scene.workspace.messages("approvals")]
    cards = posted.count(posted[0])  # the others are reminders
    # Each try may add one: an outage of an hour must not fill the channel.
    assert 5 <= cards <= 20


@pytest.mark.slow
async def test_a_token_that_is_revoked_is_said_aloud_and_all_is_shown_later(scene: Scene) -> None:
    id = await scene.ask("billing")
    held = scene.workspace.faults.hold("chat.update")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await held.reached.wait()
    with structlog.testing.capture_logs() as logged:
        scene.workspace.revoke_token()
        held.release()
        await scene.until(
            lambda: any(it.answer.get("error") == "token_revoked" for it in scene.workspace.log)
        )
        await never(scene, lambda: "is ready" in scene.card())
        made = len(scene.workspace.log)
        await never(scene, lambda: "is ready" in scene.card())
        assert len(scene.workspace.log) == made
    [said] = [it for it in logged if it["log_level"] == "error"]
    assert said["code"] == "token_revoked"
    assert "SLACK_BOT_TOKEN" in said["advice"]

    scene.workspace.installation.refused_tokens.clear()
    scene.clock.move(FIVE_MINUTES)
    await scene.until(lambda: f"{id} is ready" in scene.card())
    await scene.until(lambda: scene.is_announced(id))


async def test_a_card_deleted_by_hand_is_neither_posted_again_nor_in_the_way(scene: Scene) -> None:
    id, other = await scene.ask("billing"), await scene.ask("payroll")
    card = scene.card_of(id)
    await scene.workspace.click("ada", "Approve", on=card)
    async with client_of(scene.workspace) as client:
        await client.chat_delete(channel=card["channel"], ts=card["ts"])
    await scene.until(lambda: scene.is_announced(id))
    await scene.approve(other)
    await scene.until(lambda: f"{other} is ready" in scene.card())
    assert len(scene.workspace.messages("approvals")) == 1


@pytest.mark.slow
async def test_nothing_is_sent_for_a_version_that_looks_the_same(stage: Stage, bot: Bot) -> None:
    async with bot() as app:
        scene = Scene(stage)
        id = await scene.ready("billing")
        await scene.until(lambda: f"{id} is ready" in scene.card())
        await scene.until(lambda: f"{id} is ready" in scene.direct("rosa"))
        await never(scene, lambda: False)
        before = calls(scene, "chat.update")
        async with app.database.transaction() as tx:
            await registrations.bump_version(tx, id)
        app.dispatcher.loop.wakeup.wake()
        await never(scene, lambda: False)
        async with app.database.reading() as tx:
            now = scene.clock.now()
            assert await messages.stale(tx, now, drawn_before=now, limit=10) == []
    assert calls(scene, "chat.update") == before
