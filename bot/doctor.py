"""The doctor: looks at everything the bot needs, changes nothing, and says what to do.

Each check is one line. It looks into the database beside a running bot, without its lock, and it
judges by the same tables that the bot itself works with.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import aiohttp
import psycopg
import sqlalchemy as sa

from bot import orphans, slots, start
from bot.app import SLACK_SECONDS
from bot.catalogue import Profile, read_catalogue
from bot.config import Settings, SettingsError
from bot.manifest import SCOPES
from bot.orphans import Orphan
from bot.storage import installation, secrets
from bot.storage.database import Age, age, beside, sqlite_path
from bot.vault import Vault
from graph.clock import Clock
from graph.connection import Connection, connected
from graph.errors import GraphError
from graph.knowledge import Organization
from graph.orphans import Bare, Buried, Marks, bare, buried, marked
from graph.restrictions import PERHAPS_EXEMPT, judge
from graph.rights import HELPFUL, ConsentMode, excess, missing
from graph.secret_life import SLACK_DAYS, SecretPolicy, read_policy

TENANT_SECONDS = 60.0
"""How long the tenant may take for all that is asked of it."""

CONSENT = "Grant it in the Entra admin centre under API permissions, with admin consent."
LOOK = "Look at it in the Entra admin centre, and delete it there if nobody uses it."
BY_ITSELF = "A running bot removes it by itself within a day."
RESTORE = "Restore it before then in the Entra admin centre, under Deleted applications."


class Mark(StrEnum):
    """How a check came out. Only what is wrong must be mended."""

    WELL = "✔"
    DOUBT = "⚠"
    WRONG = "✖"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check has found."""

    mark: Mark
    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.mark, self.sentence, self.advice)))


class Inside(NamedTuple):
    """What the database holds that other checks ask for."""

    age: Age
    installation: str | None = None
    waiting: tuple[tuple[str, bytes], ...] = ()


def well(sentence: str) -> Finding:
    return Finding(mark=Mark.WELL, sentence=sentence)


def doubt(sentence: str, advice: str = "") -> Finding:
    return Finding(mark=Mark.DOUBT, sentence=sentence, advice=advice)


def wrong(sentence: str, advice: str = "") -> Finding:
    return Finding(mark=Mark.WRONG, sentence=sentence, advice=advice)


async def examine(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield what every check finds, as it is found."""
    try:
        settings = Settings.read(environ)
    except SettingsError as error:
        for problem in error.problems:
            yield wrong(f"Settings: {problem}")
        yield doubt("Nothing else can be looked at before the settings are right.")
        return
    yield well("Settings: everything that is needed is there.")
    async for finding in _database(settings):
        yield finding
    async for finding in _slack(settings):
        yield finding
    for finding in await _entra(settings, clock):
        yield finding


async def find_orphans(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield what carries this installation's mark in the tenant and belongs to no registration.

    Then what waits in Entra's bin: it counts towards the directory's quota until it is purged.
    """
    try:
        settings = Settings.read(environ)
        found = await _search(settings, clock)
    except SettingsError as error:
        for problem in error.problems:
            yield wrong(f"Settings: {problem}")
        return
    except _Unknown as error:
        yield error.finding
        return
    for orphan in found.orphans:
        yield wrong(_of(orphan), BY_ITSELF if orphan.removed_by else LOOK)
    for principal in found.alone:
        yield wrong(
            f"Service principal “{principal.name}” ({principal.app_id}) of"
            f" {principal.registration}: its application is gone.",
            LOOK,
        )
    if not found.orphans and not found.alone:
        looked_at = len(found.marks.ours)
        yield well(f"No orphans: applications of this installation looked at: {looked_at}.")
    for each in found.missed:
        yield wrong(_until_purged(each, clock.now()), RESTORE)
    for each in found.buried:
        yield well(_until_purged(each, clock.now()))
    if found.marks.elsewhere:
        left_out = found.marks.elsewhere
        yield doubt(f"Left out, because other installations of this program made them: {left_out}.")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a search has come to."""

    marks: Marks
    orphans: list[Orphan] = field(default_factory=list)
    alone: list[Bare] = field(default_factory=list)
    """Service principals whose application is gone."""
    missed: list[Buried] = field(default_factory=list)
    """Deleted applications that a registration counts on."""
    buried: list[Buried] = field(default_factory=list)
    """The other deleted applications."""


class _Unknown(Exception):
    """It cannot be found out; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.sentence)


