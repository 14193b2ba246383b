"""Many people who click at the same moment, in this process or in one of their own.

That opens the database, says so, does at once whatever each message asks for, and answers it with
who was refused with what.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection

from bot import logs
from bot.approval import Policy
from bot.domain.people import Person, Refusal
from bot.playground.clock import MovableClock
from tests.support.factories import TEAM
from tests.support.fork_server import child, told
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env, team_policy

CROWD = tuple(Person(team_id=TEAM, user_id=f"U0NO{n:02}", name=f"No. {n}") for n in range(50))

Click = tuple[str, str]
"""A user id and a verb: approve, deny or withdraw."""
Told = dict[str, str | None]
"""By "user id verb": what each was refused with, or None."""


def decides(needed: int) -> Policy:
    """Return the policy by which the whole crowd decides."""
    approvers = frozenset(person.user_id for person in CROWD)
    return team_policy(approvers=approvers, approvals_needed=needed)


async def click_all(registrar_env: RegistrarEnv, id: str, clicks: Sequence[Click]) -> Told:
    """Do all that at once."""
    people = {person.user_id: person for person in CROWD}

    async def click(user: str, verb: str) -> str | None:
        by, registrar = people[user], registrar_env.registrar
        try:
            match verb:
                case "approve":
                    await registrar.approval.approve(id, by=by)
                case "deny":
                    await registrar.approval.deny(id, by=by, reason="Not now")
                case "withdraw":
                    await registrar.approval.withdraw(id, by=by)
        except Refusal as refusal:
            return str(refusal)
        return None

    said = await asyncio.gather(*(click(*each) for each in clicks))
    return {" ".join(each): refused for each, refused in zip(clicks, said, strict=True)}


class Elsewhere:
    """A process that clicks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def click_all(self, id: str, clicks: Sequence[Click]) -> Told:
        self._connection.send((id, clicks))
        return dict(await told(by=self._connection))


@asynccontextmanager
async def two_elsewhere(url: str, needed: int) -> AsyncIterator[Sequence[Elsewhere]]:
    """Two processes on one database, both connected; they end when this does."""
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child(_live, url, needed)) for _ in range(2)]
        for _, connection in children:
            assert await told(by=connection) == "ready"
        yield [Elsewhere(connection) for _, connection in children]


def _live(url: str, needed: int, asked: Connection) -> None:
    logs.set_up("ERROR")
    asyncio.run(_serve(url, needed, asked))


async def _serve(url: str, needed: int, asked: Connection) -> None:
    async with opened(url) as database:
        here = registrar_env(database, MovableClock(), policy=decides(needed))
        asked.send("ready")
        while True:
            asked.send(await click_all(here, *await asyncio.to_thread(asked.recv)))
