"""What travels between Slack and an app: JSON, errors and acknowledgements."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """The answer `{"ok": false}` of a Web API method, with Slack's own word for it."""

    def __init__(self, code: str, *messages: str, **extra: str) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages
        self.extra = extra

    def to_json(self) -> Json:
        body: Json = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": list(self.messages)}
        return body


class CannotAct(Exception):
    """Somebody tried what their Slack client would not let them do; the sentence says why."""


@dataclass(frozen=True, kw_only=True)
class Ack:
    """How the app took what was delivered: its answer, or Slack's word for having none."""

    payload: Json = field(default_factory=dict)
    error: str | None = None
