"""What comes back to a person who did something in Slack."""

from dataclasses import dataclass, field

from bot.playground.workspace.wire import Json


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a command led to by the time the app had acknowledged it.

    `error` is Slack's word when the app did not answer in time ("operation_timeout") or is not
    there ("dispatch_failed"), or for an answer that Slack would not show.
    """

    text: str
    messages: tuple[Json, ...] = ()
    error: str | None = None

    @property
    def acked(self) -> bool:
        return self.error is None


@dataclass(frozen=True, kw_only=True)
class Clicked:
    """How the app took a click."""

    error: str | None = None

    @property
    def acked(self) -> bool:
        return self.error is None


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """How the app took a form: what it says of fields, by their labels, and the view then open."""

    errors: dict[str, str] = field(default_factory=dict)
    view: Json | None = None
    error: str | None = None

    @property
    def acked(self) -> bool:
        return self.error is None
