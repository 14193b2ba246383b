"""Periodic checks: warn in the log before people cannot approve or the bot cannot sign in.

Nothing here stops or delays the bot.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.services import Services
from bot.worker.loops import run_guarded
from graph.connection import own_secret_ends, stage_of
from graph.errors import GraphError
from handlers.slack.approver_accounts import check_approver_accounts
from handlers.slack.services import Slack

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 60.0
"""Real seconds: the bot's own clock may be moved."""
DAILY = timedelta(days=1)
NEW_SECRET = "Make another one in Entra, set ENTRA_CLIENT_SECRET and start again."


@dataclass(kw_only=True)
class PeriodicChecks:
    """Check once who can approve, and each day when the bot's own secret ends."""

    services: Services
    slack: Slack
    _looked_at: datetime | None = None
    _told: tuple[datetime, timedelta] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        await run_guarded("look at approvers", self.look_at_approvers)
        await self.services.entra.answered.wait()
        while True:
            await run_guarded("look at the bot's own secret", self.look_at_secret)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def look_at_approvers(self) -> None:
        settings, team_id = self.services.settings, self.slack.installed.team_id
        accounts = await check_approver_accounts(self.slack.client, settings, team_id)
        if accounts.problems or accounts.is_short:
            log.warning(
                "approvers or groups are not as the settings say",
                problems=" ".join(accounts.problems),
                can_approve=len(accounts.valid),
                needed=accounts.needed,
            )

    async def look_at_secret(self) -> None:
        """Warn once at each stage; at the start, too, if one has come."""
        now = self.services.clock.now()
        if self._looked_at is not None and now < self._looked_at + DAILY:
            return
        self._looked_at = now
        try:
            end = await own_secret_ends(self.services.tenant.graph, self.services.settings)
        except GraphError as error:
            log.warning("the bot's own secret is looked at tomorrow", code=error.code)
            return
        stage = stage_of(end, now) if end is not None else None
        if end is not None and stage is not None and self._told != (end, stage):
            self._told = (end, stage)
            ends = end.date().isoformat()
            log.warning("the bot's own secret is about to end", ends=ends, advice=NEW_SECRET)
