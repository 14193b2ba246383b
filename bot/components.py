"""The parts of the bot, each made from the ground that all of them stand on. Nothing runs yet."""

from dataclasses import dataclass
from functools import partial

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

import handlers
from bot.approval import Policy
from bot.planning.preview import look
from bot.registrar import Registrar
from bot.restore.reconciliation import Reconciliation
from bot.server.slack_transport import bolt_app
from bot.services import Services
from bot.settings.settings import Settings
from bot.startup_checks import Installed, slack_client
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


def reconciliation(services: Services, client: AsyncWebClient) -> Reconciliation:
    channel = ApprovalChannel(
        client=client, channel=services.settings.approval_channel, clock=services.clock
    )
    return Reconciliation(services, tell=partial(tell, client, channel))
