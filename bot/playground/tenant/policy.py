"""The tenant's policy for credentials of applications: `defaultAppManagementPolicy`.

Shape and restriction types: learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy;
error codes as clients meet them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.playground.tenant.errors import GraphFailure, bad_request

POLICY_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, kw_only=True)
class CredentialPolicy:
    """Which secrets applications may get. Nothing is restricted by default, as in a new tenant."""

    secrets_banned: bool = False
    longest_secret: timedelta | None = None
    for_applications_since: datetime | None = None

    def check(self, *, created: datetime, start: datetime, end: datetime) -> None:
        """Refuse a secret for an application created at that time."""
        if self.for_applications_since and created < self.for_applications_since:
            return
        if self.secrets_banned:
            raise _type_not_allowed()
        if self.longest_secret is not None and end - start > self.longest_secret:
            raise _lives_too_long()

    def to_json(self) -> dict[str, Any]:
        restrictions = {"passwordCredentials": self._restrictions(), "keyCredentials": []}
        return {
            "id": POLICY_ID,
            "displayName": "Default app management tenant policy",
            "description": "Default tenant policy that enforces app management restrictions.",
            "isEnabled": bool(self._restrictions()),
            "applicationRestrictions": {"identifierUris": None, **restrictions},
            "servicePrincipalRestrictions": {"passwordCredentials": [], "keyCredentials": []},
        }

    def _restrictions(self) -> list[dict[str, Any]]:
        restrictions = []
        if self.secrets_banned:
            restrictions.append(self._restriction("passwordAddition", None))
        if self.longest_secret is not None:
            days = f"P{self.longest_secret.days}D"
            restrictions.append(self._restriction("passwordLifetime", days))
        return restrictions

    def _restriction(self, kind: str, longest: str | None) -> dict[str, Any]:
        since = self.for_applications_since
        return {
            "restrictionType": kind,
            "state": "enabled",
            "maxLifetime": longest,
            "restrictForAppsCreatedAfterDateTime": since.isoformat() if since else None,
            "excludeActors": None,
        }


def _type_not_allowed() -> GraphFailure:
    message = "Credential type not allowed as per assigned policy."
    return bad_request(message, code="CredentialTypeNotAllowedAsPerAppPolicy")


def _lives_too_long() -> GraphFailure:
    message = (
        f"Credential lifetime exceeds the max value allowed as per assigned policy '{POLICY_ID}'."
    )
    detail = {"code": "InvalidKeyEndDate", "message": message, "target": "EndDate"}
    return bad_request(message, code="CredentialInvalidLifetimeAsPerAppPolicy", details=[detail])
