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


async def make_a_new_one(scene: Scene, id: str) -> None:
    """Press *Make a new one*, and again if a sweep is just at work, as the refusal says."""
    refused = f"{id} is being worked on. Try again in a moment."
    for _ in range(20):
        scene.workspace.reload("rosa")
        await scene.until(lambda: "[Make a new one]" in scene.workspace.text_of(scene.notice(id)))
        await scene.workspace.click("rosa", "Make a new one", on=scene.notice(id))
        if scene.whispers("rosa") != refused:
            return
    raise AssertionError(scene.whispers("rosa"))
