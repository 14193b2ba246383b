"""What can go wrong with Slack: set here, met by the app at its next call.

Methods are named as in the Web API; `response_url` stands for posts to one, and `link` for the
handshake of a socket.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

from bot.playground.workspace.wire import Json

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered instead of doing anything."""

    status: int = 200
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Held:
    """A call that has taken effect, but whose answer waits to be released or lost."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._decided = asyncio.Event()
        self._lost = False

    def release(self) -> None:
        self._decided.set()

    def drop(self) -> None:
        """Break the connection: the app never learns what became of its call."""
        self._lost = True
        self._decided.set()

    async def arrives(self) -> bool:
        """Wait for the decision; return whether the answer gets through."""
        self.reached.set()
        await self._decided.wait()
        return not self._lost


@dataclass(kw_only=True)
class Fault:
    method: str
    times: int
    trouble: Answer | Held


class Faults:
    """The faults in store. Without any, Slack works."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._held: list[Held] = []

    def fail(self, method: str, error: str, *, times: int = 1) -> None:
        """Answer `{"ok": false, "error": …}` and do nothing."""
        self._add(method, times, Answer(body={"ok": False, "error": error}))

    def throttle(self, method: str, *, retry_after: int = 1, times: int = 1) -> None:
        self._add(method, times, throttled(retry_after))

    def breaks(self, method: str, *, status: int = 500, times: int = 1) -> None:
        """Answer a server error and do nothing."""
        self._add(method, times, Answer(status=status, body={"ok": False, "error": "fatal_error"}))

    def hold(self, method: str, *, times: int = 1) -> Held:
        """Do what is asked, but hold the answer until it is released or dropped."""
        held = Held()
        self._held.append(held)
        self._add(method, times, held)
        return held

    def lose(self, method: str, *, times: int = 1) -> None:
        """Do what is asked, then break the connection instead of answering."""
        self.hold(method, times=times).drop()

    def clear(self) -> None:
        self._faults.clear()

    def to_json(self) -> list[Json]:
        """Return what is in store: the method, how many times, and what is answered."""
        return [
            {
                "method": fault.method,
                "times": fault.times,
                "status": fault.trouble.status if isinstance(fault.trouble, Answer) else 0,
                "error": _word(fault.trouble),
            }
            for fault in self._faults
        ]

    def drop_held(self) -> None:
        """Let go of every held call, so that the server can stop."""
        for held in self._held:
            held.drop()

    def before(self, method: str) -> Answer | None:
        """Return the answer given in place of the method's own, if there is to be one."""
        return self._take(method, Answer)

    def after(self, method: str) -> Held | None:
        return self._take(method, Held)

    def _add(self, method: str, times: int, trouble: Answer | Held) -> None:
        self._faults.append(Fault(method=method, times=times, trouble=trouble))

    def _take(self, method: str, kind: type[T]) -> T | None:
        for fault in self._faults:
            if fault.method == method and isinstance(fault.trouble, kind):
                fault.times -= 1
                self._faults = [it for it in self._faults if it.times > 0]
                return fault.trouble
        return None


def throttled(seconds: int) -> Answer:
    body = {"ok": False, "error": "ratelimited"}
    return Answer(status=429, body=body, headers={"Retry-After": str(seconds)})


def _word(trouble: Answer | Held) -> str:
    return str(trouble.body.get("error", "")) if isinstance(trouble, Answer) else "held"