async def _search(settings: Settings, clock: Clock) -> _Found:
    """Read the tenant, then storage: what is too young to be known cannot come between."""
    inside = await _look_inside(settings)
    if inside is None or inside.age is not Age.CURRENT or inside.installation is None:
        raise _Unknown(
            wrong(
                "Database: no registrations of this version are there to compare with.",
                "Start the bot once, or check DATABASE_URL.",
            )
        )
    try:
        async with asyncio.timeout(TENANT_SECONDS), _connected(settings, clock) as tenant:
            graph, ours = tenant.graph, inside.installation
            marks = await marked(graph, installation=ours)
            known = {each.app_id for each in marks.ours}
            alone = await bare(graph, installation=ours, known=known)
            deleted = await buried(graph, installation=ours)
    except (GraphError, TimeoutError) as error:
        raise _Unknown(_unreachable(error)) from None
    found = _Found(marks=marks)
    async with beside(settings.database_url) as database, database.reading() as tx:
        for each in marks.ours:
            found.orphans.extend(
                await orphans.find(tx, each, client_id=settings.client_id, now=clock.now())
            )
        for principal in alone:
            if await orphans.is_alone(tx, principal, now=clock.now()):
                found.alone.append(principal)
        for application in deleted:
            missed = await orphans.is_missed(tx, application.registration)
            (found.missed if missed else found.buried).append(application)
    return found


def _until_purged(it: Buried, now: datetime) -> str:
    left = (it.purged_at - now) / timedelta(days=1)
    days = round(left)
    when = "within a day" if left < 1 else f"in {days} day{'' if days == 1 else 's'}"
    return (
        f"Deleted application “{it.name}” ({it.app_id}) of {it.registration}: Entra purges it"
        f" {when}, on {it.purged_at.date()}."
    )


def _of(orphan: Orphan) -> str:
    it = orphan.application
    what = f"Application “{it.name}” ({it.app_id}) of {it.registration}"
    if orphan.key_id is None:
        return f"{what}: {orphan.why}."
    return f"Secret {orphan.key_id} of {what[0].lower()}{what[1:]}: {orphan.why}."


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        inside = await _look_inside(settings)
        running = await slots.held(settings.database_url)
    except _Unknown as error:
        yield error.finding
        return
    except psycopg.Error as error:
        yield _closed(error)
        return
    if inside is None or inside.age is Age.EMPTY:
        yield well("Database: nothing there yet; the first start makes it.")
    elif inside.age is Age.OLDER:
        yield doubt("Database: it is older than this program.", "The next start migrates it.")
    elif inside.age is Age.UNKNOWN:
        yield wrong("Database: a newer version of this program made it.", "Install that version.")
    else:
        yield well("Database: it opens and is up to date.")
        yield _vault(settings, inside.waiting)
    if running:
        yield well(f"Running: yes ({running} at work on this database).")
    else:
        yield doubt("Running: no bot is at work on this database.", "`aad-setup serve` starts it.")


async def _look_inside(settings: Settings) -> Inside | None:
    """Return what the database holds, or None if its file is not there yet. Raises _Unknown."""
    path = sqlite_path(settings.database_url)
    if path is not None and not path.exists():
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise _Unknown(
                wrong("Database: its folder is not there or cannot be written.", "Mend the path.")
            )
        return None
    try:
        async with beside(settings.database_url) as database, database.reading() as tx:
            found = await age(tx)
            if found is not Age.CURRENT:
                return Inside(found)
            return Inside(found, await installation.id_of(tx), tuple(await secrets.waiting(tx)))
    except sa.exc.DBAPIError as error:
        raise _Unknown(_closed(error.orig or error)) from None


def _closed(error: BaseException) -> Finding:
    kind = type(error).__name__  # its text may hold the address
    return wrong(f"Database: it does not open ({kind}).", "Check DATABASE_URL.")


def _vault(settings: Settings, waiting: tuple[tuple[str, bytes], ...]) -> Finding:
    vault = Vault(settings.vault_keys)
    lost = sorted({registration for registration, it in waiting if not vault.holds_key_of(it)})
    if lost:
        return wrong(
            f"Vault: VAULT_KEYS does not open the secrets that wait for {', '.join(lost)}.",
            "Add the key that sealed them behind the first one.",
        )
    return well(f"Vault: the keys open all that wait unseen ({len(waiting)}).")


