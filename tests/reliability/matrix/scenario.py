"""The story of every case: Rosa asks, Ada approves, something goes wrong, a day goes by."""

import asyncio
from datetime import timedelta

from bot.domain.registration import Status
from tests.reliability.matrix.calls import Part
from tests.reliability.matrix.cases import Case, Strike
from tests.reliability.matrix.record import is_swept, registration
from tests.support.story import Scene
from tests.support.waiting import eventually

SECONDS = 30.0
EARLY, LATE = timedelta(minutes=16), timedelta(hours=25)


async def play(scene: Scene, case: Case) -> Status:
    """Ask and approve while things go wrong; return how it ended."""
    case.slow(scene.tenant.faults)
    meddling = _strike(scene, case, Part.PREFLIGHT)
    await send_form(scene)
    await scene.until(lambda: "[Approve]" in cards(scene) or has_ended(scene), timeout=SECONDS)
    if not has_ended(scene):
        meddling += _strike(scene, case, Part.ROAD)
        await scene.workspace.click("ada", "Approve", on=scene.workspace.messages("approvals")[-1])
        await scene.until(lambda: has_ended(scene), timeout=SECONDS)
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*meddling)
    return Status(registration(scene.stage)["status"])


async def retry(scene: Scene) -> None:
    """Press *Retry*, and *Approve* where nobody has, now that nothing goes wrong any more."""
    await scene.until(lambda: "[Retry]" in scene.direct("rosa"), timeout=SECONDS)
    await scene.workspace.click("rosa", "Retry")
    await scene.until(lambda: "[Approve]" in cards(scene) or is_told_ready(scene), timeout=SECONDS)
    if not is_told_ready(scene):
        await scene.workspace.click("ada", "Approve", on=scene.workspace.messages("approvals")[-1])
        await scene.until(lambda: is_told_ready(scene), timeout=SECONDS)


async def sweeps(scene: Scene) -> None:
    """Let the first sweep pass, and the one a day later."""
    for later in (EARLY, LATE):
        scene.clock.move(later)
        await eventually(scene, lambda: is_swept(scene.stage), step=timedelta(minutes=1))


async def send_form(scene: Scene) -> None:
    await scene.open_form()
    answers = {"Application name": "billing", "Reason": "To sync the directory"}
    sent = await scene.workspace.submit("rosa", answers)
    assert not sent.errors


def has_ended(scene: Scene) -> bool:
    """Whether Rosa has been told how it ended."""
    return is_told_ready(scene) or "[Retry]" in scene.direct("rosa")


def is_told_ready(scene: Scene) -> bool:
    return "your connector values" in scene.direct("rosa")


def cards(scene: Scene) -> str:
    """Return all that the approval channel shows."""
    found = scene.workspace.messages("approvals")
    return "\n".join(scene.workspace.text_of(message) for message in found)


def _strike(scene: Scene, case: Case, part: Part) -> list[asyncio.Task[None]]:
    """Arrange what goes wrong in this part; return what somebody does while calls are held."""
    strikes = [strike for strike in case.strikes if strike.spot.part is part]
    return [task for strike in strikes for task in _arrange(scene, strike)]


def _arrange(scene: Scene, strike: Strike) -> list[asyncio.Task[None]]:
    held = strike.trouble.arm(scene.tenant.faults, strike.spot)
    if held is None or strike.trouble.meddle is None:
        return []
    meddle = strike.trouble.meddle

    async def act() -> None:
        await held.reached.wait()
        await meddle(held, scene.clock)

    return [asyncio.create_task(act())]
