"""The read-only checks that turn a wish into a plan, or refuse it with every reason at once.

Nothing is asked of an approver that could have been known to fail. Nothing that is found here is
adopted: an application of the same name is only a warning.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from graph.app_policy import MEND, PERHAPS_EXEMPT, Restrictions, judge
from graph.client import Client, Json
from graph.clock import Clock
from graph.permissions import CATALOGUE, Kind, NotAllowed, lookup
from graph.plan import Plan, PlanRequest
from graph.redirects import redirect_problem
from graph.rights import ConsentMode, excess, missing
from graph.secret_life import SecretPolicy, limit, read_policy
from graph.shapes import identifier
from graph.tenant_cache import Organization, Resource, TenantCache

__all__ = ["Refused", "TenantCache", "preflight", "tags"]

LONGEST_NAME = 120
"""Entra's own limit is 256, but its portal cuts names much earlier."""

MOST_SHOWN = 10
"""How many names one warning lists."""


class Refused(Exception):
    """The wish cannot be planned. Each reason is a sentence for people."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__(" ".join(reasons))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the tenant said."""

    organization: Organization
    resource: Resource
    policy: SecretPolicy
    why_unread: str
    """Why the policy is not known, if it is not."""
    restrictions: Restrictions
    namesakes: list[Json]


async def preflight(
    wish: PlanRequest, *, graph: Client, knowledge: TenantCache, clock: Clock
) -> Plan:
    """Return the plan for a wish, or raise Refused or a GraphError.

    With fresh knowledge this makes one call of Graph.
    """
    rights = await graph.roles()
    if lacking := _lacking(wish, rights):
        raise Refused((*_problems(wish), lacking))  # without rights the tenant cannot be asked
    seen = await _look(wish, graph, knowledge, clock)
    if reasons := (*_problems(wish), *_obstacles(wish, seen)):
        raise Refused(reasons)
    return _plan(wish, seen, warnings=(*wish.warnings, *_warnings(wish, seen, rights)))


def tags(installation: str, registration: str) -> tuple[str, ...]:
    """Return the marks by which an installation knows its own applications."""
    return ("aad-setup", f"aad-setup:{registration}", f"aad-setup:{installation}:{registration}")


async def _look(wish: PlanRequest, graph: Client, knowledge: TenantCache, clock: Clock) -> _Seen:
    reads = (
        asyncio.create_task(knowledge.organization()),
        asyncio.create_task(knowledge.resource()),
        asyncio.create_task(knowledge.policy()),
        asyncio.create_task(_namesakes(wish, graph)),
    )
    # All of them end: one that is cancelled while it connects leaves its socket open.
    await asyncio.wait(reads)
    if failures := [error for read in reads if (error := read.exception())]:
        raise failures[0]
    organization, resource, policy, namesakes = reads
    return _Seen(
        organization=organization.result(),
        resource=resource.result(),
        policy=read_policy(policy.result().told, now=clock.now()),
        why_unread=policy.result().why_unread,
        restrictions=judge(policy.result().told, redirect=wish.redirect, now=clock.now()),
        namesakes=namesakes.result(),
    )


async def _namesakes(wish: PlanRequest, graph: Client) -> list[Json]:
    answer = await graph.send(
        "GET",
        "/applications",
        query={
            "$filter": "displayName eq '{}'".format(wish.name.replace("'", "''")),
            "$select": "appId,displayName,uniqueName",
        },
    )
    found = answer.read({"value": [{"appId": identifier, "uniqueName?": str}]})["value"]
    return [each for each in found if each.get("uniqueName") != wish.key]


def _plan(wish: PlanRequest, seen: _Seen, *, warnings: tuple[str, ...]) -> Plan:
    days, limited_by = limit(wish, seen.policy)
    return Plan(
        registration=wish.registration,
        key=wish.key,
        installation=wish.installation,
        profile=wish.profile,
        profile_digest=wish.profile_digest,
        tenant_id=seen.organization.id,
        tenant_name=seen.organization.name,
        domain=seen.organization.domain,
        resource_id=seen.resource.id,
        name=wish.name,
        notes=_notes(wish),
        tags=tags(wish.installation, wish.registration),
        redirect=wish.redirect,
        roles=tuple(lookup(name, Kind.ROLE) for name in _unique(wish.roles)),
        scopes=tuple(lookup(name, Kind.SCOPE) for name in _unique(wish.scopes)),
        secret_name=wish.secret_name,
        secret_days=days,
        secret_limited_by=limited_by,
        consent_mode=wish.consent_mode,
        warnings=warnings,
    )


