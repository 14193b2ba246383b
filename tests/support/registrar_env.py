"""The registrar over a database, without Slack and without Entra.

It brings registrations to where a test begins by the same storage functions that runs use.
"""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from bot.approval import Policy
from bot.domain.approval_requests import ApprovalRequest, RequestKind, Vote
from bot.domain.catalogue import Catalogue, read_catalogue
from bot.domain.events import Event
from bot.domain.people import Person
from bot.domain.registration import Registration, RunOutcome, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason, Secret
from bot.playground.clock import MovableClock
from bot.registrar import Registrar
from bot.runs import Runs
from bot.runs.provisioning import Provisioning
from bot.services import Services, new_id
from bot.settings.settings import Settings
from bot.storage import (
    approval_requests,
    history,
    installation,
    message_queue,
    registrations,
    runs,
    secrets,
    timers,
)
from bot.storage import database as databases
from bot.storage.database import Database
from bot.storage.messages import MessageKind
from bot.storage.runs import PlannedStep, Run
from bot.storage.secrets import Purpose
from bot.storage.timers import TimerKind
from bot.storage.vault import Vault
from bot.worker.engine import Died, Engine, Outcome
from bot.worker.outages import AwaitedService
from bot.worker.scheduler import Scheduler
from graph.clock import SystemClock
from tests.support.factories import ADA, CLIENT_ID, GRACE, PLAN, ROSA, TEAM, form
from tests.support.secret_lives import SecretLife, life_of
from tests.support.settings_env import GOOD

