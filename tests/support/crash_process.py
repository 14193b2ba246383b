"""The victim: the bot in a process of its own, which may be told at which commit to die.

The product knows nothing of it. SQLAlchemy tells its listeners of every statement and every commit
in the process, the engine's own included, and that is where the victim kills itself.
"""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from bot import app, logs
from bot.playground.clock import MovableClock
from bot.settings.settings import Settings
from tests.support.fork_server import until_sigterm, write_to

LOOK_EVERY = 0.1
STATEMENTS, DOOMED = "victim's statements", "victim is doomed"


class Commit(NamedTuple):
    """Commits of transactions whose statements and values match a regular expression."""

    name: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Death:
    """Just before or just after the nth such commit."""

    when: Literal["before", "after"]
    at: Commit
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.at.name}" + (f" {self.nth}" if self.nth > 1 else "")


class Fate:
    """Listens to every transaction of the process and ends it at the one that is named."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._left = death.nth

    def listen(self) -> None:
        sa.event.listen(sa.Engine, "begin", self._begun)
        sa.event.listen(sa.Engine, "before_cursor_execute", self._said)
        sa.event.listen(sa.Engine, "commit", self._committing)
        sa.event.listen(sa.pool.Pool, "checkin", self._returned)

    def _begun(self, connection: sa.Connection) -> None:
        connection.info[STATEMENTS] = []

    def _said(
        self, connection: sa.Connection, _: Any, statement: str, values: Any, *__: Any
    ) -> None:
        line = " ".join(statement.split())  # subqueries come on lines of their own
        connection.info.setdefault(STATEMENTS, []).append(f"{line} {values}")

    def _committing(self, connection: sa.Connection) -> None:
        if not self._is_the_one("\n".join(connection.info.pop(STATEMENTS, ()))):
            return
        if self._death.when == "before":
            _die()
        connection.info[DOOMED] = True

    def _returned(self, _: Any, record: Any) -> None:
        if DOOMED in record.info:
            _die()

    def _is_the_one(self, said: str) -> bool:
        if re.search(self._death.at.words, said, re.DOTALL) is None:
            return False
        self._left -= 1
        return self._left == 0


def live(environ: Mapping[str, str], offset: timedelta, death: Death | None, log: Path) -> None:
    """Run the bot, on a clock that is ahead by `offset`, until SIGTERM or that death."""
    write_to(log, 1, 2)
    settings = Settings.read(environ)
    logs.set_up(settings.log_level)
    if death is not None:
        Fate(death).listen()
    clock = MovableClock(offset=offset)
    intervals = app.Intervals(storage=LOOK_EVERY, consent=LOOK_EVERY)
    asyncio.run(until_sigterm(app.running(settings, clock, intervals=intervals)))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def told(what: str) -> Commit:
    """The commit that writes this into the history."""
    return Commit(what, rf"INSERT INTO history.*'{what}'")


def learnt(step: str) -> Commit:
    """The commit that keeps the facts of this step."""
    return Commit(f"facts of {step}", rf"UPDATE steps SET [^\n]*facts=[^\n]*'{step}'\)")


TAKEN = Commit("the engine's record of the run", r"INSERT INTO main\.workflow_status")


NONCE = Commit("the nonce", "INSERT INTO secrets")


SEALED = Commit("the seal", "UPDATE secrets SET [^\n]*'sealed'")
