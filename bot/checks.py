"""Checks of Slack and Entra before the bot runs, of data open to others on this machine or on the
way to the database, and, each day, of what will end.

Nothing that is checked while the bot runs stops or delays it: it warns in the log.
"""

import asyncio
import stat
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.approval import Policy
from bot.domain.catalogue import Catalogue
from bot.logs import slack_logger
from bot.manifest import SCOPES
from bot.own_credential import OwnCredential, granting, own_credentials, removing
from bot.problems import Unusable
from bot.services import Services
from bot.settings.settings import Settings
from bot.storage.database import sqlite_path
from bot.worker.loops import run_guarded
from bot.worker.outages import Outage
from graph.client import TokenSource
from graph.connection import stage_of
from graph.credentials import Certificate, FederatedToken, ManagedIdentity
from graph.errors import GraphError, NoAnswer, Throttled, Unavailable, Unreachable
from graph.http import shown
from graph.rights import ConsentMode, missing, too_wide
from handlers.slack.api_errors import code_of, is_outage, retry_after
from handlers.slack.approver_accounts import check_approver_accounts
from handlers.slack.destinations import is_shared, warn_if_public
from handlers.slack.services import Slack
from handlers.slack.users import Installed

log = structlog.get_logger()

SLACK_SECONDS = 10.0
"""How long Slack may take to answer: less than a message's claim lasts, or another replica would
post it, too."""

ADVICE = {
    "SLACK_BOT_TOKEN": "Copy it from the app's page, Install App.",
    "SLACK_APP_TOKEN": "Make one with connections:write on the app's page, Basic Information.",
    "APPROVAL_CHANNEL": "Check the id; if the channel is private, type /invite @aad-setup there.",
}
"""Advice if Slack does not know the id in a setting."""

UNKNOWN = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "account_inactive", "token_expired"}
    | {"not_allowed_token_type", "no_permission", "missing_scope", "channel_not_found"}
)

ORG_WIDE = (
    "SLACK_BOT_TOKEN is of an installation for the whole organization, which is not supported:"
    " install the app to one workspace and take that token."
)

UPDATE = "Update the app from `aad-setup manifest` and install it again."


class CannotStart(Unusable):
    """A precondition of the start is not met."""


def slack_session() -> aiohttp.ClientSession:
    """Return a session for all calls of Slack, to be entered. Each call names its own proxy."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SLACK_SECONDS))


def slack_client(
    settings: Settings, session: aiohttp.ClientSession, *, token: str | None
) -> AsyncWebClient:
    """Return a client. Bolt gets one without a token: it takes the token from `authorize`."""
    client = AsyncWebClient(
        token=token, base_url=settings.slack_api_url, session=session, logger=slack_logger()
    )
    # Set here: the constructor takes None for the environment's proxy, in spite of NO_PROXY.
    client.proxy = settings.proxies.of(settings.slack_api_url)
    # A post whose answer was lost must not be repeated behind our back.
    client.retry_handlers = []
    return client


async def check_slack(client: AsyncWebClient, settings: Settings) -> Installed:
    """Try the tokens, the scopes and the channel. Raises CannotStart or Outage.

    Each token is tried, because the Socket Mode client retries a wrong one for ever.
    """
    app_token = settings.slack_app_token
    auth, problem = await tried("SLACK_BOT_TOKEN", client.auth_test(), proxy=client.proxy)
    if auth is not None:
        problem = _scope_problem(auth.headers)
    problems = [problem, await app_problem(client, app_token) if app_token else None]
    if auth is None or any(problems):
        raise CannotStart(*filter(None, problems))
    app_id, problem = await app_of(client, auth)
    if app_id is None:
        raise CannotStart(*filter(None, [problem]))
    await check_channel(client, settings.approval_channel)
    return Installed(
        team_id=auth["team_id"],
        enterprise_id=auth.get("enterprise_id"),
        app_id=app_id,
        bot_id=auth["bot_id"],
        bot_user_id=auth["user_id"],
    )


async def app_of(client: AsyncWebClient, auth: AsyncSlackResponse) -> tuple[str | None, str | None]:
    """Return the id of the app that a bot token is of, or a sentence on why it cannot be used.

    auth.test does not say which app that is: docs.slack.dev/reference/methods/bots.info
    """
    if auth.get("is_enterprise_install"):
        return None, ORG_WIDE
    asking = client.bots_info(bot=auth["bot_id"])
    bot, problem = await tried("SLACK_BOT_TOKEN", asking, proxy=client.proxy)
    return (None, problem) if bot is None else (str(bot["bot"]["app_id"]), None)


async def app_problem(client: AsyncWebClient, app_token: str) -> str | None:
    """Return a sentence on why this token opens no socket, if it does not."""
    opening = client.apps_connections_open(app_token=app_token)
    _, problem = await tried("SLACK_APP_TOKEN", opening, proxy=client.proxy)
    return problem


def _scope_problem(headers: Mapping[str, str]) -> str | None:
    """Compare the token's scopes with those that the code uses; too many are only worth a line."""
    if (compared := compare_scopes(headers)) is None:
        log.warning("Slack does not say which scopes SLACK_BOT_TOKEN has")
        return None
    lacking, unused = compared
    if unused:
        log.warning("scopes that the bot never uses", scopes=",".join(unused))
    if lacking:
        return f"SLACK_BOT_TOKEN lacks these scopes: {', '.join(lacking)}. {UPDATE}"
    return None


