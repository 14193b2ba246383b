"""What travels between Slack and an app: JSON, errors and acknowledgements."""

import pickle
from dataclasses import dataclass, field
from typing import Any, TypeVar

Json = dict[str, Any]
Body = TypeVar("Body")


def copied(body: Body) -> Body:
    """Return a copy of JSON: five times as fast as `deepcopy`, and each message takes many."""
    return pickle.loads(pickle.dumps(body))  # type: ignore[no-any-return]  # noqa: S301 - our own bytes


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
