"""The app: builds the components, lets them run, and closes everything in reverse order.

Clients are made first, the engine is launched after them on the running loop, Slack comes last.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import aiohttp
import structlog

import handlers
from bot.approval import policy_of
from bot.checks import (
    PeriodicChecks,
    check_quorums,
    check_sign_in,
    check_slack,
    slack_client,
    slack_session,
)
from bot.domain.catalogue import Catalogue, catalogue_in, read_catalogue
from bot.planning.plans import look
from bot.registrar import Registrar
from bot.restore.reconciliation import Reconciliation
from bot.runs import Runs
from bot.server.consent_flow import ConsentFlow, consent_flow_of
from bot.server.consent_pages import ConsentPages
from bot.server.http_server import Health, SlackRoutes, bolt_app, transport_of
from bot.server.http_server import opened as served
from bot.services import Services
from bot.settings.settings import Settings
from bot.storage import installation, registrations
from bot.storage import runs as stored_runs
from bot.storage.database import opened
from bot.storage.vault import Vault
from bot.storage.watermark import watched
from bot.worker import engine as engines
from bot.worker import replicas
from bot.worker.consent_watch import ConsentWatch
from bot.worker.loops import Loop, let_end, run_guarded
from bot.worker.orphans import OrphanScan
from bot.worker.outages import AwaitedService
from bot.worker.scheduler import Scheduler
from graph.clock import Clock
from graph.connection import connected as connected_to_entra
from handlers.listeners.code_sign_ins import CodeSignIns
from handlers.listeners.commands import RESERVED
from handlers.listeners.interaction import ListenerServices
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.dispatcher import Dispatcher
from handlers.outbox.home_publisher import HomePublisher
from handlers.outbox.sender import tell
from handlers.slack.services import Slack
from handlers.transport import InFlight, Transport

log = structlog.get_logger()

QUIET_SECONDS = 1.0
"""How long new runs wait at most until users who click have their answer."""


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often loops look even if nothing wakes them, in real seconds."""

    storage: float = 2.0
    replicas: float = 10.0
    """Whether another replica has died."""
    consent: float = 2.0
    """Whether grants have to be looked at."""
    orphans: float = 60.0
    """Whether the tenant has to be searched for orphans again."""
    socket: float = 5.0
    """Whether the socket is up; one that is down twice is replaced."""


INTERVALS = Intervals()


@dataclass(frozen=True)
class App:
    """The running bot."""

    services: Services
    slack: Slack
    registrar: Registrar
    scheduler: Scheduler
    orphan_scan: OrphanScan
    consent_watch: ConsentWatch
    dispatcher: Dispatcher
    signed_in: asyncio.Task[None]

    async def serve(self) -> None:
        """Never return. Raises CannotStart if Entra refuses the bot once an outage is over."""
        looking = PeriodicChecks(services=self.services, slack=self.slack)
        checks = asyncio.create_task(looking.run(), name="periodic checks")
        try:
            await asyncio.shield(self.signed_in)
            await asyncio.Event().wait()
        finally:
            await let_end([checks], seconds=0)


@dataclass(frozen=True)
class Connected:
    """Everything outside that is connected: database, Slack, the tenant, the HTTP server."""

    services: Services
    slack: Slack
    session: aiohttp.ClientSession
    slot: replicas.Slot
    health: Health
    routes: SlackRoutes
    consent_pages: ConsentPages
    watermark: Loop


