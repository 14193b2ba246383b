"""How far a run is, in words: how many steps, how long they took, how long they usually take."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.approval_requests import Quorum
from bot.domain.catalogue import read_catalogue
from bot.domain.registration import Consent, Registration, Status
from bot.domain.runs import RunKind, StepState
from bot.registrar.deliveries import Drawing
from handlers.views.card import steps
from handlers.views.ui import drawn, lasting
from tests.support.factories import NOON, registration

USUALLY = timedelta(seconds=40)


def at_work(*ended: float | None) -> Registration:
    """Return a registration whose steps ended so many seconds after the run began, or not yet."""
    states = tuple(
        StepState(
            name=f"s{stage}",
            title=f"Step {stage}",
            stage=stage,
            ended_at=None if seconds is None else NOON + timedelta(seconds=seconds),
        )
        for stage, seconds in enumerate(ended)
    )
    run = RunKind.REGISTER if None in ended else None
    return replace(registration(Status.APPROVED), steps=states, began_at=NOON, run=run)


def title(found: Registration, *, expected: timedelta | None = None, plain: bool = False) -> str:
    profile, quorum = read_catalogue()["mimecast"], Quorum(needed=1)
    drawing = Drawing(profile=profile, quorum=quorum, expected=expected, plain=plain)
    [block] = drawn(list(steps(found, drawing)))
    return str(block["title"] if block["type"] == "plan" else block["text"]["text"])


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ((None, None), "0 of 2 steps done · usually 40 s in all"),
        ((12, None), "1 of 2 steps done after 12 s · usually 40 s in all"),
        ((12, 41.4), "2 of 2 steps done in 41 s"),
    ],
)
def test_the_time_said_is_true_whenever_it_is_read(
    ended: tuple[float | None, ...], expected: str
) -> None:
    assert title(at_work(*ended), expected=USUALLY) == expected


def test_the_time_that_an_administrator_took_is_not_that_of_the_steps() -> None:
    found = replace(at_work(12, 4000, None), consent=Consent(at=NOON))
    assert title(found) == "2 of 3 steps done"


def test_nothing_is_expected_before_there_were_enough() -> None:
    assert title(at_work(None)) == "0 of 1 steps done"


def test_plainly_drawn_every_step_says_its_state() -> None:
    assert title(at_work(12, None, None), plain=True).splitlines() == [
        "*1 of 3 steps done after 12 s*",
        "• Step 0: done",
        "• Step 1: at work",
        "• Step 2: to do",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "1 s"), (0.4, "1 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (7200, "2 h")],
)
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == said
