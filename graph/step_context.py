"""The context of steps: the tenant, the plan, the facts so far, and the journal.

A step may be killed anywhere and done again. The Journal makes that safe: it stores an intent
before the call, and finds the secret that an earlier attempt has sealed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from graph.client import Client
from graph.clock import Clock
from graph.errors import GraphError
from graph.plan import FactsByStep, Plan
from graph.retry import REPLICATION_TIME, retry, until_replicated
from graph.signin import SignIn

T = TypeVar("T")

SECRET_ATTEMPTS = 5
"""How many secrets one run asks for, across crashes: each may exist with its value lost."""

Facts = dict[str, Any]
"""The facts that one step returns: JSON, moments as ISO 8601, and never a secret."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A secret that an earlier attempt of this run has put into the vault."""

    id: str
    key_id: str
    expires_at: datetime
    hint: str = ""


class Journal(Protocol):
    """The memory of a run outside the tenant."""

    async def record_intent(self, step: str) -> bool:
        """Store that a step is about to write. True if an earlier attempt had stored it."""

    async def last_intent(self, step: str) -> datetime | None:
        """Return when an attempt at this step last may have written, or None."""

    async def clear_intent(self, step: str) -> None:
        """Note that no attempt at this step has written, whatever was intended."""

    async def adopt(self, step: str, new_facts: Facts) -> None:
        """Store the object of an attempt at this step whose answer was lost."""

    async def attempt(self) -> "Sealed | str":
        """Return the secret that this run has sealed; else store and return a new nonce.

        Raises SecretsLost once this run has stored SECRET_ATTEMPTS of them.
        """

    async def seal(
        self, nonce: str, *, secret: str, key_id: str, hint: str, expires_at: datetime
    ) -> str:
        """Seal the secret of that attempt and return the id of the sealed row."""

    async def unseal(self, id: str) -> str:
        """Return a sealed secret in the clear, for a test."""


@dataclass(frozen=True, kw_only=True)
class GrantContext:
    """All that a grant may touch, by the bot or by an approver."""

    graph: Client
    plan: Plan
    facts: FactsByStep
    clock: Clock
    bot_client_id: str
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Held by writes that have collided with another write to the same object."""

    def now(self) -> str:
        return self.clock.now().isoformat()

    def fact(self, step: str, name: str) -> str:
        """Return an id that a step has stored."""
        return str(self.facts[step][name])

    def written(self) -> datetime:
        """When this registration last wrote to the tenant: replication counts from then."""
        times = [
            datetime.fromisoformat(new_facts[name])
            for new_facts in self.facts.values()
            for name in WRITTEN
            if name in new_facts
        ]
        return max(times, default=self.clock.now())

    async def retry_until_replicated(
        self,
        act: Callable[[], Awaitable[T]],
        *,
        settling: tuple[type[GraphError], ...] = (),
    ) -> T:
        """Do `act`, again and again while our last write may still be replicating."""
        return await self.retry_while_young(act, created_at=self.written(), settling=settling)

    def created_at(self, step: str) -> datetime | None:
        """When the object of that step was created, if that is known."""
        at = self.facts[step].get("created_at")
        return None if at is None else datetime.fromisoformat(at)

    async def retry_while_young(
        self,
        act: Callable[[], Awaitable[T]],
        *,
        created_at: datetime | None,
        settling: tuple[type[GraphError], ...] = (),
        within: timedelta = REPLICATION_TIME,
    ) -> T:
        """Repeat `act` while Entra may not know yet an object of that age.

        An older object (None) is not waited for; only colliding writes are.
        """
        wait = until_replicated(
            self.clock, self.graph.jitter, written=created_at, settling=settling, within=within
        )
        return await retry(act, clock=self.clock, wait=wait)


@dataclass(frozen=True, kw_only=True)
class StepContext(GrantContext):
    """All that a step may touch. The steps of one stage share one context."""

    journal: Journal
    sign_in: SignIn
    approved_by: str = ""
    """For people who read the application's notes in Entra."""
    secret_until: datetime | None = None
    """A replaced secret must not outlive the approved one."""


WRITTEN = ("created_at", "granted_at", "made_at")
"""The facts that say when something was written."""

Act = Callable[[StepContext], Awaitable[Facts]]
Undo = Callable[[StepContext], Awaitable[Facts | None]]
"""Removes the step's object. Returns the facts on an object that Entra keeps in its bin."""


class Step(NamedTuple):
    """One idempotent change or check in the tenant."""

    name: str
    title: str
    do: Act
    undo: Undo | None = None
    creates: str = ""
    """The object that undoing it deletes, with its article."""
    lasting: bool = False
    """Whether its facts belong to the registration and serve later runs, or to one run only."""
    is_awaited: bool = False
    """Whether an administrator takes it: then the run ends, and another goes on after that."""
