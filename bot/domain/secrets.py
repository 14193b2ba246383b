"""The states of a secret, which is never the secret itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
