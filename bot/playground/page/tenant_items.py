"""What every window shows of the tenant: its objects, grants, audit log, calls and faults.

Never the text of a secret: objects hold none, and whatever is sent is masked all the same.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from bot.playground.directory_sync import USER_AGENT
from bot.playground.page.item import Item, Items, as_is
from bot.playground.tenant import Tenant
from bot.playground.tenant.calls import Call
from bot.playground.tenant.log import masked
from graph.permissions import CATALOGUE

NEWEST_CALLS = 200
NEWEST_AUDITS = 100
Json = dict[str, Any]


class TenantItems:
    """Looks at the tenant, which is the same for all windows."""

    def __init__(self, tenant: Tenant, *, consent_mode: str) -> None:
        self._tenant = tenant
        self._facts = {
            "id": tenant.id,
            "name": tenant.name,
            "domain": tenant.domain,
            "users": len(tenant.people.users),
            "groups": len(tenant.people.groups),
            "consent_mode": consent_mode,
            "permissions": {each.id: each.name for each in CATALOGUE.values()},
        }

    def look(self) -> Items:
        tenant = self._tenant
        principals = tenant.service_principals
        shown = {each["id"] for each in principals}
        assignments = [each for each in tenant.assignments if each["principalId"] in shown]
        grants = [each for each in tenant.grants if each["clientId"] in shown]
        return {
            "tenant": as_is(self._facts),
            **_objects("application", tenant.applications),
            **_objects("service_principal", principals),
            **_objects("assignment", assignments),
            **_objects("grant", grants),
            **_objects("deleted", tenant.deleted),
            **dict(self._calls()),
            **dict(self._audits()),
        }

    def trouble(self) -> Json:
        """Return the faults in store, and what the policy for new applications restricts."""
        return {**self._tenant.faults.to_json(), "policy": self._tenant.policy.told()}

    def _calls(self) -> Iterator[tuple[str, Item]]:
        log = self._tenant.log
        first = max(0, len(log) - NEWEST_CALLS)
        for number, call in enumerate(log[first:], first):
            yield f"call/{number}", Item(number, partial(self._call, number, call))

    def _call(self, number: int, call: Call) -> Json:
        return {
            "number": number,
            "at": call.at.isoformat(),
            "kind": call.kind,
            "method": call.method,
            "path": call.path,
            "status": call.status,
            "error": call.error_code,
            "seconds": round(call.seconds, 3),
            "by": self._caller(call),
        }

    def _caller(self, call: Call) -> str:
        if call.user_agent == USER_AGENT:
            return "vendor"
        if call.caller_app_id == self._tenant.administrator.client_id:
            return "administrator"
        return "person" if call.kind == "browser" else "bot"

    def _audits(self) -> Iterator[tuple[str, Item]]:
        for entry in self._tenant.audits[:NEWEST_AUDITS]:
            number = entry["id"].rpartition("_")[2]
            yield f"audit/{number}", Item(entry["id"], partial(masked, entry))


def _objects(kind: str, bodies: Iterable[Json]) -> Items:
    return {f"{kind}/{body['id']}": Item(body, partial(masked, body)) for body in bodies}
