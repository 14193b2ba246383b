"""Checks of Entra and Slack.

Entra: the sign-in, the rights, the tenant, its quota and its policy. Slack: both tokens, the
scopes, the approval channel and the approvers.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta

from bot.checks import (
    UPDATE,
    CannotStart,
    app_of,
    app_problem,
    check_channel,
    compare_scopes,
    slack_client,
    slack_session,
    tried,
)
from bot.doctor.consent import check_limits, check_rights
from bot.doctor.consent_client import check_consent_client
from bot.doctor.findings import NO_START, Finding, doubt, well, wrong
from bot.domain.catalogue import Catalogue, Profile
from bot.own_credential import renewal
from bot.settings.settings import Settings
from bot.worker.outages import Outage
from graph.app_policy import MEND, SLACK_DAYS, Policy, judge
from graph.clock import Clock
from graph.connection import Connection, connected, own_credential_ends, stage_of, why_cut_off
from graph.credentials import FederatedToken
from graph.errors import GraphError
from graph.tenant_cache import Organization
from handlers.slack.approver_accounts import ApproverAccounts, check_approver_accounts

TENANT_SECONDS = 60.0
"""How long the tenant may take for all that is asked of it."""


async def check_entra(settings: Settings, clock: Clock, catalogue: Catalogue) -> list[Finding]:
    """Return whether the bot signs in with the rights it needs, and the limits of the tenant."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(TENANT_SECONDS), connected(settings, clock) as tenant:
            found += _federated_token(settings)
            held = await tenant.graph.roles()
            found.append(well("Entra: the bot's own application signs in."))
            found += check_rights(settings, held, catalogue)
            organization = await tenant.tenant_cache.organization()
            found.append(well(f"Tenant: {organization.name} ({organization.domain}) answers."))
            found += await _own_credential(settings, tenant, clock)
            found += _quota(organization)
            found += await check_limits(settings, tenant, catalogue, held)
            signs_in, now = settings.approver_sign_ins, clock.now()
            async for finding in check_consent_client(signs_in, tenant, now):
                found.append(finding)
            found += _policy(await tenant.tenant_cache.policy(), clock, catalogue)
    except (GraphError, TimeoutError) as error:
        found.append(await why_silent(settings, error))
    return found


def _federated_token(settings: Settings) -> Iterator[Finding]:
    """Compare for whom the token says that it is with the audience that is usual in the cloud."""
    expected = settings.cloud.federated_audience
    token = settings.credential
    if isinstance(token, FederatedToken) and expected not in token.audiences():
        yield doubt(
            f"Entra: the token in ENTRA_FEDERATED_TOKEN_FILE is not for the audience {expected}.",
            "Let its issuer write that audience, and name it in the federated credential.",
        )


async def why_silent(settings: Settings, error: GraphError | TimeoutError) -> Finding:
    """Return why nothing more can be asked of the tenant.

    After retries until the time limit, the connection's own error says more.
    """
    if isinstance(error, GraphError):
        return wrong(f"Entra: {error.sentence}", error.advice)
    if found := await why_cut_off(settings):
        return wrong(f"Entra: {found.sentence}", found.advice)
    return wrong("Entra: the tenant did not answer in time.", "Try again in some minutes.")


async def _own_credential(settings: Settings, tenant: Connection, clock: Clock) -> list[Finding]:
    """Report when what the bot signs in with ends, if it does."""
    end = await own_credential_ends(tenant.graph, settings)
    if end is None:
        return []
    name, advice = renewal(settings.credential)
    said = f"Entra: {name} ends on {end.date()}."
    return [doubt(said, advice) if stage_of(end, clock.now()) else well(said)]


def _quota(organization: Organization) -> Iterator[Finding]:
    """Report the quota, if Graph shows it."""
    quota = organization.quota
    if quota is None:
        return
    if quota.is_full:
        yield wrong(f"Quota: the directory is full: {quota}.", quota.ADVICE)
    elif quota.is_almost_full:
        yield doubt(f"Quota: the directory is almost full: {quota}.", quota.ADVICE)
    else:
        yield well(f"Quota: the directory has room: {quota}.")


