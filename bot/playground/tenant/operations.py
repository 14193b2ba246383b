"""Every operation of this tenant's Graph: method, path, who may, and what does it.

Anything else is answered as the real service answers a path that it does not know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.playground.tenant import (
    app_policies,
    app_role_assignments,
    applications,
    consent_policies,
    deleted_items,
    directory_audits,
    directory_roles,
    federated_credentials,
    organization,
    owners,
    passwords,
    people,
    permission_grants,
    rights,
    service_principals,
)
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request, denied
from bot.playground.tenant.rights import Rule, check_rule, fulfils, needs_role

Do = Callable[[Directory, Request], Answer]
Check = Callable[[Directory, Request], None]


@dataclass(frozen=True, kw_only=True)
class Operation:
    rule: Rule
    do: Do
    check_role: Check | None = None
    """Refuses whoever lacks the first role of the rule and no directory role makes up for it."""

    def check(self, directory: Directory, request: Request) -> None:
        """Refuse a caller who may not do this."""
        caller = request.caller
        if self.check_role is None or (fulfils(caller, self.rule) and not needs_role(caller)):
            check_rule(caller, self.rule)
            return
        if not caller.is_user:
            check_rule(caller, self.rule[1:])
        elif not fulfils(caller, self.rule):  # no role of the user makes up for a scope
            raise denied()
        self.check_role(directory, request)


_TABLE: tuple[tuple[str, str, Rule, Do], ...] = (
    ("GET", "applications", rights.LIST_APPLICATIONS, applications.list_all),
    ("POST", "applications", rights.CHANGE_APPLICATIONS, applications.create),
    ("GET", "applications/{}", rights.READ_APPLICATIONS, applications.read),
    ("PATCH", "applications/{}", rights.CHANGE_APPLICATIONS, applications.update),
    ("DELETE", "applications/{}", rights.CHANGE_APPLICATIONS, deleted_items.delete_application),
    ("POST", "applications/{}/addPassword", rights.CHANGE_APPLICATIONS, passwords.add),
    ("POST", "applications/{}/removePassword", rights.CHANGE_APPLICATIONS, passwords.remove),
    ("GET", "applications/{}/owners", rights.READ_APPLICATIONS, owners.list_of_application),
    ("POST", "applications/{}/owners/$ref", rights.ADD_OWNERS, owners.add_to_application),
    (
        "GET",
        "servicePrincipals/{}/owners",
        rights.READ_APPLICATIONS,
        owners.list_of_service_principal,
    ),
    (
        "GET",
        "applications/{}/federatedIdentityCredentials",
        rights.READ_FEDERATED_CREDENTIALS,
        federated_credentials.list_all,
    ),
    (
        "POST",
        "applications/{}/federatedIdentityCredentials",
        rights.CHANGE_APPLICATIONS,
        federated_credentials.create,
    ),
    (
        "GET",
        "applications/{}/appManagementPolicies",
        rights.READ_ASSIGNED_POLICY,
        app_policies.list_of_application,
    ),
    (
        "POST",
        "applications/{}/appManagementPolicies/$ref",
        rights.ASSIGN_POLICY,
        app_policies.assign,
    ),
    (
        "DELETE",
        "applications/{}/appManagementPolicies/{}/$ref",
        rights.ASSIGN_POLICY,
        app_policies.unassign,
    ),
    ("GET", "servicePrincipals", rights.LIST_APPLICATIONS, service_principals.list_all),
    ("POST", "servicePrincipals", rights.CHANGE_APPLICATIONS, service_principals.create),
    ("GET", "servicePrincipals/{}", rights.READ_APPLICATIONS, service_principals.read),
    (
        "GET",
        "servicePrincipals/{}/appRoles",
        rights.READ_APPLICATIONS,
        service_principals.list_app_roles,
    ),
    (
        "GET",
        "servicePrincipals/{}/oauth2PermissionScopes",
        rights.READ_APPLICATIONS,
        service_principals.list_scopes,
    ),
    ("PATCH", "servicePrincipals/{}", rights.CHANGE_APPLICATIONS, service_principals.update),
    (
        "DELETE",
        "servicePrincipals/{}",
        rights.CHANGE_APPLICATIONS,
        deleted_items.delete_service_principal,
    ),
    (
        "POST",
        "servicePrincipals/{}/appRoleAssignedTo",
        rights.CHANGE_ASSIGNMENTS,
        app_role_assignments.grant_on_resource,
    ),
    (
        "DELETE",
        "servicePrincipals/{}/appRoleAssignedTo/{}",
        rights.CHANGE_ASSIGNMENTS,
        app_role_assignments.revoke_on_resource,
    ),
    (
        "GET",
        "servicePrincipals/{}/appRoleAssignments",
        rights.READ_ASSIGNMENTS,
        app_role_assignments.list_on_client,
    ),
    (
        "POST",
        "servicePrincipals/{}/appRoleAssignments",
        rights.CHANGE_ASSIGNMENTS,
        app_role_assignments.grant_on_client,
    ),
    (
        "DELETE",
        "servicePrincipals/{}/appRoleAssignments/{}",
        rights.CHANGE_ASSIGNMENTS,
        app_role_assignments.revoke_on_client,
    ),
    (
        "GET",
        "servicePrincipals/{}/oauth2PermissionGrants",
        rights.READ_GRANTS,
        permission_grants.list_of_client,
    ),
    ("GET", "oauth2PermissionGrants", rights.READ_GRANTS, permission_grants.list_all),
    ("POST", "oauth2PermissionGrants", rights.CHANGE_GRANTS, permission_grants.create),
    ("PATCH", "oauth2PermissionGrants/{}", rights.CHANGE_GRANTS, permission_grants.update),
    ("DELETE", "oauth2PermissionGrants/{}", rights.CHANGE_GRANTS, permission_grants.delete),
    ("GET", "organization", rights.READ_ORGANIZATION, organization.list_organizations),
    ("GET", "policies/defaultAppManagementPolicy", rights.READ_POLICY, organization.read_policy),
    ("GET", "policies/appManagementPolicies", rights.READ_POLICY, app_policies.list_all),
    ("POST", "policies/appManagementPolicies", rights.CHANGE_POLICY, app_policies.create),
    ("GET", "policies/appManagementPolicies/{}", rights.READ_POLICY, app_policies.read),
    ("PATCH", "policies/appManagementPolicies/{}", rights.CHANGE_POLICY, app_policies.update),
    ("DELETE", "policies/appManagementPolicies/{}", rights.CHANGE_POLICY, app_policies.delete),
    (
        "GET",
        "policies/appManagementPolicies/{}/appliesTo",
        rights.READ_ASSIGNED_POLICY,
        app_policies.list_applications,
    ),
    (
        "POST",
        "policies/permissionGrantPolicies",
        rights.CHANGE_CONSENT_POLICY,
        consent_policies.create,
    ),
    (
        "GET",
        "policies/permissionGrantPolicies/{}",
        rights.READ_CONSENT_POLICY,
        consent_policies.read,
    ),
    (
        "DELETE",
        "policies/permissionGrantPolicies/{}",
        rights.CHANGE_CONSENT_POLICY,
        consent_policies.delete,
    ),
    (
        "GET",
        "policies/permissionGrantPolicies/{}/includes",
        rights.READ_CONDITION_SETS,
        consent_policies.list_includes,
    ),
    (
        "POST",
        "policies/permissionGrantPolicies/{}/includes",
        rights.CHANGE_CONSENT_POLICY,
        consent_policies.include,
    ),
    (
        "DELETE",
        "policies/permissionGrantPolicies/{}/includes/{}",
        rights.CHANGE_CONSENT_POLICY,
        consent_policies.remove_include,
    ),
    (
        "POST",
        "roleManagement/directory/roleDefinitions",
        rights.CHANGE_ROLES,
        directory_roles.define,
    ),
    (
        "GET",
        "roleManagement/directory/roleDefinitions/{}",
        rights.READ_ROLES,
        directory_roles.read_definition,
    ),
    (
        "GET",
        "roleManagement/directory/roleAssignments",
        rights.READ_ROLES,
        directory_roles.list_assignments,
    ),
    (
        "POST",
        "roleManagement/directory/roleAssignments",
        rights.CHANGE_ROLES,
        directory_roles.assign,
    ),
    (
        "DELETE",
        "roleManagement/directory/roleAssignments/{}",
        rights.CHANGE_ROLES,
        directory_roles.unassign,
    ),
    ("GET", "auditLogs/directoryAudits", rights.READ_AUDITS, directory_audits.list_all),
    ("GET", "auditLogs/directoryAudits/{}", rights.READ_AUDITS, directory_audits.read),
    ("GET", "users", rights.READ_USERS, people.list_users),
    ("GET", "users/$count", rights.READ_USERS, people.count_users),
    ("GET", "users/{}", rights.READ_USERS, people.read_user),
    ("GET", "groups", rights.READ_GROUPS, people.list_groups),
    ("GET", "groups/$count", rights.READ_GROUPS, people.count_groups),
    ("GET", "groups/{}", rights.READ_GROUPS, people.read_group),
    ("GET", "groups/{}/members", rights.READ_MEMBERS, people.list_members),
    (
        "GET",
        "directory/deletedItems/microsoft.graph.application",
        rights.READ_APPLICATIONS,
        deleted_items.list_applications,
    ),
    ("GET", "directory/deletedItems/{}", rights.READ_APPLICATIONS, deleted_items.read),
    ("DELETE", "directory/deletedItems/{}", rights.CHANGE_APPLICATIONS, deleted_items.purge),
    (
        "POST",
        "directory/deletedItems/{}/restore",
        rights.CHANGE_APPLICATIONS,
        deleted_items.restore,
    ),
)

_BY_ROLE: Mapping[tuple[str, str], Check] = {
    ("POST", "servicePrincipals/{}/appRoleAssignedTo"): directory_roles.check_assignment,
    ("POST", "servicePrincipals/{}/appRoleAssignments"): directory_roles.check_assignment,
    ("POST", "oauth2PermissionGrants"): directory_roles.check_grant,
    ("PATCH", "oauth2PermissionGrants/{}"): directory_roles.check_widened,
}
"""Grants, which a directory role may allow: one mechanism is enough. It takes none back."""

OPERATIONS = {
    (method, template): Operation(rule=rule, do=do, check_role=_BY_ROLE.get((method, template)))
    for method, template, rule, do in _TABLE
}
_TEMPLATES = {template for _, template in OPERATIONS}


def operation_for(method: str, template: str) -> Operation:
    """Return the operation, or raise what Graph says of a path or method it does not know."""
    if template.split("/")[0] == "me":
        message = "/me request is only valid with delegated authentication flow."
        raise bad_request(message, code="BadRequest")
    if found := OPERATIONS.get((method, template)):
        return found
    if template in _TEMPLATES:
        message = "Specified HTTP method is not allowed for the request target."
        raise GraphFailure(405, "Request_BadRequest", message)
    known = max(
        (known for known in _TEMPLATES if template.startswith(known + "/")), key=len, default=""
    )
    segment = template.removeprefix(known).strip("/").split("/")[0]
    raise bad_request(f"Resource not found for the segment '{segment}'.", code="BadRequest")
