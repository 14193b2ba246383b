"""The stages at which people are told that the secret in use expires: pure.

A month, a week and a day before, and at its end. If a secret lives less than two months, when a
half, an eighth and a fortieth of its life are left.
"""

from datetime import datetime
from enum import IntEnum

from bot.domain.lifetimes import EXPIRY_NOTICES, SHORT_SECRET, SHORT_SECRET_NOTICES
from bot.domain.secrets import Secret


class Stage(IntEnum):
    """How near its end a secret is."""

    MONTH = 0
    WEEK = 1
    DAY = 2
    OVER = 3


LEFT = dict(zip(Stage, EXPIRY_NOTICES, strict=True))
SHARE_LEFT = dict(zip(Stage, SHORT_SECRET_NOTICES, strict=True))

FOR_APPROVERS = frozenset({Stage.WEEK, Stage.OVER})
"""When the approval channel is told, too."""


def told_at(secret: Secret, stage: Stage) -> datetime | None:
    """Return when this secret reaches the stage. None if it never expires."""
    if secret.expires_at is None:
        return None
    life = secret.expires_at - secret.made_at
    left = LEFT[stage] if life >= SHORT_SECRET else SHARE_LEFT[stage] * life
    return secret.expires_at - left


def reached(secret: Secret, now: datetime, *, since: Stage) -> tuple[Stage, ...]:
    """Return the stages reached by now, beginning with `since`: of several the last is true."""
    come = (it for it in Stage if it >= since)
    return tuple(it for it in come if (at := told_at(secret, it)) and at <= now)
