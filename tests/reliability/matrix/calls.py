"""The calls that a registration makes, as the faults of the simulated tenant name them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from bot.playground.tenant.calls import Call


class Part(StrEnum):
    """When a call is made: before anybody is asked, after the approval, or while it waits for an
    administrator."""

    PREFLIGHT = "preflight"
    ROAD = "road"
    CONSENT = "consent"


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One call: how the tenant's faults find it, and what may happen to it."""

    name: str
    method: str
    path: str
    part: Part
    writes: bool = False
    signs_in: bool = False
    batched: bool = False
    """It travels inside a `$batch`, so its own connection cannot be cut."""
    siblings: int = 0
    """How many other calls are made here at the same time."""

    def of(self, log: list[Call]) -> list[Call]:
        """Return the calls of the log that were made here."""
        return [
            call for call in log if call.method == self.method and re.search(self.path, call.path)
        ]


TOKEN = r"/oauth2/v2\.0/token$"

_preflight = partial(Spot, part=Part.PREFLIGHT, method="GET")
_write = partial(Spot, part=Part.ROAD, method="POST", writes=True)
SPOTS = (
    _preflight(name="own-token", method="POST", path=TOKEN, signs_in=True),
    _preflight(name="organization", path=r"/organization$"),
    _preflight(name="microsoft-graph", path=r"/servicePrincipals\(appId='00000003-"),
    _preflight(name="policy", path="/defaultAppManagementPolicy$"),
    _preflight(name="namesakes", path=r"/applications$"),
    _write(name="application", method="PATCH", path=r"/applications\(uniqueName="),
    _write(name="service-principal", method="PATCH", path=r"/servicePrincipals\(appId="),
    _write(name="role", path="/appRoleAssignedTo$", siblings=1),
    _write(name="scopes", path="/oauth2PermissionGrants$"),
    _write(name="secret", path="/addPassword$"),
    Spot(name="new-token", method="POST", path=TOKEN, part=Part.ROAD, signs_in=True),
    Spot(name="batch", method="POST", path=r"/\$batch$", part=Part.ROAD),
    Spot(name="users", method="GET", path="/users$", part=Part.ROAD, batched=True),
)

BY_NAME = {spot.name: spot for spot in SPOTS}