DIGEST = "d" * 64
SECRET = "the-one-time-secret"
ANSWER_TO = "https://hooks.slack.com/actions/x"
KEY = urlsafe_b64encode(bytes(32)).decode()
"""Of the vault; processes on one database share it."""
VAULT = Vault([KEY])
ENTRA = AwaitedService("Entra", SystemClock())
"""It has answered."""
ENTRA.missing = None
SETTINGS = Settings.read(GOOD | {"APPROVAL_CHANNEL": "C0APPROVE"})
FORMS = count(1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def env(database: Database, clock: MovableClock) -> "RegistrarEnv":
    return registrar_env(database, clock)


def opened(url: str) -> AbstractAsyncContextManager[Database]:
    """Open the database with the keys of the tests."""
    return databases.opened(url, VAULT, SETTINGS.approval_channel)


@dataclass(frozen=True, kw_only=True)
class RegistrarEnv:
    """One process's registrar and the pool that it works with."""

    services: Services
    registrar: Registrar
    clock: MovableClock
    requester: Person = ROSA
    approver: Person = ADA

    @property
    def catalogue(self) -> Catalogue:
        return self.services.catalogue

    @property
    def database(self) -> Database:
        return self.services.database

    @property
    def vault(self) -> Vault:
        return self.services.vault

    def scheduler(
        self,
        engine: Engine | None = None,
        *,
        died: Died | None = None,
        entra: AwaitedService = ENTRA,
    ) -> Scheduler:
        """Return a scheduler that looks when it is told to."""
        services = replace(self.services, entra=entra)
        engine, died = engine or IdleEngine(), died or no_deaths
        return Scheduler(services, engine, died=died, quiet=at_once, every=3600)

    def runs(self) -> Runs:
        """Return the bodies of runs, for what they do without a tenant."""
        return Runs(self.services)

    async def in_use(self) -> str:
        """Return the id of a registration whose secret was seen."""
        id = await self.ready()
        await self.see(id)
        return id

    async def see(self, id: str) -> None:
        """Show its secret, and mask it."""
        await self.registrar.secrets.masked(id, await self.open(id))

    async def hand_over(self, id: str) -> None:
        """Let the open run, which makes a secret, end well."""
        run = await self.run_of(id)
        await self.seal(id, run)
        await Provisioning(self.services)._finish(run)

    async def replace(self, id: str) -> None:
        """Let another secret, which waits to be seen, be made in the place of the newest one."""
        lost = (await self.found(id)).secret
        assert lost is not None
        await self.registrar.secrets.replace(id, by=self.requester)
        await self.database.write(
            secrets.note_removed, lost.id, RemovalReason.REPLACED, now=self.clock.now()
        )
        await self.hand_over(id)

    async def open(self, id: str) -> str:
        """Show its secret, and return the secret's id."""
        look = await self.registrar.secrets.reveal(id, by=self.requester, answer_to=ANSWER_TO)
        await self.registrar.secrets.shown(id, look.secret, by=self.requester)
        return look.secret

    async def submitted(self, *, by: Person | None = None) -> str:
        number = next(FORMS)
        wish = form(name=f"billing {number}")
        return await self.registrar.submission.submit(
            wish, by=by or self.requester, origin=f"V{number}"
        )

    async def pending(self) -> str:
        """Return the id of a registration whose plan waits for its approvers."""
        return await self.make_pending(await self.submitted())

    async def make_pending(self, id: str) -> str:
        async with self.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            plan = PLAN | {"profile_digest": read_catalogue()["mimecast"].digest}
            found, now = await registrations.get(tx, id), self.clock.now()
            assert found is not None
            await registrations.move(tx, id, Status.PENDING, plan=plan, digest=DIGEST)
            asked = ApprovalRequest(
                id=id,
                kind=RequestKind.PLAN,
                asked_by=found.requester,
                asked_at=now,
                expires_at=now + timedelta(days=1),
                digest=DIGEST,
            )
            await approval_requests.add(tx, id, asked)
            await history.write(tx, id, Event.PLANNED, now=now, digest=DIGEST)
        await self.end_run(id)
        return id

    async def approved(self) -> str:
        id = await self.pending()
        await self.registrar.approval.approve(id, by=self.approver)
        return id

    async def ready(self) -> str:
        """Return the id of a registration whose secret waits sealed for its one reveal."""
        return await self.make_ready(await self.approved())

    async def make_ready(self, id: str) -> str:
        """Let the run of a registration that is approved end well."""
        run = await self.run_of(id)
        async with self.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            step = PlannedStep(
                stage=0, name="application", title="Register the application", lasting=True
            )
            await runs.list_steps(tx, run, [step])
            await runs.record(tx, run, "application", {"app_id": CLIENT_ID}, self.clock.now())
            await registrations.move(tx, id, Status.READY)
        await self.seal(id, run)
        await self.end_run(id, RunOutcome.HANDED_OVER)
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
                sealed=self.vault.seal(await secrets.owner(tx, secret, Purpose.SECRET), SECRET),
                key_id=str(uuid4()),
                hint=SECRET[:3],
                expires_at=now + timedelta(days=365),
            )
        return secret

    async def asked(self, id: str, kind: RequestKind = RequestKind.ROTATION) -> ApprovalRequest:
        """Return the latest request of a kind."""
        found = (await self.found(id)).latest(kind)
        assert found is not None
        return found

    async def confirm_handover(self, id: str, *, to: Person, by: Person) -> None:
        """Confirm it as its button does, with the new requester as Slack knows them now."""
        asked = await self.asked(id, RequestKind.HANDOVER)
        await self.registrar.approval.approve(id, asked.id, by=by, seen=[to])

    async def cast(self, id: str, vote: Vote) -> None:
        """Write a vote on the plan, whoever has given it."""
        plan = await self.asked(id, RequestKind.PLAN)
        await self.database.write(approval_requests.cast, plan, vote)

    async def found(self, id: str) -> Registration:
        found = await self.database.read(registrations.get, id)
        assert found is not None
        return found

    async def run_of(self, id: str) -> Run:
        """Return the registration's open run."""
        return next(run for run in await self.database.read(runs.pending) if run.registration == id)

    async def failed(self) -> str:
        """Return the id of a registration whose run has failed."""
        id = await self.approved()
        async with self.database.transaction() as tx:
            await registrations.bump_version(tx, id)
            await registrations.move(tx, id, Status.FAILED)
        await self.end_run(id, "failed")
        return id

    async def end_run(self, id: str, outcome: RunOutcome | str = RunOutcome.DONE) -> None:
        run = await self.run_of(id)
        await self.database.write(runs.end, run.id, outcome=outcome, now=self.clock.now())

    async def owe(self, id: str, kind: RunKind) -> Run:
        await self.database.write(runs.add, registration=id, kind=kind, now=self.clock.now())
        return await self.run_of(id)

    async def newest_secret(self, id: str) -> Secret:
        """Return the newest secret of a registration that has one."""
        found = (await self.found(id)).secret
        assert found is not None
        return found

    async def told(self, id: str) -> list[str]:
        """Return what has happened, in the words of the history."""
        return [entry.what for entry in await self.database.read(history.read, id)]

    async def owed(self, *kinds: MessageKind) -> list[tuple[str, str | None]]:
        """Return the place and the subject of each message of these kinds that is to be shown."""
        now = self.clock.now()
        stale = await self.database.read(message_queue.stale, now, drawn_before=now, limit=9999)
        found = [each.message for each in stale if each.message.kind in kinds]
        return sorted((each.audience, each.subject.text) for each in found)

    async def planned(self, id: str, kind: TimerKind) -> list[str | None]:
        """Return the subjects of the registration's timers of a kind."""
        return [each.text for each in await self.database.read(timers.subjects, id, kind)]

    async def secret_life(self, id: str) -> SecretLife | None:
        found = (await self.found(id)).secret
        return life_of(found) if found else None


