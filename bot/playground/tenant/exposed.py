"""What an application offers to others: app roles, scopes, identifier URIs, trusted clients.

Rules: learn.microsoft.com/graph/api/resources/approle, …/permissionscope and
…/preauthorizedapplication; codes and texts as clients meet them.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bot.playground.tenant.checks import invalid
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import bad_request, duplicate
from bot.playground.tenant.replicas import Kind

Json = dict[str, Any]

_OF_ROLES = ("id", "allowedMemberTypes", "displayName", "description")
_OF_SCOPES = ("id", "adminConsentDisplayName", "adminConsentDescription")


def check_exposed(directory: Directory, before: Json, after: Json) -> None:
    """Refuse what an application cannot offer, or can no longer take back."""
    roles, scopes = after["appRoles"], after["api"]["oauth2PermissionScopes"]
    _check_filled("appRoles", roles, _OF_ROLES)
    _check_filled("oauth2PermissionScopes", scopes, _OF_SCOPES)
    offered = [*roles, *scopes]
    for name in ("id", "value"):
        given = [each[name] for each in offered if each.get(name)]
        if len(set(given)) < len(given):
            raise bad_request("Request contains a property with duplicate values.")
    for each in _enabled(before):
        if each not in offered and {**each, "isEnabled": False} not in offered:
            message = "Permission (scope or role) cannot be deleted or updated unless disabled"
            raise bad_request(f"{message} first.", code="CannotDeleteOrUpdateEnabledEntitlement")
    known = {each["id"] for each in offered}
    for client in after["api"]["preAuthorizedApplications"] or ():
        if "appId" not in client or not set(client.get("delegatedPermissionIds") or ()) <= known:
            raise invalid("preAuthorizedApplications")
    for uri in set(after["identifierUris"]) - set(before["identifierUris"]):
        _check_identifier(directory, uri)


def _check_filled(collection: str, offered: list[Json], names: tuple[str, ...]) -> None:
    if any(not each.get(name) for each in offered for name in names):
        raise invalid(collection)


def _enabled(application: Json) -> Iterator[Json]:
    offered = (*application["appRoles"], *application["api"]["oauth2PermissionScopes"])
    return (each for each in offered if each.get("isEnabled"))


def _check_identifier(directory: Directory, uri: str) -> None:
    try:
        scheme, host = urlsplit(uri).scheme, urlsplit(uri).hostname or ""
    except ValueError:
        raise invalid("identifierUris") from None
    if not scheme or uri.endswith("/"):
        raise invalid("identifierUris")
    verified = (directory.domain, directory.initial_domain)
    if scheme in ("http", "https") and not any(f".{host}".endswith(f".{it}") for it in verified):
        message = "Values of identifierUris property must use a verified domain of the organization"
        raise bad_request(
            f"{message} or its subdomain: '{uri}'", code="HostNameNotOnVerifiedDomain"
        )
    if any(uri in each["identifierUris"] for each in directory.store.all(Kind.APPLICATION)):
        message = "Another object with the same value for property identifierUris already exists."
        raise duplicate(message)