async def _slack(settings: Settings) -> AsyncIterator[Finding]:
    timeout = aiohttp.ClientTimeout(total=SLACK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        client = start.slack_client(settings, session, token=settings.slack_bot_token)
        auth, problem = await start.tried("SLACK_BOT_TOKEN", client.auth_test())
        if auth is None:
            yield wrong(f"Slack: {problem}", "The bot does not start before that.")
        else:
            yield well(f"Slack: SLACK_BOT_TOKEN is {auth['user']} in {auth['team']}.")
            for finding in _scopes(auth.headers):
                yield finding
            try:
                await start.check_channel(client, settings.approval_channel)
            except start.CannotStart as error:
                yield wrong(f"Slack: {error}", "No card can be posted before that.")
            else:
                yield well("Slack: the approval channel can be posted to.")
        if settings.slack_app_token is None:
            doing = f"Slack: HTTP mode, at port {settings.port}."
            yield well(f"{doing} Whether SLACK_SIGNING_SECRET is right, only a request shows.")
        elif problem := await start.app_problem(client, settings.slack_app_token):
            yield wrong(f"Slack: {problem}", "The bot does not start before that.")
        else:
            yield well("Slack: SLACK_APP_TOKEN opens Socket Mode.")


def _scopes(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the token's scopes with the manifest's, if Slack says them."""
    held = start.scopes(headers)
    if held is None:
        return
    lacking, unused = sorted(SCOPES.keys() - held), sorted(held - SCOPES.keys())
    if lacking:
        yield wrong(f"Slack: scopes are missing: {', '.join(lacking)}.", start.UPDATE)
    if unused:
        advice = "Remove them on the app's page, OAuth & Permissions."
        yield doubt(f"Slack: scopes that the bot never uses: {', '.join(unused)}.", advice)
    if not lacking and not unused:
        yield well("Slack: the scopes are those of the manifest.")


async def _entra(settings: Settings, clock: Clock) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(TENANT_SECONDS), _connected(settings, clock) as tenant:
            held = await tenant.graph.roles()
            found += [well("Entra: the bot's own application signs in."), *_rights(settings, held)]
            found.append(await _organization(settings, tenant))
            found += _quota(await tenant.knowledge.organization())
            policy, now = await tenant.knowledge.policy(), clock.now()
            found += _policy(read_policy(policy, now=now))
            unknown = judge(policy, redirect=None, now=now).doubts
            found += [doubt(f"Policy: {sentence}") for sentence in unknown]
    except (GraphError, TimeoutError) as error:
        found.append(_unreachable(error))
    return found


def _connected(settings: Settings, clock: Clock) -> AbstractAsyncContextManager[Connection]:
    return connected(
        authority=settings.authority,
        graph_url=settings.graph_url,
        ca_bundle=settings.ca_bundle,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        clock=clock,
    )


def _unreachable(error: GraphError | TimeoutError) -> Finding:
    if isinstance(error, GraphError):
        return wrong(f"Entra: {error.sentence}", error.advice)
    return wrong("Entra: the tenant did not answer in time.", "Try again in some minutes.")


def _rights(settings: Settings, held: frozenset[str]) -> Iterator[Finding]:
    mode = ConsentMode(settings.consent_mode)
    scopes = tuple(scope for profile in read_catalogue().values() for scope in profile.scopes)
    lacking, unused = missing(mode, held, scopes=scopes), excess(mode, held)
    for right in sorted(lacking):
        yield wrong(f"Rights: {right} is missing for CONSENT_MODE={mode}.", CONSENT)
    for right in sorted(HELPFUL - held):
        yield doubt(f"Rights: {right} is missing; plans then say what they could not see.", CONSENT)
    for right in sorted(unused):
        yield doubt(
            f"Rights: {right} is held and never used in CONSENT_MODE={mode}.",
            "Remove it in the Entra admin centre under API permissions.",
        )
    if not lacking and not unused:
        yield well(f"Rights: enough for CONSENT_MODE={mode}, and none too many.")


async def _organization(settings: Settings, tenant: Connection) -> Finding:
    found = await tenant.knowledge.organization()
    if found.id.lower() != settings.tenant_id.lower():
        return wrong(
            f"Tenant: the token is for {found.name} ({found.id}), not for ENTRA_TENANT_ID.",
            "Check ENTRA_TENANT_ID and ENTRA_AUTHORITY.",
        )
    return well(f"Tenant: {found.name} ({found.domain}) answers.")


def _quota(organization: Organization) -> Iterator[Finding]:
    """Say nothing where Graph does not tell it."""
    quota = organization.quota
    if quota is None:
        return
    if quota.is_full:
        yield wrong(f"Quota: the directory is full: {quota}.", quota.ADVICE)
    elif quota.is_almost_full:
        yield doubt(f"Quota: the directory is almost full: {quota}.", quota.ADVICE)
    else:
        yield well(f"Quota: the directory has room: {quota}.")


def _policy(policy: SecretPolicy) -> Iterator[Finding]:
    if not policy.readable:
        yield doubt("Policy: whether the tenant limits secrets cannot be read.")
        return
    for profile in read_catalogue().values():
        yield _allowed(policy, profile)


def _allowed(policy: SecretPolicy, profile: Profile) -> Finding:
    name = f"Policy: {profile.id}"
    exempt = "Ask for an exemption under Application policies in the Entra admin centre."
    if policy.banned:
        return wrong(f"{name}: the tenant allows no secrets for new applications.", exempt)
    if policy.perhaps_banned:
        return doubt(f"{name}: the tenant allows no secrets for new applications. {PERHAPS_EXEMPT}")
    if policy.longest is None:
        return well(f"{name}: the tenant does not limit its secret.")
    days = policy.longest.days - SLACK_DAYS
    if days < 1:
        return wrong(f"{name}: the tenant does not let a secret live for a day.", exempt)
    if days < profile.secret_days:
        return doubt(f"{name}: its secret lives {days} days, not {profile.secret_days}.")
    return well(f"{name}: its secret may live for {profile.secret_days} days.")
