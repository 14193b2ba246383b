"""Who can approve, as Slack says: the accounts and user groups that the settings name.

For operators only: who may approve is judged at each click.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings.settings import Settings
from handlers.slack.api_errors import code_of, is_outage
from handlers.slack.users import doubts_of

MOST_MEMBERS = 50
"""How many members of groups are looked up at most: Slack limits how often it is asked."""

ADVICE = {
    "user_not_found": "Copy the member ID from the profile in Slack.",
    "user_not_visible": "Name a user whom the app may see.",
    "no_such_subteam": "The group is gone: name another.",
    "plan_upgrade_required": "Slack's plan has no user groups: name people.",
}


@dataclass(frozen=True, kw_only=True)
class ApproverAccounts:
    """The result of checking them."""

    needed: int
    valid: int = 0
    """How many can approve; not all are counted once there are enough."""
    problems: tuple[str, ...] = ()
    is_whole: bool = True
    """Whether Slack has told of all that was asked."""

    @property
    def is_short(self) -> bool:
        """Whether nothing can ever be approved."""
        return self.is_whole and self.valid < self.needed


async def check_approver_accounts(
    client: AsyncWebClient, settings: Settings, team_id: str
) -> ApproverAccounts:
    """Look up approvers, and every group that is named."""
    roll = _Check(client, team_id)
    members: list[str] = []
    for name, groups in (
        ("APPROVER_GROUPS", settings.approver_groups),
        ("REQUESTER_GROUPS", settings.requester_groups),
    ):
        for group in sorted(groups):
            found = await roll.members(name, group)
            members += found if name == "APPROVER_GROUPS" else ()
    for person in sorted(settings.approvers):
        await roll.look_up(person, f"APPROVERS: {person}")
    others = sorted(set(members) - settings.approvers)
    for person in others[:MOST_MEMBERS]:
        if len(roll.valid) >= settings.approvals_needed:
            break
        await roll.look_up(person, f"APPROVER_GROUPS: the member {person}")
    return ApproverAccounts(
        needed=settings.approvals_needed,
        valid=len(roll.valid),
        problems=tuple(roll.problems),
        is_whole=roll.is_whole and len(others) <= MOST_MEMBERS,
    )


class _Check:
    """Asks Slack, and collects the answers."""

    def __init__(self, client: AsyncWebClient, team_id: str) -> None:
        self._client = client
        self._team_id = team_id
        self.valid: set[str] = set()
        self.problems: list[str] = []
        self.is_whole = True

    async def members(self, name: str, group: str) -> Iterable[str]:
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except (SlackApiError, TimeoutError, aiohttp.ClientError) as error:
            self._refused(f"{name}: {group}", error)
            return ()
        if not answer["users"]:
            self.problems.append(f"{name}: {group} has no members.")
        return [str(user) for user in answer["users"]]

    async def look_up(self, person: str, who: str) -> None:
        try:
            answer = await self._client.users_info(user=person)
        except (SlackApiError, TimeoutError, aiohttp.ClientError) as error:
            self._refused(who, error)
            return
        doubts = doubts_of(person, answer["user"], team_id=self._team_id)
        if doubts:
            self.problems.append(f"{who} cannot approve: the account {', '.join(doubts)}.")
        else:
            self.valid.add(person)

    def _refused(self, who: str, error: Exception) -> None:
        code = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
        if not isinstance(error, SlackApiError) or is_outage(error):
            self.is_whole = False
        advice = f" {ADVICE[code]}" if code in ADVICE else ""
        self.problems.append(f"{who} was not found by Slack ({code}).{advice}")
