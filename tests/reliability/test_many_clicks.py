"""Many approvers at the same moment, on two replicas: one outcome, and everybody is told the truth.

On PostgreSQL the clicks come in two other processes, half and half; SQLite has one process.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.storage import history, installation, registrations, runs
from bot.storage.history import Entry
from tests.support.concurrent_clicks import (
    CROWD,
    Click,
    Elsewhere,
    Told,
    click_all,
    decides,
    two_elsewhere,
)
from tests.support.history_checks import is_whole, winners
from tests.support.marks import slow
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env

ROUNDS = 2
MANY = 40
SEED = 4
DONE = {"approved": Status.APPROVED, "denied": Status.DENIED}


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """The people, and where they click."""

    registrar_env: RegistrarEnv
    elsewhere: Sequence[Elsewhere]

    async def click(self, id: str, clicks: Sequence[Click]) -> Told:
        """Do all of it at once."""
        if not self.elsewhere:
            return await click_all(self.registrar_env, id, clicks)
        one, other = self.elsewhere
        some, rest = await asyncio.gather(
            one.click_all(id, clicks[::2]), other.click_all(id, clicks[1::2])
        )
        return some | rest

    async def look(self, id: str) -> tuple[Registration, list[Entry], int]:
        """Return the registration, its history, and how many runs are owed to carry it out."""
        async with self.registrar_env.database.reading() as tx:
            found = await registrations.get(tx, id)
            entries = list(await history.read(tx, id))
            owed = [run for run in await runs.pending(tx) if run.registration == id]
        assert found is not None
        assert is_whole(id, entries)
        return found, entries, sum(run.kind is RunKind.REGISTER for run in owed)


Gather = Callable[[int], AbstractAsyncContextManager[Crowd]]


@pytest.fixture
def crowd(database_url: str, clock: MovableClock) -> Gather:
    """Gather the crowd where so many approvals are needed."""

    @asynccontextmanager
    async def gather(needed: int) -> AsyncIterator[Crowd]:
        async with opened(database_url) as database:
            await database.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
            here = registrar_env(database, clock, policy=decides(needed))
            if database_url.startswith("sqlite"):
                yield Crowd(registrar_env=here, elsewhere=())
                return
            async with two_elsewhere(database_url, needed) as elsewhere:
                yield Crowd(registrar_env=here, elsewhere=elsewhere)

    return gather


@pytest.mark.parametrize("rounds", [ROUNDS, slow(MANY)], ids=["few", "many"])
async def test_of_50_who_approve_or_deny_one_decides_and_the_others_hear_who(
    crowd: Gather, rounds: int
) -> None:
    order = random.Random(SEED)
    async with crowd(1) as people:
        for _ in range(rounds):
            id = await people.registrar_env.pending()
            clicks = [
                (person.user_id, "deny" if n % 4 // 2 else "approve")
                for n, person in enumerate(CROWD)
            ]
            order.shuffle(clicks)
            told = await people.click(id, clicks)
            found, entries, owed = await people.look(id)
            [won] = winners(entries, lambda standing: len(standing) == 1)
            assert found.status is DONE[won.what]
            assert [vote.person.user_id for vote in found.votes] == [won.user_id]
            assert owed == (1 if won.what == "approved" else 0)
            assert [entry.what for entry in entries] == ["submitted", "planned", won.what]
            [winner] = [each for each, said in told.items() if said is None]
            assert winner == f"{won.user_id} {'approve' if won.what == 'approved' else 'deny'}"
            too_late = f"<@{won.user_id}> already {won.what} {id}."
            assert set(told.values()) == {None, too_late}
            assert len(told) == len(CROWD)


@pytest.mark.parametrize("rounds", [ROUNDS, slow(MANY)], ids=["few", "many"])
async def test_withdrawn_beside_the_last_approval_counts_or_comes_too_late(
    crowd: Gather, rounds: int
) -> None:
    """Two have approved and think again while others approve; whoever wins, the sum is right."""
    order = random.Random(SEED)
    outcomes = set()
    async with crowd(3) as people:
        for number in range(rounds):
            id = await people.registrar_env.pending()
            first, second, *others = (person.user_id for person in CROWD)
            before: list[Click] = [(first, "approve"), (second, "approve")]
            await people.click(id, before)
            clicks: list[Click] = [(first, "withdraw"), (second, "withdraw")]
            # Few more than are needed, or many of whom each may think again at once.
            some = others[:2] if number % 2 else others[:12]
            clicks += [(other, "approve") for other in some]
            clicks += [(other, "withdraw") for other in some[2:]]
            order.shuffle(clicks)
            told = await people.click(id, clicks)
            found, entries, owed = await people.look(id)
            # Replayed one by one: nobody acted after the decision, and three stood at that moment.
            won = winners(entries, lambda standing: len(standing) >= 3)
            assert len(won) == owed == (1 if found.status is Status.APPROVED else 0)
            assert found.status is (Status.APPROVED if won else Status.PENDING)
            assert {vote.person.user_id for vote in found.votes} == _standing(entries)
            _check_truth(id, told, entries, won)
            outcomes.add(found.status)
    assert rounds < MANY or outcomes == {Status.APPROVED, Status.PENDING}


def _standing(entries: list[Entry]) -> set[str]:
    """Return whose approvals stand at the end."""
    last = {entry.user_id: entry.what for entry in entries}
    return {user for user, what in last.items() if what == "approved"}


def _check_truth(id: str, told: Told, entries: list[Entry], won: list[Entry]) -> None:
    """See that whoever was let did it, and that whoever was not was told why, truly."""
    done = [f"{entry.user_id} {entry.what}" for entry in entries]
    for click, said in told.items():
        user, verb = click.split()
        has_done = f"{user} {'approved' if verb == 'approve' else 'withdrawn'}" in done
        assert has_done is (said is None)
        if said is None:
            continue
        truths = {f"<@{each.user_id}> already approved {id}." for each in won}
        if verb == "withdraw":
            truths.add(f"You have not approved {id}, so there is nothing to withdraw.")
        assert said in truths
