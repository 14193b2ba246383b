"""The app: makes the parts, connects them, and closes them in reverse.

The only module that knows all others. Clients are made first, the engine is launched after them on
the running loop, Slack comes last; the way down is the way up backwards.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import aiohttp
import sqlalchemy as sa
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot import door, slots
from bot import engine as engines
from bot.approval import Policy
from bot.bell import Bell, Bells, Loop
from bot.catalogue import Catalogue, read_catalogue
from bot.config import Settings
from bot.health import Health
from bot.keeper import Keeper
from bot.patrol import Patrol
from bot.preview import look
from bot.registrar import Registrar
from bot.runs import Parts, Runs, Tenant
from bot.start import CannotStart, Installed, check_quorums, check_slack, slack_client
from bot.storage import registrations
from bot.storage.database import Database, opened, sqlite_path
from bot.vault import Vault
from graph.client import Client
from graph.clock import Clock
from graph.connection import connected
from graph.errors import GraphError, SignInFailed
from handlers.answers import Answers
from handlers.delivery import Delivery
from handlers.groups import Groups
from handlers.homes import Homes
from handlers.intake import CannotListen, Intake, http
from handlers.intake.http import Http
from handlers.intake.signature import Signatures
from handlers.intake.socket_mode import SocketMode
from handlers.messages import Messages
from handlers.pace import Pace
from handlers.people import LOOK_UP_SECONDS, People
from handlers.previews import Look, Previews

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 2.0
"""How often storage is looked at even if no bell rang."""

SLACK_SECONDS = 10.0
"""How long Slack may take to answer: less than a message's claim lasts, or another replica would
post it, too."""

VIGIL_SECONDS = 10.0
"""How often a replica looks for others that died."""

PATROL_SECONDS = 60.0
"""How often a replica asks whether the tenant has to be searched for orphans again."""

WATCH_SECONDS = 5.0
"""How often the socket is looked at; one that is down twice is replaced."""

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that reads like something else


@dataclass(frozen=True, kw_only=True)
class App:
    """The running bot."""

    registrar: Registrar
    keeper: Keeper
    patrol: Patrol
    messages: Messages
    database: Database
    graph: Client
    slot: str


@asynccontextmanager
async def running(
    settings: Settings,
    clock: Clock,
    *,
    look_every: float = LOOK_EVERY_SECONDS,
    vigil_every: float = VIGIL_SECONDS,
    patrol_every: float = PATROL_SECONDS,
    watch_every: float = WATCH_SECONDS,
    catalogue: Catalogue | None = None,
) -> AsyncIterator[App]:
    """Run the bot while inside, with the profiles that are shipped unless it is given others.

    Raises CannotStart, AlreadyRunning, UnusableDatabase or slots.NoSlot.
    """
    catalogue = catalogue or read_catalogue()
    vault = Vault(settings.vault_keys)
    bells = Bells()
    async with (
        opened(settings.database_url) as database,
        slots.taken(settings.database_url) as slot,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLACK_SECONDS)) as session,
        _tenant(settings, clock, database) as tenant,
    ):
        client = slack_client(settings, session, token=settings.slack_bot_token)
        installed = await check_slack(client, settings)
        policy = Policy(
            team_id=installed.team_id,
            requesters=settings.requesters,
            approvers=settings.approvers,
            approvals_needed=settings.approvals_needed,
            requester_groups=settings.requester_groups,
            approver_groups=settings.approver_groups,
            open_limit=settings.open_limit,
            daily_limit=settings.daily_limit,
            person_daily_limit=settings.person_daily_limit,
        )
        check_quorums(policy, catalogue)
        registrar = Registrar(
            database=database,
            catalogue=catalogue,
            policy=policy,
            vault=vault,
            clock=clock,
            installation=tenant.installation,
            approval_channel=settings.approval_channel,
            approval_ttl=settings.approval_ttl,
            new_id=new_id,
            bells=bells,
        )
        runs = Runs(
            Parts(
                database=database,
                catalogue=catalogue,
                vault=vault,
                tenant=tenant,
                clock=clock,
                approval_channel=settings.approval_channel,
                approval_ttl=settings.approval_ttl,
                bells=bells,
            )
        )
        answers = Answers(session)
        groups = Groups(client=client, clock=clock, ids=policy.groups, seconds=LOOK_UP_SECONDS)
        people = People(
            client=client,
            team_id=installed.team_id,
            app_id=installed.app_id,
            groups=groups,
            clock=clock,
        )
        pace = Pace(clock)
        delivery = Delivery(
            database=database,
            registrar=registrar,
            vault=vault,
            client=client,
            answers=answers,
            people=people,
            pace=pace,
            clock=clock,
            bell=bells.messages,
            plain=settings.plain_cards,
        )
        messages = Messages(
            database=database,
            delivery=delivery,
            pace=pace,
            clock=clock,
            bell=bells.messages,
            every=look_every,
        )
        homes = Homes(
            registrar=registrar,
            client=client,
            look_up=people.person,
            clock=clock,
            bell=bells.homes,
            every=look_every,
        )
        previews = Previews(client=client, look=_looking(tenant, clock), clock=clock)
        bolt = _bolt(slack_client(settings, session, token=None), settings, installed)
        handlers.register(
            bolt,
            client=client,
            registrar=registrar,
            people=people,
            answers=answers,
            homes=homes,
            previews=previews,
            plain=settings.plain_cards,
        )
        async with engines.running(
            engine_url(settings.database_url),
            executor=slot.executor,
            jobs=runs.jobs(),
            died=runs.died,
        ) as engine:
            keeper = Keeper(
                database=database,
                engine=engine,
                died=runs.died,
                clock=clock,
                bells=bells,
                approval_channel=settings.approval_channel,
                every=look_every,
            )
            patrol = Patrol(
                database=database,
                graph=tenant.graph,
                installation=tenant.installation,
                client_id=tenant.client_id,
                clock=clock,
                bells=bells,
                every=patrol_every,
            )
            look = partial(slot.take_over_dead, engine)
            vigil = Loop("slots", look, bell=Bell(), every=vigil_every)
            loops = (keeper.loop, messages.loop, homes.loop, patrol.loop, vigil)
            intake, routes = _intake(bolt, settings, installed, watch_every)
            health = Health(intake=intake, database=database, loops=loops)
            for loop in loops:
                loop.start()
            try:
                async with _listening(intake, routes, settings, health):
                    log.info("running", team=installed.team_id, slot=slot.executor)
                    yield App(
                        registrar=registrar,
                        keeper=keeper,
                        patrol=patrol,
                        messages=messages,
                        database=database,
                        graph=tenant.graph,
                        slot=slot.executor,
                    )
            finally:
                await asyncio.gather(*(loop.stop() for loop in loops))
                await messages.settle()
                await previews.settle()


async def check_sign_in(graph: Client) -> None:
    """Try the bot's own sign-in. Only a clear no stops the start: an outage may pass."""
    try:
        await graph.roles()
    except SignInFailed as error:
        raise CannotStart([f"Entra: {error.sentence} {error.advice}"]) from None
    except GraphError as error:
        log.warning("Entra not reached at start", code=error.code)


