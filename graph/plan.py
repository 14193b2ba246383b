"""The request, and the plan that the preflight makes of it, or refuses with every reason at once.

A plan is the exact set of changes as data. Its canonical form has a digest: approvers approve the
digest, and a run compares it, so that what runs is what was approved.

Nothing is asked of an approver that could have been known to fail. Nothing that the preflight finds
is adopted: an application of the same name is only a warning.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Self

from graph.app_policy import SLACK_DAYS, Restrictions, judge, some
from graph.calls import Json, identifier, parts_of, selection
from graph.client import Client
from graph.clock import Clock
from graph.permissions import CATALOGUE, Kind, NotAllowed, Permission, lookup
from graph.rights import ConsentMode, excess, missing, too_wide
from graph.tenant_cache import Organization, Resource, TenantCache

LONGEST_NAME = 120
"""Entra's own limit is 256, but its portal cuts names much earlier."""

MOST_SHOWN = 10
"""How many names one warning lists."""

LONGEST_REDIRECT = 256
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})
_UNSUPPORTED = frozenset("!$'(),;")

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


class Refused(Exception):
    """The request cannot be planned. Each reason is a sentence for people."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__(" ".join(reasons))


class _Seen(NamedTuple):
    """The parts of the tenant that a plan depends on."""

    organization: Organization
    resource: Resource
    restrictions: Restrictions
    namesakes: list[Json]


async def preflight(
    request: PlanRequest, *, graph: Client, tenant_cache: TenantCache, clock: Clock
) -> Plan:
    """Return the plan for a request, or raise Refused or a GraphError.

    With fresh knowledge this makes one call of Graph.
    """
    rights = await graph.roles()
    if unfit := (*_lacking(request, rights), *_too_wide(request, rights)):
        raise Refused((*_problems(request), *unfit))  # without rights the tenant cannot be asked
    seen = await _look(request, graph, tenant_cache, clock)
    if reasons := (*_problems(request), *_obstacles(request, seen)):
        raise Refused(reasons)
    return _plan(request, seen, warnings=(*request.warnings, *_warnings(request, seen, rights)))


def tags(installation: str, registration: str) -> tuple[str, ...]:
    """Return the marks by which an installation knows its own applications."""
    return ("aad-setup", f"aad-setup:{registration}", f"aad-setup:{installation}:{registration}")


async def _look(
    request: PlanRequest, graph: Client, tenant_cache: TenantCache, clock: Clock
) -> _Seen:
    reads = (
        asyncio.create_task(tenant_cache.organization()),
        asyncio.create_task(tenant_cache.resource()),
        asyncio.create_task(tenant_cache.policy()),
        asyncio.create_task(_namesakes(request, graph)),
    )
    # All of them end: one that is cancelled while it connects leaves its socket open.
    await asyncio.wait(reads)
    organization, resource, policy, namesakes = await asyncio.gather(*reads)
    restrictions = judge(policy, redirect=request.redirect, now=clock.now())
    return _Seen(organization, resource, restrictions, namesakes)


async def _namesakes(request: PlanRequest, graph: Client) -> list[Json]:
    name, shape = request.name.replace("'", "''"), {"appId": identifier, "uniqueName?": str}
    query = {"$filter": f"displayName eq '{name}'", "$select": selection(shape)}
    answer = await graph.send("GET", "/applications", query=query)
    found = answer.read({"value": [shape]})["value"]
    return [each for each in found if each.get("uniqueName") != request.key]


def _plan(request: PlanRequest, seen: _Seen, *, warnings: tuple[str, ...]) -> Plan:
    days, limited_by = limit(request, seen.restrictions.longest_secret)
    return Plan(
        **{each.name: getattr(request, each.name) for each in fields(Requested)},
        tenant_id=seen.organization.id,
        tenant_name=seen.organization.name,
        domain=seen.organization.domain,
        resource_id=seen.resource.id,
        notes=_notes(request),
        tags=tags(request.installation, request.registration),
        roles=tuple(lookup(name, Kind.ROLE) for name in _unique(request.roles)),
        scopes=tuple(lookup(name, Kind.SCOPE) for name in _unique(request.scopes)),
        secret_days=days,
        secret_limited_by=limited_by,
        warnings=warnings,
    )


def _notes(request: PlanRequest) -> str:
    return (
        f"Registered by aad-setup ({request.registration}, profile {request.profile}) "
        f"for {request.requester}. Reason: {' '.join(request.reason.split())}"
    )


def limit(request: PlanRequest, longest: timedelta | None) -> tuple[int, LimitedBy]:
    """Return the days a secret may live and whose word that is; the earlier one wins a tie.

    `longest` is the tenant's limit.
    """
    said: list[tuple[int, LimitedBy]] = [
        (request.secret_days, "requester"),
        (request.profile_days, "profile"),
    ]
    if longest is not None:
        said.append((longest.days - SLACK_DAYS, "tenant"))
    return min(said, key=lambda each: each[0])


def _lacking(request: PlanRequest, rights: frozenset[str]) -> Iterator[str]:
    lacking = missing(ConsentMode(request.consent_mode), rights, scopes=request.scopes)
    if lacking:
        named = "; ".join(f"{right.name}, to {right.needed_to}" for right in lacking)
        yield (
            f"The bot's own application lacks rights in this tenant: {named}. "
            "An administrator must grant them with admin consent."
        )


def _too_wide(request: PlanRequest, rights: frozenset[str]) -> Iterator[str]:
    if names := too_wide(ConsentMode(request.consent_mode), rights):
        yield (
            f"The bot's own application might grant more than the tenant's policy allows, because"
            f" it also holds {', '.join(names)}. An administrator must remove that."
        )


def _problems(request: PlanRequest) -> Iterator[str]:
    """Yield problems of the request itself."""
    if not request.name.strip() or len(request.name) > LONGEST_NAME:
        yield f"The application's name must have 1 to {LONGEST_NAME} characters."
    if request.redirect is not None and (problem := redirect_problem(request.redirect)):
        yield problem
    if request.secret_days < 1:
        yield "The secret must live for at least one day."
    for name, kind in _wanted(request):
        try:
            lookup(name, kind)
        except NotAllowed as refusal:
            yield str(refusal)


def _obstacles(request: PlanRequest, seen: _Seen) -> Iterator[str]:
    """Yield obstacles in the tenant."""
    yield from seen.restrictions.refusals
    if limit(request, seen.restrictions.longest_secret)[0] < 1 <= request.secret_days:
        yield "The tenant's policy does not allow a client secret to live even for one day."
    if (quota := seen.organization.quota) and quota.is_full:
        yield f"The directory is full: {quota}. {quota.ADVICE}"
    for wanted in _wanted(request):
        known, found = CATALOGUE.get(wanted), seen.resource.ids.get(wanted)
        if known is not None and found is None:
            yield f"Microsoft Graph in this tenant does not offer {known.name} ({known.kind})."
        elif known is not None and known.id != found:
            yield f"{known.name} has another id in this tenant than Microsoft publishes."


def _warnings(request: PlanRequest, seen: _Seen, rights: frozenset[str]) -> Iterator[str]:
    if seen.namesakes:
        ids = some([each["appId"] for each in seen.namesakes], MOST_SHOWN)
        yield f"The tenant already has an application of this name, left as it is: {ids}."
    yield from seen.restrictions.doubts
    if (quota := seen.organization.quota) and quota.is_almost_full:
        yield f"The directory is almost full: {quota}."
    if unused := excess(ConsentMode(request.consent_mode), rights):
        shown = some(sorted(unused), MOST_SHOWN)
        yield f"The bot's own application holds rights that it never uses: {shown}."


def _wanted(request: PlanRequest) -> Iterator[tuple[str, Kind]]:
    yield from ((name, Kind.ROLE) for name in _unique(request.roles))
    yield from ((name, Kind.SCOPE) for name in _unique(request.scopes))


def _unique(names: tuple[str, ...]) -> list[str]:
    return sorted(set(names))


def redirect_problem(url: str) -> str | None:
    """Return the problem with a redirect URL as a sentence, or None."""
    if len(url) > LONGEST_REDIRECT:
        return f"The redirect URL is longer than {LONGEST_REDIRECT} characters."
    if any(character.isspace() or not character.isprintable() for character in url):
        return "The redirect URL holds spaces or characters that cannot be printed."
    if "\\" in url:
        return "The redirect URL holds a backslash, which browsers read as a slash."
    if bad := sorted(_UNSUPPORTED.intersection(url)):
        return f"Entra does not accept {' '.join(bad)} in a redirect URL."
    parts = parts_of(url)
    if parts is None:
        return "The redirect URL is not a URL."
    host = parts.hostname
    if not parts.scheme or not host:
        return "The redirect URL must be absolute, like https://example.com/callback."
    if parts.scheme not in ("https", "http"):
        return f"The redirect URL must start with https://, not with {parts.scheme}://."
    if not host.isascii():
        return "Write the host of the redirect URL in ASCII (xn--…): letters may look alike."
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
        return "The redirect URL must start with https://; http:// is only for localhost."
    if parts.username is not None or parts.fragment or "*" in host:
        return "The redirect URL must not hold a user name, a fragment (#…) or a wildcard."
    return None
