"""Where a secret stands, in one word: what its state, its removal and its message say together."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bot.domain.secrets import RemovalReason, Secret, SecretState

REMOVED_AT = datetime(2026, 3, 8, tzinfo=UTC)


class SecretLife(StrEnum):
    """The life of a secret, from the first attempt to its removal."""

    ATTEMPTED = "attempted"
    SEALED = "sealed"
    CLAIMED = "claimed"
    SHOWN = "shown"  # it is on the requester's screen
    MASKED = "masked"  # it was seen and is gone
    UNMASKED = "unmasked"  # it was seen, and Slack did not let us mask it
    UNKNOWN = "unknown"
    CLOSED = "closed"  # out of use, and still in Entra
    REMOVED = "removed"
    REPLACED = "replaced"  # removed, because another is in use


FIELDS: dict[SecretLife, dict[str, Any]] = {
    SecretLife.ATTEMPTED: {"state": SecretState.ATTEMPTED},
    SecretLife.SEALED: {"state": SecretState.SEALED},
    SecretLife.CLAIMED: {"state": SecretState.CLAIMED, "can_be_masked": True},
    SecretLife.SHOWN: {"state": SecretState.SEEN, "can_be_masked": True},
    SecretLife.MASKED: {"state": SecretState.SEEN},
    SecretLife.UNMASKED: {"state": SecretState.SEEN, "mask_failed": True},
    SecretLife.UNKNOWN: {"state": SecretState.UNKNOWN},
    SecretLife.CLOSED: {"state": SecretState.SEALED, "removed_because": RemovalReason.UNREAD},
    SecretLife.REMOVED: {
        "state": SecretState.SEALED,
        "removed_because": RemovalReason.UNREAD,
        "removed_at": REMOVED_AT,
    },
    SecretLife.REPLACED: {
        "state": SecretState.SEEN,
        "removed_because": RemovalReason.REPLACED,
        "removed_at": REMOVED_AT,
    },
}
"""What a secret says of itself at each point of its life."""


def life_of(secret: Secret) -> SecretLife:
    """Return where the secret stands."""
    if secret.removed_because is not None:
        if secret.removed_at is None:
            return SecretLife.CLOSED
        followed = (RemovalReason.REPLACED, RemovalReason.FOLLOWED)
        is_replaced = secret.removed_because in followed
        return SecretLife.REPLACED if is_replaced else SecretLife.REMOVED
    assert secret.removed_at is None
    if secret.state is not SecretState.SEEN:
        return SecretLife(secret.state)
    if secret.can_be_masked:
        return SecretLife.SHOWN
    return SecretLife.UNMASKED if secret.mask_failed else SecretLife.MASKED