def engine_url(url: str) -> str:
    """Return where the engine keeps its record: beside ours, and as expendable as ours is not."""
    path = sqlite_path(url)
    if path is not None:
        return f"sqlite:///{path.with_name(path.stem + '-engine.db')}"
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def new_id() -> str:
    """Return an id such as AAD-7K3F, short enough to say aloud; storage sees that it is free."""
    return "AAD-" + "".join(secrets.choice(ALPHABET) for _ in range(4))


def _looking(tenant: Tenant, clock: Clock) -> Look:
    """Return what reads the tenant for a preview."""
    return partial(
        look,
        graph=tenant.graph,
        knowledge=tenant.knowledge,
        consent_mode=tenant.consent_mode,
        clock=clock,
    )


def _bolt(client: AsyncWebClient, settings: Settings, installed: Installed) -> AsyncApp:
    result = AuthorizeResult(
        enterprise_id=None,
        team_id=installed.team_id,
        bot_id=installed.bot_id,
        bot_user_id=installed.bot_user_id,
        bot_token=settings.slack_bot_token,
    )

    async def authorize() -> AuthorizeResult:
        # Said once at the start: no call for each request, and no OAuth that variables of the
        # environment (SLACK_CLIENT_ID and SLACK_CLIENT_SECRET) would turn on behind our back.
        return result

    return AsyncApp(
        client=client,
        # Given, it also keeps SLACK_CLIENT_ID and SLACK_CLIENT_SECRET from turning Bolt's OAuth on.
        authorize=authorize,
        signing_secret=settings.slack_signing_secret,
        process_before_response=True,
        # Else Bolt's loggers follow the root's level, and print every payload at DEBUG.
        logger=client.logger,
    )


@asynccontextmanager
async def _listening(
    intake: Intake, routes: door.Routes, settings: Settings, health: Health
) -> AsyncIterator[None]:
    """Take what Slack delivers, and answer at PORT, while inside. Raises CannotStart."""
    try:
        async with door.opened(settings.bind_address, settings.port, health=health, routes=routes):
            await intake.start()
            try:
                yield
            finally:
                await intake.stop()
    except (CannotListen, door.CannotOpen) as error:
        raise CannotStart([str(error)]) from None


def _intake(
    bolt: AsyncApp, settings: Settings, installed: Installed, watch_every: float
) -> tuple[Intake, door.Routes]:
    """Return the transport that the settings choose, and what it takes at PORT."""
    if settings.slack_signing_secret is None:
        socket = SocketMode(
            bolt,
            app_token=settings.slack_app_token or "",
            app_id=installed.app_id,
            watch_every=watch_every,
        )
        return socket, {}
    # Slack stamps its requests with real time, so the bot's own clock stays out.
    signatures = Signatures(settings.slack_signing_secret, now=time.time)
    taking = Http(bolt, signatures=signatures)
    return taking, {http.PATH: taking.handle}


@asynccontextmanager
async def _tenant(settings: Settings, clock: Clock, database: Database) -> AsyncIterator[Tenant]:
    async with connected(
        authority=settings.authority,
        graph_url=settings.graph_url,
        ca_bundle=settings.ca_bundle,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        clock=clock,
    ) as connection:
        await check_sign_in(connection.graph)
        async with database.transaction() as tx:
            installation = await registrations.installation_id(
                tx, new=uuid4().hex[:12], now=clock.now()
            )
        yield Tenant(
            graph=connection.graph,
            knowledge=connection.knowledge,
            sign_in=connection.sign_in,
            client_id=settings.client_id,
            consent_mode=settings.consent_mode,
            installation=installation,
        )
