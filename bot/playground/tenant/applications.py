"""`/applications`: create, find or create by `uniqueName`, read, change.

learn.microsoft.com/graph/api/application-post-applications and application-upsert.
"""

from typing import Any

from bot.playground.tenant import audit_log, certificates, quota
from bot.playground.tenant.app_policies import default_policy_for
from bot.playground.tenant.audit_log import Activity
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import invalid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate
from bot.playground.tenant.exposed import check_exposed
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.new_application import blank_application
from bot.playground.tenant.owners import own
from bot.playground.tenant.query import EntitySet, created, many, one
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.rights import check_change, visible
from bot.playground.tenant.shapes import APPLICATION

APPLICATIONS = EntitySet(
    name="applications",
    type="application",
    properties=APPLICATION.properties,
    filterable=frozenset(
        {
            "id",
            "appId",
            "displayName",
            "signInAudience",
            "tags",
            "identifierUris",
        }
    ),
)
MOST_PERMISSIONS = 400


def create(directory: Directory, request: Request) -> Answer:
    return _create(directory, request, _checked(request.json))


def list_all(directory: Directory, request: Request) -> Answer:
    rows = directory.store.all_seen(Kind.APPLICATION, request.moment)
    return many(directory.url, request, APPLICATIONS, visible(directory, request.caller, rows))


def read(directory: Directory, request: Request) -> Answer:
    found = readable(directory, request, Kind.APPLICATION)
    return one(directory.url, request, APPLICATIONS, found)


def update(directory: Directory, request: Request) -> Answer:
    """PATCH: 204 for a change; 201 for a new one, by `uniqueName` and `Prefer` only."""
    body = _checked(request.json)
    key = request.target.keys[0]
    if key.name == "uniqueName" and request.creates_if_missing:
        return _find_or_create(directory, request, key.value, body)
    return _change(directory, request, changeable(directory, request, Kind.APPLICATION), body)


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    APPLICATION.check(body)
    if "passwordCredentials" in body:
        raise bad_request("Property 'passwordCredentials' cannot be updated. Use addPassword.")
    required = body.get("requiredResourceAccess", [])
    if sum(len(resource.get("resourceAccess", [])) for resource in required) > MOST_PERMISSIONS:
        raise invalid("requiredResourceAccess")
    resources = [resource.get("resourceAppId") for resource in required]
    if len(set(resources)) != len(resources) or None in resources:
        raise invalid("requiredResourceAccess")
    if any("id" not in a or "type" not in a for r in required for a in r.get("resourceAccess", [])):
        raise invalid("requiredResourceAccess")
    return body


def _find_or_create(
    directory: Directory, request: Request, name: str, body: dict[str, Any]
) -> Answer:
    APPLICATION.check({"uniqueName": name})
    if body.get("uniqueName", name) != name:
        raise bad_request("Property 'uniqueName' does not match the key in the request.")
    # Keys are unique at once: a second upsert updates even where reads do not show the first yet.
    existing = directory.find(Kind.APPLICATION, uniqueName=name)
    if existing is None:
        return _create(directory, request, {**body, "uniqueName": name})
    check_change(directory, request.caller, existing["id"])
    directory.claim(existing["id"])
    return _change(directory, request, existing, body)


def _create(directory: Directory, request: Request, body: dict[str, Any]) -> Answer:
    if "displayName" not in body:
        raise bad_request(
            "A value is required for property 'displayName' of resource 'Application'."
        )
    _check_unique_name(directory, body.get("uniqueName"))
    quota.check(directory)
    id = directory.new_id()
    application = blank_application(directory, id=id, creator=request.caller.app_id)
    application = _merged(directory, application, body)
    _check_policy(directory, request, application, before=None)
    directory.claim(id)
    directory.store.put(Kind.APPLICATION, id, application)
    audit_log.record(
        directory,
        request.caller,
        Activity.ADD_APPLICATION,
        audit_log.application(application),
    )
    own(directory, request.caller, Kind.APPLICATION, application)
    if application["keyCredentials"]:
        certificates.announce(directory, application, body["keyCredentials"])
        blank: dict[str, Any] = {"passwordCredentials": [], "keyCredentials": []}
        touched = audit_log.credentials(blank, application)
        audit_log.record(directory, request.caller, Activity.UPDATE_CREDENTIALS, touched)
    return created(directory.url, APPLICATIONS, application)


def _check_unique_name(directory: Directory, name: str | None) -> None:
    taken = [body for _, body in directory.deleted.values() if body.get("uniqueName") == name]
    if name is not None and (taken or directory.find(Kind.APPLICATION, uniqueName=name)):
        message = "Another object with the same value for property uniqueName already exists."
        raise duplicate(message)


def _change(
    directory: Directory, request: Request, application: dict[str, Any], body: dict[str, Any]
) -> Answer:
    if body.get("uniqueName", application["uniqueName"]) != application["uniqueName"]:
        raise bad_request("Property 'uniqueName' is immutable once it has been set.")
    changed = _merged(directory, application, body)
    _check_policy(directory, request, changed, before=application)
    directory.store.put(Kind.APPLICATION, application["id"], changed)
    touched = audit_log.application(changed, application)
    audit_log.record(directory, request.caller, Activity.UPDATE_APPLICATION, touched)
    if "keyCredentials" in body:
        certificates.announce(directory, changed, body["keyCredentials"])
    if changed["keyCredentials"] != application["keyCredentials"]:
        touched = audit_log.credentials(application, changed)
        audit_log.record(directory, request.caller, Activity.UPDATE_CREDENTIALS, touched)
    return Answer(status=204)


def _check_policy(
    directory: Directory,
    request: Request,
    application: dict[str, Any],
    *,
    before: dict[str, Any] | None,
) -> None:
    names = (directory.id, directory.domain, directory.initial_domain)
    default_policy_for(directory, application["id"]).check_application(
        application, before=before, caller=request.caller.app_id, names=names
    )


def _merged(
    directory: Directory, application: dict[str, Any], changes: dict[str, Any]
) -> dict[str, Any]:
    merged = _merge(application, changes)
    check_exposed(directory, application, merged)
    if "keyCredentials" in changes:
        wanted = changes["keyCredentials"]
        merged["keyCredentials"] = certificates.replaced(directory, application, wanted)
    return merged


def _merge(application: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Apply a PATCH: complex properties keep the parts that it does not name."""
    merged = dict(application)
    for name, value in changes.items():
        if name.startswith("@odata."):
            continue
        old = application.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            value = _merge(old, value)
        merged[name] = value
    return merged
