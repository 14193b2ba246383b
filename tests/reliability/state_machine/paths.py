"""Roads: how far an example goes by itself before anything is drawn."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status
from tests.reliability.state_machine.cast import CAST
from tests.reliability.state_machine.consent import administer, look_at_grants
from tests.reliability.state_machine.endings import end
from tests.reliability.state_machine.lifecycle import approve, revoke
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.requests import approve_of, purge, rotate
from tests.reliability.state_machine.secrets import answer, reveal
from tests.support.scripted_runs import Ending

Go = Callable[[Play, Expected], None]


def planned(play: Play, it: Expected) -> None:
    end(play, it, Ending.WELL)


def approved(play: Play, it: Expected) -> None:
    approve(play, it, CAST["eve"])
    if it.status is Status.PENDING:
        approve(play, it, CAST["grace"])


def half_approved(play: Play, it: Expected) -> None:
    approve(play, it, CAST["eve"])


def made(play: Play, it: Expected) -> None:
    end(play, it, Ending.WELL)


def half_granted(play: Play, it: Expected) -> None:
    administer(it, "grants one")
    play.clock.move(timedelta(minutes=1))
    look_at_grants(play)


def failed(play: Play, it: Expected) -> None:
    end(play, it, Ending.FAILS_LATE)


def revoking(play: Play, it: Expected) -> None:
    revoke(play, it, CAST["grace"])


def read(play: Play, it: Expected) -> None:
    who = next(each for each in CAST.values() if each.key == it.requester)
    reveal(play, it, who)
    answer(play, took=True)


def asked(play: Play, it: Expected) -> None:
    rotate(play, it, CAST["olga"])


def rotated(play: Play, it: Expected) -> None:
    for who in ("eve", "grace"):
        if it.waiting(RequestKind.ROTATION) is not None:
            approve_of(RequestKind.ROTATION)(play, it, CAST[who], None)
    end(play, it, Ending.WELL)


def asked_to_purge(play: Play, it: Expected) -> None:
    purge(play, it, CAST["grace"])


WAITS = "waiting for consent"
"""The road on which an administrator consents; on all others the bot does."""

ROADS: Mapping[str, Sequence[Go]] = {
    "planning": [],
    "pending": [planned],
    "half approved": [planned, half_approved],
    WAITS: [planned, approved, made, half_granted],
    "ready": [planned, approved, made],
    "failed": [planned, approved, failed],
    "revoking": [planned, approved, made, revoking],
    "revoked": [planned, approved, made, revoking, made],
    "asked to purge": [planned, approved, made, revoking, made, asked_to_purge],
    "asked to rotate": [planned, approved, made, read, asked],
    "rotated": [planned, approved, made, read, asked, rotated],
    "rotated and seen": [planned, approved, made, read, asked, rotated, read],
}
"""Where an example begins, and how it gets there."""
