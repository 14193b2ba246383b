"""`/applications/{id}/federatedIdentityCredentials`: who else's tokens sign an application in.

Rules: learn.microsoft.com/graph/api/resources/federatedidentitycredential: 20 to an application;
the name comes once, and so do issuer and subject together.
"""

from typing import Any

from bot.playground.tenant import audit_log
from bot.playground.tenant.audit_log import Activity, Touched, modified
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate
from bot.playground.tenant.lookup import changeable, readable
from bot.playground.tenant.query import EntitySet, created, many
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import FEDERATED_CREDENTIAL

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
    seen = directory.store.all_seen(Kind.FEDERATED_CREDENTIAL, request.moment)
    rows = [_shown(row) for row in seen if row[_OWNER] == application["id"]]
    return many(directory.url, request, FEDERATED_CREDENTIALS, rows)


def create(directory: Directory, request: Request) -> Answer:
    body = request.json
    FEDERATED_CREDENTIAL.check(body)
    application = changeable(directory, request, Kind.APPLICATION)
    for name in _REQUIRED:
        if not body.get(name):
            raise bad_request(f"A value is required for property '{name}'.")
    _check_unique(directory, application["id"], body)
    known = {"description": None, **_plain(body), "id": directory.new_id()}
    row = {**known, _OWNER: application["id"]}
    directory.store.put(Kind.FEDERATED_CREDENTIAL, row["id"], row)
    change = modified("FederatedIdentityCredentials", None, _shown(row))
    touched = Touched(kind="Application", body=application, changes=(change,))
    audit_log.record(directory, request.caller, Activity.UPDATE_APPLICATION, touched)
    return created(directory.url, FEDERATED_CREDENTIALS, _shown(row))


def _check_unique(directory: Directory, application: str, body: dict[str, Any]) -> None:
    rows = directory.store.all(Kind.FEDERATED_CREDENTIAL)
    held = [row for row in rows if row[_OWNER] == application]
    if len(held) >= MOST:
        raise bad_request(f"An application can have {MOST} federated identity credentials at most.")
    if body["name"] in [row["name"] for row in held]:
        raise duplicate(f"FederatedIdentityCredential with name {body['name']} already exists.")
    wanted = body["issuer"], body["subject"]
    if wanted in [(row["issuer"], row["subject"]) for row in held]:
        raise duplicate(
            "FederatedIdentityCredential with the same combination of issuer and subject already"
            " exists on the application."
        )


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not name.startswith("@odata.")}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != _OWNER}
