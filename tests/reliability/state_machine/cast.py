"""The cast: who there is, and what the settings and Slack make of each; the settings, and two
profiles with rules of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from bot.approval import Policy
from bot.domain.people import Person
from tests.support.factories import ADA, BEN, GRACE, ROSA, TEAM
from tests.support.history_checks import Key


class Figure(NamedTuple):
    """Somebody, and what the settings and Slack make of them."""

    person: Person
    is_sure: bool = True  # no doubt about who it is
    asks: bool = False
    decides: bool = False
    party: str | None = ""  # whom a vote speaks for; None: Slack did not say
    heirs: bool | None = None  # whether a registration may be handed over to them, if not as `asks`

    @property
    def key(self) -> Key:
        return self.person.key


def member(id: str, *groups: str) -> Person:
    return Person(team_id=TEAM, user_id=id, name=id.title(), groups=frozenset(groups))


CARL = member("U0CARL", "S0ASKERS")

EVE = member("U0EVE", "S0ADMINS")

OLGA = member("U0OLGA", "S0SECURITY", "S0ASKERS")

UNREAD = frozenset({"S0ASKERS", "S0ADMINS", "S0SECURITY"})

GONE = ("is deactivated",)

CAST: Mapping[str, Figure] = {
    "rosa": Figure(ROSA, asks=True),
    "carl": Figure(CARL, asks=True),
    "ada": Figure(ADA, asks=True, decides=True),
    "grace": Figure(GRACE, decides=True),
    "eve": Figure(EVE, decides=True, party="S0ADMINS"),
    "olga": Figure(OLGA, asks=True, decides=True, party="S0SECURITY"),
    "ben": Figure(BEN),
    "ada, groups unread": Figure(replace(ADA, unread=UNREAD), asks=True, decides=True, party=None),
    "eve, groups unread": Figure(replace(EVE, groups=frozenset(), unread=UNREAD)),
    "carl, groups unread": Figure(replace(CARL, groups=frozenset(), unread=UNREAD)),
    "a guest": Figure(replace(BEN, doubts=("is a guest's",)), is_sure=False, asks=True),
    "ada of another team": Figure(replace(ADA, team_id="T0ELSE"), is_sure=False, decides=True),
    "rosa, who left": Figure(replace(ROSA, doubts=GONE), is_sure=False, asks=True),
    "grace, who left": Figure(replace(GRACE, doubts=GONE), is_sure=False, decides=True),
}


def people(keys: Iterable[Key]) -> list[Person]:
    return [next(it.person for it in CAST.values() if it.key == key) for key in keys]


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