def compare_scopes(headers: Mapping[str, str]) -> tuple[list[str], list[str]] | None:
    """Return the scopes that a token lacks, and those that the bot never uses, if Slack says."""
    said = {name.lower(): value for name, value in headers.items()}
    if "x-oauth-scopes" not in said:
        return None
    held = {scope.strip() for scope in said["x-oauth-scopes"].split(",")} - {""}
    return sorted(SCOPES.keys() - held), sorted(held - SCOPES.keys())


async def check_channel(client: AsyncWebClient, channel: str) -> None:
    """Check that cards can be posted to the channel and that only colleagues see them."""
    asking = client.conversations_info(channel=channel)
    answer, problem = await tried("APPROVAL_CHANNEL", asking, proxy=client.proxy)
    if answer is not None:
        problem = _channel_problem(answer["channel"])
        warn_if_public(answer["channel"])
    if problem:
        raise CannotStart(problem)


def check_quorums(policy: Policy, catalogue: Catalogue) -> None:
    """Check that the approvers in the settings suffice for every profile."""
    problems = []
    for profile in catalogue.values():
        if why := policy.unreachable(policy.quorum(profile.approval)):
            problems.append(f"The profile {profile.id} could never be approved: it needs {why}.")
    if problems:
        raise CannotStart(*problems)


def _channel_problem(channel: dict[str, Any]) -> str | None:
    if channel.get("is_archived"):
        return "APPROVAL_CHANNEL is archived: choose another."
    if not channel.get("is_member"):
        return "The bot is not in APPROVAL_CHANNEL: type /invite @aad-setup there."
    if is_shared(channel):
        return "APPROVAL_CHANNEL is shared with another organisation: choose one of your own."
    return None


async def tried(
    name: str, call: Awaitable[AsyncSlackResponse], *, proxy: str | None
) -> tuple[AsyncSlackResponse | None, str | None]:
    """Return Slack's answer, or a sentence on why this setting does not work. Raises Outage."""
    try:
        return await call, None
    except SlackApiError as error:
        code = code_of(error)
        if is_outage(error):
            raise Outage(code, retry_after=retry_after(error).total_seconds()) from None
        advice = f" {ADVICE[name]}" if code in UNKNOWN else ""
        return None, f"Slack does not take {name}: {code}.{advice}"
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Outage(type(error).__name__, advice=_on_the_way(proxy, "SLACK_API_URL")) from None


def _on_the_way(proxy: str | None, address: str) -> str:
    """Return advice if a service cannot be reached."""
    through = f"the proxy {shown(proxy)}" if proxy else "its proxy if it has one"
    return f"Check the network, {through} and {address}."


async def check_sign_in(tokens: TokenSource, settings: Settings) -> None:
    """Sign the bot in once, and look at its rights. Raises CannotStart or Outage."""
    try:
        token = await tokens.token()
    except (Throttled, Unavailable) as error:
        is_network = isinstance(error, (Unreachable, NoAnswer))
        proxy = settings.proxies.of(settings.authority)
        advice = _on_the_way(proxy, "ENTRA_AUTHORITY") if is_network else ""
        if isinstance(settings.credential, ManagedIdentity):
            advice = error.advice  # what is asked is this machine, not Entra
        raise Outage(error.code, advice=advice, retry_after=error.retry_after) from None
    except GraphError as error:
        raise CannotStart(f"Entra: {error.sentence} {error.advice}") from None
    if lacking := lacking_rights(settings, token.roles):
        advice = granting(settings.credential)
        raise CannotStart(*(f"Entra: {each} {advice}" for each in lacking))
    if unlimited := unlimiting_rights(settings, token.roles):
        advice = removing(settings.credential)
        raise CannotStart(*(f"Entra: {each} {advice}" for each in unlimited))


