"""When Slack is slow, refuses, loses answers, or the channel is not what it was: cards heal."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import structlog.testing

from bot.domain.lifetimes import CHECK_PAUSE
from bot.playground.stage import Stage
from bot.playground.workspace.record import Entry
from handlers.slack.destinations import RECENTLY
from tests.support.home_story import opened, seen
from tests.support.marks import slow
from tests.support.rotation_story import announced, asked, decide, drawn, in_use, request
from tests.support.rotation_story import seen as look_at_it
from tests.support.running_bot import Bot
from tests.support.story import Story, _updates, updates

pytestmark = pytest.mark.mostly_slow

Json = dict[str, Any]
SOON, LATER = timedelta(seconds=10), timedelta(seconds=31)


def trouble(story: Story, kind: str, method: str, *, times: int) -> None:
    faults = story.workspace.faults
    match kind:
        case "429":
            faults.throttle(method, retry_after=7, times=times)
        case "500":
            faults.breaks(method, times=times)
        case _:
            faults.lose(method, times=times)


@pytest.mark.quick
@pytest.mark.parametrize("kind", ["429", slow("500")])
async def test_a_post_that_slack_refuses_is_made_later_and_once(story: Story, kind: str) -> None:
    trouble(story, kind, "chat.postMessage", times=4)
    await story.fill_and_send()
    await story.eventually(lambda: story.workspace.messages("approvals"), step=SOON)
    await story.eventually(lambda: "waits for approval" in story.direct("rosa"), step=SOON)
    assert len(story.workspace.messages("approvals")) == 1
    assert len(story.workspace.messages("rosa")) == 1
    await story.approve(story.card().split()[0])


async def _approve_what_counts(story: Story) -> None:
    """Press *Approve* in the newest card, and in the next one if that was a copy."""
    tried: set[str] = set()

    while True:
        await story.eventually(
            lambda: story.workspace.messages("approvals")[-1]["ts"] not in tried, step=SOON
        )
        card = story.workspace.messages("approvals")[-1]
        tried.add(card["ts"])
        await story.workspace.click("ada", "Approve", on=card)
        (now,) = (it for it in story.workspace.messages("approvals") if it["ts"] == card["ts"])
        if "this copy does not count" not in story.workspace.text_of(now):
            return


async def test_a_post_whose_answer_was_lost_is_found_where_the_bot_may_read(story: Story) -> None:
    await story.open_form()
    trouble(story, "lost", "chat.postMessage", times=2)
    await story.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await story.eventually(lambda: story.workspace.messages("approvals"), step=LATER)
    await story.eventually(lambda: "waits for approval" in story.direct("rosa"), step=LATER)
    assert story.direct("rosa").count("waits for approval") == 1
    id = story.card().split()[0]
    await _approve_what_counts(story)
    await story.eventually(lambda: f"{id} is ready" in story.card(), step=SOON)
    cards = [story.read(each) for each in story.workspace.messages("approvals")]
    assert len(cards) <= 1 + 2  # of each answer that was lost there may be a copy
    assert sum(f"{id} is ready" in card for card in cards) == 1
    assert len(story.tenant.applications) == 1


@pytest.mark.parametrize("kind", [slow("429"), slow("500"), "lost"])
async def test_the_last_state_arrives_whatever_happens_to_updates(story: Story, kind: str) -> None:
    id = await story.ask("billing")
    trouble(story, kind, "chat.update", times=6)
    await story.approve(id)
    await story.eventually(lambda: f"{id} is ready" in story.card(), step=SOON)
    await story.eventually(lambda: f"{id} is ready" in story.direct("rosa"), step=SOON)
    assert "8 of 8 steps done" in story.card()
    assert len(story.workspace.messages("approvals")) == 1


async def test_the_run_does_not_wait_for_slack(story: Story) -> None:
    id = await story.ask("billing")
    held = story.workspace.faults.hold("chat.update", times=10)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await held.reached.wait()
    await story.eventually(lambda: story.tenant.calls("POST", "batch"), step=SOON)
    held.release()
    await story.eventually(lambda: f"{id} is ready" in story.card(), step=SOON)


async def test_new_values_do_not_wait_for_a_card_that_shows_ready_already(story: Story) -> None:
    id = await in_use(story)
    await asked(story, id)
    held = story.workspace.faults.hold("chat.update", times=20)
    await decide(story, "Confirm", by="ada")
    await held.reached.wait()
    await announced(story, id)
    held.release()


async def test_a_click_in_a_copy_decides_nothing_and_leads_to_the_right_card(story: Story) -> None:
    await story.fill_and_send()
    await story.until(lambda: story.workspace.messages("rosa"))
    story.workspace.faults.lose("chat.postMessage")
    await story.eventually(lambda: len(story.workspace.messages("approvals")) == 2, step=LATER)
    copy, card = story.workspace.messages("approvals")
    await story.eventually(lambda: "waits for approval" in story.direct("rosa"), step=SOON)
    id = story.card().split()[0]
    await story.workspace.click("ada", "Approve", on=copy)
    copied, waiting = map(story.read, story.posted("approvals"))
    assert "this copy does not count" in copied
    assert "[Approve]" not in copied
    assert "waits for approval" in waiting
    await story.workspace.click("ada", "Approve", on=card)
    await story.eventually(lambda: f"{id} is ready" in story.card(), step=SOON)
    assert "this copy does not count" in story.texts("approvals")[0]


async def test_a_click_counts_while_the_answer_to_the_post_is_on_its_way(story: Story) -> None:
    await story.fill_and_send()
    await story.until(lambda: story.workspace.messages("rosa"))
    held = story.workspace.faults.hold("chat.postMessage")
    await story.until(lambda: story.workspace.messages("approvals"))
    await story.workspace.click("ada", "Approve", on=story.workspace.messages("approvals")[0])
    held.release()
    await story.eventually(lambda: "is ready" in story.card(), step=SOON)
    assert len(story.workspace.messages("approvals")) == 1


async def lose_cards(story: Story, card: Json) -> None:
    """Let every card be gone until the bot has found out about this one."""
    await story.until(lambda: any(_is_missed(each, card) for each in _updates(story)))
    story.workspace.faults.clear()


def _is_missed(update: Entry, card: Json) -> bool:
    """Whether the bot was told that there is no such message. One under way before does not say."""
    is_it = update.sent.get("ts") == card["ts"]
    return is_it and update.answer.get("error") == "message_not_found"


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_a_card_that_somebody_deleted_is_posted_anew_while_it_waits(story: Story) -> None:
    id = await story.ask()
    deleted = story.card_of(id)
    story.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    await story.workspace.click("ada", "Approve", on=deleted)
    await lose_cards(story, deleted)
    await story.until(lambda: len(story.workspace.messages("approvals")) == 2)
    assert "1 of 2 approvals given" in story.card()
    tried = updates(story, deleted)
    await story.workspace.click("grace", "Approve", on=story.workspace.messages("approvals")[1])
    await story.until(lambda: f"{id} is ready" in story.card())
    assert updates(story, deleted) == tried == 1  # no call is wasted on it any more


async def test_a_card_that_is_deleted_once_all_is_decided_stays_away(story: Story) -> None:
    id = await story.ready()
    await story.until(lambda: f"{id} is ready" in story.card())
    deleted = story.card_of(id)
    story.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    await story.workspace.command("ada", f"check {id}")
    await lose_cards(story, deleted)
    tried = updates(story, deleted)
    await story.until(lambda: len(story.workspace.messages("ada")) == 1)
    story.clock.move(CHECK_PAUSE)
    await story.workspace.command("ada", f"check {id}")
    await story.until(lambda: len(story.workspace.messages("ada")) == 2)
    assert updates(story, deleted) == tried
    assert len(story.workspace.messages("approvals")) == 1


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_a_request_that_somebody_deleted_is_posted_anew_while_it_waits(story: Story) -> None:
    id = await story.ask()
    await story.workspace.click("grace", "Approve", on=story.card_of(id))
    await story.approve(id)
    await look_at_it(story, id)
    await asked(story, id)
    deleted = request(story)
    story.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    await story.workspace.click("ada", "Confirm the rotation", on=deleted)
    await lose_cards(story, deleted)
    await story.until(lambda: request(story)["ts"] != deleted["ts"])
    await story.until(lambda: "1 of 2 approvals given" in drawn(story))
    await story.until(lambda: "Rotation confirmed by @ada" in drawn(story))
    tried = updates(story, deleted)
    assert await decide(story, "Deny", by="grace") == ""
    await story.until(lambda: "the rotation was denied" in story.direct("rosa"))
    await story.until(lambda: "the rotation was denied" in drawn(story))
    assert updates(story, deleted) == tried == 1  # no call is wasted on it any more


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("not_in_channel", "Type /invite @aad-setup"),
        ("word_of_tomorrow", "The bot's log says more"),
    ],
)
async def test_where_slack_takes_no_messages_stands_in_the_homes_of_approvers(
    story: Story, code: str, advice: str
) -> None:
    story.workspace.faults.fail("chat.postMessage", code, times=1000)
    await story.fill_and_send()
    said = f"Slack takes no messages for #approvals ({code}). {advice}"

    async with asyncio.timeout(60):
        while said not in await opened(story, "ada"):
            pass
    assert "Slack takes no messages" not in await opened(story, "rosa")
    story.workspace.faults.clear()
    await story.eventually(lambda: story.workspace.messages("approvals"))
    async with asyncio.timeout(60):
        while "Slack takes no messages for #approvals" in await opened(story, "ada"):
            pass


async def test_a_message_whose_plan_block_is_refused_is_drawn_plainly(story: Story) -> None:
    id = await story.ask("billing")
    story.workspace.faults.fail("chat.update", "invalid_blocks")
    held = story.tenant.faults.hold("POST", "addPassword")
    with structlog.testing.capture_logs() as logged:
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        await story.eventually(lambda: len(_progressing(story)) == 2, step=SOON)
        held.release()
        await story.eventually(lambda: f"{id} is ready" in story.card(), step=SOON)
        await story.eventually(lambda: f"{id} is ready" in story.direct("rosa"), step=SOON)
    [said] = [it for it in logged if it["log_level"] == "error"]
    assert said["code"] == "invalid_blocks"
    assert "PLAIN_CARDS=true" in said["advice"]
    refused = next(it.sent["ts"] for it in _updates(story) if not it.answer["ok"])
    plans = {ts == refused: _has_plan(it) for ts, it in _progressing(story).items()}
    assert plans == {True: False, False: True}


def _progressing(story: Story) -> dict[str, Entry]:
    """Return the latest update of each message that Slack took while the steps were at work."""
    taken = [it for it in _updates(story) if it.answer["ok"]]
    return {
        it.sent["ts"]: it
        for it in taken
        if " steps done" in str(it.sent["blocks"]) and "is being set up" in it.sent["text"]
    }


def _has_plan(update: Entry) -> bool:
    return any(block["type"] == "plan" for block in update.sent["blocks"])


async def test_an_open_home_follows_where_slack_takes_no_messages(story: Story) -> None:
    """Nobody touches it, and no registration changes."""
    said = "Slack takes no messages for #approvals"
    await opened(story, "ada")
    story.workspace.faults.fail("chat.postMessage", "not_in_channel", times=1000)
    await story.fill_and_send()
    await story.eventually(lambda: f"{said} (not_in_channel)" in seen(story, "ada"), step=SOON)
    story.workspace.faults.clear()
    await story.eventually(lambda: story.workspace.messages("approvals"), step=SOON)
    await story.eventually(lambda: said not in seen(story, "ada"), step=SOON)


async def test_a_socket_that_breaks_is_opened_again(story: Story) -> None:
    await story.workspace.drop_connections()
    await story.until(lambda: story.workspace.connections > 0)
    await story.ready("billing")


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
    await story.eventually(
        lambda: len(story.workspace.messages("approvals")) == 2, step=timedelta(seconds=31)
    )


async def test_a_card_says_no_more_in_a_channel_that_was_shared_since(story: Story) -> None:
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
    await story.eventually(
        lambda: f"{id} is ready" in story.card(id) and is_cancelled(story, other),
        step=timedelta(seconds=31),
    )


def is_cancelled(story: Story, id: str) -> bool:
    return "cancelled" in story.card(id)


async def test_many_changes_of_cards_ask_once_who_reads_them(story: Story) -> None:
    ids = [await story.ask(name) for name in ("first", "second", "third")]
    before = len(story.workspace.calls("conversations.info"))
    for id in ids:
        await story.workspace.command("rosa", f"cancel {id}")
    for id in ids:
        await story.until(partial(is_cancelled, story, id))
    assert len(story.workspace.calls("conversations.info")) <= before + 1


@pytest.mark.quick
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
