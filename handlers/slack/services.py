"""The services for calls of Slack, shared by listeners and outbox. Made once, never changed."""

from dataclasses import dataclass

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.services import Services
from bot.settings.allowed_hosts import response_urls
from handlers.slack.destinations import ApprovalChannel, ResponseUrls
from handlers.slack.rate_limits import LookupLimits, RateLimits
from handlers.slack.users import Installed, Users


@dataclass(frozen=True, kw_only=True)
class Slack:
    """One workspace, as the bot reaches it."""

    client: AsyncWebClient
    installed: Installed
    users: Users
    channel: ApprovalChannel
    response_urls: ResponseUrls
    rate_limits: RateLimits

    @classmethod
    def of(
        cls,
        services: Services,
        installed: Installed,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
    ) -> "Slack":
        """Return the services for the workspace that the bot is installed in."""
        settings, clock = services.settings, services.clock
        ids = {installed.team_id, *filter(None, [installed.enterprise_id])}
        return cls(
            client=client,
            installed=installed,
            users=Users(client, installed, services.policy, clock, LookupLimits(clock)),
            channel=ApprovalChannel(client=client, channel=settings.approval_channel, clock=clock),
            response_urls=ResponseUrls(
                session,
                accepted=response_urls(settings.slack_api_url, ids=ids),
                proxies=settings.proxies,
            ),
            rate_limits=RateLimits(clock),
        )
