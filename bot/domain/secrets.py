"""The states of a secret, which is never the secret itself, and the stages at which people are told
that the one in use expires.

A month, a week and a day before, and at its end. If a secret lives less than two months, when a
half, an eighth and a fortieth of its life are left.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from bot.domain.lifetimes import EXPIRY_NOTICES, SHORT_SECRET, SHORT_SECRET_NOTICES
from bot.domain.runs import RunKind


class SecretState(StrEnum):
    """The small life of one secret."""

    ATTEMPTED = "attempted"  # its nonce is stored, the call may or may not have reached Entra
    SEALED = "sealed"  # in the vault, unseen
    CLAIMED = "claimed"  # taken out of the vault for the one reveal, which is not confirmed yet
    SHOWN = "shown"  # Slack took it; it is on the requester's screen
    MASKED = "masked"  # it was seen and is gone
    UNKNOWN = "unknown"  # it is unknown whether it was seen
    REPLACED = "replaced"  # a newer secret works, this one is removed from Entra
    UNMASKED = "unmasked"  # it was seen, and Slack did not let us mask it
    CLOSED = "closed"  # out of the vault unseen; Entra still has to be told
    REMOVED = "removed"  # removed from Entra unseen


LIVE = (
    SecretState.SEALED,
    SecretState.CLAIMED,
    SecretState.SHOWN,
    SecretState.MASKED,
    SecretState.UNKNOWN,
    SecretState.UNMASKED,
)
"""States in which Entra still holds the secret and knows it to be ours."""


SEEN = (SecretState.SHOWN, SecretState.MASKED, SecretState.UNMASKED)
"""States of a secret that its requester has seen, and perhaps put to use."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """The metadata of a secret, never the secret."""

    id: str
    run: str
    state: SecretState
    key_id: str | None
    hint: str | None
    expires_at: datetime | None
    made_at: datetime
    made_by: RunKind = RunKind.REGISTER
    retires_at: datetime | None = None  # when it is removed, because a newer one was seen
    removal_began: bool = False  # whether a run was added for that, even if it has failed since

    @property
    def is_live(self) -> bool:
        """Whether Entra should hold it."""
        return self.state in LIVE

    @property
    def has_lapsed(self) -> bool:
        """Whether it should replace another and was not picked up: then the other one stays."""
        gone = (SecretState.CLOSED, SecretState.REMOVED)
        return self.made_by is RunKind.ADD_SECRET and self.state in gone


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
