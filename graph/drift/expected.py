"""The expected state that the tenant is compared with."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from graph.permissions import CATALOGUE
from graph.plan import Plan

KNOWN_IDS = {permission.id: permission.name for permission in CATALOGUE.values()}


class Loss(str):
    """A difference that leaves the application with less than was approved: no attack."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The expected objects and grants, from everything that this bot knows."""

    plan: Plan
    secrets: Mapping[str, datetime]
    """The end of each live secret of ours, by key id."""
    now: datetime
    closing: AbstractSet[str] = frozenset()
    """Key ids of secrets of ours that are closed, and that Entra may still hold."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Microsoft Graph's permissions in this tenant: names by id."""

    def name(self, id: str) -> str:
        """Return a permission's name, or its id if the name is unknown."""
        return KNOWN_IDS.get(id) or self.names.get(id) or id
