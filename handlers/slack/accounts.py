"""Accounts, as Slack's records describe them."""

from collections.abc import Mapping
from typing import Any

from bot.domain.forms import JOINERS
from bot.domain.people import GUEST

DOUBTS = {
    "deleted": "is deactivated",
    "is_bot": "is a bot",
    "is_restricted": GUEST,
    "is_ultra_restricted": GUEST,
    "is_stranger": "is from outside",
    "is_invited_user": "is only invited",
}
"""docs.slack.dev/reference/objects/user-object"""
KEPT = (*DOUBTS, "team_id", "enterprise_user", "name", "real_name")
"""The fields of an account that are used: no address, no picture."""
SLACKBOT = "USLACKBOT"  # says is_bot: false of itself


def home_of(user: Mapping[str, Any]) -> str:
    """Return the team of Slack's record, which on Enterprise Grid may be another or missing."""
    return str(user.get("team_id") or "")


def teams_of(user: Mapping[str, Any]) -> frozenset[str]:
    """Return the teams that Slack says this account is a member of: on Enterprise Grid several."""
    listed = _grid(user).get("teams")
    more = listed if isinstance(listed, list) else ()
    return frozenset(str(team) for team in (home_of(user), *more) if team)


def _grid(user: Mapping[str, Any]) -> Mapping[str, Any]:
    """docs.slack.dev/reference/objects/user-object"""
    found = user.get("enterprise_user")
    return found if isinstance(found, Mapping) else {}


def name_of(user: Mapping[str, Any]) -> str:
    """Return how people call this account, as one line without anything that reorders it."""
    said = str(user.get("real_name") or user.get("name") or "")
    seen = "".join(each if each.isprintable() or each in JOINERS else " " for each in said)
    return " ".join(seen.split())[:120]


def doubts_of(user_id: str, user: Mapping[str, Any], *, team_id: str) -> tuple[str, ...]:
    """Return the doubts about an account, by Slack's record of it, where it claims to be of this
    team.
    """
    doubts = [word for flag, word in DOUBTS.items() if user.get(flag)]
    if user_id == SLACKBOT:
        doubts.append("is a bot")
    if team_id not in {*teams_of(user), _grid(user).get("enterprise_id")}:
        doubts.append("is from outside")
    return tuple(dict.fromkeys(doubts))
