"""Checks of Slack: both tokens, the scopes and the approval channel."""

from collections.abc import AsyncIterator, Iterator, Mapping

from bot import checks
from bot.doctor.findings import Finding, doubt, well, wrong
from bot.manifest import SCOPES
from bot.settings.settings import Settings
from bot.worker.outages import Outage
from handlers.slack.approver_accounts import ApproverAccounts, check_approver_accounts


async def check_slack(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether the bot could start and post there."""
    try:
        async for finding in _check(settings):
            yield finding
    except Outage as outage:
        yield wrong(f"Slack cannot be reached: {outage.why}.", outage.advice or "Try again later.")


async def _check(settings: Settings) -> AsyncIterator[Finding]:
    async with checks.slack_session() as session:
        client = checks.slack_client(settings, session, token=settings.slack_bot_token)
        auth, problem = await checks.tried(
            "SLACK_BOT_TOKEN", client.auth_test(), proxy=client.proxy
        )
        if auth is None:
            yield wrong(f"Slack: {problem}", "The bot does not start before that.")
        else:
            yield well(f"Slack: SLACK_BOT_TOKEN is {auth['user']} in {auth['team']}.")
            for finding in _scopes(auth.headers):
                yield finding
            try:
                await checks.check_channel(client, settings.approval_channel)
            except checks.CannotStart as error:
                yield wrong(f"Slack: {error}", "No card can be posted before that.")
            else:
                yield well("Slack: the approval channel can be posted to.")
            for finding in _approvers(
                await check_approver_accounts(client, settings, auth["team_id"])
            ):
                yield finding
        if settings.slack_app_token is None:
            doing = f"Slack: HTTP mode, at port {settings.port}."
            yield well(f"{doing} Whether SLACK_SIGNING_SECRET is right, only a request shows.")
        elif problem := await checks.app_problem(client, settings.slack_app_token):
            yield wrong(f"Slack: {problem}", "The bot does not start before that.")
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
    held = checks.scopes(headers)
    if held is None:
        return
    lacking, unused = sorted(SCOPES.keys() - held), sorted(held - SCOPES.keys())
    if lacking:
        yield wrong(f"Slack: scopes are missing: {', '.join(lacking)}.", checks.UPDATE)
    if unused:
        advice = "Remove them on the app's page, OAuth & Permissions."
        yield doubt(f"Slack: scopes that the bot never uses: {', '.join(unused)}.", advice)
    if not lacking and not unused:
        yield well("Slack: the scopes are those of the manifest.")
