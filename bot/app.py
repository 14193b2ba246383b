"""The app: opens what lies outside, lets the parts run between, and closes all in reverse.

With bot/components.py it knows all others. Clients are made first, the engine is launched after
them on the running loop, Slack comes last; the way down is the way up backwards."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import sqlalchemy as sa
import structlog

from bot import components
from bot.domain.catalogue import Catalogue, read_catalogue
from bot.periodic_checks import PeriodicChecks
from bot.registrar import Registrar
from bot.runs import Runs
from bot.server.health import Health
from bot.server.slack_transport import SlackRoutes, transport_of
from bot.services import Services, Tenant
from bot.settings.settings import Settings
from bot.startup_checks import (
    check_quorums,
    check_sign_in,
    check_slack,
    slack_client,
    slack_session,
)
from bot.storage import installation, registrations
from bot.storage import runs as stored_runs
from bot.storage.database import Database, opened, sqlite_path
from bot.storage.vault import Vault
from bot.storage.watermark import watched
from bot.worker import engine as engines
from bot.worker import replicas
from bot.worker.loops import Loop, Wakeup, run_guarded
from bot.worker.orphan_scan import OrphanScan
from bot.worker.outages import AwaitedService
from bot.worker.scheduler import Scheduler
from graph.client import Client
from graph.clock import Clock
from graph.connection import connected
from graph.tokens import TokenSource
from handlers.outbox.dispatcher import Dispatcher
from handlers.slack.approval_channel import ApprovalChannel
from handlers.transport.in_flight import InFlight

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 2.0
"""How often storage is looked at even if no bell rang."""

QUIET_SECONDS = 1.0
"""How long new runs wait at most until users who click have their answer."""

LIVENESS_SECONDS = 10.0
"""How often a replica looks for others that died."""

ORPHAN_SCAN_SECONDS = 60.0
"""How often a replica asks whether the tenant has to be searched for orphans again."""

WATCH_SECONDS = 5.0
"""How often the socket is looked at; one that is down twice is replaced."""


@dataclass(frozen=True, kw_only=True)
class App:
    """The running bot."""

    registrar: Registrar
    scheduler: Scheduler
    orphan_scan: OrphanScan
    dispatcher: Dispatcher
    channel: ApprovalChannel
    database: Database
    graph: Client
    slot: str
    signed_in: asyncio.Task[None]
    periodic_checks: PeriodicChecks

    async def serve(self) -> None:
        """Return never. Raises CannotStart if Entra refuses the bot once an outage is over."""
        warning = asyncio.create_task(self.periodic_checks.run(), name="forewarning")
        try:
            await asyncio.shield(self.signed_in)
            await asyncio.Event().wait()
        finally:
            warning.cancel()
            await asyncio.gather(warning, return_exceptions=True)


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock,
    *,
    look_every: float = LOOK_EVERY_SECONDS,
    vigil_every: float = LIVENESS_SECONDS,
    patrol_every: float = ORPHAN_SCAN_SECONDS,
    watch_every: float = WATCH_SECONDS,
    catalogue: Catalogue | None = None,
) -> AsyncIterator[App]:
    """Run the bot while inside, with the profiles that are shipped unless it is given others.

    The `…_every` are real seconds.

    Raises CannotStart, AlreadyRunning, UnusableDatabase or slots.NoSlot.
    """
    catalogue = catalogue or read_catalogue()
    vault = Vault(settings.vault_keys)
    slack_first, entra_first = AwaitedService("Slack", clock), AwaitedService("Entra", clock)
    reception = SlackRoutes(settings)
    async with (
        opened(settings.database_url, vault) as database,
        replicas.taken(settings.database_url) as slot,
        slack_session() as session,
        reception.opened(Health(database=database, awaited=(slack_first, entra_first))) as health,
        _tenant(settings, clock, database) as (tenant, tokens),
        watched(database, settings.database_url, now=clock.now(), every=look_every) as watermark,
    ):
        client = slack_client(settings, session, token=settings.slack_bot_token)
        installed = await slack_first.ask(partial(check_slack, client, settings))
        policy = components.policy_of(settings, installed.team_id)
        check_quorums(policy, catalogue)
        in_flight = InFlight()
        services = Services(
            settings=settings,
            clock=clock,
            catalogue=catalogue,
            vault=vault,
            database=database,
            tenant=tenant,
            entra=entra_first,
            policy=policy,
            executor=slot.executor,
        )
        reconciliation = components.reconciliation(services, client)
        health.awaited = (slack_first, entra_first, reconciliation)
        first = partial(_first_sign_in, services, tokens)
        await reconciliation.done(signed_in=first, leads=slot.is_first)
        registrar, runs = Registrar(services), Runs(services)
        slack = components.slack_side(
            services, registrar, session, client, installed, every=look_every
        )
        async with engines.running(
            engine_url(settings.database_url),
            executor=slot.executor,
            jobs=runs.jobs(),
            died=runs.died,
        ) as engine:
            await _take_over(services, engine, slot.executor)
            quiet = partial(in_flight.drained, QUIET_SECONDS)
            scheduler = Scheduler(services, engine, died=runs.died, quiet=quiet, every=look_every)
            orphan_scan = OrphanScan(services, every=patrol_every)
            take_over = partial(_take_over, services, engine)
            sweep = partial(slot.take_over_dead, take_over)
            vigil = Loop("slots", sweep, wakeup=Wakeup(), every=vigil_every)
            shown = (slack.dispatcher.loop, slack.home_publisher.loop, slack.channel.loop)
            loops = (scheduler.loop, *shown, orphan_scan.loop, vigil, watermark)
            transport, routes = transport_of(
                slack.bolt,
                settings,
                installed,
                database,
                in_flight,
                watch_every=watch_every,
            )
            health.transport, health.loops = transport, loops
            async with (
                _at_work(loops, slack, runs),
                reception.listening(transport, routes),
                _signing_in(services, tokens) as signed_in,
            ):
                app = App(
                    registrar=registrar,
                    scheduler=scheduler,
                    orphan_scan=orphan_scan,
                    dispatcher=slack.dispatcher,
                    channel=slack.channel,
                    database=database,
                    graph=tenant.graph,
                    slot=slot.executor,
                    signed_in=signed_in,
                    periodic_checks=PeriodicChecks(
                        client=client,
                        settings=settings,
                        team_id=installed.team_id,
                        graph=tenant.graph,
                        entra=entra_first,
                        clock=clock,
                    ),
                )
                try:
                    yield app
                finally:  # before whatever takes longer than a stop may
                    await run_guarded("putting down runs", runs.release)


@asynccontextmanager
async def _at_work(
    loops: Sequence[Loop], slack: components.SlackSide, runs: Runs
) -> AsyncIterator[None]:
    """Let the loops go round while inside; then let what is under way end."""
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        await asyncio.gather(*(loop.stop() for loop in loops))
        await run_guarded("putting down runs", runs.release)
        await slack.dispatcher.settle()
        await slack.preview_maker.settle()


async def _take_over(services: Services, engine: engines.Engine, executor: str) -> None:
    """Let what this executor has left when it died be started again. Its slot must be held."""
    async with services.database.transaction() as tx:
        await stored_runs.fail_attempts(tx, executor)
    if await engine.forget_left(executor):
        services.wakeups.scheduler.wake()


def engine_url(url: str) -> str:
    """Return where the engine keeps its record: beside ours, and as expendable as ours is not."""
    path = sqlite_path(url)
    if path is not None:
        return f"sqlite:///{path.with_name(path.stem + '-engine.db')}"
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def _signing_in(services: Services, tokens: TokenSource) -> AsyncIterator[asyncio.Task[None]]:
    """Sign in to Entra, however long an outage takes. Enter once the first try has ended.

    Raises CannotStart if that was refused.
    """
    task = asyncio.create_task(_sign_in(services, tokens), name="first sign-in")
    tried = asyncio.create_task(services.entra.tried())
    try:
        await asyncio.wait((task, tried), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    finally:
        tried.cancel()
        if services.entra.missing is not None:  # else it may be in a transaction
            task.cancel()
        await asyncio.gather(task, tried, return_exceptions=True)


async def _sign_in(services: Services, tokens: TokenSource) -> None:
    await _first_sign_in(services, tokens)
    async with services.database.transaction() as tx:
        await registrations.set_outage(tx, None)
    services.wakeups.wake_all()
    log.info("running")


async def _first_sign_in(services: Services, tokens: TokenSource) -> None:
    """Wait for an outage of Entra to end. Raises CannotStart if it refuses the bot."""
    await services.entra.ask(partial(check_sign_in, tokens, services.settings, services.catalogue))


@asynccontextmanager
async def _tenant(
    settings: Settings, clock: Clock, database: Database
) -> AsyncIterator[tuple[Tenant, TokenSource]]:
    """Connect to the tenant while inside. Nothing is sent before the first call."""
    async with connected(settings, clock) as connection:
        async with database.transaction() as tx:
            id = await installation.ensure_id(tx, new=uuid4().hex[:12], now=clock.now())
        tenant = Tenant(
            graph=connection.graph,
            tenant_cache=connection.tenant_cache,
            sign_in=connection.sign_in,
            client_id=settings.client_id,
            consent_mode=settings.consent_mode,
            installation=id,
        )
        yield tenant, connection.tokens
