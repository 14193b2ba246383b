"""The request, and the plan that the preflight makes of it.

A plan is the exact set of changes as data. Its canonical form has a digest: approvers approve the
digest, and a run compares it, so that what runs is what was approved.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
