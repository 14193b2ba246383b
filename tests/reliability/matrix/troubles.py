"""What can happen to one call: each trouble says how it is arranged and how it must end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

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


def fail(status: int, code: str, message: str = "", *, times: int = TWICE, **more: object) -> Arm:
    def arm(faults: Faults, spot: Spot) -> None:
        faults.failures.append(
            Fault(
                method=spot.method,
                path=spot.path,
                answer=Answer(
                    status=status,
                    body={"error": {"code": code, "message": message, "innerError": {}}},
                    headers={"Retry-After": str(ASKED)} if more.get("asked") else {},
                ),
                times=times,
                when="after_effect" if more.get("late") else "before_effect",
            )
        )

    return arm


def throttle(retry_after: int | None, *, times: int = TWICE) -> Arm:
    def arm(faults: Faults, spot: Spot) -> None:
        faults.throttle(spot.method, spot.path, times=times, retry_after=retry_after)

    return arm


def page(status: int, *, late: bool) -> Arm:
    def arm(faults: Faults, spot: Spot) -> None:
        when: When = "after_effect" if late else "before_effect"
        faults.html(spot.method, spot.path, status=status, times=TWICE, when=when)

    return arm


def cut(*, late: bool) -> Arm:
    def arm(faults: Faults, spot: Spot) -> None:
        when: When = "after_effect" if late else "before_effect"
        faults.reset(spot.method, spot.path, times=TWICE, when=when)

    return arm


def hold(*, late: bool) -> Arm:
    def arm(faults: Faults, spot: Spot) -> Hold:
        when: When = "after_effect" if late else "before_effect"
        return faults.hold(spot.method, spot.path, when=when)

    return arm


def refuse(faults: Faults, spot: Spot) -> None:
    """Say no for good: a missing right, or Conditional Access where somebody signs in."""
    if spot.signs_in:
        faults.failures.append(_blocked(spot))
    else:
        text = "Insufficient privileges to complete the operation."
        fail(403, "Authorization_RequestDenied", text, times=FOR_GOOD)(faults, spot)


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
    Trouble(name="429", arm=throttle(None)),
    Trouble(name="429-retry-after", arm=throttle(ASKED), asked=ASKED),
    Trouble(name="503", arm=fail(503, "ServiceUnavailable")),
    Trouble(name="503-retry-after", arm=fail(503, "ServiceUnavailable", asked=True), asked=ASKED),
    Trouble(
        name="503-after-effect",
        arm=fail(503, "ServiceUnavailable", late=True),
        fits=lambda spot: spot.writes or spot.signs_in,
    ),
    Trouble(name="504", arm=fail(504, "GatewayTimeout")),
    Trouble(name="504-after-effect", arm=fail(504, "GatewayTimeout", late=True)),
    Trouble(name="500-after-effect", arm=fail(500, "InternalServerError", late=True)),
    Trouble(name="page-502", arm=page(502, late=False), fits=_has_a_connection),
    Trouble(name="page-200-before-effect", arm=page(200, late=False), fits=_writes),
    Trouble(name="page-200-after-effect", arm=page(200, late=True), fits=_has_a_connection),
    Trouble(name="reset-before-effect", arm=cut(late=False), fits=_has_a_connection),
    Trouble(name="reset-after-effect", arm=cut(late=True), fits=_has_a_connection),
    Trouble(
        name="held-answer-dropped", arm=hold(late=True), meddle=lose_it, fits=_has_a_connection
    ),
    Trouble(
        name="token-expired",
        arm=hold(late=False),
        meddle=outlive_the_token,
        fits=lambda spot: _has_a_connection(spot) and not spot.signs_in,
    ),
    Trouble(
        name="409",
        arm=fail(409, "Directory_ConcurrencyViolation", "Please wait briefly and retry."),
        fits=_writes,
    ),
    Trouble(
        name="409-for-good",
        arm=fail(409, "Directory_ConcurrencyViolation", "Please retry.", times=FOR_GOOD),
        fits=_writes,
        ends=_fails,
    ),
    Trouble(name="429-for-good", arm=throttle(ASKED, times=FOR_GOOD), ends=_fails, asked=ASKED),
    Trouble(name="refused-for-good", arm=refuse, ends=_refused),
    Trouble(name="503-for-good", arm=fail(503, "Outage", times=FOR_GOOD), ends=_fails),
)

ENDING = frozenset(trouble.name for trouble in TROUBLES if "for-good" in trouble.name)
"""Those that a registration cannot outlast."""
