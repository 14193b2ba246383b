"""The settings of the bot, and two profiles with rules of their own."""

from bot.approval import Policy
from tests.support.factories import ADA, GRACE, ROSA, TEAM

MOST = 2
"""How many registrations one person may have open."""

POLICY = Policy(
    team_id=TEAM,
    requesters=frozenset({ROSA.user_id, ADA.user_id}),
    approvers=frozenset({ADA.user_id, GRACE.user_id}),
    approvals_needed=1,
    requester_groups=frozenset({"S0ASKERS"}),
    approver_groups=frozenset({"S0ADMINS", "S0SECURITY"}),
    open_limit=MOST,
    person_daily_limit=20,
)
PLAIN, STRICT = "mimecast", "directory-read"
"""A profile as the settings say, and one that asks for two approvals of distinct groups."""
