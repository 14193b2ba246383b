"""Waits for Entra: how long in all, and how far apart the tries are.

Waiting is done by the Clock, never by real time alone, so that tests let hours pass. The longest
wait is for replication: Microsoft promises no time for it, and minutes are common. Each rule has a
limit on attempts beside the one on time, and a Retry-After can lengthen a wait, never shorten it:
otherwise `Retry-After: 0` would repeat a call without end.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TypeVar

from graph.clock import Clock
from graph.errors import Conflict, GraphError, LostAnswer, NotThereYet, Throttled, Unavailable

T = TypeVar("T")

REPLICATION_TIME = timedelta(minutes=15)
"""How long after our own write “not there” may still mean “not there yet”."""

BRIEFLY = timedelta(seconds=10)
"""How long a removal waits that something else repeats anyway: most writes are seen by then."""

OUTAGE_SECONDS = 120.0
"""The sum of the waits between tries while Graph is down, or while writes collide."""

ASKED_SECONDS = 600.0
"""The sum of the waits that Graph itself asks for by Retry-After."""

LONGEST_WAIT_SECONDS = 30.0

ATTEMPTS = 20
"""How often one call is sent through an outage or a collision, however short the waits are."""

SETTLING_ATTEMPTS = 60
"""How often something is asked for while it replicates: 15 minutes take about 40 attempts."""

Jitter = Callable[[], float]
"""A random number from 0 to 1, so that many tries at once do not stay together."""

Wait = Callable[[GraphError, int], float | None]
"""Seconds to wait after this failure of the n-th try; None gives up."""


Aside = Callable[[], AbstractAsyncContextManager[object]]

while_waiting: ContextVar[Aside] = ContextVar("put_aside", default=nullcontext)
"""Entered while a call waits, so that waiting can be told from work. It must not raise, except
CancelledError where nothing is to go on."""


async def retry(act: Callable[[], Awaitable[T]], *, clock: Clock, wait: Wait) -> T:
    """Do `act` until it succeeds or `wait` gives up; then its last error is raised."""
    tries = 0
    while True:
        tries += 1
        try:
            return await act()
        except GraphError as error:
            seconds = wait(error, tries)
            if seconds is None:
                raise
        async with while_waiting.get()():
            await clock.sleep(seconds)


def exponential(tries: int, most: float) -> float:
    """Return 1 s, doubled with each try, at most `most`."""
    return min(most, 2.0 ** min(tries - 1, 10))


def backoff(tries: int, jitter: Jitter) -> float:
    """Return 1 s, doubled with each try, at most 30 s, with full jitter."""
    return exponential(tries, LONGEST_WAIT_SECONDS) * jitter()


def replication_backoff(tries: int, jitter: Jitter) -> float:
    """Return 0.5 s, 1.4 times as much with each try, at most 30 s, a quarter more or less.

    A write becomes visible after an unknown time. Looking again after a fixed part of the
    time waited so far finds it late by that part and no more, and takes 40 looks in 15 minutes.
    """
    return min(LONGEST_WAIT_SECONDS, 0.5 * 1.4 ** min(tries - 1, 20)) * (0.75 + jitter() / 2)


def sign_in_backoff(tries: int, jitter: Jitter) -> float:
    """Return 1 s, doubled with each try, at most 60 s, a quarter more or less.

    Entra takes many equal sign-ins in a few minutes for a loop and then refuses all of them
    (AADSTS50196), so a sign-in that waits is tried less often than other calls: 6 to 7 times in the
    first minute, at most 12 in five minutes.
    """
    return exponential(tries, 60.0) * (0.75 + jitter() / 2)


def _patience(jitter: Jitter) -> Wait:
    """Wait longer from try to try, until the waits together are too long."""
    waited = 0.0

    def wait(error: GraphError, tries: int) -> float | None:
        nonlocal waited
        seconds = max(backoff(tries, jitter), error.retry_after or 0.0)
        waited += seconds
        most = ASKED_SECONDS if error.retry_after else OUTAGE_SECONDS
        return seconds if tries < ATTEMPTS and waited <= most else None

    return wait


def through_outage(jitter: Jitter) -> Wait:
    """Wait out throttling and outages. A lost answer is not ours to repeat."""
    patience = _patience(jitter)

    def wait(error: GraphError, tries: int) -> float | None:
        is_ours = isinstance(error, Throttled | Unavailable) and not isinstance(error, LostAnswer)
        return patience(error, tries) if is_ours else None

    return wait


def until_replicated(
    clock: Clock,
    jitter: Jitter,
    *,
    written: datetime | None,
    settling: tuple[type[GraphError], ...] = (),
    within: timedelta = REPLICATION_TIME,
) -> Wait:
    """Wait for replication until 15 minutes after `written`, and shortly for colliding writes.

    Without `written` nothing is young enough to be waited for. `settling` are further errors, of
    sign-ins, that end by themselves once our write has replicated.
    """
    patience, collisions = _patience(jitter), 0

    def wait(error: GraphError, tries: int) -> float | None:
        nonlocal collisions
        if isinstance(error, (NotThereYet, *settling)):
            if written is None:
                return None
            left = (written + within - clock.now()).total_seconds()
            spacing = replication_backoff if isinstance(error, NotThereYet) else sign_in_backoff
            seconds = max(spacing(tries, jitter), error.retry_after or 0.0)
            return min(seconds, left) if left > 0 and tries < SETTLING_ATTEMPTS else None
        if not isinstance(error, Conflict | LostAnswer):
            return None
        collisions += 1
        return patience(error, collisions)

    return wait