def _notes(wish: PlanRequest) -> str:
    return (
        f"Registered by aad-setup ({wish.registration}, profile {wish.profile}) "
        f"for {wish.requester}. Reason: {' '.join(wish.reason.split())}"
    )


def _lacking(wish: PlanRequest, rights: frozenset[str]) -> str | None:
    lacking = missing(ConsentMode(wish.consent_mode), rights, scopes=wish.scopes)
    if not lacking:
        return None
    return (
        f"The bot's own application lacks rights in this tenant: {_list(lacking)}. "
        "An administrator must grant them with admin consent."
    )


def _problems(wish: PlanRequest) -> Iterator[str]:
    """What is wrong with a wish in itself."""
    if not wish.name.strip() or len(wish.name) > LONGEST_NAME:
        yield f"The application's name must have 1 to {LONGEST_NAME} characters."
    if wish.redirect is not None and (problem := redirect_problem(wish.redirect)):
        yield problem
    if wish.secret_days < 1:
        yield "The secret must live for at least one day."
    if wish.consent_mode != ConsentMode.AUTONOMOUS:
        yield f"The consent mode “{wish.consent_mode}” is not available yet."
    for name, kind in _wanted(wish):
        try:
            lookup(name, kind)
        except NotAllowed as refusal:
            yield str(refusal)


def _obstacles(wish: PlanRequest, seen: _Seen) -> Iterator[str]:
    """What in the tenant stands in the way."""
    if seen.policy.banned:
        yield (
            "The tenant's policy does not allow client secrets for new applications."
            f" To go on, {MEND}."
        )
    elif limit(wish, seen.policy)[0] < 1 <= wish.secret_days:
        yield "The tenant's policy does not allow a client secret to live even for one day."
    yield from seen.restrictions.refusals
    if (quota := seen.organization.quota) and quota.is_full:
        yield f"The directory is full: {quota}. {quota.ADVICE}"
    for wanted in _wanted(wish):
        known, found = CATALOGUE.get(wanted), seen.resource.ids.get(wanted)
        if known is not None and found is None:
            yield f"Microsoft Graph in this tenant does not offer {known.name} ({known.kind})."
        elif known is not None and known.id != found:
            yield f"{known.name} has another id in this tenant than Microsoft publishes."


def _warnings(wish: PlanRequest, seen: _Seen, rights: frozenset[str]) -> Iterator[str]:
    if seen.namesakes:
        ids = _some([each["appId"] for each in seen.namesakes])
        yield f"The tenant already has an application of this name, left as it is: {ids}."
    if not seen.policy.readable:
        yield (
            "The bot cannot read the tenant's policy on applications, which may refuse this plan "
            f"or its secret. {seen.why_unread}"
        )
    if seen.policy.perhaps_banned and not seen.policy.banned:
        yield (
            "The tenant's policy does not allow client secrets for new applications."
            f" {PERHAPS_EXEMPT}"
        )
    yield from seen.restrictions.doubts
    if (quota := seen.organization.quota) and quota.is_almost_full:
        yield f"The directory is almost full: {quota}."
    if unused := excess(ConsentMode(wish.consent_mode), rights):
        yield f"The bot's own application holds rights that it never uses: {_some(sorted(unused))}."


def _wanted(wish: PlanRequest) -> Iterator[tuple[str, Kind]]:
    yield from ((name, Kind.ROLE) for name in _unique(wish.roles))
    yield from ((name, Kind.SCOPE) for name in _unique(wish.scopes))


def _unique(names: tuple[str, ...]) -> list[str]:
    return sorted(set(names))


def _some(names: list[str]) -> str:
    """Return the first names and how many more there are: a card holds only so much."""
    shown, more = names[:MOST_SHOWN], len(names) - MOST_SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
