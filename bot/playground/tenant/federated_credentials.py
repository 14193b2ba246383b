"""`/applications/{id}/federatedIdentityCredentials`: who else's tokens sign an application in.

Rules: learn.microsoft.com/graph/api/resources/federatedidentitycredential and …/graph/api/
federatedidentitycredential-upsert: 20 to an application, the name is the alternate key and never
changes, issuer and subject together come once.
"""

from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched, modified
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate, not_found
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.query import EntitySet, created, many, one
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import FEDERATED_CREDENTIAL
from bot.playground.tenant.urls import Key

FEDERATED_CREDENTIALS = EntitySet(
    name="federatedIdentityCredentials",
    type="federatedIdentityCredential",
    properties=FEDERATED_CREDENTIAL.properties,
    filterable=frozenset({"name", "subject"}),
)
MOST = 20
_REQUIRED = ("audiences", "issuer", "name", "subject")
_OWNER = "applicationId"


def list_all(directory: Directory, request: Request) -> Answer:
    application = readable(directory, request, Kind.APPLICATION)
    rows = [_shown(row) for row in _seen(directory, request, application["id"])]
    return many(directory.url, request, FEDERATED_CREDENTIALS, rows)


def create(directory: Directory, request: Request) -> Answer:
    body = request.json
    FEDERATED_CREDENTIAL.check(body)
    return _create(directory, request, changeable(directory, request, Kind.APPLICATION), body)


def read(directory: Directory, request: Request) -> Answer:
    application = readable(directory, request, Kind.APPLICATION)
    rows = _seen(directory, request, application["id"])
    found = _by_key(rows, request.target.keys[1])
    return one(directory.url, request, FEDERATED_CREDENTIALS, _shown(found))


def update(directory: Directory, request: Request) -> Answer:
    """PATCH: 204 for a change; 201 for a new one, by `name` and `Prefer` only."""
    body = request.json
    FEDERATED_CREDENTIAL.check(body)
    application = changeable(directory, request, Kind.APPLICATION)
    key = request.target.keys[1]
    if key.name == "name" and request.creates_if_missing:
        if body.get("name", key.value) != key.value:
            raise bad_request("Property 'name' does not match the key in the request.")
        if not _named(directory, application["id"], key.value):
            return _create(directory, request, application, {**body, "name": key.value})
        held = _by_key(_held(directory, application["id"]), key)
    else:
        held = _by_key(_seen(directory, request, application["id"]), key)
    return _change(directory, request, application, held, body)


def delete(directory: Directory, request: Request) -> Answer:
    application = changeable(directory, request, Kind.APPLICATION)
    rows = _seen(directory, request, application["id"])
    found = _by_key(rows, request.target.keys[1])
    if directory.store.get(Kind.FEDERATED_CREDENTIAL, found["id"]) is None:
        raise not_found(request.target.keys[1].value)
    directory.store.remove(Kind.FEDERATED_CREDENTIAL, found["id"])
    _record(directory, request, application, old=found, new=None)
    return Answer(status=204)


def _create(
    directory: Directory, request: Request, application: dict[str, Any], body: dict[str, Any]
) -> Answer:
    for name in _REQUIRED:
        if not body.get(name):
            raise bad_request(f"A value is required for property '{name}'.")
    held = _held(directory, application["id"])
    if len(held) >= MOST:
        raise bad_request(f"An application can have {MOST} federated identity credentials at most.")
    if _named(directory, application["id"], body["name"]):
        raise duplicate(f"FederatedIdentityCredential with name {body['name']} already exists.")
    _check_unique(held, body)
    known = {"description": None, **_plain(body), "id": directory.new_id()}
    row = {**known, _OWNER: application["id"]}
    directory.store.put(Kind.FEDERATED_CREDENTIAL, row["id"], row)
    _record(directory, request, application, old=None, new=row)
    return created(directory.url, FEDERATED_CREDENTIALS, _shown(row))


def _change(
    directory: Directory,
    request: Request,
    application: dict[str, Any],
    held: dict[str, Any],
    body: dict[str, Any],
) -> Answer:
    truth = directory.store.get(Kind.FEDERATED_CREDENTIAL, held["id"])
    if truth is None:
        raise not_found(request.target.keys[1].value)
    if body.get("name", truth["name"]) != truth["name"]:
        raise bad_request("Property 'name' is immutable once it has been set.")
    if body.get("audiences") == []:
        raise bad_request("A value is required for property 'audiences'.")
    changed = {**truth, **_plain(body)}
    others = [row for row in _held(directory, application["id"]) if row["id"] != truth["id"]]
    _check_unique(others, changed)
    directory.store.put(Kind.FEDERATED_CREDENTIAL, truth["id"], changed)
    _record(directory, request, application, old=truth, new=changed)
    return Answer(status=204)


def _check_unique(held: list[dict[str, Any]], body: dict[str, Any]) -> None:
    wanted = body["issuer"], body["subject"]
    if wanted in [(row["issuer"], row["subject"]) for row in held]:
        raise duplicate(
            "FederatedIdentityCredential with the same combination of issuer and subject already"
            " exists on the application."
        )


def _held(directory: Directory, application: str) -> list[dict[str, Any]]:
    rows = directory.store.all(Kind.FEDERATED_CREDENTIAL)
    return [row for row in rows if row[_OWNER] == application]


def _named(directory: Directory, application: str, name: str) -> bool:
    return name in [row["name"] for row in _held(directory, application)]


def _seen(directory: Directory, request: Request, application: str) -> list[dict[str, Any]]:
    rows = directory.store.all_seen(Kind.FEDERATED_CREDENTIAL, request.moment)
    return [row for row in rows if row[_OWNER] == application]


def _by_key(rows: list[dict[str, Any]], key: Key) -> dict[str, Any]:
    """Find by name, or by what stands in the path as id, which may be the name, too."""
    names = ("name",) if key.name == "name" else ("id", "name")
    found = next((row for row in rows if key.value in [row[name] for name in names]), None)
    if found is None:
        raise not_found(key.value)
    return found


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not name.startswith("@odata.")}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != _OWNER}


def _record(
    directory: Directory,
    request: Request,
    application: dict[str, Any],
    *,
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
) -> None:
    shown = (_shown(each) if each else None for each in (old, new))
    change = modified("FederatedIdentityCredentials", *shown)
    touched = Touched(kind="Application", body=application, changes=(change,))
    audit_log.record(directory, request.caller, Activity.UPDATE_APPLICATION, touched)
