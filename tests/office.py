"""An office: the registrar over a database, without Slack and without Entra.

It brings registrations to where a test begins by the same storage functions that runs use.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from uuid import uuid4

from cryptography.fernet import Fernet

from bot.app import new_id
from bot.approval import Policy
from bot.bell import Bells
from bot.catalogue import read_catalogue
from bot.playground.clock import MovableClock
from bot.registrar import Registrar
from bot.registration import Person, Registration, RunKind, SecretState, Status
from bot.storage import dues, registrations, runs, secrets
from bot.storage.database import Database, opened
from bot.storage.dues import DueKind
from bot.storage.runs import Planned, Run
from bot.vault import Vault
from tests.pieces import ADA, CLIENT_ID, GRACE, PLAN, ROSA, TEAM, form

DIGEST = "d" * 64
SECRET = "the-one-time-secret"
KEY = Fernet.generate_key().decode()
FORMS = count(1)


@dataclass(frozen=True, kw_only=True)
class Office:
    """One process's registrar and the pool that it works with."""

    database: Database
    registrar: Registrar
    vault: Vault
    clock: MovableClock

    async def submitted(self, *, by: Person = ROSA) -> str:
        return await self.registrar.submit(form(), by=by, origin=f"V{next(FORMS)}")

    async def pending(self) -> str:
        """Return the id of a registration whose plan waits for its approvers."""
        id = await self.submitted()
        async with self.database.transaction() as tx:
            await registrations.touch(tx, id)
            await registrations.move(tx, id, Status.PENDING, plan=PLAN, digest=DIGEST)
            await dues.add(tx, id, DueKind.EXPIRE, self.clock.now() + timedelta(days=1))
        await self.end_run(id)
        return id

    async def approved(self) -> str:
        id = await self.pending()
        await self.registrar.approve(id, by=ADA)
        return id

    async def ready(self) -> str:
        """Return the id of a registration whose secret waits sealed for its one reveal."""
        id = await self.approved()
        run = await self.run_of(id)
        async with self.database.transaction() as tx:
            await registrations.touch(tx, id)
            step = Planned(
                stage=0, name="application", title="Register the application", lasting=True
            )
            await runs.list_steps(tx, run, [step])
            await runs.record(tx, run, "application", {"app_id": CLIENT_ID}, self.clock.now())
            await registrations.move(tx, id, Status.READY)
        await self.seal(id, run)
        await self.end_run(id)
        return id

    async def seal(self, id: str, run: Run) -> str:
        """Keep a secret that the run has made, and return its id."""
        secret, now = uuid4().hex, self.clock.now()
        async with self.database.transaction() as tx:
            await secrets.attempt(
                tx, id=secret, registration=id, run=run.id, nonce=secret[:16], now=now
            )
            await secrets.seal(
                tx,
                secret,
                sealed=self.vault.seal(secret, SECRET),
                key_id=str(uuid4()),
                hint=SECRET[:3],
                expires_at=now + timedelta(days=365),
            )
        return secret

    async def found(self, id: str) -> Registration:
        async with self.database.reading() as tx:
            found = await registrations.get(tx, id)
        assert found is not None
        return found

    async def run_of(self, id: str) -> Run:
        """Return the registration's open run."""
        async with self.database.reading() as tx:
            return next(run for run in await runs.owed(tx) if run.registration == id)

    async def end_run(self, id: str) -> None:
        run = await self.run_of(id)
        async with self.database.transaction() as tx:
            await runs.end(tx, run.id, outcome="done", now=self.clock.now())

    async def owe(self, id: str, kind: RunKind) -> Run:
        async with self.database.transaction() as tx:
            await runs.owe(tx, id=uuid4().hex, registration=id, kind=kind, now=self.clock.now())
        return await self.run_of(id)

    async def secret_state(self, id: str) -> SecretState | None:
        found = (await self.found(id)).secret
        return found.state if found else None


def office(database: Database, clock: MovableClock, *, approvals_needed: int = 1) -> Office:
    vault = Vault([KEY])
    registrar = Registrar(
        database=database,
        catalogue=read_catalogue(),
        policy=Policy(
            team_id=TEAM,
            requesters=frozenset({ROSA.user_id}),
            approvers=frozenset({ADA.user_id, GRACE.user_id}),
            approvals_needed=approvals_needed,
        ),
        vault=vault,
        clock=clock,
        installation="aaaabbbbcccc",
        approval_channel="C0APPROVE",
        approval_ttl=timedelta(days=1),
        new_id=new_id,
        bells=Bells(),
    )
    return Office(database=database, registrar=registrar, vault=vault, clock=clock)


@asynccontextmanager
async def two_offices(
    url: str, clock: MovableClock, *, approvals_needed: int = 1
) -> AsyncIterator[tuple[Office, Office]]:
    """Open two replicas' offices on PostgreSQL, or the only one twice on SQLite."""
    async with opened(url) as first:
        if url.startswith("sqlite"):
            one = office(first, clock, approvals_needed=approvals_needed)
            yield one, one
            return
        async with opened(url) as second:
            yield (
                office(first, clock, approvals_needed=approvals_needed),
                office(second, clock, approvals_needed=approvals_needed),
            )
