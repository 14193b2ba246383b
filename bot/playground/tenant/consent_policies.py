"""App consent policies: `/policies/permissionGrantPolicies`, and the condition sets they include.

A condition set names permissions and clients, and all of its conditions must hold; a policy allows
a grant that one of its sets includes (learn.microsoft.com/graph/api/resources/
permissiongrantconditionset). A set is made and deleted, never changed. `excludes` are not here.
"""

import re
from dataclasses import dataclass
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import Shape, flag, guid, invalid, is_guid, listed, one_of, text
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate, not_found
from bot.playground.tenant.query import EntitySet, created, many, one

ALL = ["all"]
ANY = "any"
_ID = re.compile(r"(?!microsoft-)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Ids that begin with `microsoft-` are those of built-in policies."""


def _policy_id(name: str, value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise invalid(name)


def _resource(name: str, value: object) -> None:
    if value != ANY:
        guid(name, value)


def _ids_or_all(name: str, value: object) -> None:
    if value != ALL:
        listed(guid)(name, value)
    if not value:
        raise invalid(name)


def _publishers_or_all(name: str, value: object) -> None:
    listed(text(64))(name, value)
    if not value:
        raise invalid(name)


POLICY = Shape(
    name="permissionGrantPolicy",
    writable={"description": text(1024), "displayName": text(256), "id": _policy_id},
    read_only=frozenset({"deletedDateTime"}),
    never_null=frozenset({"displayName", "id"}),
)
CONDITION_SET = Shape(
    name="permissionGrantConditionSet",
    writable={
        "clientApplicationIds": _ids_or_all,
        "clientApplicationPublisherIds": _publishers_or_all,
        "clientApplicationTenantIds": _ids_or_all,
        "clientApplicationsFromVerifiedPublisherOnly": flag,
        "permissionClassification": one_of("all", "low", "medium", "high"),
        "permissionType": one_of("application", "delegated", "delegatedUserConsentable"),
        "permissions": _ids_or_all,
        "resourceApplication": _resource,
    },
    read_only=frozenset({"id"}),
    never_null=frozenset(
        {"clientApplicationIds", "clientApplicationPublisherIds", "clientApplicationTenantIds"}
        | {"clientApplicationsFromVerifiedPublisherOnly", "permissionClassification"}
        | {"permissionType", "permissions", "resourceApplication"}
    ),
)
_WIDEST = {
    "permissionClassification": "all",
    "resourceApplication": ANY,
    "permissions": ALL,
    "clientApplicationIds": ALL,
    "clientApplicationTenantIds": ALL,
    "clientApplicationPublisherIds": ALL,
    "clientApplicationsFromVerifiedPublisherOnly": False,
}
"""What a condition means that is not given: in each case the most inclusive."""

_POLICIES = EntitySet(
    name="policies/permissionGrantPolicies",
    type="permissionGrantPolicy",
    properties=POLICY.properties,
)
_INCLUDES = EntitySet(
    name="policies/permissionGrantPolicies/includes",
    type="permissionGrantConditionSet",
    properties=CONDITION_SET.properties,
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A grant that is about to be made."""

    type: str
    """`application` or `delegated`."""
    resource: str
    """The app id of the API."""
    permission: str
    """Its id."""
    client: str
    """The app id of the application that gets it."""
    client_tenant: str | None
    """The tenant in which that application is registered."""


def create(directory: Directory, request: Request) -> Answer:
    body = request.json
    POLICY.check(body)
    for name in ("id", "displayName"):
        if name not in body:
            raise bad_request(f"A value is required for property '{name}'.")
    if body["id"] in directory.consent_policies:
        raise duplicate("A conflicting object with this id is present in the directory.")
    policy = {"description": None, "deletedDateTime": None, **_plain(body)}
    directory.consent_policies[policy["id"]] = policy
    directory.condition_sets[policy["id"]] = {}
    _record(directory, request, Activity.ADD_POLICY, policy)
    return created(directory.url, _POLICIES, policy)


def read(directory: Directory, request: Request) -> Answer:
    return one(directory.url, request, _POLICIES, _policy(directory, request))


def delete(directory: Directory, request: Request) -> Answer:
    policy = _policy(directory, request)
    del directory.consent_policies[policy["id"]]
    del directory.condition_sets[policy["id"]]
    _record(directory, request, Activity.DELETE_POLICY, policy)
    return Answer(status=204)


def list_includes(directory: Directory, request: Request) -> Answer:
    policy = _policy(directory, request)
    rows = list(directory.condition_sets[policy["id"]].values())
    return many(directory.url, request, _INCLUDES, rows)


def include(directory: Directory, request: Request) -> Answer:
    policy, body = _policy(directory, request), request.json
    CONDITION_SET.check(body)
    if "permissionType" not in body:
        raise bad_request("A value is required for property 'permissionType'.")
    made = {"id": directory.new_id(), **_WIDEST, **_plain(body)}
    if made["permissions"] != ALL and not is_guid(made["resourceApplication"]):
        raise invalid("permissions")  # an id means something only to its API
    directory.condition_sets[policy["id"]][made["id"]] = made
    _record(directory, request, Activity.UPDATE_POLICY, policy)
    return created(directory.url, _INCLUDES, made)


def remove_include(directory: Directory, request: Request) -> Answer:
    """Delete a condition set from the includes."""
    policy = _policy(directory, request)
    id = request.target.keys[1].value
    if directory.condition_sets[policy["id"]].pop(id, None) is None:
        raise not_found(id)
    _record(directory, request, Activity.UPDATE_POLICY, policy)
    return Answer(status=204)


def allows(directory: Directory, policy: str, event: Event) -> bool:
    """Whether a policy includes this grant; a policy that is gone includes none."""
    sets = directory.condition_sets.get(policy, {}).values()
    return any(_matches(each, event) for each in sets)


def _matches(conditions: dict[str, Any], event: Event) -> bool:
    return (
        conditions["permissionType"] == event.type
        and conditions["resourceApplication"] in (ANY, event.resource)
        and _holds(conditions["permissions"], event.permission)
        and _holds(conditions["clientApplicationIds"], event.client)
        and _holds(conditions["clientApplicationTenantIds"], event.client_tenant)
        # No application of this tenant has a verified publisher, no permission a classification.
        and conditions["clientApplicationPublisherIds"] == ALL
        and not conditions["clientApplicationsFromVerifiedPublisherOnly"]
        and conditions["permissionClassification"] == "all"
    )


def _holds(allowed: list[str], id: str | None) -> bool:
    return allowed == ALL or id in allowed


def _policy(directory: Directory, request: Request) -> dict[str, Any]:
    id = request.target.keys[0].value
    if id not in directory.consent_policies:
        raise not_found(id)
    return directory.consent_policies[id]


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not name.startswith("@odata.")}


def _record(
    directory: Directory, request: Request, activity: Activity, policy: dict[str, Any]
) -> None:
    audit_log.record(directory, request.caller, activity, Touched(kind="Policy", body=policy))
