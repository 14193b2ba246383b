"""Waiting for what happens only when time has passed on the stage's clock."""

from collections.abc import Callable
from datetime import timedelta

from bot.playground.workspace import NeverHappened
from tests.scene import Scene


async def eventually(
    scene: Scene, predicate: Callable[[], object], *, step: timedelta = timedelta(minutes=2)
) -> None:
    """Let time pass, step by step, until it comes true: retries and dues come back by the clock."""
    for _ in range(40):
        try:
            await scene.until(predicate, timeout=0.3)
        except NeverHappened:
            scene.clock.move(step)
        else:
            return
    await scene.until(predicate, timeout=0.3)
