"""What the tenant keeps of one round of change tracking, so that a token can continue it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

State = Mapping[str, tuple[int, dict[str, Any] | None]]
"""By object id: the number of the version last reported, and its content; None once removed."""


@dataclass(frozen=True, kw_only=True)
class Round:
    collection: str
    caller: str
    """Client id of whoever asked; nobody else continues the round."""
    names: tuple[str, ...] | None
    """`$select`; None for what the collection returns by default."""
    ids: frozenset[str] | None
    """`$filter`; None for every object."""
    rows: tuple[dict[str, Any], ...] = field(repr=False)
    """Everything this round reports, over all its pages."""
    state: State = field(repr=False)
    """Where the next round begins."""
    at: datetime
