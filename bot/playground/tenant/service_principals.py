"""`/servicePrincipals`: the presence of an application in the tenant.

learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals and serviceprincipal-upsert.
"""

from typing import Any

from bot.playground.tenant import audit_log, quota
from bot.playground.tenant.audit_log import Activity
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request, denied, duplicate
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.owners import own
from bot.playground.tenant.query import EntitySet, check_options, created, many, one
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.rights import OWNED, check_change, visible
from bot.playground.tenant.shapes import SERVICE_PRINCIPAL

SERVICE_PRINCIPALS = EntitySet(
    name="servicePrincipals",
    type="servicePrincipal",
    properties=SERVICE_PRINCIPAL.properties,
    filterable=frozenset(
        {"id", "appId", "displayName", "servicePrincipalType", "tags", "servicePrincipalNames"}
    ),
)
_COPIED = (
    "appId",
    "appRoles",
    "createdByAppId",
    "displayName",
    "info",
    "signInAudience",
    "tags",
    "verifiedPublisher",
)
_UNSET = (
    "applicationTemplateId",
    "deletedDateTime",
    "description",
    "disabledByMicrosoftStatus",
    "loginUrl",
    "notes",
    "preferredSingleSignOnMode",
    "tokenEncryptionKeyId",
)
_EMPTY = (
    "alternativeNames",
    "keyCredentials",
    "notificationEmailAddresses",
    "passwordCredentials",
    "resourceSpecificApplicationPermissions",
)


def create(directory: Directory, request: Request) -> Answer:
    body = request.json
    SERVICE_PRINCIPAL.check(body)
    if "appId" not in body:
        raise bad_request(
            "A value is required for property 'appId' of resource 'ServicePrincipal'."
        )
    if directory.find(Kind.SERVICE_PRINCIPAL, appId=body["appId"]) is not None:
        raise duplicate(
            "The service principal cannot be created, updated, or restored because the service"
            f" principal name {body['appId']} is already in use."
        )
    return _create(directory, request, body["appId"], body)


def list_all(directory: Directory, request: Request) -> Answer:
    rows = directory.store.all_seen(Kind.SERVICE_PRINCIPAL, request.moment)
    rows = visible(directory, request.caller, rows)
    return many(directory.url, request, SERVICE_PRINCIPALS, rows)


def read(directory: Directory, request: Request) -> Answer:
    found = readable(directory, request, Kind.SERVICE_PRINCIPAL)
    return one(directory.url, request, SERVICE_PRINCIPALS, found)


def list_app_roles(directory: Directory, request: Request) -> Answer:
    return _list_property(directory, request, "appRoles")


def list_scopes(directory: Directory, request: Request) -> Answer:
    return _list_property(directory, request, "oauth2PermissionScopes")


def _list_property(directory: Directory, request: Request, name: str) -> Answer:
    """Answer one property of an object, which is a list."""
    found = readable(directory, request, Kind.SERVICE_PRINCIPAL)
    check_options(request.query, frozenset())
    context = f"{directory.url}/v1.0/$metadata#servicePrincipals('{found['id']}')/{name}"
    return Answer(status=200, body={"@odata.context": context, "value": found[name]})


def update(directory: Directory, request: Request) -> Answer:
    """PATCH: 204 for a change; 201 for a new one, by `appId` and `Prefer` only."""
    body = request.json
    SERVICE_PRINCIPAL.check(body)
    key = request.target.keys[0]
    if key.name != "appId" or not request.creates_if_missing:
        principal = changeable(directory, request, Kind.SERVICE_PRINCIPAL)
        return _change(directory, request, principal, body)
    if body.get("appId", key.value) != key.value:
        raise bad_request("Property 'appId' does not match the key in the request.")
    existing = directory.find(Kind.SERVICE_PRINCIPAL, appId=key.value)
    if existing is None:
        return _create(directory, request, key.value, body)
    check_change(directory, request.caller, existing["id"])
    directory.claim(existing["id"])
    return _change(directory, request, existing, body)


def blank_service_principal(
    directory: Directory, application: dict[str, Any], id: str
) -> dict[str, Any]:
    """A new service principal; it copies from its application once, at this moment."""
    return {
        "id": id,
        "accountEnabled": True,
        "appDescription": application["description"],
        "appDisplayName": application["displayName"],
        "appOwnerOrganizationId": directory.id,
        "appRoleAssignmentRequired": False,
        "homepage": application["web"]["homePageUrl"],
        "logoutUrl": application["web"]["logoutUrl"],
        "oauth2PermissionScopes": application["api"]["oauth2PermissionScopes"],
        "replyUrls": application["web"]["redirectUris"],
        "servicePrincipalNames": [application["appId"], *application["identifierUris"]],
        "servicePrincipalType": "Application",
        **{name: application[name] for name in _COPIED},
        **dict.fromkeys(_UNSET),
        **{name: [] for name in _EMPTY},
    }


def _create(directory: Directory, request: Request, app_id: str, body: dict[str, Any]) -> Answer:
    applications = directory.store.all_seen(Kind.APPLICATION, request.moment)
    application = next((row for row in applications if row["appId"] == app_id), None)
    if application is None:
        raise _no_backing_application(directory, request, app_id)
    _check_backing(directory, request, application)
    quota.check(directory)
    id = directory.new_id()
    principal = blank_service_principal(directory, application, id)
    principal |= {name: value for name, value in body.items() if not name.startswith("@odata.")}
    directory.claim(id)
    directory.store.put(Kind.SERVICE_PRINCIPAL, id, principal)
    audit_log.record(
        directory,
        request.caller,
        Activity.ADD_SERVICE_PRINCIPAL,
        audit_log.principal(principal),
    )
    own(directory, request.caller, Kind.SERVICE_PRINCIPAL, principal)
    return created(directory.url, SERVICE_PRINCIPALS, principal)


def _check_backing(directory: Directory, request: Request, application: dict[str, Any]) -> None:
    if "Application.ReadWrite.All" in request.caller.roles:
        return
    if not directory.owns(request.caller, application["id"]):
        raise _not_in_this_tenant()


def _no_backing_application(directory: Directory, request: Request, app_id: str) -> GraphFailure:
    """Missing, or not replicated: with OwnedBy one of two answers, as it happens in the wild."""
    if OWNED in request.caller.roles and directory.random.random() < 0.5:
        return _not_in_this_tenant()
    message = (
        f"The appId '{app_id}' of the service principal does not reference a valid application"
        " object."
    )
    detail = {"code": "NoBackingApplicationObject", "message": message, "target": "appId"}
    return bad_request(message, details=[detail])


def _not_in_this_tenant() -> GraphFailure:
    # The missing verb is Microsoft's; other clients look for this very text.
    return denied(
        "When using this permission, the backing application of the service principal being"
        " created must in the local tenant"
    )


def _change(
    directory: Directory, request: Request, principal: dict[str, Any], body: dict[str, Any]
) -> Answer:
    if body.get("appId", principal["appId"]) != principal["appId"]:
        raise bad_request("Property 'appId' is read-only and cannot be changed.")
    changes = {name: value for name, value in body.items() if not name.startswith("@odata.")}
    changed = {**principal, **changes}
    directory.store.put(Kind.SERVICE_PRINCIPAL, principal["id"], changed)
    touched = audit_log.principal(changed, principal)
    audit_log.record(directory, request.caller, Activity.UPDATE_SERVICE_PRINCIPAL, touched)
    return Answer(status=204)
