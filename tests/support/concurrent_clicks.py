"""Many people who click at the same moment, in this process or in one of their own.

`python -m tests.support.concurrent_clicks URL APPROVALS` opens the database, says so, and does
whatever each line of
its standard input asks for at once; for each line it answers with one of who was refused with what.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot import logs
from bot.approval import Policy
from bot.domain.people import Person, Refusal
from bot.playground.clock import MovableClock
from tests.support.factories import ROSA, TEAM
from tests.support.registrar_env import KEY, RegistrarEnv, opened, registrar_env

SECONDS = 60.0
ROOT = Path(__file__).parents[2]
CROWD = tuple(Person(team_id=TEAM, user_id=f"U0NO{n:02}", name=f"No. {n}") for n in range(50))

Click = tuple[str, str]
"""A user id and a verb: approve, deny or withdraw."""
Told = dict[str, str | None]
"""By "user id verb": what each was refused with, or None."""


def decides(needed: int) -> Policy:
    """Return the policy by which the whole crowd decides."""
    return Policy(
        team_id=TEAM,
        requesters=frozenset({ROSA.user_id}),
        approvers=frozenset(person.user_id for person in CROWD),
        approvals_needed=needed,
        open_limit=1000,
        daily_limit=1000,
        person_daily_limit=1000,
    )


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

    told = await asyncio.gather(*(click(*each) for each in clicks))
    return {" ".join(each): said for each, said in zip(clicks, told, strict=True)}


class Elsewhere:
    """A process that clicks."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return (await self._process.stdout.readline()).decode()

    async def click_all(self, id: str, clicks: Sequence[Click]) -> Told:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([id, clicks]).encode() + b"\n")
        return dict(json.loads(await self.line()))


@asynccontextmanager
async def two_elsewhere(url: str, needed: int) -> AsyncIterator[Sequence[Elsewhere]]:
    """Two processes on one database, both connected; they end when this does."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_elsewhere(url, needed)) for _ in range(2)]


@asynccontextmanager
async def _elsewhere(url: str, needed: int) -> AsyncIterator[Elsewhere]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.concurrent_clicks", url, str(needed)),
        stdin=PIPE,
        stdout=PIPE,
        cwd=ROOT,
        env={**os.environ, "REGISTRAR_ENV_KEY": KEY},
    )
    found = Elsewhere(process)
    try:
        assert await found.line() == "ready\n"
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(SECONDS):
            await process.wait()


async def _serve(url: str, needed: int) -> None:
    async with opened(url) as database:
        here = registrar_env(database, MovableClock(), policy=decides(needed))
        print("ready", flush=True)  # noqa: T201 - it is how the test hears of it
        while line := await asyncio.to_thread(sys.stdin.readline):
            id, clicks = json.loads(line)
            told: Mapping[str, str | None] = await click_all(here, id, clicks)
            print(json.dumps(told), flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    logs.set_up("ERROR")  # standard output is for the answers
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