@asynccontextmanager
async def connected(
    settings: Settings, clock: Clock, catalogue: Catalogue, *, every: float
) -> AsyncIterator[Connected]:
    """Connect and check everything outside, and compare a restored database with the tenant."""
    vault = Vault(settings.vault_keys)
    slack_first, entra_first = AwaitedService("Slack", clock), AwaitedService("Entra", clock)
    routes, pages, url = SlackRoutes(settings), ConsentPages(settings), settings.database_url
    paths, awaited = {**routes.routes, **pages.routes}, (slack_first, entra_first)
    at, port = settings.bind_address, settings.port
    async with (
        opened(url, vault, settings.approval_channel) as database,
        replicas.taken(url) as slot,
        slack_session() as session,
        served(at, port, health=Health(database=database, awaited=awaited), routes=paths) as health,
        connected_to_entra(settings, clock) as tenant,
    ):
        id = await database.write(installation.ensure_id, new=uuid4().hex[:12], now=clock.now())
        async with watched(database, url, now=clock.now(), every=every) as watermark:
            client = slack_client(settings, session, token=settings.slack_bot_token)
            installed = await slack_first.ask(partial(check_slack, client, settings))
            policy = policy_of(settings, installed.team_id)
            check_quorums(policy, catalogue)
            services = Services(
                settings=settings,
                clock=clock,
                catalogue=catalogue,
                policy=policy,
                vault=vault,
                database=database,
                tenant=tenant,
                installation=id,
                entra=entra_first,
                executor=slot.executor,
            )
            slack = Slack.of(services, installed, client, session)
            reconciliation = Reconciliation(services, tell=partial(tell, client, slack.channel))
            health.awaited = (*awaited, reconciliation)
            first = partial(first_sign_in, services)
            await reconciliation.done(signed_in=first, leads=slot.is_first)
            yield Connected(services, slack, session, slot, health, routes, pages, watermark)


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock,
    *,
    intervals: Intervals = INTERVALS,
    catalogue: Catalogue | None = None,
) -> AsyncIterator[App]:
    """Run the bot while inside, with the shipped profiles unless others are given.

    Raises CannotStart, AlreadyRunning, UnusableDatabase or NoSlot.
    """
    catalogue = catalogue_in(settings.cloud, catalogue or read_catalogue(reserved=RESERVED))
    every = intervals.storage
    async with connected(settings, clock, catalogue, every=every) as outside:
        services, slack, slot = outside.services, outside.slack, outside.slot
        registrar, runs, in_flight = Registrar(services), Runs(services), InFlight()
        dispatcher = Dispatcher(services, slack, registrar, every=every)
        consent_flow = consent_flow_of(services, registrar, slack.users)
        listening = _listener_services(outside, registrar, consent_flow, every=every)
        transport = _transport(outside, listening, in_flight, intervals.socket)
        url, jobs, died = engines.url_of(settings.database_url), runs.jobs(), runs.died
        async with engines.running(url, executor=slot.executor, jobs=jobs, died=died) as engine:
            await _take_over(services, engine, slot.executor)
            quiet = partial(in_flight.drained, QUIET_SECONDS)
            scheduler = Scheduler(services, engine, died=died, quiet=quiet, every=every)
            orphan_scan = OrphanScan(services, every=intervals.orphans)
            sweep = partial(slot.take_over_dead, partial(_take_over, services, engine))
            takeover = Loop("slots", sweep, every=intervals.replicas)
            consent_watch = ConsentWatch(services, every=intervals.consent)
            workers = scheduler, orphan_scan, consent_watch, dispatcher
            at_work = (*workers, listening.home_publisher, slack.channel)
            loops = (*(each.loop for each in at_work), takeover, outside.watermark)
            outside.health.transport, outside.health.loops = transport, loops
            async with (
                _at_work(loops, runs, dispatcher, listening),
                outside.routes.listening(transport),
                outside.consent_pages.serving(consent_flow),
                _signing_in(services) as signed_in,
            ):
                try:
                    yield App(services, slack, registrar, *workers, signed_in)
                finally:  # before anything that takes longer than a stop may
                    await run_guarded("releasing runs", runs.attempts.release)


def _listener_services(
    outside: Connected, registrar: Registrar, consent_flow: ConsentFlow | None, *, every: float
) -> ListenerServices:
    services, slack = outside.services, outside.slack
    client, settings, clock = slack.client, services.settings, services.clock
    read = partial(look, tenant=services.tenant, consent_mode=settings.consent_mode, clock=clock)
    return ListenerServices(
        slack=slack,
        registrar=registrar,
        home_publisher=HomePublisher(
            services, registrar, client=client, look_up=slack.users.person, every=every
        ),
        preview_maker=PreviewMaker(client=client, look=read, clock=clock, contact=settings.contact),
        code_sign_ins=CodeSignIns(
            consent_flow.with_code if consent_flow and registrar.deliveries.with_codes else None,
            response_urls=slack.response_urls,
            clock=clock,
            contact=settings.contact,
        ),
    )


def _transport(
    outside: Connected, listening: ListenerServices, in_flight: InFlight, watch_every: float
) -> Transport:
    """Return the transport of Slack, with every listener connected."""
    services, installed = outside.services, outside.slack.installed
    client = slack_client(services.settings, outside.session, token=None)
    bolt = bolt_app(client, services.settings, installed)
    handlers.register(bolt, listening)
    return transport_of(bolt, services, installed, in_flight, watch_every)


@asynccontextmanager
async def _at_work(
    loops: Sequence[Loop], runs: Runs, dispatcher: Dispatcher, listening: ListenerServices
) -> AsyncIterator[None]:
    """Run the loops while inside; then let what is under way end."""
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        await asyncio.gather(*(loop.stop() for loop in loops))
        await run_guarded("releasing runs", runs.attempts.release)
        await dispatcher.settle()
        await listening.preview_maker.settle()
        await listening.code_sign_ins.settle()


async def _take_over(services: Services, engine: engines.Engine, executor: str) -> None:
    """Let runs that this executor left when it died be started again. Its slot must be held."""
    await services.database.write(stored_runs.fail_attempts, executor)
    if await engine.forget_left(executor):
        services.wakeups.scheduler.set()


@asynccontextmanager
async def _signing_in(services: Services) -> AsyncIterator[asyncio.Task[None]]:
    """Sign in to Entra, however long an outage takes. Enter once the first try has ended.

    Raises CannotStart if that was refused.
    """
    task = asyncio.create_task(_sign_in(services), name="first sign-in")
    tried = asyncio.create_task(services.entra.tried.wait())
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


async def _sign_in(services: Services) -> None:
    await first_sign_in(services)
    async with services.writing() as tx:
        await registrations.set_outage(tx, None)
    log.info("running")


async def first_sign_in(services: Services) -> None:
    """Wait for an outage of Entra to end. Raises CannotStart if it refuses the bot."""
    tokens = services.tenant.tokens
    await services.entra.ask(partial(check_sign_in, tokens, services.settings))
