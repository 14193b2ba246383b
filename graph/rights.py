"""Rights that the bot itself must hold: one table, consent mode by verb.

The preflight, SETUP.md and the simulated tenant follow the same table, so that "too few" and "too
many" mean one thing. Least rights per call: learn.microsoft.com/graph/permissions-reference
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ConsentMode(StrEnum):
    """Who grants the permissions of a new application."""

    PORTAL = "portal"
    """A person, in the Entra admin centre."""
    SIGNED_IN = "signed-in"
    """The approver's own sign-in."""
    AUTONOMOUS = "autonomous"
    """The bot."""


_PLAN = frozenset({"Application.Read.All", "Organization.Read.All", "Policy.Read.All"})
_WRITE = frozenset({"Application.ReadWrite.OwnedBy", "Application.Read.All"})
_GRANT = frozenset({"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"})

_BASE = MappingProxyType(
    {
        "plan": _PLAN,
        "register": _WRITE,
        "rotate": _WRITE,
        "revoke": _WRITE,
        "undo": _WRITE,
        "purge": _WRITE,
        "check": frozenset({"Application.Read.All"}),
    }
)

BOT_RIGHTS: Mapping[ConsentMode, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        ConsentMode.PORTAL: _BASE,
        ConsentMode.SIGNED_IN: _BASE,
        ConsentMode.AUTONOMOUS: MappingProxyType({**_BASE, "grant": _GRANT}),
    }
)

HELPFUL = frozenset({"Policy.Read.All"})
"""Without these the bot works, but reports which parts it could not read."""

ONLY_FOR_SCOPES = frozenset({"DelegatedPermissionGrant.ReadWrite.All"})
"""Needed only where a profile has delegated permissions."""

_STRONGER = {
    "Application.ReadWrite.OwnedBy": frozenset({"Application.ReadWrite.All"}),
    "Application.Read.All": frozenset({"Application.ReadWrite.All", "Directory.Read.All"}),
    "Organization.Read.All": frozenset({"Directory.Read.All"}),
}


def rights(mode: ConsentMode) -> frozenset[str]:
    """Return every right that the bot uses in that consent mode."""
    return frozenset().union(*BOT_RIGHTS[mode].values())


def missing(mode: ConsentMode, held: frozenset[str], *, scopes: tuple[str, ...]) -> frozenset[str]:
    """Return the rights without which a registration with these scopes cannot succeed."""
    unneeded = HELPFUL if scopes else HELPFUL | ONLY_FOR_SCOPES
    return frozenset(
        right for right in rights(mode) - unneeded if not held & {right, *_STRONGER.get(right, ())}
    )


def excess(mode: ConsentMode, held: frozenset[str]) -> frozenset[str]:
    """Return the rights held that this consent mode never uses."""
    return held - rights(mode)
