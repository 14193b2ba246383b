"""The page, running: both simulators, the bot's process and the server between them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.playground import vendor as vendors
from bot.playground.clock import MovableClock
from bot.playground.page.bot_process import BotProcess, kept_running
from bot.playground.page.feed import Common, Feed
from bot.playground.page.relay import relaying
from bot.playground.page.server import Actions, serving
from bot.playground.page.tenant_items import TenantItems
from bot.playground.stage import Stage, standing

TOKEN_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Page:
    """A running page. `url` ends with a slash; other addresses are below it."""

    url: str
    stage: Stage
    bot: BotProcess
    environ: dict[str, str]
    """The settings that the bot was started with."""
    keeper: asyncio.Task[None]
    """Keeps the bot running; fails with Unusable if the bot does not start."""


@asynccontextmanager
async def shown(
    *,
    folder: Path,
    clock: MovableClock | None = None,
    token: str | None = None,
    users: int = 2000,
    groups: int = 150,
    log_level: str = "INFO",
) -> AsyncIterator[Page]:
    """Show the page while inside. `folder` gets the bot's database and log.

    It can be opened at once; the bot needs a moment more: `page.bot.until(Status.RUNNING)`. The
    clock must not be eager: the bot's own would not follow.
    """
    clock = clock or MovableClock()
    async with standing(folder=folder, clock=clock, users=users, groups=groups) as stage:
        environ = stage.portal_environ(LOG_LEVEL=log_level)
        bot = BotProcess(environ, folder=folder, clock=clock, tell=stage.workspace.changed)
        tenant = TenantItems(stage.tenant, consent_mode=environ["CONSENT_MODE"])
        vendor = vendors.of(stage.tenant, clock, changed=stage.workspace.changed)
        async with (
            kept_running(bot) as keeper,
            relaying(stage) as relay,
            serving(
                token or secrets.token_urlsafe(TOKEN_BYTES),
                relay=relay,
                feed=Feed(stage, Common(stage, bot, tenant, vendor)),
                actions=Actions(stage, bot, vendor),
            ) as url,
        ):
            yield Page(url=url, stage=stage, bot=bot, environ=environ, keeper=keeper)
