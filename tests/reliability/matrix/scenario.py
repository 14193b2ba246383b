"""The story of every case: Rosa asks, Ada approves, something goes wrong, a day goes by."""

import asyncio
from datetime import timedelta

from bot.domain.registration import Status
from tests.reliability.matrix.calls import Part
from tests.reliability.matrix.cases import Case, Strike
from tests.reliability.matrix.record import is_swept, registration
from tests.support.story import Story

SECONDS = 60.0
EARLY, LATE = timedelta(minutes=16), timedelta(hours=25)


async def play(story: Story, case: Case) -> Status:
    """Ask and approve while things go wrong; return how it ended."""
    case.slow(story.tenant.faults)
    meddling = strike(story, case, Part.PREFLIGHT)
    await send_form(story)
    await story.until(lambda: "[Approve]" in cards(story) or has_ended(story))
    if not has_ended(story):
        meddling += strike(story, case, Part.ROAD)
        await story.workspace.click("ada", "Approve", on=story.workspace.messages("approvals")[-1])
        await story.until(lambda: has_ended(story))
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*meddling)
    return Status(registration(story.stage)["status"])


async def retry(story: Story) -> None:
    """Press *Retry*, and *Approve* where nobody has, now that nothing goes wrong any more."""
    await story.press("rosa", "Retry")
    await story.until(lambda: "[Approve]" in cards(story) or is_told_ready(story))
    if not is_told_ready(story):
        await story.workspace.click("ada", "Approve", on=story.workspace.messages("approvals")[-1])
        await story.until(lambda: is_told_ready(story))


async def sweeps(story: Story) -> None:
    """Let the first sweep pass, and the one a day later."""
    for later in (EARLY, LATE):
        story.clock.move(later)
        await story.eventually(lambda: is_swept(story.stage), step=timedelta(minutes=1))


async def send_form(story: Story) -> None:
    await story.open_form()
    answers = {"Application name": "billing", "Reason": "To sync the directory"}
    sent = await story.workspace.submit("rosa", answers)
    assert not sent.errors


def has_ended(story: Story) -> bool:
    """Whether Rosa has been told how it ended."""
    return is_told_ready(story) or "[Retry]" in story.direct("rosa")


def is_told_ready(story: Story) -> bool:
    return "your connector values" in story.direct("rosa")


def cards(story: Story) -> str:
    """Return all that the approval channel shows."""
    found = story.workspace.messages("approvals")
    return "\n".join(story.workspace.text_of(message) for message in found)


def strike(story: Story, case: Case, part: Part) -> list[asyncio.Task[None]]:
    """Arrange what goes wrong in this part; return what somebody does while calls are held."""
    strikes = [strike for strike in case.strikes if strike.spot.part is part]
    return [task for strike in strikes for task in _arrange(story, strike)]


def _arrange(story: Story, strike: Strike) -> list[asyncio.Task[None]]:
    held = strike.trouble.arm(story.tenant.faults, strike.spot)
    if held is None or strike.trouble.meddle is None:
        return []
    meddle = strike.trouble.meddle

    async def act() -> None:
        await held.reached.wait()
        await meddle(held, story.clock)

    return [asyncio.create_task(act())]
