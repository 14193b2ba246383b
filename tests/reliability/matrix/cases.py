"""The cases: call by fault, lag by kind of object, collisions, and several of these at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from bot.domain.registration import Status
from bot.playground.tenant.faults import Faults, Span
from bot.playground.tenant.replicas import Kind
from tests.reliability.matrix.calls import BY_NAME, SPOTS, Spot
from tests.reliability.matrix.troubles import ENDING, LATE, TROUBLES, Trouble, cut, refuse

OBJECTS = (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL, Kind.ASSIGNMENT, Kind.GRANT)
LAGS: tuple[Span, ...] = (5.0, 60.0, 600.0, (0.0, 600.0))
COLLISIONS = (2.0, 20.0)
"""Seconds within which a second write to one object is refused."""
STORMS = 16
SLOW_SIGN_IN: tuple[Span, ...] = (30.0, 300.0, (30.0, 300.0))
LOST = Trouble(name="lost", arm=cut(when=LATE))
REFUSED = Trouble(name="refused", arm=refuse)
WRITES = tuple(spot for spot in SPOTS if spot.writes)

Slow = Callable[[Faults], None]


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A trouble that meets one call."""

    spot: Spot
    trouble: Trouble


@dataclass(frozen=True, kw_only=True)
class Case:
    """What goes wrong in one registration, and how it must end."""

    id: str
    strikes: tuple[Strike, ...] = ()
    slow: Slow = lambda faults: None
    ends: Status = Status.READY


SAMPLE = frozenset({"secret-held-answer-dropped"})
"""For the quick tier."""


def cases() -> list[Case]:
    """Return all of them."""
    kinds = (_every_call_by_every_trouble, _lags, _collisions, _lost_while_reads_lag)
    return [case for kind in (*kinds, _strays, _storms) for case in kind()]


def _every_call_by_every_trouble() -> Iterator[Case]:
    for spot in SPOTS:
        for trouble in TROUBLES:
            if trouble.fits(spot):
                yield Case(
                    id=f"{spot.name}-{trouble.name}",
                    strikes=(Strike(spot=spot, trouble=trouble),),
                    ends=trouble.ends(spot),
                )


def _lags() -> Iterator[Case]:
    for lag in LAGS:
        yield Case(id=f"lag-{_words(lag)}", slow=_lagging(lag))
        for kind in OBJECTS:
            yield Case(id=f"lag-{_words(lag)}-{kind}", slow=_lagging({kind: lag}))
    yield Case(
        id="lag-random", slow=_lagging((0.0, 600.0), secret=(30.0, 300.0), role=(30.0, 300.0))
    )
    for lag in SLOW_SIGN_IN:
        yield Case(id=f"secret-lag-{_words(lag)}", slow=_lagging(0.0, secret=lag))
        yield Case(id=f"role-lag-{_words(lag)}", slow=_lagging(0.0, role=lag))
        yield Case(id=f"sign-in-lag-{_words(lag)}", slow=_lagging(5.0, secret=lag, role=lag))


def _collisions() -> Iterator[Case]:
    """Two grants are writes to one service principal at the same time."""
    for seconds in COLLISIONS:
        for lag in (0.0, 60.0):
            yield Case(
                id=f"lag-{_words(lag)}-collisions-{_words(seconds)}",
                slow=_colliding(seconds, lag=lag),
            )


def _lost_while_reads_lag() -> Iterator[Case]:
    """Another attempt must find what the first has made, although no replica shows it yet."""
    for lag in LAGS[1:]:
        for spot in WRITES:
            yield Case(
                id=f"lag-{_words(lag)}-{spot.name}-lost",
                strikes=(Strike(spot=spot, trouble=LOST),),
                slow=_lagging(lag),
            )


def _strays() -> Iterator[Case]:
    """A secret whose answer is lost, in a run that fails later: only sweeps can remove it."""
    for lag in (0.0, 60.0, 600.0):
        for last in ("new-token", "batch"):
            yield Case(
                id=f"lag-{_words(lag)}-secret-lost-then-{last}-refused",
                strikes=(
                    Strike(spot=BY_NAME["secret"], trouble=LOST),
                    Strike(spot=BY_NAME[last], trouble=REFUSED),
                ),
                slow=_lagging(lag),
                ends=Status.FAILED,
            )


def _storms() -> Iterator[Case]:
    """Three calls in trouble, each in its own way, while everything lags."""
    passing = [it for it in TROUBLES if it.name not in ENDING]
    for seed in range(STORMS):
        random = Random(seed)
        strikes = []
        for spot in random.sample(SPOTS, k=3):
            fitting = [trouble for trouble in passing if trouble.fits(spot)]
            strikes.append(Strike(spot=spot, trouble=random.choice(fitting)))
        yield Case(
            id=f"storm-{seed}",
            strikes=tuple(strikes),
            slow=_lagging((0.0, 120.0), secret=(0.0, 120.0), role=(0.0, 120.0)),
        )


def _colliding(seconds: float, *, lag: Span) -> Slow:
    def slow(faults: Faults) -> None:
        faults.conflict_window, faults.lag = seconds, lag

    return slow


def _lagging(lag: Span | Mapping[str, Span], *, secret: Span = 0.0, role: Span = 0.0) -> Slow:
    def slow(faults: Faults) -> None:
        faults.lag, faults.secret_lag, faults.role_lag = lag, secret, role

    return slow


def _words(span: Span) -> str:
    return "-to-".join(f"{each:g}" for each in (span if isinstance(span, tuple) else (span,)))
