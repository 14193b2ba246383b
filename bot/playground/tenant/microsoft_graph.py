"""Microsoft Graph's own service principal, which each tenant holds from the start."""

from typing import Any

from bot.playground.tenant import permissions
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.new_application import blank_application
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.service_principals import blank_service_principal


def plant(directory: Directory) -> None:
    id = directory.new_id()
    application = blank_application(directory, id=id, creator=None)
    application |= {
        "appId": permissions.MICROSOFT_GRAPH,
        "displayName": "Microsoft Graph",
        "signInAudience": "AzureADMultipleOrgs",
        "identifierUris": [directory.cloud.graph],
    }
    principal = blank_service_principal(directory, application, id) | {
        "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
        "appRoles": permissions.app_roles(),
        "oauth2PermissionScopes": permissions.scopes(),
    }
    directory.store.plant(Kind.SERVICE_PRINCIPAL, id, principal)


def principal(directory: Directory) -> dict[str, Any]:
    found = directory.find(Kind.SERVICE_PRINCIPAL, appId=permissions.MICROSOFT_GRAPH)
    assert found is not None
    return found
