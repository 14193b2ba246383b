"""Connections of the bot to everything outside: opened and checked before any component runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import aiohttp

from bot.approval import policy_of
from bot.domain.catalogue import Catalogue
from bot.restore.reconciliation import Reconciliation
from bot.server.health import Health
from bot.server.slack_transport import SlackRoutes
from bot.services import Services
from bot.settings.settings import Settings
from bot.startup_checks import (
    check_quorums,
    check_sign_in,
    check_slack,
    slack_client,
    slack_session,
)
from bot.storage import installation
from bot.storage.database import opened
from bot.storage.vault import Vault
from bot.storage.watermark import watched
from bot.worker import replicas
from bot.worker.loops import Loop
from bot.worker.outages import AwaitedService
from graph.clock import Clock
from graph.connection import connected as connected_to_entra
from handlers.outbox.restore_report import tell
from handlers.slack.services import Slack


@dataclass(frozen=True, kw_only=True)
class Connected:
    """Everything outside that is connected: database, Slack, the tenant, the HTTP server."""

    services: Services
    slack: Slack
    session: aiohttp.ClientSession
    slot: replicas.Slot
    health: Health
    routes: SlackRoutes
    watermark: Loop


@asynccontextmanager
async def connected(
    settings: Settings, clock: Clock, catalogue: Catalogue, *, every: float
) -> AsyncIterator[Connected]:
    """Connect and check everything outside, and compare a restored database with the tenant."""
    vault = Vault(settings.vault_keys)
    slack_first, entra_first = AwaitedService("Slack", clock), AwaitedService("Entra", clock)
    routes, url = SlackRoutes(settings), settings.database_url
    async with (
        opened(url, vault) as database,
        replicas.taken(url) as slot,
        slack_session() as session,
        routes.opened(Health(database=database, awaited=(slack_first, entra_first))) as health,
        connected_to_entra(settings, clock) as tenant,
    ):
        async with database.transaction() as tx:
            id = await installation.ensure_id(tx, new=uuid4().hex[:12], now=clock.now())
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
            health.awaited = (slack_first, entra_first, reconciliation)
            first = partial(first_sign_in, services)
            await reconciliation.done(signed_in=first, leads=slot.is_first)
            yield Connected(
                services=services,
                slack=slack,
                session=session,
                slot=slot,
                health=health,
                routes=routes,
                watermark=watermark,
            )


async def first_sign_in(services: Services) -> None:
    """Wait for an outage of Entra to end. Raises CannotStart if it refuses the bot."""
    tokens = services.tenant.tokens
    await services.entra.ask(partial(check_sign_in, tokens, services.settings, services.catalogue))
