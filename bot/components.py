"""The parts of the bot, each made from the ground that all of them stand on. Nothing runs yet."""

import secrets
from dataclasses import dataclass
from functools import partial

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot.approval import Policy
from bot.domain.catalogue import Catalogue
from bot.planning.preview import look
from bot.registrar import Registrar
from bot.restore.reconciliation import Reconciliation
from bot.runs import Runs, RunServices, Tenant
from bot.server.slack_transport import bolt_app
from bot.settings.settings import Settings
from bot.startup_checks import Installed, slack_client
from bot.storage.database import Database
from bot.storage.vault import Vault
from bot.worker.engine import Engine
from bot.worker.loops import Wakeups
from bot.worker.orphan_scan import OrphanScan
from bot.worker.outages import AwaitedService
from bot.worker.scheduler import Scheduler
from graph.clock import Clock
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.dispatcher import Dispatcher
from handlers.outbox.home_publisher import HomePublisher
from handlers.outbox.restore_report import tell
from handlers.outbox.sender import Sender
from handlers.slack.approval_channel import ApprovalChannel
from handlers.slack.lookup_limits import LookupLimits
from handlers.slack.rate_limits import RateLimits
from handlers.slack.response_url import ResponseUrls
from handlers.slack.user_groups import UserGroups
from handlers.slack.users import LOOK_UP_SECONDS, Users
from handlers.transport.in_flight import InFlight

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that reads like something else


