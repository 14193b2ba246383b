"""The world: the bot's own parts over one file, with a clock that stands still."""

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.approval import Policy
from bot.domain.approval_requests import Quorum
from bot.domain.catalogue import read_catalogue
from bot.storage import installation
from bot.worker.engine import Outcome
from graph.consent import Granted
from graph.errors import GraphError
from graph.rights import ConsentMode
from tests.reliability.state_machine.cast import POLICY, STRICT
from tests.support.factories import NOON
from tests.support.registrar_env import (
    SETTINGS,
    IdleEngine,
    RegistrarEnv,
    opened,
    registrar_env,
)
from tests.support.scripted_runs import PlayedRuns, PlayedWatch
from tests.support.still_clock import StillClock

TICK = timedelta(milliseconds=1)


class ScriptedEngine(IdleEngine):
    """Has given up the runs that it is told to have given up."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()

    async def outcome(self, run: str) -> Outcome:
        return Outcome.ENDED if run in self.dead else await super().outcome(run)


class World:
    """The bot's own parts over one file, which outlives them."""

    def __init__(
        self, file: Path, clock: StillClock, policy: Policy, consent_mode: ConsentMode
    ) -> None:
        self.clock = clock
        self.in_entra: dict[str, Granted | GraphError | None] = {}
        """What a look at a registration's grants finds."""
        self._url = f"sqlite+aiosqlite:///{file}"
        self._policy = policy
        self._settings = replace(SETTINGS, consent_mode=consent_mode)
        self._ids = (f"AAD-{number:04}" for number in itertools.count(1))
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        catalogue = dict(read_catalogue())
        strict = Quorum(needed=2, distinct_groups=True)
        catalogue[STRICT] = replace(catalogue[STRICT], approval=strict)
        self.registrar_env: RegistrarEnv = registrar_env(
            await self._stack.enter_async_context(opened(self._url)),
            self.clock,
            policy=self._policy,
            catalogue=catalogue,
            settings=self._settings,
            next_id=self._ids.__next__,
        )
        self.database = self.registrar_env.database
        self.registrar = self.registrar_env.registrar
        self.runs = PlayedRuns(self.registrar_env.services, self.in_entra)
        self.consent_watch = PlayedWatch(self.registrar_env.services, self.in_entra)
        self.engine = ScriptedEngine()
        self.scheduler = self.registrar_env.scheduler(self.engine, died=self.runs.died)

    async def close(self) -> None:
        await self._stack.aclose()


def template(folder: Path) -> Path:
    """Return a database with all its tables, to be copied: to migrate takes a while."""
    file = folder / "template.db"

    async def make() -> None:
        world = World(file, StillClock(tick=TICK), POLICY, ConsentMode.AUTONOMOUS)
        await world.open()
        await world.database.write(installation.ensure_id, new="aaaabbbbcccc", now=NOON)
        await world.close()

    asyncio.run(make())
    return file
