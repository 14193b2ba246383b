"""Objects as the tenant's replicas know them: a write is true at once, and seen later.

Each write of an object is a version with one time per replica from which that replica shows it.
A request is served by one replica, so between the fastest and the slowest of them an object may be
there, gone, and there again (devblogs.microsoft.com/identity/designing-for-eventual-consistency-
for-microsoft-entra). Uniqueness is decided on the truth, what a caller refers to on what is seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Body = dict[str, Any]

REPLICAS = 2
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    APPLICATION = "application"
    SERVICE_PRINCIPAL = "service_principal"
    ASSIGNMENT = "app_role_assignment"
    GRANT = "permission_grant"
    FEDERATED_CREDENTIAL = "federated_identity_credential"
    # What the token endpoint knows travels on a road of its own.
    SECRET = "secret"
    CERTIFICATE = "certificate"
    ROLE = "role"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When a request is served, and by which replica."""

    now: datetime
    replica: int


@dataclass(frozen=True, kw_only=True)
class Version:
    """The object after one write; None after its removal."""

    body: dict[str, Any] | None = field(repr=False)
    seen_from: tuple[datetime, ...]


@dataclass(kw_only=True)
class Store:
    """Every version of every object that lags."""

    arrivals: Callable[[Kind], tuple[datetime, ...]]
    """When a write of that kind, made now, arrives at each replica."""
    _rows: dict[Kind, dict[str, list[Version]]] = field(
        default_factory=lambda: {kind: {} for kind in Kind}
    )

    def put(self, kind: Kind, id: str, body: dict[str, Any]) -> None:
        self._write(kind, id, body)

    def remove(self, kind: Kind, id: str) -> None:
        self._write(kind, id, None)

    def plant(self, kind: Kind, id: str, body: dict[str, Any] | None) -> None:
        """Write without lag, as if it had been so for a long time."""
        version = Version(body=body, seen_from=(_LONG_AGO,) * REPLICAS)
        self._rows[kind].setdefault(id, []).append(version)

    def get(self, kind: Kind, id: str) -> dict[str, Any] | None:
        """Return the truth, or None where there is no such object (any more)."""
        versions = self._rows[kind].get(id)
        return versions[-1].body if versions else None

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        return [body for row in self._rows[kind].values() if (body := row[-1].body) is not None]

    def ever(self, kind: Kind) -> list[dict[str, Any]]:
        """Return every content that every object has ever had."""
        rows = self._rows[kind].values()
        return [version.body for row in rows for version in row if version.body is not None]

    def seen(self, kind: Kind, id: str, moment: Moment) -> dict[str, Any] | None:
        """Return what the replica of that moment shows."""
        return _seen(self._rows[kind].get(id, []), moment)

    def all_seen(self, kind: Kind, moment: Moment) -> list[dict[str, Any]]:
        rows = self._rows[kind].values()
        return [body for row in rows if (body := _seen(row, moment)) is not None]

    def _write(self, kind: Kind, id: str, body: dict[str, Any] | None) -> None:
        version = Version(body=body, seen_from=self.arrivals(kind))
        self._rows[kind].setdefault(id, []).append(version)


def _seen(versions: list[Version], moment: Moment) -> Body | None:
    for version in reversed(versions):
        if version.seen_from[moment.replica] <= moment.now:
            return version.body
    return None
