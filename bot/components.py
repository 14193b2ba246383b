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
    bells: Wakeups
    traffic: InFlight
    database: Database
    tenant: Tenant
    entra: AwaitedService
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class SlackSide:
    """What listens to people, and what shows them something."""

    bolt: AsyncApp
    messages: Dispatcher
    homes: HomePublisher
    previews: PreviewMaker
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
    )


def registrar(on: Services) -> Registrar:
    return Registrar(
        database=on.database,
        catalogue=on.catalogue,
        policy=on.policy,
        vault=on.vault,
        clock=on.clock,
        installation=on.tenant.installation,
        approval_channel=on.settings.approval_channel,
        approval_ttl=on.settings.approval_ttl,
        new_id=new_id,
        bells=on.bells,
    )


def runs(on: Services) -> Runs:
    return Runs(
        RunServices(
            database=on.database,
            catalogue=on.catalogue,
            vault=on.vault,
            tenant=on.tenant,
            clock=on.clock,
            approval_channel=on.settings.approval_channel,
            approval_ttl=on.settings.approval_ttl,
            bells=on.bells,
            entra=on.entra,
        )
    )


def slack_side(
    on: Services,
    registrar: Registrar,
    session: aiohttp.ClientSession,
    client: AsyncWebClient,
    installed: Installed,
    *,
    every: float,
) -> SlackSide:
    """Make what faces Slack, and connect what people do there with the registrar."""
    ids = filter(None, (installed.team_id, installed.enterprise_id))
    settings = on.settings
    answers = ResponseUrls(
        session, api_url=settings.slack_api_url, ids=frozenset(ids), proxies=settings.proxies
    )
    people = _people(on, client, installed)
    homes = HomePublisher(
        registrar=registrar,
        client=client,
        look_up=people.person,
        clock=on.clock,
        bell=on.bells.homes,
        every=every,
    )
    tenant = on.tenant
    read = partial(
        look,
        graph=tenant.graph,
        tenant_cache=tenant.tenant_cache,
        consent_mode=tenant.consent_mode,
        clock=on.clock,
    )
    previews = PreviewMaker(client=client, look=read, clock=on.clock)
    bolt = bolt_app(slack_client(on.settings, session, token=None), on.settings, installed)
    handlers.register(
        bolt,
        client=client,
        registrar=registrar,
        people=people,
        answers=answers,
        homes=homes,
        previews=previews,
        plain=on.settings.plain_cards,
    )
    channel = ApprovalChannel(client=client, channel=on.settings.approval_channel, clock=on.clock)
    messages = _messages(
        on, registrar, client, answers, channel, people, bot_id=installed.bot_id, every=every
    )
    return SlackSide(bolt=bolt, messages=messages, homes=homes, previews=previews, channel=channel)


def _people(on: Services, client: AsyncWebClient, installed: Installed) -> Users:
    groups = UserGroups(
        client=client, clock=on.clock, ids=on.policy.groups, seconds=LOOK_UP_SECONDS
    )
    return Users(
        client=client,
        team_id=installed.team_id,
        app_id=installed.app_id,
        groups=groups,
        look_ups=LookupLimits(on.clock),
        approvers=on.policy.approvers,
        approver_groups=on.policy.approver_groups,
        clock=on.clock,
    )


def _messages(
    on: Services,
    registrar: Registrar,
    client: AsyncWebClient,
    answers: ResponseUrls,
    channel: ApprovalChannel,
    people: Users,
    *,
    bot_id: str,
    every: float,
) -> Dispatcher:
    pace = RateLimits(on.clock)
    delivery = Sender(
        bot_id=bot_id,
        database=on.database,
        registrar=registrar,
        vault=on.vault,
        client=client,
        answers=answers,
        channel=channel,
        people=people,
        pace=pace,
        clock=on.clock,
        bell=on.bells.messages,
        plain=on.settings.plain_cards,
    )
    return Dispatcher(
        database=on.database,
        delivery=delivery,
        pace=pace,
        clock=on.clock,
        bell=on.bells.messages,
        every=every,
    )


def scheduler(on: Services, engine: Engine, runs: Runs, *, every: float) -> Scheduler:
    return Scheduler(
        database=on.database,
        engine=engine,
        died=runs.died,
        clock=on.clock,
        bells=on.bells,
        approval_channel=on.settings.approval_channel,
        keep_for=on.settings.retention,
        quiet=partial(on.traffic.drained, QUIET_SECONDS),
        every=every,
    )


def orphan_scan(on: Services, *, every: float) -> OrphanScan:
    return OrphanScan(
        database=on.database,
        graph=on.tenant.graph,
        entra=on.entra,
        installation=on.tenant.installation,
        client_id=on.tenant.client_id,
        clock=on.clock,
        bells=on.bells,
        every=every,
    )


def reconciliation(on: Services, client: AsyncWebClient) -> Reconciliation:
    channel = ApprovalChannel(client=client, channel=on.settings.approval_channel, clock=on.clock)
    return Reconciliation(
        database=on.database,
        graph=on.tenant.graph,
        installation=on.tenant.installation,
        client_id=on.tenant.client_id,
        clock=on.clock,
        tell=partial(tell, client, channel),
    )


def new_id() -> str:
    """Return an id such as AAD-7K3F, short enough to say aloud; storage sees that it is free."""
    return "AAD-" + "".join(secrets.choice(ALPHABET) for _ in range(4))
