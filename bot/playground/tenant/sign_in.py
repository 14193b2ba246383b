"""The token endpoint and its discovery document.

Client credentials and authorization codes, with a secret or a signed assertion, and codes of
devices with neither; errors with the numbers and statuses of
learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.playground.tenant import assertions, codes, device_codes, resource_manager, tokens
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.checks import is_guid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.permissions import MICROSOFT_GRAPH
from bot.playground.tenant.replicas import Kind, Moment
from graph.clouds import Cloud

_DEFAULT = "/.default"
_REDEEMING = {codes.GRANT: codes.redeem, device_codes.GRANT: device_codes.redeem}
_PARAMETERS = {
    codes.GRANT: codes.PARAMETERS,
    device_codes.GRANT: device_codes.PARAMETERS,
}
"""What a request must hold besides the client, by grant; `scope` for all others."""
_ANY_TENANT = frozenset({"common", "organizations"})
"""Clients ask there before they know whose account it will be, as `az logout` does."""


def discovery(directory: Directory, tenant: str) -> Answer:
    """Answer the document of this tenant, or of whichever tenant an account will be of."""
    if tenant in _ANY_TENANT:
        base, id = f"{directory.url}/{tenant}", "{tenantid}"
    else:
        check_tenant(directory, tenant)
        base, id = f"{directory.url}/{directory.id}", directory.id
    body = {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{directory.url}/{id}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "tenant_region_scope": "EU",
        "msgraph_host": directory.url.removeprefix("https://"),
    }
    return Answer(status=200, body=body)


def keys(directory: Directory, tenant: str) -> Answer:
    check_tenant(directory, tenant)
    return Answer(status=200, body=tokens.published_keys())


def token(directory: Directory, tenant: str, form: Mapping[str, str], moment: Moment) -> Answer:
    """Answer a client's request for a token; raise `SignInFailure`."""
    check_tenant(directory, tenant)
    app_id = _client(form)
    redeem = _REDEEMING.get(form["grant_type"])
    audience = directory.cloud.graph if redeem else _audience(directory, form.get("scope"))
    principal = principal_of(directory, app_id, moment)
    proof = _proved(directory, app_id, form, moment)
    if not principal["accountEnabled"]:
        message = f"Application '{app_id}' is disabled."
        raise SignInFailure(400, "unauthorized_client", 7000112, message)
    if redeem:
        return redeem(directory, principal, form, moment, proof=proof)
    is_for_graph = audience == directory.cloud.graph
    roles = roles_of(directory, principal["id"], moment) if is_for_graph else []
    access = tokens.issue(directory, principal, audience=audience, roles=roles, proof=proof)
    life = int(tokens.LIFE.total_seconds())
    body = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life}
    return Answer(status=200, body={**body, "access_token": access})


def _proved(directory: Directory, app_id: str, form: Mapping[str, str], moment: Moment) -> str:
    """Return by what the client has proved who it is; raise `SignInFailure` if it has not."""
    if form["grant_type"] == device_codes.GRANT:
        device_codes.check_public(directory, app_id, form)
        return tokens.NOTHING
    if form.get("client_assertion"):
        assertions.check(directory, app_id, form, moment)
        return tokens.ASSERTION
    _check_secret(directory, app_id, form["client_secret"], moment)
    return tokens.SECRET


def check_tenant(directory: Directory, tenant: str) -> None:
    if tenant.lower() in {directory.id, directory.domain, directory.initial_domain}:
        return
    if not is_guid(tenant) and "." not in tenant:
        message = (
            f"Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid"
            " external domain."
        )
        raise SignInFailure(400, "invalid_request", 900023, message)
    message = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
    raise SignInFailure(400, "invalid_request", 90002, message)