def lacking_rights(settings: Settings, held: frozenset[str]) -> list[str]:
    """Return a sentence for each right without which no profile at all can be registered."""
    mode = ConsentMode(settings.consent_mode)
    lacking = missing(mode, held, scopes=())
    return [f"{right.name} is missing for CONSENT_MODE={mode}." for right in lacking]


def unlimiting_rights(settings: Settings, held: frozenset[str]) -> list[str]:
    """Return a sentence for each right beside which the limited mode may limit nothing."""
    mode = ConsentMode(settings.consent_mode)
    return [
        f"{name} must not be held with CONSENT_MODE={mode}: with a right to change more, the bot"
        " might grant what its policy does not allow."
        for name in too_wide(mode, held)
    ]


OTHERS = stat.S_IRWXG | stat.S_IRWXO
ENCRYPTED = ("require", "verify-ca", "verify-full")
"""Of libpq's modes; an attacker on the way can make all others use clear text."""
LOCAL = ("localhost", "127.0.0.1", "::1")


def exposures(settings: Settings, environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield a sentence with advice for each. `folder` is where `.env` is looked for."""
    credential = settings.credential
    keys = [credential.path] if isinstance(credential, Certificate | FederatedToken) else []
    for path in (folder / ".env", *keys, *_database_files(settings.database_url)):
        if _is_open(path):
            yield f"{path.name} can be read by others on this machine: chmod 600 it."
    if _may_be_clear_text(settings.database_url, environ):
        yield (
            "DATABASE_URL: the connection to PostgreSQL may be in clear text: add"
            " ?sslmode=verify-full with sslrootcert, or at least ?sslmode=require."
        )


def _database_files(url: str) -> Iterator[Path]:
    if (path := sqlite_path(url)) is not None:
        yield from sorted(path.absolute().parent.glob(f"{path.stem}*{path.suffix}*"))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & OTHERS) and not path.name.endswith(".lock")
    except OSError:
        return False


def _may_be_clear_text(url: str, environ: Mapping[str, str]) -> bool:
    address = sa.make_url(url)
    if address.get_backend_name() != "postgresql":
        return False
    host = str(address.query.get("host") or address.host or environ.get("PGHOST") or "")
    is_local = not host or host.startswith("/") or host in LOCAL  # a socket, or this machine
    mode = address.query.get("sslmode") or environ.get("PGSSLMODE")
    return not is_local and mode not in ENCRYPTED


LOOK_EVERY_SECONDS = 60.0
"""Real seconds: the bot's own clock may be moved."""
DAILY = timedelta(days=1)


@dataclass(kw_only=True)
class PeriodicChecks:
    """Check once who can approve, and each day when the bot's own credentials end."""

    services: Services
    slack: Slack
    _looked_at: datetime | None = None
    _told: dict[str, tuple[datetime, timedelta]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled."""
        await run_guarded("look at approvers", self.look_at_approvers)
        await self.services.entra.answered.wait()
        while True:
            await run_guarded("look at the bot's own credentials", self.look_at_credentials)
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

    async def look_at_credentials(self) -> None:
        """Warn once at each stage of each; at the start, too, if one has come."""
        now, services = self.services.clock.now(), self.services
        if self._looked_at is not None and now < self._looked_at + DAILY:
            return
        self._looked_at = now
        for each in own_credentials(services.settings, services.tenant.graph):
            await self._look_at(each, now)

    async def _look_at(self, credential: OwnCredential, now: datetime) -> None:
        name, advice = credential.name, credential.advice
        try:
            end = await credential.ends()
        except GraphError as error:
            log.warning(f"{name} is looked at tomorrow", code=error.code)
            return
        stage = stage_of(end, now) if end is not None else None
        if end is not None and stage is not None and self._told.get(name) != (end, stage):
            self._told[name] = end, stage
            log.warning(f"{name} is about to end", ends=end.date().isoformat(), advice=advice)
