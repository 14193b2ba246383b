"""What can go wrong, settable while the tenant runs: lag, refusals, lost answers, throttling.

Times of lag and throttling are on the tenant's clock; `latency` is real, for benchmarks. Every
fault is used up by matching calls, oldest first. A path is a regular expression, searched in the
whole path (`/v1.0/applications…`, `/<tenant>/oauth2/v2.0/token`), also of requests in a `$batch`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from bot.playground.tenant.calls import Answer
from bot.playground.tenant.replicas import REPLICAS, Kind

SPANS = ("secret_lag", "role_lag", "audit_lag", "latency")
Span = float | tuple[float, float]
"""Seconds, or the least and the most of them, drawn for each write and replica."""
When = Literal["before_effect", "after_effect"]


@dataclass(kw_only=True)
class Fault:
    """An answer that replaces the real one. `answer=None` drops the connection instead."""

    method: str
    path: str
    answer: Answer | None
    times: int
    when: When

    def matches(self, method: str, path: str, when: When) -> bool:
        return self.times > 0 and self.when == when and _matches(self, method, path)


@dataclass(kw_only=True)
class Throttle:
    """429 for some calls, and for everyone who comes back before Retry-After has passed."""

    method: str
    path: str
    times: int
    retry_after: int | None
    until: datetime | None = None


@dataclass(kw_only=True)
class Hold:
    """An answer (or, before the effect, a request) that is kept back until a test decides."""

    method: str
    path: str
    times: int
    when: When
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _decision: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def release(self) -> None:
        """Let what is held go on its way, and everything after it."""
        self._decide(True)

    def drop(self) -> None:
        """Cut the connection: the caller never learns what happened."""
        self._decide(False)

    async def wait(self) -> bool:
        """Return whether to go on (True) or to cut the connection."""
        self.reached.set()
        return await asyncio.shield(self._decision)

    def _decide(self, released: bool) -> None:
        self.times = 0
        if not self._decision.done():
            self._decision.set_result(released)


@dataclass(kw_only=True)
class Faults:
    random: Random
    lag: Span | Mapping[str, Span] = 0.0
    """Until a write is seen by reads: one span for all, or one per `Kind`."""
    secret_lag: Span = 0.0
    """Until the token endpoint knows a secret or certificate, or has forgotten a removed one."""
    role_lag: Span = 0.0
    """Until tokens are issued with a granted role, or without a revoked one."""
    audit_lag: Span = 0.0
    """Until the audit log shows what was written: minutes, in the real one."""
    latency: Span = 0.0
    """Real seconds before each answer."""
    conflict_window: float = 0.0
    """Writes to one object closer together than this many seconds are answered with 409."""
    unreachable: bool = False
    """Every connection is cut before anything has happened."""
    failures: list[Fault] = field(default_factory=list)
    throttles: list[Throttle] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int = 503,
        code: str = "ServiceUnavailable",
        message: str = "The service is temporarily unavailable.",
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        when: When = "before_effect",
    ) -> Fault:
        """Answer with a Graph error; after the effect, the write has happened all the same."""
        body = {"error": {"code": code, "message": message, "innerError": {}}}
        answer = Answer(status=status, body=body, headers=headers or {})
        return self._add(Fault(method=method, path=path, answer=answer, times=times, when=when))

    def refuse(self, method: str, path: str, *, times: int = 10_000) -> Fault:
        """Answer that a right is missing."""
        return self.fail(method, path, status=403, code="Authorization_RequestDenied", times=times)

    def answer(
        self, method: str, path: str, body: Any, *, status: int = 200, times: int = 1
    ) -> Fault:
        """Answer with this instead."""
        answer = Answer(status=status, body=body, headers={"x-ms-request-id": "r1"})
        fault = Fault(method=method, path=path, answer=answer, times=times, when="before_effect")
        return self._add(fault)

    def html(
        self,
        method: str,
        path: str,
        *,
        status: int = 502,
        times: int = 1,
        when: When = "before_effect",
    ) -> Fault:
        """Answer with a page, as gateways in front of the real services do."""
        words = "Our services aren't available right now"
        page = f"<html><head><title>{status}</title></head><body>{words}</body></html>"
        answer = Answer(status=status, text=page, headers={"Content-Type": "text/html"})
        return self._add(Fault(method=method, path=path, answer=answer, times=times, when=when))

    def reset(
        self, method: str, path: str, *, times: int = 1, when: When = "before_effect"
    ) -> Fault:
        """Cut the connection instead of answering."""
        return self._add(Fault(method=method, path=path, answer=None, times=times, when=when))

    def throttle(
        self,
        method: str = ".*",
        path: str = ".*",
        *,
        times: int = 1,
        retry_after: int | None = 10,
    ) -> Throttle:
        """Answer 429 `times` times, and to every call that does not wait for Retry-After."""
        fault = Throttle(method=method, path=path, times=times, retry_after=retry_after)
        self.throttles.append(fault)
        return fault

    def hold(self, method: str, path: str, *, times: int = 1, when: When = "after_effect") -> Hold:
        """Keep answers back; the calls wait in the tenant until `release` or `cancel`."""
        held = Hold(method=method, path=path, times=times, when=when)
        self.holds.append(held)
        return held

    def clear(self) -> None:
        """Make the tenant healthy again; whatever is held goes on its way."""
        for held in self.holds:
            held.release()
        vars(self).update(vars(Faults(random=self.random)))

    def to_json(self) -> dict[str, Any]:
        """Return what is set and what is in store."""
        return {
            **{name: getattr(self, name) for name in ("lag", *SPANS)},
            "conflict_window": self.conflict_window,
            "unreachable": self.unreachable,
            "failures": [
                {"method": f.method, "path": f.path, "times": f.times, "when": f.when}
                for f in self.failures
            ],
            "throttles": [
                {"method": t.method, "path": t.path, "times": t.times} for t in self.throttles
            ],
            "holds": [
                {"method": h.method, "path": h.path, "reached": h.reached.is_set()}
                for h in self.holds
            ],
        }

    def arrivals(self, kind: Kind, now: datetime) -> tuple[datetime, ...]:
        """Draw when a write of this kind reaches each replica."""
        span = self._span(kind)
        return tuple(now + timedelta(seconds=self._draw(span)) for _ in range(REPLICAS))

    def draw_audit_lag(self) -> float:
        """Draw how many seconds an entry of the audit log takes to be seen."""
        return self._draw(self.audit_lag)

    async def pause(self) -> None:
        if seconds := self._draw(self.latency):
            await asyncio.sleep(seconds)

    def held(self, method: str, path: str, when: When) -> Hold | None:
        for held in self.holds:
            if held.times > 0 and held.when == when and _matches(held, method, path):
                held.times -= 1
                return held
        return None

    def failure(self, method: str, path: str, when: When) -> Fault | None:
        for fault in self.failures:
            if fault.matches(method, path, when):
                fault.times -= 1
                return fault
        return None

    def throttled(self, method: str, path: str, now: datetime) -> Answer | None:
        for throttle in self.throttles:
            if _matches(throttle, method, path) and _refuses(throttle, now):
                return _too_many_requests(throttle)
        return None

    def _add(self, fault: Fault) -> Fault:
        self.failures.append(fault)
        return fault

    def _span(self, kind: Kind) -> Span:
        if kind in (Kind.SECRET, Kind.CERTIFICATE):
            return self.secret_lag
        if kind is Kind.ROLE:
            return self.role_lag
        return self.lag.get(kind, 0.0) if isinstance(self.lag, Mapping) else self.lag

    def _draw(self, span: Span) -> float:
        return self.random.uniform(*span) if isinstance(span, tuple | list) else span


def _matches(fault: Fault | Throttle | Hold, method: str, path: str) -> bool:
    return bool(re.fullmatch(fault.method, method) and re.search(fault.path, path))


def _refuses(throttle: Throttle, now: datetime) -> bool:
    if throttle.until is not None and now < throttle.until:
        return True  # too early: this does not use the throttle up
    if throttle.times <= 0:
        return False
    throttle.times -= 1
    throttle.until = now + timedelta(seconds=throttle.retry_after or 0)
    return True


def _too_many_requests(throttle: Throttle) -> Answer:
    error = {"code": "TooManyRequests", "message": "Too many requests.", "innerError": {}}
    headers = {} if throttle.retry_after is None else {"Retry-After": str(throttle.retry_after)}
    return Answer(status=429, body={"error": error}, headers=headers)