def failure_body(
    failure: SignInFailure, cloud: Cloud, *, at: datetime, trace: str, correlation: str
) -> dict[str, Any]:
    """Shape an error as Entra does; clients are meant to react to `error` and `error_codes`."""
    time = at.strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"AADSTS{failure.number}: {failure.message}"
        f" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"
    )
    return {
        "error": failure.error,
        "error_description": description,
        "error_codes": [failure.number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": cloud.error_page(failure.number),
    }


def _client(form: Mapping[str, str]) -> str:
    """Return the client id of a request that has all its parts."""
    grant = form.get("grant_type", "")
    for name in ("grant_type", "client_id", *_PARAMETERS.get(grant, ("scope",))):
        if not form.get(name):
            message = f"The request body must contain the following parameter: '{name}'."
            raise SignInFailure(400, "invalid_request", 900144, message)
    if grant not in (*_PARAMETERS, "client_credentials"):
        message = f"The app requested an unsupported grant type '{grant}'."
        raise SignInFailure(400, "unsupported_grant_type", 70003, message)
    has_proof = form.get("client_secret") or form.get("client_assertion")
    if not has_proof and grant != device_codes.GRANT:
        raise device_codes.no_credential()
    return form["client_id"]


def _audience(directory: Directory, scope: str | None) -> str:
    """Return the service that a token is asked for."""
    resource, suffix = (scope or "").removesuffix(_DEFAULT), (scope or "").endswith(_DEFAULT)
    if not suffix or " " in resource:
        message = (
            "The provided value for the input parameter 'scope' is not valid. Client credential"
            " flows must have a scope value with /.default suffixed to the resource identifier."
        )
        raise SignInFailure(400, "invalid_scope", 1002012, message)
    if is_graph(directory, resource):
        return directory.cloud.graph
    if resource.rstrip("/") == resource_manager.url(directory):
        return resource_manager.url(directory)
    message = f"The resource principal named {resource} was not found in the tenant."
    raise SignInFailure(400, "invalid_resource", 500011, message)


def principal_of(directory: Directory, app_id: str, moment: Moment) -> dict[str, Any]:
    """Both halves of the application must have arrived."""
    for kind in (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL):
        rows = directory.store.all_seen(kind, moment)
        found = next((row for row in rows if row["appId"] == app_id), None)
        if found is None:
            message = (
                f"Application with identifier '{app_id}' was not found in the directory"
                f" '{directory.name}'. This can happen if the application has not been installed"
                " by the administrator of the tenant."
            )
            raise SignInFailure(400, "unauthorized_client", 700016, message)
    assert found is not None
    return found


def _check_secret(directory: Directory, app_id: str, secret: str, moment: Moment) -> None:
    for held in directory.store.all_seen(Kind.SECRET, moment):
        if held["appId"] == app_id and held["secretText"] == secret:
            return _check_life(held, app_id, moment)
    message = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client"
        f" secret value, not the client secret ID, for a secret added to app '{app_id}'."
    )
    raise SignInFailure(401, "invalid_client", 7000215, message)


def _check_life(held: dict[str, Any], app_id: str, moment: Moment) -> None:
    if datetime.fromisoformat(held["endDateTime"]) <= moment.now:
        message = f"The provided client secret keys for app '{app_id}' are expired."
        raise SignInFailure(401, "invalid_client", 7000222, message)


def is_graph(directory: Directory, resource: str) -> bool:
    """Whether this names Microsoft Graph, the only API of this tenant."""
    return resource.rstrip("/") in {directory.url, directory.cloud.graph, MICROSOFT_GRAPH}


def roles_of(directory: Directory, principal_id: str, moment: Moment) -> list[str]:
    """Return the names of the roles that a token carries which is issued at this moment."""
    assigned = directory.store.all_seen(Kind.ROLE, moment)
    ids = {row["appRoleId"] for row in assigned if row["principalId"] == principal_id}
    resource = directory.find(Kind.SERVICE_PRINCIPAL, appId=MICROSOFT_GRAPH)
    offered = resource["appRoles"] if resource else []
    return [role["value"] for role in offered if role["id"] in ids]
