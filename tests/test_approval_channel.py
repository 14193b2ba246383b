"""The approval channel after the start: shared with another organization, or open to everybody."""

from datetime import timedelta

import structlog.testing

from bot.playground.stage import Stage
from tests.conftest import Bot
from tests.scene import Scene
from tests.waiting import eventually

ADVICE = "It is shared with another organization: end that, or set APPROVAL_CHANNEL"


async def test_no_plan_is_posted_to_a_channel_that_was_shared_after_the_start(
    scene: Scene,
) -> None:
    channel = scene.workspace.channels["approvals"]
    await scene.ask("first")
    channel.is_ext_shared = True
    with structlog.testing.capture_logs() as logs:
        await scene.open_form()
        await scene.workspace.submit("rosa", {"Application name": "second", "Reason": "To sync"})
        await scene.until(lambda: any(it.get("code") == "channel_is_shared" for it in logs))
    assert len(scene.workspace.messages("approvals")) == 1
    await scene.workspace.open_home("ada")
    await scene.until(
        lambda: ADVICE in scene.workspace.text_of(scene.workspace.home_of("ada") or {})
    )
    channel.is_ext_shared = False
    await eventually(
        scene,
        lambda: len(scene.workspace.messages("approvals")) == 2,
        step=timedelta(seconds=31),
    )


async def test_it_is_looked_at_daily_and_at_the_start(stage: Stage, bot: Bot) -> None:
    channel = stage.workspace.channels["approvals"]
    channel.private = False
    with structlog.testing.capture_logs() as logs:

        def said(event: str) -> int:
            return sum(it["event"] == event for it in logs)

        async with bot() as running:
            assert said("the approval channel is public") == 1
            await running.channel.look()
            assert said("the approval channel is public") == 1
            channel.is_ext_shared = True
            stage.clock.move(timedelta(days=1))
            await running.channel.look()
            assert said("the approval channel is public") == 2
            assert said("messages cannot be shown") == 1
            stage.workspace.faults.breaks("conversations.info")
            stage.clock.move(timedelta(days=1))
            await running.channel.look()
            assert said("approval channel not looked at") == 1
