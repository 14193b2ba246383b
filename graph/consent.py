"""Look whether an administrator has granted what a plan asks for.

Several registrations are read in one `$batch`, with no right that the bot's other work does not
need: a role assignment is read with the service principal, delegated grants only where the bot may
see them (graph/rights.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from graph.calls import Answer, Call, Json
from graph.client import Client
from graph.drift import snapshot as parts
from graph.drift.permissions import PORTAL_EXTRAS, Expected, Loss, roles, scopes, scopes_for_all
from graph.errors import GraphError
from graph.plan import Plan
from graph.rights import may_see_scopes
from graph.tenant_cache import TenantCache

MOST_AT_ONCE = 10
"""How many registrations one `$batch` of 20 reads covers."""


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """A registration whose service principal waits for its grants."""

    registration: str
    principal_id: str
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What was granted to an application, compared with its plan."""

    steps: frozenset[str]
    """The names of the steps of the plan that are taken."""
    extras: tuple[str, ...]
    """Harmless delegated permissions that the Entra admin centre has added."""
    foreign: tuple[str, ...]
    """A sentence for each grant that the plan does not hold."""


async def look(
    graph: Client, awaited: Sequence[Awaited], *, tenant_cache: TenantCache, now: datetime
) -> Mapping[str, Granted | GraphError]:
    """Return by registration what was granted, or why that could not be read.

    Takes one call of Graph for at most MOST_AT_ONCE registrations. Raises GraphError.
    """
    sees_scopes = may_see_scopes(await graph.roles())
    calls = {
        (each.registration, part): call
        for each in awaited
        for part, call in parts.grants_of(each.principal_id).items()
        if sees_scopes or part == parts.ROLES
    }
    keys = {f"{registration}:{part}": (registration, part) for registration, part in calls}
    answers = await graph.batch({key: calls[of] for key, of in keys.items()})
    found: dict[str, Granted | GraphError] = {}
    for each in awaited:
        mine = {part: answers[key] for key, (of, part) in keys.items() if of == each.registration}
        try:
            read = {
                part: await _read(graph, calls[each.registration, part], part, answer)
                for part, answer in mine.items()
            }
            found[each.registration] = await _compared(each.plan, read, tenant_cache, now)
        except GraphError as error:
            found[each.registration] = error
    return found


async def _read(graph: Client, call: Call, part: str, answer: Answer | GraphError) -> Json:
    if isinstance(answer, GraphError):
        raise answer
    return await parts.whole(graph, call, answer, parts.SHAPES[part])


async def _compared(
    plan: Plan, read: Mapping[str, Json], tenant_cache: TenantCache, now: datetime
) -> Granted:
    assigned, delegated = read[parts.ROLES], read.get(parts.SCOPES, {"value": []})
    resource = await tenant_cache.resource()
    names = {id: name for (name, _), id in resource.ids.items()}
    expected = Expected(plan=plan, secrets={}, now=now, names=names)
    differences = [*roles(expected, assigned), *scopes(expected, delegated)]
    held = {
        each["appRoleId"] for each in assigned["value"] if each["resourceId"] == plan.resource_id
    }
    taken = {f"role:{each.name}" for each in plan.roles if each.id in held}
    wanted, of_all = {each.name for each in plan.scopes}, scopes_for_all(plan, delegated["value"])
    if wanted and wanted <= of_all:
        taken.add("scopes")
    return Granted(
        steps=frozenset(taken),
        extras=tuple(sorted(of_all & PORTAL_EXTRAS.keys() - wanted)),
        foreign=tuple(each for each in differences if not isinstance(each, Loss)),
    )
