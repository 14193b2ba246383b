"""What has been written in the tenant, as Entra's audit log tells it: who did what, and to what.

Names of activities: learn.microsoft.com/entra/identity/monitoring-health, "Audit activities". An
entry holds no secret: credentials are named by their keys, as the real log names them.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from bot.playground.tenant.calls import Caller
from bot.playground.tenant.directory import Directory, stamp
from bot.playground.tenant.replicas import Kind

RETENTION = timedelta(days=30)
_CREDENTIALS = {"keyCredentials", "passwordCredentials"}


class Activity(Enum):
    """Name, type of operation and category."""

    ADD_APPLICATION = "Add application", "Add"
    UPDATE_APPLICATION = "Update application", "Update"
    UPDATE_CREDENTIALS = "Update application – Certificates and secrets management", "Update"
    DELETE_APPLICATION = "Delete application", "Delete"
    RESTORE_APPLICATION = "Restore application", "Update"
    HARD_DELETE_APPLICATION = "Hard Delete application", "Delete"
    ADD_SERVICE_PRINCIPAL = "Add service principal", "Add"
    UPDATE_SERVICE_PRINCIPAL = "Update service principal", "Update"
    REMOVE_SERVICE_PRINCIPAL = "Remove service principal", "Delete"
    RESTORE_SERVICE_PRINCIPAL = "Restore service principal", "Update"
    HARD_DELETE_SERVICE_PRINCIPAL = "Hard delete service principal", "Delete"
    ADD_APPLICATION_OWNER = "Add owner to application", "Assign"
    ADD_SERVICE_PRINCIPAL_OWNER = "Add owner to service principal", "Assign"
    ADD_ASSIGNMENT = "Add app role assignment to service principal", "Assign"
    REMOVE_ASSIGNMENT = "Remove app role assignment from service principal", "Unassign"
    ADD_GRANT = "Add delegated permission grant", "Assign"
    REMOVE_GRANT = "Remove delegated permission grant", "Unassign"
    ADD_POLICY = "Add policy", "Add", "Policy"
    UPDATE_POLICY = "Update policy", "Update", "Policy"
    DELETE_POLICY = "Delete policy", "Delete", "Policy"
    ADD_POLICY_TO_APPLICATION = "Add policy to application", "Assign"
    ADD_ROLE = "Add role definition", "Add", "RoleManagement"
    ADD_ROLE_MEMBER = "Add member to role", "Assign", "RoleManagement"
    REMOVE_ROLE_MEMBER = "Remove member from role", "Unassign", "RoleManagement"
    REMOVE_POLICY_FROM_APPLICATION = "Remove policy from application", "Unassign"

    def __init__(self, title: str, operation: str, category: str = "ApplicationManagement") -> None:
        self.title = title
        self.operation = operation
        self.category = category


@dataclass(frozen=True, kw_only=True)
class Touched:
    """One object that an activity was about, and what changed in it."""

    kind: str
    """`Application`, `ServicePrincipal`, `Policy`, `Role`."""
    body: Mapping[str, Any]
    changes: tuple[dict[str, Any], ...] = field(default=(), repr=False)


def record(directory: Directory, caller: Caller, activity: Activity, *touched: Touched) -> None:
    """Write an entry; readers see it when `audit_lag` has passed."""
    number = len(directory.audits)
    correlation = str(uuid.uuid5(uuid.UUID(directory.id), f"audit {number}"))
    entry = {
        "id": f"Directory_{correlation}_{number}",
        "category": activity.category,
        "correlationId": correlation,
        "result": "success",
        "resultReason": "",
        "activityDisplayName": activity.title,
        "activityDateTime": directory.stamp(),
        "loggedByService": "Core Directory",
        "operationType": activity.operation,
        "initiatedBy": _initiator(directory, caller),
        "targetResources": [_target(each) for each in touched],
        "additionalDetails": [],
    }
    seen_from = directory.now() + timedelta(seconds=directory.faults.draw_audit_lag())
    directory.audits.append((seen_from, entry))


def entries(directory: Directory, now: datetime) -> list[dict[str, Any]]:
    """Return what the log shows, newest first; it forgets after 30 days."""
    oldest = stamp(now - RETENTION)
    return [
        entry
        for seen_from, entry in reversed(directory.audits)
        if seen_from <= now and entry["activityDateTime"] >= oldest
    ]


def application(body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Touched:
    """An application that was made, or changed from what it was before."""
    return Touched(kind="Application", body=body, changes=differences(before or {}, body))


def principal(body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Touched:
    return Touched(kind="ServicePrincipal", body=body, changes=differences(before or {}, body))


def unchanged(kind: str, body: Mapping[str, Any]) -> Touched:
    return Touched(kind=kind, body=body)


def credentials(before: Mapping[str, Any], after: Mapping[str, Any]) -> Touched:
    """An application whose secrets or certificates changed, described by their keys alone."""
    change = modified("KeyDescription", _described(before), _described(after))
    return Touched(kind="Application", body=after, changes=(change,))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the properties that differ; credentials are told apart, by `credentials`."""
    return tuple(
        modified(name, before.get(name), value)
        for name, value in after.items()
        if name not in _CREDENTIALS and value != before.get(name) and (before or value)
    )


def modified(name: str, old: object, new: object) -> dict[str, Any]:
    """One modified property; values are JSON in text, null for none."""
    return {
        "displayName": name,
        "oldValue": None if old is None else json.dumps(old, ensure_ascii=False),
        "newValue": None if new is None else json.dumps(new, ensure_ascii=False),
    }


def _described(application: Mapping[str, Any]) -> list[str]:
    kinds = {"passwordCredentials": "Password", "keyCredentials": "AsymmetricX509Cert"}
    held: Iterable[tuple[str, dict[str, Any]]] = (
        (kind, each) for name, kind in kinds.items() for each in application[name]
    )
    return [
        f"[KeyIdentifier={each['keyId']},KeyType={kind},KeyUsage=Verify,"
        f"DisplayName={each['displayName'] or ''}]"
        for kind, each in held
    ]


def _initiator(directory: Directory, caller: Caller) -> dict[str, Any]:
    if caller.is_user:
        return {"user": _user(directory, caller.principal_id), "app": None}
    principal = directory.store.get(Kind.SERVICE_PRINCIPAL, caller.principal_id)
    app = {
        "appId": caller.app_id,
        "displayName": principal["displayName"] if principal else None,
        "servicePrincipalId": caller.principal_id,
        "servicePrincipalName": None,
    }
    return {"user": None, "app": app}


def _user(directory: Directory, id: str) -> dict[str, Any]:
    user = next(user for user in directory.people.users if user["id"] == id)
    return {
        "id": id,
        "displayName": None,
        "userPrincipalName": user["userPrincipalName"],
        "ipAddress": "127.0.0.1",
        "userType": None,
        "homeTenantId": None,
        "homeTenantName": None,
    }


def _target(touched: Touched) -> dict[str, Any]:
    return {
        "id": touched.body["id"],
        "displayName": touched.body.get("displayName"),
        "type": touched.kind,
        "userPrincipalName": None,
        "groupType": None,
        "modifiedProperties": list(touched.changes),
    }