class IdleEngine(Engine):
    """Takes every run and begins none; runs named in `poison` it cannot even take."""

    def __init__(self) -> None:
        super().__init__({}, no_deaths)
        self.started: list[str] = []
        self.poison: set[str] = set()

    async def start(self, run: str, kind: str) -> None:
        if run in self.poison:
            raise KeyError(kind)
        self.started.append(run)

    async def outcome(self, run: str) -> Outcome:
        return Outcome.OPEN if run in self.started else Outcome.UNKNOWN

    async def forget(self, *, before: datetime) -> None:
        pass  # it has done nothing that could be remembered


async def at_once() -> None:
    """Nobody clicks here, so no run has to wait for that."""


async def no_deaths(run: str, bug: str) -> None:
    raise AssertionError(f"{run} died of {bug}")


def team_policy(**changes: Any) -> Policy:
    """Return the rules of a team in which Rosa asks, Ada and Grace decide, and nothing is too
    often."""
    usual: dict[str, Any] = {
        "team_id": TEAM,
        "requesters": frozenset({ROSA.user_id}),
        "approvers": frozenset({ADA.user_id, GRACE.user_id}),
        "approvals_needed": 1,
        "open_limit": 1000,
        "daily_limit": 10_000,
        "person_daily_limit": 10_000,
    }
    return Policy(**(usual | changes))


def registrar_env(
    database: Database,
    clock: MovableClock,
    *,
    next_id: Callable[[], str] = new_id,
    policy: Policy | None = None,
    catalogue: Catalogue | None = None,
    settings: Settings = SETTINGS,
    **changes: Any,
) -> RegistrarEnv:
    """Return a registrar of a team with this policy, or with the usual one and changes to it."""
    nothing: Any = None  # code that asks it anyway breaks the test
    services = Services(
        settings=settings,
        clock=clock,
        catalogue=catalogue or read_catalogue(),
        policy=policy or team_policy(**changes),
        vault=VAULT,
        database=database,
        tenant=nothing,
        installation="aaaabbbbcccc",
        entra=ENTRA,
        executor="slot-0",
        new_id=next_id,
    )
    return RegistrarEnv(services=services, registrar=Registrar(services), clock=clock)


@asynccontextmanager
async def two_registrar_envs(
    url: str,
    clock: MovableClock,
    *,
    next_ids: tuple[Callable[[], str], Callable[[], str]] = (new_id, new_id),
    **changes: Any,
) -> AsyncIterator[tuple[RegistrarEnv, RegistrarEnv]]:
    """Open the registrars of two replicas on PostgreSQL, or two over the one database of SQLite.

    `changes` are those of the team's policy.
    """
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(opened(url))
        await first.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
        is_sqlite = url.startswith("sqlite")
        second = first if is_sqlite else await stack.enter_async_context(opened(url))
        policy = team_policy(**changes)
        one, other = (
            registrar_env(each, clock, policy=policy, next_id=next_id)
            for each, next_id in zip((first, second), next_ids, strict=True)
        )
        yield one, other
