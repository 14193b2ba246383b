"""The queue: what is urgent first, of equals the oldest, and nobody starves."""

from datetime import timedelta

from bot.storage.messages import Message, MessageKind, Stale
from handlers.queue import PATIENCE, Queue
from tests.pieces import NOON

SECOND = timedelta(seconds=1)


def stale(
    id: str,
    kind: MessageKind = MessageKind.CARD,
    *,
    is_posted: bool = True,
    is_drawn: bool = True,
    is_final: bool = False,
) -> Stale:
    message = Message(
        id=id,
        registration="AAD-7K3F",
        kind=kind,
        audience="C0APPROVE",
        subject=None,
        wanted=2,
        shown=1 if is_posted else 0,
        channel="C0APPROVE" if is_posted else None,
        ts="1.1" if is_posted else None,
        shown_at=NOON - 9 * SECOND if is_drawn else None,
        tries=0,
    )
    return Stale(message=message, is_final=is_final)


PROGRESS = stale("progress")
TOUCHED = stale("touched", is_drawn=False)
FINAL = stale("final", is_final=True)
VALUES = stale("values", MessageKind.VALUES, is_posted=False)
MASK = stale("mask", MessageKind.MASK, is_posted=False)


def ids(queue: Queue, found: list[Stale], *, after: timedelta = timedelta(0)) -> list[str]:
    return [it.message.id for _, it in queue.ordered(found, NOON + after)]


def test_the_urgent_come_first() -> None:
    found = [PROGRESS, TOUCHED, FINAL, MASK]
    assert ids(Queue(), found) == ["mask", "final", "touched", "progress"]
    assert ids(Queue(), [PROGRESS, VALUES]) == ["values", "progress"]


def test_of_equals_the_oldest_comes_first() -> None:
    queue, newer = Queue(), stale("newer", is_final=True)
    ids(queue, [FINAL])
    assert ids(queue, [newer, FINAL], after=SECOND) == ["final", "newer"]


def test_who_was_shown_in_between_stands_at_the_end_again() -> None:
    queue, other = Queue(), stale("other", is_final=True)
    ids(queue, [FINAL])
    ids(queue, [other], after=SECOND)
    assert ids(queue, [FINAL, other], after=2 * SECOND) == ["other", "final"]


def test_nobody_waits_for_ever_behind_those_who_came_later() -> None:
    queue = Queue()
    ids(queue, [PROGRESS])
    assert ids(queue, [FINAL, PROGRESS], after=PATIENCE - SECOND) == ["final", "progress"]
    assert ids(queue, [FINAL, PROGRESS], after=PATIENCE) == ["progress", "final"]
