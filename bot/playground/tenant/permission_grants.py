"""Delegated permissions granted: `/oauth2PermissionGrants`, one per client, resource and principal.

learn.microsoft.com/graph/api/oauth2permissiongrant-post.
"""

import base64
from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched, modified, unchanged
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import invalid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate, not_found
from bot.playground.tenant.lookup import seen
from bot.playground.tenant.query import EntitySet, created, many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import GRANT

GRANTS = EntitySet(
    name="oauth2PermissionGrants",
    type="oAuth2PermissionGrant",
    properties=GRANT.properties,
    filterable=frozenset({"clientId", "consentType", "principalId", "resourceId", "scope"}),
)


def create(directory: Directory, request: Request) -> Answer:
    body = request.json
    GRANT.check(body)
    for name in ("clientId", "consentType", "resourceId", "scope"):
        if name not in body:
            raise bad_request(f"A value is required for property '{name}'.")
    principal = body.get("principalId")
    if (body["consentType"] == "Principal") != (principal is not None):
        raise invalid("principalId")
    resource = _check_parties(directory, request, body)
    _check_scopes(resource, body["scope"])
    directory.claim(body["clientId"])
    identity = {name: body[name] for name in ("clientId", "consentType", "resourceId")}
    if directory.find(Kind.GRANT, **identity, principalId=principal) is not None:
        raise duplicate("Permission entry already exists.")
    grant = new_grant(directory, body["clientId"], body["resourceId"], scope=body["scope"])
    grant |= {"consentType": body["consentType"], "principalId": principal}
    directory.store.put(Kind.GRANT, grant["id"], grant)
    _record(directory, request, Activity.ADD_GRANT, grant, old=None, new=grant["scope"])
    return created(directory.url, GRANTS, grant)


def new_grant(directory: Directory, client: str, resource: str, *, scope: str) -> dict[str, Any]:
    """Return a grant for all users."""
    key = base64.urlsafe_b64encode(directory.random.randbytes(32)).decode().rstrip("=")
    return {
        "id": key,
        "clientId": client,
        "consentType": "AllPrincipals",
        "principalId": None,
        "resourceId": resource,
        "scope": scope,
    }


def list_all(directory: Directory, request: Request) -> Answer:
    rows = directory.store.all_seen(Kind.GRANT, request.moment)
    return many(directory.url, request, GRANTS, rows)


def list_of_client(directory: Directory, request: Request) -> Answer:
    """learn.microsoft.com/graph/api/serviceprincipal-list-oauth2permissiongrants"""
    client = seen(directory, request, Kind.SERVICE_PRINCIPAL)
    rows = directory.store.all_seen(Kind.GRANT, request.moment)
    rows = [row for row in rows if row["clientId"] == client["id"]]
    return many(directory.url, request, GRANTS, rows)


def update(directory: Directory, request: Request) -> Answer:
    body = request.json
    GRANT.check(body)
    grant = _truth(directory, request)
    if set(body) != {"scope"}:
        raise bad_request("Only the property 'scope' can be updated.")
    resource = directory.store.get(Kind.SERVICE_PRINCIPAL, grant["resourceId"])
    _check_scopes(resource or {"oauth2PermissionScopes": []}, body["scope"])
    directory.claim(grant["clientId"])
    directory.store.put(Kind.GRANT, grant["id"], {**grant, "scope": body["scope"]})
    _record(directory, request, Activity.ADD_GRANT, grant, old=grant["scope"], new=body["scope"])
    return Answer(status=204)


def delete(directory: Directory, request: Request) -> Answer:
    grant = _truth(directory, request)
    directory.claim(grant["clientId"])
    directory.store.remove(Kind.GRANT, grant["id"])
    _record(directory, request, Activity.REMOVE_GRANT, grant, old=grant["scope"], new=None)
    return Answer(status=204)


def _truth(directory: Directory, request: Request) -> dict[str, Any]:
    """Return the truth about a grant that is seen."""
    id = request.target.keys[0].value
    grant = directory.store.get(Kind.GRANT, id)
    if grant is None or directory.store.seen(Kind.GRANT, id, request.moment) is None:
        raise not_found(id)
    return grant


def _check_parties(directory: Directory, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Both service principals must have reached the replica; return the resource."""
    if directory.store.seen(Kind.SERVICE_PRINCIPAL, body["clientId"], request.moment) is None:
        raise not_found(body["clientId"])
    resource = directory.store.seen(Kind.SERVICE_PRINCIPAL, body["resourceId"], request.moment)
    if resource is None:
        raise bad_request("Specified resourceId was not found.")
    return resource


def _check_scopes(resource: dict[str, Any], scope: str | None) -> None:
    offered = {offer.get("value") for offer in resource["oauth2PermissionScopes"]}
    wanted = (scope or "").split()
    if not wanted or set(wanted) - offered or len(set(wanted)) != len(wanted):
        raise invalid("scope")


def _record(
    directory: Directory,
    request: Request,
    activity: Activity,
    grant: dict[str, Any],
    *,
    old: str | None,
    new: str | None,
) -> None:
    """The log names the resource first, with the scopes; then who has them."""
    resource, client = (
        {"id": grant[side], "displayName": (principal or {}).get("displayName")}
        for side in ("resourceId", "clientId")
        for principal in (directory.store.get(Kind.SERVICE_PRINCIPAL, grant[side]),)
    )
    changes = (
        modified("DelegatedPermissionGrant.Scope", old, new),
        modified("DelegatedPermissionGrant.ConsentType", None, grant["consentType"]),
        modified("ServicePrincipal.ObjectID", None, client["id"]),
    )
    audit_log.record(
        directory,
        request.caller,
        activity,
        Touched(kind="ServicePrincipal", body=resource, changes=changes),
        unchanged("ServicePrincipal", client),
    )
