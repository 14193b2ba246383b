"""Drift: how the tenant differs from the plan, in sentences for people. It changes nothing.

A check costs one call: a `$batch` of nine reads. More only where there is something to say: one if
the application or its service principal is gone, one if another service principal stands in its
place, one for Microsoft Graph's own list of permissions (remembered for five minutes) if one was
granted that this bot never grants, one for each page of more than a hundred grants. If the bot was
refused a part, it asks for everything again with a new token (one).
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from graph.calls import Json
from graph.drift import objects, permissions
from graph.drift import snapshot as parts
from graph.drift.permissions import PORTAL_EXTRAS, Expected, Leftover, Loss, Ungranted
from graph.drift.snapshot import Snapshot
from graph.permissions import Permission
from graph.step_context import GrantContext
from graph.tenant_cache import TenantCache

__all__ = ["PORTAL_EXTRAS", "Drift", "Expected", "compare", "look"]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Differences, tolerated differences, and parts that the bot could not read."""

    differences: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    sees_grants: bool = True
    """Whether the bot could read all that the permissions of the plan are compared with."""

    @property
    def alarming(self) -> tuple[str, ...]:
        """The differences that may be an attack: more access than approved, or a disguise."""
        return tuple(each for each in self.differences if not isinstance(each, Loss))

    @property
    def unapproved(self) -> tuple[str, ...]:
        """The alarming ones without secrets that a lost answer may have left."""
        return tuple(each for each in self.alarming if not isinstance(each, Leftover))

    @property
    def ungranted(self) -> frozenset[Permission]:
        """The permissions of the plan that are not granted, as far as the bot may see that."""
        return frozenset(it.permission for it in self.differences if isinstance(it, Ungranted))


async def look(
    context: GrantContext,
    *,
    tenant_cache: TenantCache,
    secrets: Mapping[str, datetime],
    closing: AbstractSet[str] = frozenset(),
) -> Drift:
    """Read the tenant and compare. Raises GraphError if it could not be read at all.

    `secrets` are the live ones: their ends by key id; `closing` those that wait for their removal.
    """
    seen = await parts.read(context)
    expected = Expected(
        plan=context.plan,
        secrets=secrets,
        now=context.clock.now(),
        closing=closing,
        names=await permissions.names(seen, tenant_cache),
    )
    return compare(expected, seen)


def compare(expected: Expected, seen: Snapshot) -> Drift:
    """Return every difference. Pure."""
    differences, plan = [*objects.gone(seen), *objects.remade(seen)], expected.plan
    # With the service principal go its delegated grants, whose list is then empty.
    read = seen.parts.keys() - ({parts.SCOPES} if parts.PRINCIPAL in seen.gone else set())
    for part, check in _CHECKS:
        if part in read:
            differences += check(expected, seen.parts[part])
    for part in (parts.OWNERS, parts.PRINCIPAL_OWNERS):
        differences += objects.owners(seen, part)
    waiting = objects.waiting(expected, seen.parts.get(parts.APPLICATION))
    return Drift(
        differences=tuple(differences),
        tolerated=(*permissions.tolerated(plan, seen), *waiting),
        unseen=tuple(_unseen(seen)),
        sees_grants=not seen.refused & {parts.ROLES, *([parts.SCOPES] if plan.scopes else [])},
    )


_Check = Callable[[Expected, Json], Iterator[str]]
_CHECKS: tuple[tuple[str, _Check], ...] = (
    (parts.APPLICATION, objects.settings),
    (parts.APPLICATION, objects.openings),
    (parts.APPLICATION, permissions.required),
    (parts.APPLICATION, objects.marks),
    (parts.APPLICATION, objects.secrets),
    (parts.FEDERATED, objects.federated),
    (parts.PRINCIPAL, objects.sign_in),
    (parts.ROLES, permissions.roles),
    (parts.SCOPES, permissions.scopes),
)
"""The part that each check reads, in the order of the report. A part that was not read is passed
over: it is gone, which is said once, or unseen."""


def _unseen(seen: Snapshot) -> Iterator[str]:
    for name in sorted(seen.refused - {parts.BOT, parts.STANDING}):
        yield f"The {name}: Entra refused (insufficient privileges)."
    if parts.BOT in seen.refused | seen.gone:
        yield "Who owns it: Entra does not tell the bot which service principal is its own."
