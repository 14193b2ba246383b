"""What can happen to one call: each trouble says how it is arranged and how it must end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.faults import Fault, Faults, Hold, When
from tests.reliability.matrix.calls import Spot

TWICE = 2
FOR_GOOD = 10_000
ASKED = 20
"""The seconds of every Retry-After here."""
TOKEN_LIFE = timedelta(minutes=62)

Arm = Callable[[Faults, Spot], Hold | None]
Meddle = Callable[[Hold, MovableClock], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One kind of fault. `meddle` acts while the call is held."""

    name: str
    arm: Arm
    fits: Callable[[Spot], bool] = lambda spot: True
    ends: Callable[[Spot], Status] = lambda spot: Status.READY
    meddle: Meddle | None = None
    asked: int | None = None
    """The seconds of Retry-After, where Entra says so."""


def arranged(act: Callable[..., object], **options: object) -> Arm:
    """Return how to arrange this of the tenant's faults at the call of a spot."""

    def arm(faults: Faults, spot: Spot) -> Hold | None:
        done = act(faults, spot.method, spot.path, **options)
        return done if isinstance(done, Hold) else None

    return arm


fail = partial(arranged, Faults.fail, times=TWICE)
throttle = partial(arranged, Faults.throttle, times=TWICE)
page = partial(arranged, Faults.html, times=TWICE)
cut = partial(arranged, Faults.reset, times=TWICE)
hold = partial(arranged, Faults.hold)
conflict = partial(fail, status=409, code="Directory_ConcurrencyViolation")
WHEN_ASKED = {"Retry-After": str(ASKED)}
LATE: When = "after_effect"


def refuse(faults: Faults, spot: Spot) -> None:
    """Say no for good: a missing right, or Conditional Access where somebody signs in."""
    if spot.signs_in:
        faults.failures.append(_blocked(spot))
    else:
        faults.refuse(spot.method, spot.path, times=FOR_GOOD)


def _blocked(spot: Spot) -> Fault:
    body = {
        "error": "invalid_grant",
        "error_description": "AADSTS53003: Access has been blocked by Conditional Access policies.",
        "error_codes": [53003],
        "trace_id": "7d3f3d3e-0000-4000-8000-00000000cafe",
        "correlation_id": "7d3f3d3e-0000-4000-8000-00000000beef",
    }
    return Fault(
        method=spot.method,
        path=spot.path,
        answer=Answer(status=400, body=body),
        times=FOR_GOOD,
        when="before_effect",
    )


async def lose_it(held: Hold, clock: MovableClock) -> None:
    held.drop()


async def outlive_the_token(held: Hold, clock: MovableClock) -> None:
    clock.move(TOKEN_LIFE)
    held.release()


def _refused(spot: Spot) -> Status:
    """The tenant's policy is worth a warning only; every other call is needed."""
    return Status.READY if spot.name == "policy" else Status.FAILED


def _fails(spot: Spot) -> Status:
    return Status.FAILED


def _writes(spot: Spot) -> bool:
    return spot.writes


def _has_a_connection(spot: Spot) -> bool:
    return not spot.batched


TROUBLES = (
    Trouble(name="429", arm=throttle(retry_after=None)),
    Trouble(name="429-retry-after", arm=throttle(retry_after=ASKED), asked=ASKED),
    Trouble(name="503", arm=fail(status=503)),
    Trouble(name="503-retry-after", arm=fail(status=503, headers=WHEN_ASKED), asked=ASKED),
    Trouble(
        name="503-after-effect",
        arm=fail(status=503, when=LATE),
        fits=lambda spot: spot.writes or spot.signs_in,
    ),
    Trouble(name="504", arm=fail(status=504, code="GatewayTimeout")),
    Trouble(name="504-after-effect", arm=fail(status=504, code="GatewayTimeout", when=LATE)),
    Trouble(name="500-after-effect", arm=fail(status=500, code="InternalServerError", when=LATE)),
    Trouble(name="page-502", arm=page(status=502), fits=_has_a_connection),
    Trouble(name="page-200-before-effect", arm=page(status=200), fits=_writes),
    Trouble(name="page-200-after-effect", arm=page(status=200, when=LATE), fits=_has_a_connection),
    Trouble(name="reset-before-effect", arm=cut(), fits=_has_a_connection),
    Trouble(name="reset-after-effect", arm=cut(when=LATE), fits=_has_a_connection),
    Trouble(
        name="held-answer-dropped", arm=hold(when=LATE), meddle=lose_it, fits=_has_a_connection
    ),
    Trouble(
        name="token-expired",
        arm=hold(when="before_effect"),
        meddle=outlive_the_token,
        fits=lambda spot: _has_a_connection(spot) and not spot.signs_in,
    ),
    Trouble(name="409", arm=conflict(message="Please wait briefly and retry."), fits=_writes),
    Trouble(
        name="409-for-good",
        arm=conflict(message="Please retry.", times=FOR_GOOD),
        fits=_writes,
        ends=_fails,
    ),
    Trouble(
        name="429-for-good",
        arm=throttle(retry_after=ASKED, times=FOR_GOOD),
        ends=_fails,
        asked=ASKED,
    ),
    Trouble(name="refused-for-good", arm=refuse, ends=_refused),
    Trouble(name="503-for-good", arm=fail(status=503, code="Outage", times=FOR_GOOD), ends=_fails),
)

ENDING = frozenset(trouble.name for trouble in TROUBLES if "for-good" in trouble.name)
"""Those that a registration cannot outlast."""