def _policy(policy: Policy, clock: Clock, catalogue: Catalogue) -> Iterator[Finding]:
    restrictions = judge(policy, redirect=None, now=clock.now())
    for sentence in restrictions.refusals:
        yield wrong(f"Policy: {sentence}", "No registration can be approved before that.")
    for sentence in restrictions.doubts:
        yield doubt(f"Policy: {sentence}")
    if policy.told is not None and not restrictions.refusals:
        for profile in catalogue.values():
            yield _secret_life(profile, restrictions.longest_secret)


def _secret_life(profile: Profile, longest: timedelta | None) -> Finding:
    name = f"Policy: {profile.id}"
    if longest is None:
        return well(f"{name}: the tenant does not limit its secret.")
    days = longest.days - SLACK_DAYS
    if days < 1:
        said = f"{name}: the tenant does not let a secret live for a day."
        return wrong(said, f"To continue, {MEND}.")
    if days < profile.secret_days:
        return doubt(f"{name}: its secret lives {days} days, not {profile.secret_days}.")
    return well(f"{name}: its secret may live for {profile.secret_days} days.")


async def check_slack(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether the bot could start and post there."""
    try:
        async for finding in _check(settings):
            yield finding
    except Outage as outage:
        yield wrong(f"Slack cannot be reached: {outage.why}.", outage.advice or "Try again later.")


async def _check(settings: Settings) -> AsyncIterator[Finding]:
    async with slack_session() as session:
        client = slack_client(settings, session, token=settings.slack_bot_token)
        auth, problem = await tried("SLACK_BOT_TOKEN", client.auth_test(), proxy=client.proxy)
        if auth is None:
            yield wrong(f"Slack: {problem}", NO_START)
        else:
            yield well(f"Slack: SLACK_BOT_TOKEN is {auth['user']} in {auth['team']}.")
            for finding in _scopes(auth.headers):
                yield finding
            _, problem = await app_of(client, auth)
            if problem:
                yield wrong(f"Slack: {problem}", NO_START)
            try:
                await check_channel(client, settings.approval_channel)
            except CannotStart as error:
                yield wrong(f"Slack: {error}", "No card can be posted before that.")
            else:
                yield well("Slack: the approval channel can be posted to.")
            accounts = await check_approver_accounts(client, settings, auth["team_id"])
            for finding in _approvers(accounts):
                yield finding
        if settings.slack_app_token is None:
            doing = f"Slack: HTTP mode, at port {settings.port}."
            yield well(f"{doing} Whether SLACK_SIGNING_SECRET is right, only a request shows.")
        elif problem := await app_problem(client, settings.slack_app_token):
            yield wrong(f"Slack: {problem}", NO_START)
        else:
            yield well("Slack: SLACK_APP_TOKEN opens Socket Mode.")


def _approvers(accounts: ApproverAccounts) -> Iterator[Finding]:
    """Report users who cannot approve, and whether enough approvers are left."""
    for problem in accounts.problems:
        yield doubt(f"Slack: {problem}")
    if accounts.is_short:
        yield wrong(
            f"Slack: {len(accounts.valid)} can approve, and APPROVALS_NEEDED is {accounts.needed}.",
            "Name others in APPROVERS, or add them to a group.",
        )
    elif not accounts.problems:
        yield well("Slack: enough of those named can approve.")


def _scopes(headers: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the token's scopes with the manifest's, if Slack says them."""
    compared = compare_scopes(headers)
    if compared is None:
        return
    lacking, unused = compared
    if lacking:
        yield wrong(f"Slack: scopes are missing: {', '.join(lacking)}.", UPDATE)
    if unused:
        advice = "Remove them on the app's page, OAuth & Permissions."
        yield doubt(f"Slack: scopes that the bot never uses: {', '.join(unused)}.", advice)
    if not lacking and not unused:
        yield well("Slack: the scopes are those of the manifest.")
