"""Look whether an administrator has granted what a plan asks for, and nothing else.

Several registrations are read in one `$batch`, with no right that the bot's other work does not
need: delegated grants only where the bot may see them (graph/rights.py). The application is read,
too: what it asks for is what the administrator will grant.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from graph.application import CHANGED, NOTHING_DONE
from graph.calls import Answer, Call, Json, identifier, selection
from graph.client import Client
from graph.drift import objects, permissions
from graph.drift import snapshot as parts
from graph.drift.permissions import PORTAL_EXTRAS, Expected, Leftover, Loss
from graph.drift.snapshot import Snapshot
from graph.errors import Forbidden, GraphError, NotOurs
from graph.grants import SCOPES_STEP, role_step
from graph.permissions import Permission
from graph.plan import Plan
from graph.rights import may_see_scopes
from graph.tenant_cache import TenantCache

UNSEEN = "The bot may not see delegated grants."
READS = 3
MOST_AT_ONCE = 20 // READS
"""How many registrations one `$batch` covers."""

_APPLICATION = {
    "appId": identifier,
    "uniqueName?": str,
    **{
        name: parts.SHAPES[parts.APPLICATION][name]
        for name in ("requiredResourceAccess", "passwordCredentials", "keyCredentials")
    },
}
_SHAPES = {**parts.SHAPES, parts.APPLICATION: _APPLICATION}


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """A registration whose service principal waits for its grants."""

    registration: str
    object_id: str
    """The application's."""
    app_id: str
    principal_id: str
    plan: Plan
    closing: AbstractSet[str] = frozenset()
    """Key ids of secrets of earlier runs that Entra may still hold."""


@dataclass(frozen=True, kw_only=True)
class Granted:
    """What was granted to an application, compared with its plan."""

    permissions: frozenset[Permission]
    """Those of the plan that are granted."""
    steps: frozenset[str]
    """The names of the steps of the plan that are taken by that."""
    extras: tuple[str, ...] = ()
    """Harmless delegated permissions that the Entra admin centre has added."""
    foreign: tuple[str, ...] = ()
    """A sentence for each thing that was not approved: a grant, a request for one, a credential."""
    sees_scopes: bool = True
    """Whether the bot may see delegated grants."""


async def look(
    graph: Client, awaited: Sequence[Awaited], *, tenant_cache: TenantCache, now: datetime
) -> Mapping[str, Granted | GraphError]:
    """Return by registration what was granted, or why that could not be read.

    Takes one call of Graph for at most MOST_AT_ONCE registrations, and more only for long lists and
    unknown permissions. Raises GraphError.
    """
    # By the token in use: with too few rights, a new one would be asked for at each look.
    sees_scopes = may_see_scopes(await graph.roles())
    calls = {each.registration: _reads(each, sees_scopes=sees_scopes) for each in awaited}
    answers = await graph.batch(
        {f"{id}:{part}": call for id, them in calls.items() for part, call in them.items()}
    )
    found: dict[str, Granted | GraphError] = {}
    for each in awaited:
        try:
            if each.plan.scopes and not sees_scopes:
                raise Forbidden(sentence=UNSEEN)
            read = {
                part: await _read(graph, call, part, answers[f"{each.registration}:{part}"])
                for part, call in calls[each.registration].items()
            }
            found[each.registration] = await _compared(each, read, tenant_cache, now)
        except GraphError as error:
            found[each.registration] = error
    return found


def _reads(awaited: Awaited, *, sees_scopes: bool) -> dict[str, Call]:
    path, query = f"/applications/{awaited.object_id}", {"$select": selection(_APPLICATION)}
    grants = parts.grants_of(awaited.principal_id)
    if not sees_scopes:
        del grants[parts.SCOPES]
    return {parts.APPLICATION: Call("GET", path, query), **grants}


async def _read(graph: Client, call: Call, part: str, answer: Answer | GraphError) -> Json:
    if isinstance(answer, GraphError):
        raise answer
    return await parts.whole(graph, call, answer, _SHAPES[part])


async def _compared(
    awaited: Awaited, read: Mapping[str, Json], tenant_cache: TenantCache, now: datetime
) -> Granted:
    plan, application = awaited.plan, read[parts.APPLICATION]
    made = (application["appId"], application.get("uniqueName"))
    if made != (awaited.app_id, plan.key):
        raise NotOurs(call="GET /applications/…", sentence=CHANGED, advice=NOTHING_DONE)
    sees_scopes = parts.SCOPES in read
    delegated = read.get(parts.SCOPES, {"value": []})
    names = await permissions.names(Snapshot(parts=read), tenant_cache)
    expected = Expected(plan=plan, secrets={}, now=now, closing=awaited.closing, names=names)
    differences = [
        *permissions.roles(expected, read[parts.ROLES]),
        *permissions.scopes(expected, delegated),
        *permissions.required(expected, application),
        *objects.secrets(expected, application),
    ]
    held = frozenset(_held(plan, read[parts.ROLES], delegated))
    steps = {role_step(each) for each in held & set(plan.roles)}
    if plan.scopes and set(plan.scopes) <= held:
        steps.add(SCOPES_STEP)
    granted = permissions.scopes_for_all(plan, delegated["value"])
    return Granted(
        permissions=held,
        steps=frozenset(steps),
        extras=tuple(sorted(granted & PORTAL_EXTRAS.keys() - {it.name for it in plan.scopes})),
        foreign=tuple(str(each) for each in differences if not isinstance(each, Loss | Leftover)),
        sees_scopes=sees_scopes,
    )


def _held(plan: Plan, assigned: Json, delegated: Json) -> Iterator[Permission]:
    """Yield the permissions of the plan that are granted."""
    ids = {each["appRoleId"] for each in assigned["value"] if permissions.is_graph(plan, each)}
    names = permissions.scopes_for_all(plan, delegated["value"])
    yield from (each for each in plan.roles if each.id in ids)
    yield from (each for each in plan.scopes if each.name in names)
