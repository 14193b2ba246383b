"""The play: the world, what the model knows of it, and how something is tried there."""

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bot.domain.approval_requests import RequestKind
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.registrar import Registrar
from bot.storage import history, message_queue, runs, timers
from bot.storage.history import Entry
from bot.storage.messages import Message, MessageKind
from bot.storage.timers import Timer
from graph.rights import ConsentMode
from tests.reliability.state_machine.cast import POLICY, Figure
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.world import TICK, World
from tests.support.factories import NOON
from tests.support.still_clock import StillClock

T = TypeVar("T")
FAR = NOON + timedelta(days=9999)


class Asked:
    """A registration whose grants are being read, and what is found there."""

    def __init__(self, it: Expected, version: int) -> None:
        self.it = it
        self.version = version
        self.found = it.consent.found
        self.look_at = it.consent.look_at


class Look(NamedTuple):
    """A look at grants that Graph has not answered yet."""

    task: asyncio.Task[None]
    asked: list[Asked]


class Play:
    """One example: the bot's own parts over a file, and what must be true of them."""

    def __init__(self) -> None:
        self.clock = StillClock(tick=TICK)
        self.loop = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.known: list[Expected] = []
        self.seen: dict[str, Status] = {}
        self.revealed: set[str] = set()
        self.newest: dict[str, str] = {}  # by registration: the secret that it is about
        self.unanswered: list[tuple[Expected, str, Person]] = []  # reveals on their way to Slack
        self.forms = itertools.count(1)
        self.audited = -1  # the database as it was then
        self.has_restarted = False  # and nothing has been tried since
        self.look: Look | None = None
        self.is_late = False  # time has passed since the scheduler has looked

    def begin(self, empty: Path, *, needed: int, consent_mode: ConsentMode) -> None:
        """Open the world over a copy of an empty database, with so many approvals needed."""
        self.needed = needed
        self.consent_mode = consent_mode
        file = self.folder / "aad-setup.db"
        shutil.copy(empty, file)
        policy = replace(POLICY, approvals_needed=needed)
        self.world = World(file, self.clock, policy, consent_mode)
        self.do(self.world.open())
        self.watch = sqlite3.connect(file)

    def has_begun(self) -> bool:
        return hasattr(self, "watch")

    def close(self) -> None:
        if self.has_begun():
            self.do(self.world.close())
            self.watch.close()

    def discard(self) -> None:
        self.loop.close()
        shutil.rmtree(self.folder)

    def do(self, act: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await act

        return self.loop.run(awaited())

    def attempt(self, allowed: bool, act: Awaitable[Any]) -> Any:
        """Do it; see that it is refused exactly if it must be. Return what it returned."""
        refused, done = "", None
        try:
            done = self.do(act)
        except Refusal as refusal:
            refused = str(refusal)
            assert refused.endswith((".", "!")), refused
        assert allowed is not bool(refused), refused or "this had to be refused"
        return done

    def does(
        self, it: Expected, who: Figure, what: str, allowed: bool, act: Awaitable[Any]
    ) -> bool:
        """Let this person try it, which history knows if it is allowed. Return whether it is."""
        self.attempt(allowed, act)
        if allowed:
            it.said.append((what, who.key))
        return allowed

    @property
    def registrar(self) -> Registrar:
        return self.world.registrar

    def found(self, it: Expected) -> Registration:
        return self.do(self.world.registrar_env.found(it.id))

    def run_of(self, it: Expected) -> runs.Run:
        return self.do(self.world.registrar_env.run_of(it.id))

    def carried_on(self) -> list[Expected]:
        """Return those whose run goes on after an administrator's consent."""
        if self.consent_mode is ConsentMode.AUTONOMOUS:
            return []
        return [it for it in self.known if it.status is Status.APPROVED and it.has_application]

    def tell_entra(self) -> None:
        """Let the bot find in Entra what the model says."""
        for it in self.known:
            self.world.in_entra[it.id] = it.consent.found

    def in_time(self, it: Expected) -> bool:
        return it.until is None or self.clock.at < it.until

    def told(self, it: Expected, *, since: timedelta) -> list[str]:
        """Return what history says of so long a time, up to now."""
        return [each.what for each in self.history(it) if each.at > self.clock.at - since]

    def history(self, it: Expected) -> Sequence[Entry]:
        return self.do(self.world.database.read(history.read, it.id))

    def due(self, it: Expected, *, of_consent: bool = False) -> list[Timer]:
        """Return the registration's timers, however late they are due."""
        read = self.world.database.read
        found = self.do(read(timers.find_due, FAR, limit=9999, of_consent=of_consent))
        return [each for each in found if each.registration == it.id]

    def owed_masks(self) -> list[Message]:
        now, read = self.clock.at, self.world.database.read
        owed = self.do(read(message_queue.stale, now, drawn_before=now, limit=9999))
        return [each.message for each in owed if each.message.kind is MessageKind.MASK]

    def ends_in(self, it: Expected, after: timedelta) -> None:
        """Expect the registration's deadline to be then, or its plan's."""
        found = self.found(it)
        plan = found.waiting(RequestKind.PLAN)
        deadline = plan.expires_at if plan else found.deadline
        assert deadline is not None
        assert abs(deadline - self.clock.at - after) < timedelta(seconds=1)
        it.until = deadline

    def looks_in(
        self, it: Expected, *, at_most: timedelta, at_least: timedelta = timedelta(minutes=1)
    ) -> None:
        """Expect the next look at its grants then, to the second."""
        [at] = [each.at for each in self.due(it, of_consent=True)]
        second = timedelta(seconds=1)
        assert at_least - second <= at - self.clock.at <= at_most + second
        it.consent.look_at = at
