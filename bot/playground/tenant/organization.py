"""`/organization`, the policy for credentials: what the tenant says of itself."""

from typing import Any

from bot.playground.tenant import quota
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.query import EntitySet, many, one

_ALWAYS = ("id", "displayName", "verifiedDomains")
ORGANIZATION = EntitySet(
    name="organization",
    type="organization",
    properties=frozenset(
        {*_ALWAYS, "assignedPlans", "city", "country", "countryLetterCode", "createdDateTime"}
        | {"defaultUsageLocation", "deletedDateTime", "onPremisesSyncEnabled", "tenantType"}
        | {"technicalNotificationMails", "state", "street", "postalCode", "preferredLanguage"}
    ),
)
POLICIES = EntitySet(
    name="policies/defaultAppManagementPolicy",
    type="tenantAppManagementPolicy",
    properties=frozenset(
        {"id", "displayName", "description", "isEnabled"}
        | {"applicationRestrictions", "servicePrincipalRestrictions"}
    ),
)


def list_organizations(directory: Directory, request: Request) -> Answer:
    return many(directory.url, request, ORGANIZATION, [_organization(directory, request)])


def read_policy(directory: Directory, request: Request) -> Answer:
    return one(directory.url, request, POLICIES, directory.policy.to_json())


def _organization(directory: Directory, request: Request) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": directory.id,
        "displayName": directory.name,
        "verifiedDomains": [
            _verified(directory.domain, default=True),
            _verified(directory.initial_domain, default=False),
        ],
    }
    # With a right over users alone only these properties are filled in.
    if request.caller.permissions & {"Organization.Read.All", "Directory.Read.All"}:
        known |= {"createdDateTime": "2019-03-01T09:00:00Z", "tenantType": "AAD"}
        if (size := quota.told(directory)) is not None:
            known["directorySizeQuota"] = size
    empty: dict[str, Any] = dict.fromkeys(sorted(ORGANIZATION.properties))
    return {**empty, **known}


def _verified(name: str, *, default: bool) -> dict[str, Any]:
    return {
        "capabilities": "Email, OfficeCommunicationsOnline",
        "isDefault": default,
        "isInitial": not default,
        "name": name,
        "type": "Managed",
    }
