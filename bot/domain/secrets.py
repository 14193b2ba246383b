"""Whether a secret was seen, and whether Entra still holds it; never the secret itself. The stages
at which people are told that the one in use expires.

A month, a week and a day before, and at its end. If a secret lives less than two months, when a
half, an eighth and a fortieth of its life are left.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from bot.domain.lifetimes import EXPIRY_NOTICES, SHORT_SECRET, SHORT_SECRET_NOTICES
from bot.domain.runs import RunKind


class SecretState(StrEnum):
    """Whether a secret was seen. Its removal changes nothing of that."""

    ATTEMPTED = "attempted"  # its nonce is stored, the call may or may not have reached Entra
    SEALED = "sealed"  # not seen yet
    CLAIMED = "claimed"  # taken out of the vault for the one reveal, which is not confirmed yet
    SEEN = "seen"  # Slack took it
    UNKNOWN = "unknown"  # it is unknown whether it was seen


class RemovalReason(StrEnum):
    """Why a secret is out of use."""

    UNREAD = "unread"  # not picked up in time
    UNFINISHED = "unfinished"  # the run that made it failed
    REPLACED = "replaced"  # another was made in its place
    FOLLOWED = "followed"  # the one that follows it was seen
    APPLICATION_DELETED = "application deleted"  # with all that the registration has made


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
    remove_at: datetime | None = None  # when it is, or was, to be removed from Entra
    removed_because: RemovalReason | None = None  # from the moment on that it is out of use
    removed_at: datetime | None = None  # since when Entra is known not to hold it
    removal_began: bool = False  # whether a run was added for that, even if it has failed since
    can_be_masked: bool = False  # whether the address of the message that shows it is kept
    mask_failed: bool = False  # whether Slack did not let us mask that message

    @property
    def is_live(self) -> bool:
        """Whether Entra should hold it, for use."""
        return self.state is not SecretState.ATTEMPTED and self.removed_because is None

    @property
    def is_being_removed(self) -> bool:
        """Whether it is out of use and Entra still has to be told."""
        return self.removed_because is not None and self.removed_at is None

    @property
    def is_unread(self) -> bool:
        """Whether it waits in the vault to be picked up."""
        return self.is_live and self.state is SecretState.SEALED

    @property
    def is_on_screen(self) -> bool:
        """Whether it is being shown, or was and is not masked yet."""
        is_open = self.state is SecretState.SEEN and self.can_be_masked
        return self.is_live and (is_open or self.state is SecretState.CLAIMED)

    @property
    def may_be_known(self) -> bool:
        """Whether it works and a person may have saved it."""
        return self.is_live and not self.is_unread

    @property
    def may_be_replaced(self) -> bool:
        """Whether another may be made in its place: no person sees it or is about to."""
        is_made = self.state is not SecretState.ATTEMPTED
        return is_made and not self.is_unread and not self.is_on_screen

    @property
    def may_be_followed(self) -> bool:
        """Whether another may be made beside it: no person is about to see it."""
        return self.may_be_replaced or self.state is SecretState.SEEN

    @property
    def has_lapsed(self) -> bool:
        """Whether it should follow another and was not picked up: then the other one stays."""
        is_unseen = self.state is SecretState.SEALED
        return self.made_by is RunKind.ADD_SECRET and is_unseen and self.removed_because is not None

    @property
    def is_superseded(self) -> bool:
        """Whether another is in use instead."""
        return self.removed_because in (RemovalReason.REPLACED, RemovalReason.FOLLOWED)


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
