"""Subjects: what a message or a timer is about, beside its registration."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bot.domain.expiry_stages import Stage


class Topic(StrEnum):
    """Which kind of subject a kind of message or timer has."""

    NONE = "none"  # the registration itself
    SECRET = "secret"
    EXPIRY = "expiry"  # of a secret, at a stage
    REQUEST = "request"
    RUN = "run"
    USER = "user"
    MESSAGE = "message"


class Kind(StrEnum):
    """A kind of message or timer: what is stored for it, and its topic unless that is NONE."""

    topic: Topic

    def __new__(cls, value: str, topic: Topic = Topic.NONE) -> Self:
        kind = str.__new__(cls, value)
        kind._value_, kind.topic = value, topic
        return kind


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An id, of an expiry also the stage. Nothing is set if there is no subject."""

    secret: str = ""
    stage: Stage | None = None
    request: str = ""
    run: str = ""
    user: str = ""
    message: str = ""

    @property
    def text(self) -> str | None:
        """What is stored of it."""
        if self.stage is not None:
            return f"{self.secret}:{self.stage:d}"
        return self.secret or self.request or self.run or self.user or self.message or None

    @classmethod
    def read(cls, topic: Topic, text: str | None) -> Self:
        """Read what is stored. Raises ValueError for a malformed expiry."""
        match topic, text:
            case Topic.NONE, _:
                return cls()
            case _, None:
                return cls()
            case Topic.EXPIRY, _:
                secret, _, stage = text.partition(":")
                return cls(secret=secret, stage=Stage(int(stage)))
            case _:
                fields: dict[str, Any] = {topic: text}
                return cls(**fields)

    def checked(self, topic: Topic) -> Self:
        assert self.read(topic, self.text) == self, f"{self} is no subject of {topic}"
        return self


NO_SUBJECT = Subject()
