"""The rights of the bot's own application: one table, consent mode by verb, with what needs each.

The preflight, the start, `doctor`, `aad-setup rights` and SETUP.md read it, and the simulated
tenant is compared with it, so that "too few" and "too many" mean one thing. Least rights per call:
learn.microsoft.com/graph/permissions-reference
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from graph.calls import Json


class ConsentMode(StrEnum):
    """Who grants the permissions of a new application."""

    PORTAL = "portal"
    """A person, in the Entra admin centre."""
    SIGNED_IN = "signed-in"
    """The approver's own sign-in."""
    LIMITED = "limited"
    """The bot, by a directory role that allows the catalogue's permissions and no others."""
    AUTONOMOUS = "autonomous"
    """The bot, by rights to grant anything."""


GIVEN_BY_PEOPLE = frozenset({ConsentMode.PORTAL, ConsentMode.SIGNED_IN})
"""The modes in which the bot itself grants nothing."""


class Verb(StrEnum):
    """A piece of the bot's work in the tenant."""

    PLAN = "plan"
    REGISTER = "register"
    CONSENT = "consent"
    """Make the grants, or see that a person has made them."""
    ROTATE = "rotate"
    CHECK = "check"
    UNDO = "undo"
    REVOKE = "revoke"
    PURGE = "purge"
    DOCTOR = "doctor"


@dataclass(frozen=True, kw_only=True)
class Right:
    """A row of the table: an application permission of Microsoft Graph that the bot is to hold."""

    name: str
    needed_to: str
    """What needs it, in words: ends a sentence that begins with "It is needed to"."""
    verbs: frozenset[Verb]
    modes: frozenset[ConsentMode] = frozenset(ConsentMode)
    is_only_for_scopes: bool = False
    """Needed only where a profile has delegated permissions."""
    is_helpful: bool = False
    """Without it the bot works, but reports which parts it could not read."""
    stronger: frozenset[str] = frozenset()
    """Rights that include it."""

    def to_json(self) -> Json:
        return {
            "right": self.name,
            "needed_to": self.needed_to,
            "verbs": [verb for verb in Verb if verb in self.verbs],
            "only_for_delegated_permissions": self.is_only_for_scopes,
            "optional": self.is_helpful,
        }


_CHANGES = frozenset({Verb.REGISTER, Verb.ROTATE, Verb.UNDO, Verb.REVOKE, Verb.PURGE})
_SEES_SCOPES = frozenset(
    {"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
)
_AUTONOMOUS = frozenset({ConsentMode.AUTONOMOUS})
_LIMITED = frozenset({ConsentMode.LIMITED})

BOT_RIGHTS = (
    Right(
        name="Application.ReadWrite.OwnedBy",
        needed_to="create applications; change and delete those that it created, and no others",
        verbs=_CHANGES,
        stronger=frozenset({"Application.ReadWrite.All"}),
    ),
    Right(
        name="Application.Read.All",
        needed_to="find applications of the same name, Microsoft Graph's permission ids, and which"
        " application permissions were granted",
        verbs=_CHANGES | {Verb.PLAN, Verb.CONSENT, Verb.CHECK},
        stronger=frozenset({"Application.ReadWrite.All", "Directory.Read.All"}),
    ),
    Right(
        name="Organization.Read.All",
        needed_to="read the tenant's name and primary domain",
        verbs=frozenset({Verb.PLAN}),
        stronger=frozenset({"Directory.Read.All"}),
    ),
    Right(
        name="Policy.Read.All",
        needed_to="read whether the tenant limits secrets; without it the plan says that this is"
        " unknown",
        verbs=frozenset({Verb.PLAN}),
        is_helpful=True,
    ),
    Right(
        name="DelegatedPermissionGrant.Read.All",
        needed_to="see which delegated permissions were granted",
        verbs=frozenset({Verb.CONSENT, Verb.CHECK}),
        modes=frozenset(ConsentMode) - _AUTONOMOUS,
        is_only_for_scopes=True,
        stronger=_SEES_SCOPES,
    ),
    Right(
        name="Policy.Read.PermissionGrant",
        needed_to="let `doctor` compare the tenant's consent policy with the profiles",
        verbs=frozenset({Verb.DOCTOR}),
        modes=_LIMITED,
        is_helpful=True,
    ),
    Right(
        name="RoleManagement.Read.Directory",
        needed_to="let `doctor` compare the bot's directory roles with the one that it needs",
        verbs=frozenset({Verb.DOCTOR}),
        modes=_LIMITED,
        is_helpful=True,
    ),
    Right(
        name="AppRoleAssignment.ReadWrite.All",
        needed_to="grant application permissions, and take them back",
        verbs=frozenset({Verb.CONSENT, Verb.UNDO, Verb.REVOKE}),
        modes=_AUTONOMOUS,
    ),
    Right(
        name="DelegatedPermissionGrant.ReadWrite.All",
        needed_to="grant delegated permissions, see them, and take them back",
        verbs=frozenset({Verb.CONSENT, Verb.CHECK, Verb.UNDO, Verb.REVOKE}),
        modes=_AUTONOMOUS,
        is_only_for_scopes=True,
    ),
)


def table(mode: ConsentMode) -> Iterator[Right]:
    """Yield the rows of a consent mode."""
    return (right for right in BOT_RIGHTS if mode in right.modes)


def rights(mode: ConsentMode, verb: Verb | None = None) -> frozenset[str]:
    """Return every right that the bot uses in that consent mode, or that one verb uses there."""
    return frozenset(it.name for it in table(mode) if verb is None or verb in it.verbs)


def missing(mode: ConsentMode, held: frozenset[str], *, scopes: tuple[str, ...]) -> list[Right]:
    """Return the rights without which a registration with these scopes cannot succeed, by name."""
    lacking = [
        right
        for right in table(mode)
        if not right.is_helpful
        and (scopes or not right.is_only_for_scopes)
        and not held & {right.name, *right.stronger}
    ]
    return sorted(lacking, key=lambda right: right.name)


def too_wide(mode: ConsentMode, held: frozenset[str]) -> list[str]:
    """Return the rights held by which the bot might grant what the limited mode is to forbid.

    Those that Microsoft's names do not call reads: ways to any permission are too many to list (a
    role, a group that has one, an administrator's second factor), and new rights open new ones.
    """
    more = excess(mode, held) if mode is ConsentMode.LIMITED else ()
    return sorted(name for name in more if name.split(".")[1:2] not in (["Read"], ["ReadBasic"]))


def may_see_scopes(held: frozenset[str]) -> bool:
    """Whether a caller with these rights may read delegated grants."""
    return bool(held & {"DelegatedPermissionGrant.Read.All", *_SEES_SCOPES})


def unread(mode: ConsentMode, held: frozenset[str]) -> list[Right]:
    """Return the rights that are not held, and without which the bot works, but sees less."""
    return [right for right in table(mode) if right.is_helpful and right.name not in held]


def excess(mode: ConsentMode, held: frozenset[str]) -> frozenset[str]:
    """Return the rights held that this consent mode never uses."""
    return held - rights(mode)
