"""The app: makes the parts, connects them, and closes them in reverse.

The only module that knows all others. Clients are made first, the engine is launched after them on
the running loop, Slack comes last; the way down is the way up backwards.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import sqlalchemy as sa
import structlog

import handlers
from bot import engine as engines
from bot import slots
from bot.approval import Policy
from bot.bell import Bell, Bells, Loop
from bot.catalogue import Catalogue, read_catalogue
from bot.config import Settings
from bot.health import Health
from bot.keeper import Keeper
from bot.listening import bolt_app, intake_of, listening
from bot.patrol import Patrol
from bot.preview import look
from bot.registrar import Registrar
from bot.runs import Parts, Runs, Tenant
from bot.start import (
    Installed,
    check_quorums,
    check_sign_in,
    check_slack,
    slack_client,
    slack_session,
)
from bot.storage import installation
from bot.storage.database import Database, opened, sqlite_path
from bot.vault import Vault
from graph.client import Client
from graph.clock import Clock
from graph.connection import connected
from handlers.answers import Answers
from handlers.delivery import Delivery
from handlers.groups import Groups
from handlers.homes import Homes
from handlers.messages import Messages
from handlers.pace import Pace
from handlers.people import LOOK_UP_SECONDS, People
from handlers.previews import Look, Previews

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 2.0
"""How often storage is looked at even if no bell rang."""

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

    The `…_every` are real seconds.

    Raises CannotStart, AlreadyRunning, UnusableDatabase or slots.NoSlot.
    """
    catalogue = catalogue or read_catalogue()
    vault = Vault(settings.vault_keys)
    bells = Bells()
    async with (
        opened(settings.database_url) as database,
        slots.taken(settings.database_url) as slot,
        slack_session() as session,
        _tenant(settings, clock, database) as tenant,
    ):
        client = slack_client(settings, session, token=settings.slack_bot_token)
        installed = await check_slack(client, settings)
        policy = _policy(settings, installed)
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
        bolt = bolt_app(slack_client(settings, session, token=None), settings, installed)
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
            take_over = partial(slot.take_over_dead, engine)
            vigil = Loop("slots", take_over, bell=Bell(), every=vigil_every)
            loops = (keeper.loop, messages.loop, homes.loop, patrol.loop, vigil)
            intake, routes = intake_of(bolt, settings, installed, watch_every=watch_every)
            health = Health(intake=intake, database=database, loops=loops)
            for loop in loops:
                loop.start()
            try:
                async with listening(intake, routes, settings, health):
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


def engine_url(url: str) -> str:
    """Return where the engine keeps its record: beside ours, and as expendable as ours is not."""
    path = sqlite_path(url)
    if path is not None:
        return f"sqlite:///{path.with_name(path.stem + '-engine.db')}"
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def new_id() -> str:
    """Return an id such as AAD-7K3F, short enough to say aloud; storage sees that it is free."""
    return "AAD-" + "".join(secrets.choice(ALPHABET) for _ in range(4))


def _policy(settings: Settings, installed: Installed) -> Policy:
    return Policy(
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


def _looking(tenant: Tenant, clock: Clock) -> Look:
    """Return what reads the tenant for a preview."""
    return partial(
        look,
        graph=tenant.graph,
        knowledge=tenant.knowledge,
        consent_mode=tenant.consent_mode,
        clock=clock,
    )


@asynccontextmanager
async def _tenant(settings: Settings, clock: Clock, database: Database) -> AsyncIterator[Tenant]:
    async with connected(settings, clock) as connection:
        await check_sign_in(connection.graph)
        async with database.transaction() as tx:
            id = await installation.ensure_id(tx, new=uuid4().hex[:12], now=clock.now())
        yield Tenant(
            graph=connection.graph,
            knowledge=connection.knowledge,
            sign_in=connection.sign_in,
            client_id=settings.client_id,
            consent_mode=settings.consent_mode,
            installation=id,
        )
