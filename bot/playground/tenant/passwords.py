"""`addPassword` and `removePassword` of applications.

learn.microsoft.com/graph/api/application-addpassword and application-removepassword.
"""

from typing import Any

from bot.playground.tenant import audit_log, secrets
from bot.playground.tenant.audit_log import Activity
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.checks import guid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request
from bot.playground.tenant.lookup import changeable
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.shapes import PASSWORD_CREDENTIAL


def add(directory: Directory, request: Request) -> Answer:
    body = request.json
    if set(body) - {"passwordCredential"}:
        raise bad_request("Only the parameter 'passwordCredential' is known to addPassword.")
    wanted = body.get("passwordCredential")
    wanted = {} if wanted is None else wanted
    PASSWORD_CREDENTIAL.check(wanted)
    application = changeable(directory, request, Kind.APPLICATION)
    secret = secrets.make(directory, application, wanted, caller=request.caller.app_id)
    held = [*application["passwordCredentials"], secrets.without_text(secret)]
    _replace(directory, request, application, held)
    secrets.announce(directory, application["appId"], secret)
    context = f"{directory.url}/v1.0/$metadata#microsoft.graph.passwordCredential"
    return Answer(status=200, body={"@odata.context": context, **secret})


def remove(directory: Directory, request: Request) -> Answer:
    body = request.json
    if set(body) != {"keyId"}:
        raise bad_request("The parameter 'keyId', and only it, is required by removePassword.")
    guid("keyId", body["keyId"])
    application = changeable(directory, request, Kind.APPLICATION)
    held = application["passwordCredentials"]
    left = [secret for secret in held if secret["keyId"] != body["keyId"]]
    if left == held:
        raise bad_request(f"No password credential found with keyId '{body['keyId']}'.")
    _replace(directory, request, application, left)
    directory.store.remove(Kind.SECRET, body["keyId"])
    return Answer(status=204)


def _replace(
    directory: Directory,
    request: Request,
    application: dict[str, Any],
    held: list[dict[str, Any]],
) -> None:
    changed = {**application, "passwordCredentials": held}
    directory.store.put(Kind.APPLICATION, application["id"], changed)
    touched = audit_log.credentials(application, changed)
    audit_log.record(directory, request.caller, Activity.UPDATE_CREDENTIALS, touched)
