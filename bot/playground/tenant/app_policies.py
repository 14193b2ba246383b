"""App management policies for single applications: `/policies/appManagementPolicies`.

One policy at most is assigned to an application; it takes the place of the tenant's default one,
of which nothing is inherited (learn.microsoft.com/graph/api/resources/
applicationauthenticationmethodpolicy). A policy that is not enabled replaces no other.
Of its restrictions the lifetime and addition of secrets and the lifetime of certificates are
enforced; `excludeActors` and `applicationRestrictions` are refused unless null.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import invalid, read_duration, read_time
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request, not_found
from bot.playground.tenant.lookup import seen
from bot.playground.tenant.policy import AppManagementPolicy
from bot.playground.tenant.query import EntitySet, created, many, one
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import APP_POLICY, APPLICATION

POLICIES = EntitySet(
    name="policies/appManagementPolicies",
    type="appManagementPolicy",
    properties=APP_POLICY.properties,
    filterable=frozenset({"id", "displayName", "isEnabled"}),
)
_APPLIES_TO = EntitySet(
    name="directoryObjects", type="directoryObject", properties=APPLICATION.properties
)
_REFERENCE = re.compile(
    r"https://[^/]+/v1\.0/policies/appManagementPolicies/(?P<id>[0-9a-fA-F-]{36})"
)
_REFERENCE_NAME = "@odata.id"


def create(directory: Directory, request: Request) -> Answer:
    body = _checked(request.json)
    for name in ("displayName", "description"):
        if name not in body:
            raise bad_request(f"A value is required for property '{name}'.")
    blank = {"isEnabled": False, "restrictions": {}}
    policy = {"id": directory.new_id(), "deletedDateTime": None, **_merge(blank, body)}
    directory.app_policies[policy["id"]] = policy
    _record(directory, request, Activity.ADD_POLICY, policy)
    return created(directory.url, POLICIES, policy)


def list_all(directory: Directory, request: Request) -> Answer:
    return many(directory.url, request, POLICIES, list(directory.app_policies.values()))


def read(directory: Directory, request: Request) -> Answer:
    return one(directory.url, request, POLICIES, _policy(directory, request.target.keys[0].value))


def update(directory: Directory, request: Request) -> Answer:
    body = _checked(request.json)
    policy = _policy(directory, request.target.keys[0].value)
    changed = _merge(policy, body)
    directory.app_policies[policy["id"]] = changed
    _record(directory, request, Activity.UPDATE_POLICY, changed, before=policy)
    return Answer(status=204)


def delete(directory: Directory, request: Request) -> Answer:
    policy = _policy(directory, request.target.keys[0].value)
    if policy["id"] in directory.assigned_policies.values():
        raise bad_request("The policy cannot be deleted while it is assigned to an object.")
    del directory.app_policies[policy["id"]]
    _record(directory, request, Activity.DELETE_POLICY, policy)
    return Answer(status=204)


def list_applications(directory: Directory, request: Request) -> Answer:
    """`…/appliesTo`: the applications to which a policy is assigned."""
    policy = _policy(directory, request.target.keys[0].value)
    shown = directory.store.all_seen(Kind.APPLICATION, request.moment)
    rows = [
        {"@odata.type": "#microsoft.graph.application", **row}
        for row in shown
        if directory.assigned_policies.get(row["id"]) == policy["id"]
    ]
    return many(directory.url, request, _APPLIES_TO, rows)


def list_of_application(directory: Directory, request: Request) -> Answer:
    application = seen(directory, request, Kind.APPLICATION)
    policy = _assigned(directory, application["id"])
    return many(directory.url, request, POLICIES, [policy] if policy else [])


def assign(directory: Directory, request: Request) -> Answer:
    body = request.json
    reference = _REFERENCE.fullmatch(str(body.get(_REFERENCE_NAME)))
    if set(body) != {_REFERENCE_NAME} or reference is None:
        raise bad_request("Invalid URL format specified in @odata.id for reference.")
    application = seen(directory, request, Kind.APPLICATION)
    policy = _policy(directory, reference["id"])
    if application["id"] in directory.assigned_policies:
        raise bad_request("Only one app management policy can be assigned to an object.")
    directory.assigned_policies[application["id"]] = policy["id"]
    _record_assignment(directory, request, Activity.ADD_POLICY_TO_APPLICATION, application, policy)
    return Answer(status=204)


def unassign(directory: Directory, request: Request) -> Answer:
    application = seen(directory, request, Kind.APPLICATION)
    id = request.target.keys[1].value
    if directory.assigned_policies.get(application["id"]) != id:
        raise not_found(id)
    policy = _policy(directory, id)
    del directory.assigned_policies[application["id"]]
    activity = Activity.REMOVE_POLICY_FROM_APPLICATION
    _record_assignment(directory, request, activity, application, policy)
    return Answer(status=204)


def default_policy_for(directory: Directory, id: str) -> AppManagementPolicy:
    """Return the tenant's default policy as far as it holds for this application."""
    if _enabled(directory, id) is None:
        return directory.policy
    return AppManagementPolicy(reference_required=directory.policy.reference_required)


