"""The steps of a run, as far as they are: with Slack's plan block, or with plain sections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk.models.blocks import Block, PlanBlock, TaskCardBlock

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind, StepState
from handlers.views.blocks import lasting, section

IN_WORDS: Mapping[str, str] = {
    "complete": "done",
    "in_progress": "at work",
    "pending": "to do",
    "error": "failed",
}


TAKEN_BACK = (Status.UNDONE, Status.REVOKING, Status.REVOKED)
"""States in which the steps are no longer shown, because their objects are deleted."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How steps are drawn: how long they usually take, if that is known, and with which blocks."""

    expected: timedelta | None = None
    plain: bool = False  # sections only, for clients and readers that plan blocks say nothing to


def steps(registration: Registration, drawing: Drawing) -> Iterator[Block]:
    """Yield how far the latest run is."""
    if not registration.steps or registration.status in TAKEN_BACK:
        return
    stage = _stage_at_work(registration)
    states = [(step, _status(step, stage)) for step in registration.steps]
    title = _title(registration, drawing.expected)
    if drawing.plain:
        lines = [f"• {step.title}: {IN_WORDS[status]}" for step, status in states]
        yield section("\n".join([f"*{title}*", *lines]))
        return
    yield PlanBlock(
        title=title,
        tasks=[
            TaskCardBlock(task_id=step.name, title=step.title, status=status)
            for step, status in states
        ],
    )


def _title(registration: Registration, expected: timedelta | None) -> str:
    """Say how many are done and how long that took: true whenever it is read."""
    done = [step.ended_at for step in registration.steps if step.ended_at and not step.failed]
    words = f"{len(done)} of {len(registration.steps)} steps done"
    if done and registration.began_at is not None:
        word = "in" if len(done) == len(registration.steps) else "after"
        words += f" {word} {lasting(max(done) - registration.began_at)}"
    if expected is not None and registration.run is RunKind.REGISTER:
        words += f" · usually {lasting(expected)} in all"
    return words


def _stage_at_work(registration: Registration) -> int | None:
    """Return the stage that is being taken: the first with a step that has not ended."""
    if registration.run is None:
        return None
    return min((step.stage for step in registration.steps if step.ended_at is None), default=None)


def _status(step: StepState, stage_at_work: int | None) -> str:
    if step.failed:
        return "error"
    if step.ended_at is not None:
        return "complete"
    return "in_progress" if step.stage == stage_at_work else "pending"
