"""What the tenant remembers of every call: enough to prove what was asked, and no secret."""

from collections.abc import Mapping
from typing import Any

from bot.playground.tenant.calls import Answer, Call, Traffic
from bot.playground.tenant.directory import Directory

_SECRET_NAMES = {
    "client_secret",
    "client_assertion",
    "secretText",
    "refresh_token",
    "code",
    "device_code",
    "code_verifier",
}
MASK = "***"


class Log:
    """Calls in the order in which they were answered."""

    def __init__(self, directory: Directory) -> None:
        self.calls: list[Call] = []
        self._directory = directory

    def add(
        self,
        kind: Traffic,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: object,
        caller: str | None,
        answer: Answer | None,
        request_id: str,
        user_agent: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Remember a call; `answer=None` for one whose connection was cut."""
        call = Call(
            at=self._directory.now(),
            kind=kind,
            method=method,
            path=path,
            query=query,
            status=answer.status if answer else 0,
            caller_app_id=caller,
            body=masked(body),
            error_code=answer.error_code if answer else None,
            request_id=request_id,
            user_agent=user_agent,
            seconds=seconds,
        )
        self.calls.append(call)


def masked(body: object) -> object:
    """Return the body with every secret in it replaced, however deep it lies."""
    if isinstance(body, list):
        return [masked(item) for item in body]
    if not isinstance(body, dict):
        return body
    safe: dict[str, Any] = {}
    for name, value in body.items():
        safe[name] = MASK if name in _SECRET_NAMES and value is not None else masked(value)
    return safe
