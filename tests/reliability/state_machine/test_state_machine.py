"""Any people do anything at any time, from every state, and the model knows what must come."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from graph.rights import ConsentMode
from tests.reliability.state_machine.machine import Bot
from tests.reliability.state_machine.paths import ROADS, WAITS
from tests.reliability.state_machine.world import template
from tests.support.marks import slow


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield template(Path(folder))


def explore(empty: Path, start: str, *, seeds: int, examples: int, steps: int) -> None:
    """Try so many examples of so many steps for each seed, the same ones every time.

    Many seeds, because after ten examples Hypothesis mostly varies those that it has tried.
    """
    mode = ConsentMode.PORTAL if start == WAITS else ConsentMode.AUTONOMOUS
    for number in range(seeds):
        of = {"empty": empty, "road": ROADS[start], "consent_mode": mode}
        machine = type("Bot", (Bot,), of)
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize("start", [slow("half approved"), WAITS])
def test_nothing_that_people_and_time_do_breaks_the_rules(empty: Path, start: str) -> None:
    explore(empty, start, seeds=1, examples=3, steps=10)


@pytest.mark.slow
@pytest.mark.parametrize("start", ROADS)
def test_not_even_if_they_go_on_for_long(empty: Path, start: str) -> None:
    explore(empty, start, seeds=5, examples=8, steps=50)
