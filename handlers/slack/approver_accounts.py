"""The accounts and user groups that the settings name: how many of them can approve.

For operators only: the right to approve is checked at each click.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.settings.settings import Settings
from handlers.slack.api_errors import FAILED, code_of, is_outage
from handlers.slack.users import doubts_of

MOST_MEMBERS = 50
"""How many members of groups are looked up at most: Slack limits how often it is asked."""

ADVICE = {
    "user_not_found": "Copy the member ID from the profile in Slack.",
    "user_not_visible": "Name a user whom the app may see.",
    "no_such_subteam": "The group is gone: name another.",
    "plan_upgrade_required": "Slack's plan has no user groups: name people.",
}


@dataclass(kw_only=True)
class ApproverAccounts:
    """The result of checking them."""

    needed: int
    valid: set[str] = field(default_factory=set)
    """Who can approve; not all are looked up once there are enough."""
    problems: list[str] = field(default_factory=list)
    is_whole: bool = True
    """Whether Slack has answered every question."""

    @property
    def is_short(self) -> bool:
        """Whether nothing can ever be approved."""
        return self.is_whole and len(self.valid) < self.needed


async def check_approver_accounts(
    client: AsyncWebClient, settings: Settings, team_id: str
) -> ApproverAccounts:
    """Look up approvers, and every group that is named."""
    found = ApproverAccounts(needed=settings.approvals_needed)

    async def ask(who: str, call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse | None:
        try:
            return await call
        except FAILED as error:
            code = code_of(error)
            if is_outage(error):
                found.is_whole = False
            advice = f" {ADVICE[code]}" if code in ADVICE else ""
            found.problems.append(f"{who} was not found by Slack ({code}).{advice}")
            return None

    async def members(setting: str, group: str) -> list[str]:
        answer = await ask(f"{setting}: {group}", client.usergroups_users_list(usergroup=group))
        if answer is not None and not answer["users"]:
            found.problems.append(f"{setting}: {group} has no members.")
        return [str(user) for user in answer["users"]] if answer is not None else []

    async def look_up(user_id: str, who: str) -> None:
        if (answer := await ask(who, client.users_info(user=user_id))) is None:
            return
        if doubts := doubts_of(user_id, answer["user"], team_id=team_id):
            found.problems.append(f"{who} cannot approve: the account {', '.join(doubts)}.")
        else:
            found.valid.add(user_id)

    others: set[str] = set()
    for group in sorted(settings.approver_groups):
        others.update(await members("APPROVER_GROUPS", group))
    for group in sorted(settings.requester_groups):
        await members("REQUESTER_GROUPS", group)
    for user_id in sorted(settings.approvers):
        await look_up(user_id, f"APPROVERS: {user_id}")
    others -= settings.approvers
    for user_id in sorted(others)[:MOST_MEMBERS]:
        if len(found.valid) >= found.needed:
            break
        await look_up(user_id, f"APPROVER_GROUPS: the member {user_id}")
    found.is_whole = found.is_whole and len(others) <= MOST_MEMBERS
    return found
