"""The page, running: both simulators, the bot's process and the server between them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.playground import vendor as vendors
from bot.playground.clock import MovableClock
from bot.playground.page.bot_process import BotProcess, kept_running
from bot.playground.page.feed import PATIENCE_SECONDS, Common, Feed
from bot.playground.page.relay import relaying
from bot.playground.page.server import Actions, served
from bot.playground.page.tenant_items import TenantItems
from bot.playground.stage import Stage, standing

TOKEN_BYTES = 16
REQUESTERS = ("rosa", "ada")
"""Ada is an approver, too, so that one can see that she may not approve her own request."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that can be opened. `url` ends with a slash; other addresses are below it."""

    url: str
    stage: Stage
    bot: BotProcess
    feed: Feed
    environ: dict[str, str]
    """The settings that the bot is started with."""


@asynccontextmanager
async def shown(
    *, folder: Path, clock: MovableClock | None = None, users: int = 2000, groups: int = 150
) -> AsyncIterator[Page]:
    """Show the page while inside. `folder` gets the bot's database and log.

    It can be opened at once; the bot needs a moment more: `page.bot.until(Status.RUNNING)`. The
    clock must not be eager: the bot's own would not follow.
    """
    clock = clock or MovableClock()
    async with (
        standing(folder=folder, clock=clock, users=users, groups=groups) as stage,
        on_stage(stage) as page,
        kept_running(page.bot),
    ):
        yield page


@asynccontextmanager
async def on_stage(stage: Stage, *, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Page]:
    """Show the page of a stage, with a bot that is not started."""
    clock, changed = stage.clock, stage.workspace.changed
    requesters = (stage.workspace.people[name].id for name in REQUESTERS)
    environ = stage.portal_environ(REQUESTERS=",".join(requesters))
    bot = BotProcess(environ, folder=stage.folder, clock=clock, tell=changed)
    tenant = TenantItems(stage.tenant, consent_mode=environ["CONSENT_MODE"])
    vendor = vendors.of(stage.tenant, clock, changed=changed)
    feed = Feed(stage, Common(stage, bot, tenant, vendor), patience=patience)
    token, actions = secrets.token_urlsafe(TOKEN_BYTES), Actions(stage, bot, vendor)
    async with (
        relaying(stage) as relay,
        served(token, relay=relay, feed=feed, actions=actions) as url,
    ):
        yield Page(url=url, stage=stage, bot=bot, feed=feed, environ=environ)
