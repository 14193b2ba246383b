"""Drift: how the tenant differs from the plan, in sentences for people. It changes nothing.

A check costs one call: a `$batch` of nine reads. More only where there is something to say: one if
the application or its service principal is gone, one if another service principal stands in its
place, one for Microsoft Graph's own list of permissions (remembered for five minutes) if one was
granted that this bot never grants, one for each page of more than a hundred grants. If the bot was
refused a part, it asks for everything again with a new token (one).
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from graph.drift import credentials, objects, permissions
from graph.drift import snapshot as parts
from graph.drift.expected import Expected, Loss
from graph.drift.permissions import PORTAL_EXTRAS
from graph.drift.snapshot import Snapshot
from graph.step_context import StepContext
from graph.tenant_cache import TenantCache

__all__ = ["PORTAL_EXTRAS", "Drift", "Expected", "compare", "look"]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Differences, tolerated differences, and parts that the bot could not read."""

    differences: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def alarming(self) -> tuple[str, ...]:
        """The differences that may be an attack: more access than approved, or a disguise."""
        return tuple(each for each in self.differences if not isinstance(each, Loss))


async def look(
    context: StepContext,
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
    plan = expected.plan
    application = seen.parts.get(parts.APPLICATION)
    principal = seen.parts.get(parts.PRINCIPAL)
    differences = [*objects.gone(seen), *objects.remade(seen)]
    if application:
        differences += objects.settings(plan, application)
        differences += objects.openings(application)
        differences += permissions.required(expected, application)
        differences += objects.marks(plan, application)
        differences += credentials.secrets(expected, application)
    differences += credentials.federated(seen)
    if principal:
        differences += objects.sign_in(principal)
    differences += permissions.roles(expected, seen)
    differences += permissions.scopes(expected, seen)
    differences += objects.owners(seen, parts.OWNERS, "the application")
    differences += objects.owners(seen, parts.PRINCIPAL_OWNERS, "the service principal")
    waiting = credentials.waiting(expected, application)
    return Drift(
        differences=tuple(differences),
        tolerated=(*permissions.tolerated(plan, seen), *waiting),
        unseen=tuple(_unseen(seen)),
    )


def _unseen(seen: Snapshot) -> Iterator[str]:
    for name in sorted(seen.refused - {parts.BOT, parts.STANDING}):
        yield f"The {name}: Entra refused (insufficient privileges)."
    if parts.BOT in seen.refused | seen.gone:
        yield "Who owns it: Entra does not tell the bot which service principal is its own."