QUIET_SECONDS = 1.0
"""How long new runs wait at most until people who click have their answer."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the parts stand on."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    vault: Vault
    wakeups: Wakeups
    in_flight: InFlight
    database: Database
    tenant: Tenant
    entra: AwaitedService
    policy: Policy
    executor: str


@dataclass(frozen=True, kw_only=True)
class SlackSide:
    """What listens to people, and what shows them something."""

    bolt: AsyncApp
    dispatcher: Dispatcher
    home_publisher: HomePublisher
    preview_maker: PreviewMaker
    channel: ApprovalChannel


def policy_of(settings: Settings, team_id: str) -> Policy:
    """Return who may do what in that team, as the settings say."""
    return Policy(
        team_id=team_id,
        requesters=settings.requesters,
        approvers=settings.approvers,
        approvals_needed=settings.approvals_needed,
        requester_groups=settings.requester_groups,
        approver_groups=settings.approver_groups,
        mentioned=settings.mentioned,
        open_limit=settings.open_limit,
        daily_limit=settings.daily_limit,
        person_daily_limit=settings.person_daily_limit,
        contact=settings.contact,
    )


def registrar(services: Services) -> Registrar:
    return Registrar(
        database=services.database,
        catalogue=services.catalogue,
        policy=services.policy,
        vault=services.vault,
        clock=services.clock,
        installation=services.tenant.installation,
        approval_channel=services.settings.approval_channel,
        approval_ttl=services.settings.approval_ttl,
        new_id=new_id,
        wakeups=services.wakeups,
    )


def runs(services: Services) -> Runs:
    return Runs(
        RunServices(
            database=services.database,
            catalogue=services.catalogue,
            vault=services.vault,
            tenant=services.tenant,
            clock=services.clock,
            approval_channel=services.settings.approval_channel,
            approval_ttl=services.settings.approval_ttl,
            wakeups=services.wakeups,
            executor=services.executor,
        )
    )


def slack_side(
    services: Services,
    registrar: Registrar,
    session: aiohttp.ClientSession,
    client: AsyncWebClient,
    installed: Installed,
    *,
    every: float,
) -> SlackSide:
    """Make what faces Slack, and connect what people do there with the registrar."""
    ids = filter(None, (installed.team_id, installed.enterprise_id))
    settings = services.settings
    response_urls = ResponseUrls(
        session, api_url=settings.slack_api_url, ids=frozenset(ids), proxies=settings.proxies
    )
    users = _people(services, client, installed)
    home_publisher = HomePublisher(
        registrar=registrar,
        client=client,
        look_up=users.person,
        clock=services.clock,
        wakeup=services.wakeups.home_publisher,
        every=every,
    )
    tenant = services.tenant
    read = partial(
        look,
        graph=tenant.graph,
        tenant_cache=tenant.tenant_cache,
        consent_mode=tenant.consent_mode,
        clock=services.clock,
    )
    preview_maker = PreviewMaker(
        client=client, look=read, clock=services.clock, contact=settings.contact
    )
    bolt = bolt_app(
        slack_client(services.settings, session, token=None), services.settings, installed
    )
    handlers.register(
        bolt,
        client=client,
        registrar=registrar,
        users=users,
        response_urls=response_urls,
        home_publisher=home_publisher,
        preview_maker=preview_maker,
        contact=settings.contact,
        plain=services.settings.plain_cards,
    )
    channel = ApprovalChannel(
        client=client, channel=services.settings.approval_channel, clock=services.clock
    )
    dispatcher = _messages(
        services,
        registrar,
        client,
        response_urls,
        channel,
        users,
        bot_id=installed.bot_id,
        every=every,
    )
    return SlackSide(
        bolt=bolt,
        dispatcher=dispatcher,
        home_publisher=home_publisher,
        preview_maker=preview_maker,
        channel=channel,
    )


def _people(services: Services, client: AsyncWebClient, installed: Installed) -> Users:
    groups = UserGroups(
        client=client, clock=services.clock, ids=services.policy.groups, seconds=LOOK_UP_SECONDS
    )
    return Users(
        client=client,
        team_id=installed.team_id,
        app_id=installed.app_id,
        groups=groups,
        lookup_limits=LookupLimits(services.clock),
        approvers=services.policy.approvers,
        approver_groups=services.policy.approver_groups,
        clock=services.clock,
    )


def _messages(
    services: Services,
    registrar: Registrar,
    client: AsyncWebClient,
    response_urls: ResponseUrls,
    channel: ApprovalChannel,
    users: Users,
    *,
    bot_id: str,
    every: float,
) -> Dispatcher:
    rate_limits = RateLimits(services.clock)
    sender = Sender(
        bot_id=bot_id,
        database=services.database,
        registrar=registrar,
        vault=services.vault,
        client=client,
        response_urls=response_urls,
        channel=channel,
        users=users,
        rate_limits=rate_limits,
        clock=services.clock,
        wakeup=services.wakeups.dispatcher,
        plain=services.settings.plain_cards,
    )
    return Dispatcher(
        database=services.database,
        sender=sender,
        rate_limits=rate_limits,
        clock=services.clock,
        wakeup=services.wakeups.dispatcher,
        every=every,
    )


def scheduler(services: Services, engine: Engine, runs: Runs, *, every: float) -> Scheduler:
    return Scheduler(
        database=services.database,
        engine=engine,
        died=runs.died,
        clock=services.clock,
        wakeups=services.wakeups,
        entra=services.entra,
        approval_channel=services.settings.approval_channel,
        keep_for=services.settings.retention,
        quiet=partial(services.in_flight.drained, QUIET_SECONDS),
        every=every,
    )


def orphan_scan(services: Services, *, every: float) -> OrphanScan:
    return OrphanScan(
        database=services.database,
        graph=services.tenant.graph,
        entra=services.entra,
        installation=services.tenant.installation,
        client_id=services.tenant.client_id,
        clock=services.clock,
        wakeups=services.wakeups,
        every=every,
    )


def reconciliation(services: Services, client: AsyncWebClient) -> Reconciliation:
    channel = ApprovalChannel(
        client=client, channel=services.settings.approval_channel, clock=services.clock
    )
    return Reconciliation(
        database=services.database,
        graph=services.tenant.graph,
        installation=services.tenant.installation,
        client_id=services.tenant.client_id,
        clock=services.clock,
        tell=partial(tell, client, channel),
    )


def new_id() -> str:
    """Return an id such as AAD-7K3F, short enough to say aloud; storage sees that it is free."""
    return "AAD-" + "".join(secrets.choice(ALPHABET) for _ in range(4))
