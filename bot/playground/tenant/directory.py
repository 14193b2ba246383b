"""The tenant's directory: everything it holds, and the rules every write obeys."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bot.playground.tenant.calls import Caller
from bot.playground.tenant.errors import too_close_together
from bot.playground.tenant.faults import Faults
from bot.playground.tenant.logins import Logins
from bot.playground.tenant.policy import AppManagementPolicy
from bot.playground.tenant.replicas import Kind, Store
from bot.playground.tenant.seeding import People, new_id
from graph.clock import Clock
from graph.clouds import Cloud


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A limit, and how many objects there are of kinds that this tenant does not count."""

    total: int
    others: int


@dataclass(kw_only=True)
class Directory:
    id: str
    name: str
    domain: str
    initial_domain: str
    url: str
    cloud: Cloud
    clock: Clock
    random: Random
    faults: Faults
    store: Store
    people: People
    policy: AppManagementPolicy = field(default_factory=AppManagementPolicy)
    quota: Quota | None = None
    owners: dict[str, set[str]] = field(default_factory=dict)
    """Object id of an application or service principal → object ids of its owners."""
    app_policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """App management policies besides the default one, by id; like owners, they do not lag."""
    assigned_policies: dict[str, str] = field(default_factory=dict)
    """Object id of an application → id of the policy that takes the default one's place."""
    consent_policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """App consent policies, by id; these and directory roles do not lag either."""
    condition_sets: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Id of an app consent policy → the condition sets that it includes, by id."""
    role_definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Custom directory roles, by id."""
    role_assignments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Who holds them, by the id of the assignment."""
    deleted: dict[str, tuple[Kind, dict[str, Any]]] = field(default_factory=dict)
    """What was deleted and can still be restored, by object id."""
    audits: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    """The audit log: when readers see an entry, and the entry."""
    issuers: dict[str, RSAPublicKey] = field(default_factory=dict)
    """Address of an issuer of tokens → its key, which Entra would fetch from there."""
    built_in_roles: dict[str, set[str]] = field(default_factory=dict)
    """Object id of a user → template ids of the directory roles that were assigned."""
    logins: Logins = field(default_factory=Logins)
    _written: dict[str, datetime] = field(default_factory=dict)

    def new_id(self) -> str:
        return new_id(self.random)

    def now(self) -> datetime:
        return self.clock.now()

    def stamp(self) -> str:
        return stamp(self.now())

    def claim(self, id: str) -> None:
        """Begin a write to that object; refused if the one before was a moment ago."""
        window = timedelta(seconds=self.faults.conflict_window)
        before = self._written.get(id)
        if window and before is not None and self.now() - before < window:
            raise too_close_together()
        self._written[id] = self.now()

    def owns(self, caller: Caller, id: str) -> bool:
        return caller.principal_id in self.owners.get(id, ())

    def find(self, kind: Kind, **wanted: object) -> dict[str, Any] | None:
        """Return the one object that truly has these values, whether a replica shows it or not."""
        for body in self.store.all(kind):
            if all(body[name] == value for name, value in wanted.items()):
                return body
        return None


def stamp(time: datetime) -> str:
    """Write a time as Graph does."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
