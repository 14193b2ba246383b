"""The request, the plan that the preflight makes of it, and the rights that carrying it out needs.

A plan is the exact set of changes as data. Its canonical form has a digest: approvers approve the
digest, and a run compares it, so that what runs is what was approved.

The bot's own rights are one table, consent mode by verb. The preflight, SETUP.md and the simulated
tenant follow it, so that "too few" and "too many" mean one thing. Least rights per call:
learn.microsoft.com/graph/permissions-reference
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, Self

from graph.calls import Json
from graph.permissions import Kind, Permission

FactsByStep = Mapping[str, Mapping[str, Any]]
"""The facts of each step, by its name: JSON, and never a secret."""

LimitedBy = Literal["requester", "profile", "tenant"]
"""Whose word decided how long the secret lives."""


@dataclass(frozen=True, kw_only=True)
class Requested:
    """The parts of a request that its plan repeats."""

    registration: str
    key: str
    """The application's `uniqueName`: stored before any call, never used for anything else."""
    installation: str
    profile: str
    profile_digest: str
    name: str
    redirect: str | None
    secret_name: str
    consent_mode: str


@dataclass(frozen=True, kw_only=True)
class PlanRequest(Requested):
    """The request of a registration, before the tenant was read."""

    reason: str
    requester: str
    """For people who read the application in Entra, like “Ada Lovelace (U123 in T123)”."""
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    secret_days: int
    """As requested; a policy may shorten it."""
    profile_days: int
    """The most that the profile allows."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan(Requested):
    """The exact changes to be made for one registration."""

    tenant_id: str
    tenant_name: str
    domain: str
    """The tenant's primary domain."""
    resource_id: str
    """The object id of Microsoft Graph's service principal in this tenant."""
    notes: str
    tags: tuple[str, ...]
    roles: tuple[Permission, ...]
    scopes: tuple[Permission, ...]
    secret_days: int
    secret_limited_by: LimitedBy
    warnings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON, in hex."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> Json:
        plain: Json = json.loads(json.dumps(asdict(self)))  # tuples become lists, as when stored
        return plain

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            **{
                **stored,
                "tags": tuple(stored["tags"]),
                "warnings": tuple(stored["warnings"]),
                "roles": _permissions(stored["roles"]),
                "scopes": _permissions(stored["scopes"]),
            }
        )


def _permissions(stored: list[Json]) -> tuple[Permission, ...]:
    return tuple(Permission(**{**each, "kind": Kind(each["kind"])}) for each in stored)


class ConsentMode(StrEnum):
    """Who grants the permissions of a new application."""

    PORTAL = "portal"
    """A person, in the Entra admin centre."""
    SIGNED_IN = "signed-in"
    """The approver's own sign-in."""
    AUTONOMOUS = "autonomous"
    """The bot."""


GIVEN_BY_PEOPLE = frozenset({ConsentMode.PORTAL, ConsentMode.SIGNED_IN})
"""The modes in which the bot itself grants nothing."""

_PLAN = frozenset({"Application.Read.All", "Organization.Read.All", "Policy.Read.All"})
_WRITE = frozenset({"Application.ReadWrite.OwnedBy", "Application.Read.All"})
_SEE = frozenset({"DelegatedPermissionGrant.Read.All"})
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
        ConsentMode.PORTAL: MappingProxyType({**_BASE, "consent": _SEE}),
        ConsentMode.SIGNED_IN: MappingProxyType({**_BASE, "consent": _SEE}),
        ConsentMode.AUTONOMOUS: MappingProxyType({**_BASE, "grant": _GRANT}),
    }
)

HELPFUL = frozenset({"Policy.Read.All"})
"""Without these the bot works, but reports which parts it could not read."""

ONLY_FOR_SCOPES = frozenset(
    {"DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All"}
)
"""Needed only where a profile has delegated permissions."""

SEE_SCOPES = frozenset(
    {"DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All"}
    | {"Directory.Read.All"}
)
"""Rights of which one is enough to read delegated grants."""

_STRONGER = {
    "Application.ReadWrite.OwnedBy": frozenset({"Application.ReadWrite.All"}),
    "Application.Read.All": frozenset({"Application.ReadWrite.All", "Directory.Read.All"}),
    "Organization.Read.All": frozenset({"Directory.Read.All"}),
    "DelegatedPermissionGrant.Read.All": SEE_SCOPES,
}


def rights(mode: ConsentMode) -> frozenset[str]:
    """Return every right that the bot uses in that consent mode."""
    return frozenset().union(*BOT_RIGHTS[mode].values())


def may_see_scopes(held: frozenset[str]) -> bool:
    """Whether a caller with these rights may read delegated grants."""
    return bool(held & SEE_SCOPES)


def missing(mode: ConsentMode, held: frozenset[str], *, scopes: tuple[str, ...]) -> frozenset[str]:
    """Return the rights without which a registration with these scopes cannot succeed."""
    unneeded = HELPFUL if scopes else HELPFUL | ONLY_FOR_SCOPES
    return frozenset(
        right for right in rights(mode) - unneeded if not held & {right, *_STRONGER.get(right, ())}
    )


def excess(mode: ConsentMode, held: frozenset[str]) -> frozenset[str]:
    """Return the rights held that this consent mode never uses."""
    return held - rights(mode)
