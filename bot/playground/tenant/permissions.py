"""Microsoft Graph as a resource: every application role and delegated scope it publishes.

A real tenant holds these on the service principal of Microsoft Graph, and a caller that wants ids
has to read them there; names and ids are the published ones (github.com/microsoftgraph/
microsoft-graph-devx-content, MIT), the descriptions are short ones of our own.
"""

import functools
import json
from importlib import resources
from typing import Any

MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"


@functools.cache
def _published() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath("permissions.json").read_text(encoding="utf-8")
    published: dict[str, dict[str, str]] = json.loads(text)
    return published


@functools.cache
def app_roles() -> list[dict[str, Any]]:
    """Return Microsoft Graph's `appRoles`. Shared by all tenants of a process: do not change it."""
    return [_app_role(name, id) for name, id in _published()["roles"].items()]


@functools.cache
def scopes() -> list[dict[str, Any]]:
    """Return Microsoft Graph's `oauth2PermissionScopes`. Shared, like `app_roles`."""
    return [_scope(name, id) for name, id in _published()["scopes"].items()]


def role_id(name: str) -> str:
    """Return the id of an application role by its name; KeyError for one that is not published."""
    return _published()["roles"][name]


def _app_role(name: str, id: str) -> dict[str, Any]:
    return {
        "allowedMemberTypes": ["Application"],
        "description": f"Allows the app to use {name} without a signed-in user.",
        "displayName": name,
        "id": id,
        "isEnabled": True,
        "origin": "Application",
        "value": name,
    }


def _scope(name: str, id: str) -> dict[str, Any]:
    return {
        "adminConsentDescription": f"Allows the app to use {name} on behalf of the user.",
        "adminConsentDisplayName": name,
        "id": id,
        "isEnabled": True,
        "type": "Admin",
        "userConsentDescription": None,
        "userConsentDisplayName": None,
        "value": name,
    }
