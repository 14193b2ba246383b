"""When Slack is slow, refuses or loses answers: cards heal, and the last state always arrives."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import structlog.testing

from bot.playground.stage import Stage
from bot.playground.workspace.record import Entry
from bot.registrar.recovery import CHECK_PAUSE
from tests.conftest import Bot
from tests.support.rotation_story import asked, decide, request, seen
from tests.support.story import Scene
from tests.support.waiting import eventually

Json = dict[str, Any]
SOON = timedelta(seconds=10)


def trouble(scene: Scene, kind: str, method: str, *, times: int) -> None:
    faults = scene.workspace.faults
    match kind:
        case "429":
            faults.throttle(method, retry_after=7, times=times)
        case "500":
            faults.breaks(method, times=times)
        case _:
            faults.lose(method, times=times)


@pytest.mark.parametrize("kind", ["429", pytest.param("500", marks=pytest.mark.slow)])
async def test_a_post_that_slack_refuses_is_made_later_and_once(scene: Scene, kind: str) -> None:
    trouble(scene, kind, "chat.postMessage", times=4)
    await scene.open_form()
    await scene.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await eventually(scene, lambda: scene.workspace.messages("approvals"), step=SOON)
    await eventually(scene, lambda: "waits for approval" in scene.direct("rosa"), step=SOON)
    assert len(scene.workspace.messages("approvals")) == 1
    assert len(scene.workspace.messages("rosa")) == 1
    await scene.approve(scene.card().split()[0])


@pytest.mark.slow
async def test_a_post_whose_answer_was_lost_is_found_again_where_the_bot_may_read(
    scene: Scene,
) -> None:
    await scene.open_form()
    trouble(scene, "lost", "chat.postMessage", times=2)
    await scene.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await eventually(
        scene, lambda: scene.workspace.messages("approvals"), step=timedelta(seconds=31)
    )
    await eventually(
        scene, lambda: "waits for approval" in scene.direct("rosa"), step=timedelta(seconds=31)
    )
    assert scene.direct("rosa").count("waits for approval") == 1
    id = scene.card().split()[0]
    await scene.workspace.click("ada", "Approve", on=scene.workspace.messages("approvals")[-1])
    await eventually(scene, lambda: f"{id} is ready" in scene.card(), step=SOON)
    cards = [scene.workspace.text_of(each) for each in scene.workspace.messages("approvals")]
    assert len(cards) <= 2
    assert sum(f"{id} is ready" in card for card in cards) == 1
    assert len(scene.tenant.applications) == 1


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("429", marks=pytest.mark.slow),
        pytest.param("500", marks=pytest.mark.slow),
        "lost",
    ],
)
async def test_the_last_state_arrives_whatever_happens_to_updates(scene: Scene, kind: str) -> None:
    id = await scene.ask("billing")
    trouble(scene, kind, "chat.update", times=6)
    await scene.approve(id)
    await eventually(scene, lambda: f"{id} is ready" in scene.card(), step=SOON)
    await eventually(scene, lambda: f"{id} is ready" in scene.direct("rosa"), step=SOON)
    assert "8 of 8 steps done" in scene.card()
    assert len(scene.workspace.messages("approvals")) == 1


async def test_the_run_does_not_wait_for_slack(scene: Scene) -> None:
    id = await scene.ask("billing")
    held = scene.workspace.faults.hold("chat.update", times=10)
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await held.reached.wait()
    await eventually(scene, lambda: scene.tenant.calls("POST", "batch"), step=SOON)
    held.release()
    await eventually(scene, lambda: f"{id} is ready" in scene.card(), step=SOON)


async def test_a_card_that_somebody_deleted_does_not_stop_the_rest(scene: Scene) -> None:
    id = await scene.ask("billing")
    card = scene.card_of(id)
    scene.workspace.faults.fail("chat.update", "message_not_found")
    await scene.workspace.click("ada", "Approve", on=card)
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))


async def test_a_click_in_a_copy_decides_nothing_and_leads_to_the_card_that_counts(
    scene: Scene,
) -> None:
    await scene.open_form()
    await scene.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await scene.until(lambda: scene.workspace.messages("rosa"))
    scene.workspace.faults.lose("chat.postMessage")
    await eventually(
        scene, lambda: len(scene.workspace.messages("approvals")) == 2, step=timedelta(seconds=31)
    )
    copy, card = scene.workspace.messages("approvals")
    await eventually(scene, lambda: "waits for approval" in scene.direct("rosa"), step=SOON)
    id = scene.card().split()[0]
    await scene.workspace.click("ada", "Approve", on=copy)
    assert "this copy does not count" in scene.card(0)
    assert "[Approve]" not in scene.card(0)
    assert "waits for approval" in scene.card(1)
    await scene.workspace.click("ada", "Approve", on=card)
    await eventually(scene, lambda: f"{id} is ready" in scene.card(1), step=SOON)
    assert "this copy does not count" in scene.card(0)


async def test_a_click_counts_while_the_answer_to_the_post_is_on_its_way(scene: Scene) -> None:
    await scene.open_form()
    await scene.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await scene.until(lambda: scene.workspace.messages("rosa"))
    held = scene.workspace.faults.hold("chat.postMessage")
    await scene.until(lambda: scene.workspace.messages("approvals"))
    await scene.workspace.click("ada", "Approve", on=scene.workspace.messages("approvals")[0])
    held.release()
    await eventually(scene, lambda: "is ready" in scene.card(), step=SOON)
    assert len(scene.workspace.messages("approvals")) == 1


def updates(scene: Scene, card: Json) -> int:
    return sum(each.sent.get("ts") == card["ts"] for each in _updates(scene))


def _updates(scene: Scene) -> Sequence[Entry]:
    return scene.workspace.calls("chat.update")


async def lose_cards(scene: Scene, card: Json) -> None:
    """Let every card be gone until the bot has found out about this one."""
    await scene.until(lambda: any(_is_missed(each, card) for each in _updates(scene)))
    scene.workspace.faults.clear()


def _is_missed(update: Entry, card: Json) -> bool:
    """Whether the bot was told that there is no such message. One under way before does not say."""
    is_it = update.sent.get("ts") == card["ts"]
    return is_it and update.answer.get("error") == "message_not_found"


async def test_a_card_that_somebody_deleted_is_posted_anew_while_it_waits(
    bot: Bot, stage: Stage
) -> None:
    async with bot(APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask()
        deleted = scene.card_of(id)
        scene.workspace.faults.fail("chat.update", "message_not_found", times=1000)
        await scene.workspace.click("ada", "Approve", on=deleted)
        await lose_cards(scene, deleted)
        await scene.until(lambda: len(scene.workspace.messages("approvals")) == 2)
        assert "1 of 2 approvals given" in scene.card()
        tried = updates(scene, deleted)
        await scene.workspace.click("grace", "Approve", on=scene.workspace.messages("approvals")[1])
        await scene.until(lambda: f"{id} is ready" in scene.card())
        assert updates(scene, deleted) == tried == 1  # no call is wasted on it any more


async def test_a_card_that_is_deleted_once_all_is_decided_stays_away(scene: Scene) -> None:
    id = await scene.ready()
    await scene.until(lambda: f"{id} is ready" in scene.card())
    deleted = scene.card_of(id)
    scene.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    await scene.workspace.command("ada", f"check {id}")
    await lose_cards(scene, deleted)
    tried = updates(scene, deleted)
    await scene.until(lambda: len(scene.workspace.messages("ada")) == 1)
    scene.clock.move(CHECK_PAUSE)
    await scene.workspace.command("ada", f"check {id}")
    await scene.until(lambda: len(scene.workspace.messages("ada")) == 2)
    assert updates(scene, deleted) == tried
    assert len(scene.workspace.messages("approvals")) == 1


async def test_a_request_for_a_rotation_that_somebody_deleted_is_posted_anew_while_it_waits(
    bot: Bot, stage: Stage
) -> None:
    async with bot(APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask()
        await scene.workspace.click("grace", "Approve", on=scene.card_of(id))
        await scene.approve(id)
        await seen(scene, id)
        await asked(scene, id)
        deleted = request(scene)
        scene.workspace.faults.fail("chat.update", "message_not_found", times=1000)
        await scene.workspace.click("ada", "Confirm the rotation", on=deleted)
        await lose_cards(scene, deleted)
        await scene.until(lambda: request(scene)["ts"] != deleted["ts"])
        await scene.until(
            lambda: "1 of 2 approvals given" in scene.workspace.text_of(request(scene))
        )
        assert "Rotation confirmed by @ada" in scene.workspace.text_of(request(scene))
        tried = updates(scene, deleted)
        assert await decide(scene, "Deny", by="grace") == ""
        await scene.until(lambda: "the rotation was denied" in scene.direct("rosa"))
        await scene.until(
            lambda: "the rotation was denied" in scene.workspace.text_of(request(scene))
        )
        assert updates(scene, deleted) == tried == 1  # no call is wasted on it any more


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("not_in_channel", "Type /invite @aad-setup"),
        ("word_of_tomorrow", "The bot's log says more"),
    ],
)
async def test_where_slack_takes_no_messages_stands_in_the_homes_of_approvers(
    bot: Bot, stage: Stage, code: str, advice: str
) -> None:
    scene = Scene(stage)
    async with bot():
        stage.workspace.faults.fail("chat.postMessage", code, times=1000)
        await scene.open_form()
        await scene.workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
        said = f"Slack takes no messages for #approvals ({code}). {advice}"

        async def home(person: str) -> str:
            await scene.workspace.open_home(person)
            view = await scene.until(lambda: scene.workspace.home_of(person))
            return scene.workspace.text_of(view)

        async with asyncio.timeout(15):
            while said not in await home("ada"):
                pass
        assert "Slack takes no messages" not in await home("rosa")
        stage.workspace.faults.clear()
        await eventually(scene, lambda: scene.workspace.messages("approvals"))
        async with asyncio.timeout(15):
            while "Slack takes no messages for #approvals" in await home("ada"):
                pass


async def test_a_message_whose_plan_block_is_refused_is_drawn_plainly(scene: Scene) -> None:
    id = await scene.ask("billing")
    scene.workspace.faults.fail("chat.update", "invalid_blocks")
    with structlog.testing.capture_logs() as logged:
        await scene.approve(id)
        await eventually(scene, lambda: f"{id} is ready" in scene.card(), step=SOON)
        await eventually(scene, lambda: f"{id} is ready" in scene.direct("rosa"), step=SOON)
    [said] = [it for it in logged if it["log_level"] == "error"]
    assert said["code"] == "invalid_blocks"
    assert "PLAIN_CARDS=true" in said["advice"]
    refused = next(it.sent["ts"] for it in _updates(scene) if not it.answer["ok"])
    ready = [it for it in _updates(scene) if it.answer["ok"] and "is ready" in it.sent["text"]]
    assert {it.sent["ts"] == refused: _has_plan(it) for it in ready} == {True: False, False: True}


def _has_plan(update: Entry) -> bool:
    return any(block["type"] == "plan" for block in update.sent["blocks"])


async def test_an_open_home_follows_where_slack_takes_no_messages(scene: Scene) -> None:
    """Nobody touches it, and no registration changes."""
    said, workspace = "Slack takes no messages for #approvals (not_in_channel)", scene.workspace

    def home() -> str:
        view = workspace.home_of("ada")
        return workspace.text_of(view) if view else ""

    await workspace.open_home("ada")
    await scene.until(home)
    workspace.faults.fail("chat.postMessage", "not_in_channel", times=1000)
    await workspace.command("rosa", "")
    await workspace.submit("rosa", {"Application name": "billing", "Reason": "To sync"})
    await eventually(scene, lambda: said in home(), step=SOON)
    workspace.faults.clear()
    await eventually(scene, lambda: workspace.messages("approvals"), step=SOON)
    await eventually(scene, lambda: "takes no messages for #approvals" not in home(), step=SOON)


async def test_a_socket_that_breaks_is_opened_again(scene: Scene) -> None:
    await scene.workspace.drop_connections()
    await scene.until(lambda: scene.workspace.connections > 0)
    await scene.ready("billing")
