"""Roads: how far an example goes by itself before anything is drawn."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status
from tests.reliability.state_machine.cast import CAST, Figure
from tests.reliability.state_machine.consent import administer, look_at_grants
from tests.reliability.state_machine.endings import end
from tests.reliability.state_machine.lifecycle import approve, revoke
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.requests import approve_of, purge, rotate
from tests.reliability.state_machine.secrets import answer, reveal
from tests.support.scripted_runs import Ending

Go = Callable[[Play, Expected], None]


def ends(ending: Ending = Ending.WELL) -> Go:
    return lambda play, it: end(play, it, ending)


def approved(play: Play, it: Expected) -> None:
    for who in ("eve", "grace"):
        if it.status is Status.PENDING:
            approve(play, it, CAST[who])


def half_granted(play: Play, it: Expected) -> None:
    administer(it, "grants one")
    play.clock.move(timedelta(minutes=1))
    look_at_grants(play)


def read(play: Play, it: Expected) -> None:
    who = next(each for each in CAST.values() if each.key == it.requester)
    reveal(play, it, who)
    answer(play, took=True)


def rotated(play: Play, it: Expected) -> None:
    for who in ("eve", "grace"):
        if it.waiting(RequestKind.ROTATION) is not None:
            approve_of(RequestKind.ROTATION, play, it, CAST[who])
    end(play, it, Ending.WELL)


def by(name: str, act: Callable[[Play, Expected, Figure], None]) -> Go:
    return lambda play, it: act(play, it, CAST[name])


WAITS = "waiting for consent"
"""The road on which an administrator consents; on all others the bot does."""

MADE = [ends(), approved, ends()]
REVOKED = [*MADE, by("grace", revoke), ends()]
IN_ROTATION = [*MADE, read, by("olga", rotate)]
ROADS: Mapping[str, Sequence[Go]] = {
    "planning": [],
    "pending": [ends()],
    "half approved": [ends(), by("eve", approve)],
    WAITS: [*MADE, half_granted],
    "ready": MADE,
    "failed": [ends(), approved, ends(Ending.FAILS_LATE)],
    "revoking": REVOKED[:-1],
    "revoked": REVOKED,
    "asked to purge": [*REVOKED, by("grace", purge)],
    "asked to rotate": IN_ROTATION,
    "rotated": [*IN_ROTATION, rotated],
    "rotated and seen": [*IN_ROTATION, rotated, read],
}
"""Where an example begins, and how it gets there."""