def check_secret(
    directory: Directory, application: dict[str, Any], *, start: datetime, end: datetime
) -> None:
    """Refuse a secret that the application's own policy does not allow."""
    for policy, restriction in _in_force(directory, application, "passwordCredentials"):
        if restriction["restrictionType"] == "passwordAddition":
            message = "Credential type not allowed as per assigned policy."
            raise bad_request(message, code="CredentialTypeNotAllowedAsPerAppPolicy")
        if restriction["restrictionType"] == "passwordLifetime":
            _check_life(policy, restriction, start, end)


def check_certificate(
    directory: Directory, application: dict[str, Any], *, start: datetime, end: datetime
) -> None:
    """Refuse a certificate that lives longer than the application's own policy allows."""
    for policy, restriction in _in_force(directory, application, "keyCredentials"):
        _check_life(policy, restriction, start, end)


def _check_life(
    policy: dict[str, Any], restriction: dict[str, Any], start: datetime, end: datetime
) -> None:
    longest = read_duration(restriction["maxLifetime"])
    if longest is not None and end - start > longest:
        raise _lives_too_long(policy["id"])


def _in_force(
    directory: Directory, application: dict[str, Any], kind: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the application's own policy with each restriction that concerns it."""
    made = datetime.fromisoformat(application["createdDateTime"])
    policy = _enabled(directory, application["id"])
    if policy is None:
        return
    for restriction in policy["restrictions"].get(kind, []):
        since = restriction.get("restrictForAppsCreatedAfterDateTime")
        after = read_time(since) if since else None
        if restriction.get("state") != "disabled" and (after is None or made >= after):
            yield policy, restriction


def _lives_too_long(id: str) -> GraphFailure:
    message = f"Credential lifetime exceeds the max value allowed as per assigned policy '{id}'."
    detail = {"code": "InvalidKeyEndDate", "message": message, "target": "EndDate"}
    return bad_request(message, code="CredentialInvalidLifetimeAsPerAppPolicy", details=[detail])


def _assigned(directory: Directory, id: str) -> dict[str, Any] | None:
    return directory.app_policies.get(directory.assigned_policies.get(id, ""))


def _enabled(directory: Directory, id: str) -> dict[str, Any] | None:
    policy = _assigned(directory, id)
    return policy if policy and policy["isEnabled"] else None


def _policy(directory: Directory, id: str) -> dict[str, Any]:
    if id not in directory.app_policies:
        raise not_found(id)
    return directory.app_policies[id]


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """Lifetimes need a length, and nothing else has one; each kind of restriction comes once."""
    APP_POLICY.check(body)
    restrictions = body.get("restrictions", {})
    for name in ("passwordCredentials", "keyCredentials"):
        given = restrictions.get(name, [])
        kinds = [restriction.get("restrictionType") for restriction in given]
        if None in kinds or len(set(kinds)) != len(kinds):
            raise invalid("restrictionType")
        for restriction in given:
            limited = restriction.get("maxLifetime") is not None
            if limited != restriction["restrictionType"].endswith("Lifetime"):
                raise invalid("maxLifetime")
    return body


def _merge(policy: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in changes.items() if not name.startswith("@odata.")}
    restrictions = {**policy["restrictions"], **known.get("restrictions", {})}
    return {**policy, **known, "restrictions": restrictions}


def _record(
    directory: Directory,
    request: Request,
    activity: Activity,
    policy: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
) -> None:
    changes = audit_log.differences(before or {}, policy)
    touched = Touched(kind="Policy", body=policy, changes=changes)
    audit_log.record(directory, request.caller, activity, touched)


def _record_assignment(
    directory: Directory,
    request: Request,
    activity: Activity,
    application: dict[str, Any],
    policy: dict[str, Any],
) -> None:
    touched = (
        audit_log.unchanged("Application", application),
        audit_log.unchanged("Policy", policy),
    )
    audit_log.record(directory, request.caller, activity, *touched)
