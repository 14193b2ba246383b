"""Who may call what, and whose objects an operation may touch.

The permissions are those of learn.microsoft.com/graph/permissions-reference. A rule is a list of
sets; the caller's token must carry one permission of each set: a role, or a scope if it acts on
behalf of a user. What users may do besides is in their directory roles. They read, and they grant;
this tenant lets them do nothing else.
"""

from typing import Any

from bot.playground.tenant.built_in_roles import GRANTING, GUEST
from bot.playground.tenant.calls import Caller
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import denied

Rule = tuple[frozenset[str], ...]

OWNED = "Application.ReadWrite.OwnedBy"


def any_of(*names: str) -> frozenset[str]:
    return frozenset(names)


# The public table lets Directory.ReadWrite.All read one application, and not list them.
LIST_APPLICATIONS: Rule = (
    any_of("Application.Read.All", "Application.ReadWrite.All", OWNED, "Directory.Read.All"),
)
READ_APPLICATIONS: Rule = (LIST_APPLICATIONS[0] | {"Directory.ReadWrite.All"},)
CHANGE_APPLICATIONS: Rule = (any_of("Application.ReadWrite.All", OWNED),)
# An owner is added by reference, and who refers to an object must be able to read it.
ADD_OWNERS: Rule = (*CHANGE_APPLICATIONS, any_of("Directory.Read.All"))
READ_FEDERATED_CREDENTIALS: Rule = (
    any_of("Application.Read.All", "Application.ReadWrite.All", OWNED),
)
READ_ASSIGNMENTS: Rule = (
    any_of(
        "Application.Read.All",
        "Application.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ),
)
# Granting needs to read what is granted, too: microsoft-graph-docs-contrib issues 3970 and 16978.
CHANGE_ASSIGNMENTS: Rule = (
    any_of("AppRoleAssignment.ReadWrite.All"),
    any_of("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"),
)
READ_GRANTS: Rule = (
    any_of(
        "DelegatedPermissionGrant.Read.All",
        "DelegatedPermissionGrant.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ),
)
CHANGE_GRANTS: Rule = (any_of("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"),)
READ_ORGANIZATION: Rule = (
    any_of(
        "Organization.Read.All",
        "Organization.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
        "User.Read.All",
    ),
)
READ_POLICY: Rule = (any_of("Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration"),)
CHANGE_POLICY: Rule = (any_of("Policy.ReadWrite.ApplicationConfiguration"),)
# Both together, as learn.microsoft.com/graph/api/appmanagementpolicy-post-appliesto asks.
ASSIGN_POLICY: Rule = (any_of("Application.Read.All"), *CHANGE_POLICY)
READ_ASSIGNED_POLICY: Rule = (any_of("Application.Read.All"), *READ_POLICY)
READ_CONSENT_POLICY: Rule = (
    any_of("Policy.Read.PermissionGrant", "Policy.ReadWrite.PermissionGrant"),
)
# The public table does not let the right to write read these.
READ_CONDITION_SETS: Rule = (any_of("Policy.Read.PermissionGrant", "Directory.Read.All"),)
CHANGE_CONSENT_POLICY: Rule = (any_of("Policy.ReadWrite.PermissionGrant"),)
READ_ROLES: Rule = (
    any_of(
        "RoleManagement.Read.Directory",
        "RoleManagement.Read.All",
        "RoleManagement.ReadWrite.Directory",
        "Directory.Read.All",
    ),
)
CHANGE_ROLES: Rule = (any_of("RoleManagement.ReadWrite.Directory"),)
READ_AUDITS: Rule = (any_of("AuditLog.Read.All"),)
READ_USERS: Rule = (
    any_of(
        "User.ReadBasic.All",
        "User.Read.All",
        "User.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ),
)
READ_GROUPS: Rule = (
    any_of(
        "Group.ReadBasic.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "GroupMember.Read.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ),
)
READ_MEMBERS: Rule = (
    any_of(
        "GroupMember.ReadBasic.All",
        "GroupMember.Read.All",
        "GroupMember.ReadWrite.All",
        "Group.ReadBasic.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "Directory.Read.All",
    ),
)

_READ_BY_USERS = frozenset(
    {
        LIST_APPLICATIONS,
        READ_APPLICATIONS,
        READ_ASSIGNMENTS,
        READ_GRANTS,
        READ_ORGANIZATION,
        READ_USERS,
        READ_GROUPS,
        READ_MEMBERS,
    }
)
# learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto: of the roles that may
# assign app roles, only these may assign Microsoft Graph's own.
_GRANTED_BY_USERS = frozenset({CHANGE_ASSIGNMENTS, CHANGE_GRANTS})
OPEN_TO_USERS = _READ_BY_USERS | _GRANTED_BY_USERS

_SEES_ALL_APPLICATIONS = READ_APPLICATIONS[0] - {OWNED}


def fulfils(caller: Caller, rule: Rule) -> bool:
    """Whether the caller's token carries the permissions that an operation asks for."""
    return all(caller.permissions & sufficient for sufficient in rule)


def check_rule(caller: Caller, rule: Rule) -> None:
    """Refuse a caller whose token lacks a permission, or whose user lacks a directory role."""
    if not fulfils(caller, rule):
        raise denied()
    if caller.is_user and not _may_user(caller, rule):
        raise denied()


def needs_role(caller: Caller) -> bool:
    """Whether only a custom role could let this caller grant: a user without one of Entra's own."""
    return caller.is_user and not caller.directory_roles & GRANTING


def _may_user(caller: Caller, rule: Rule) -> bool:
    if rule in _GRANTED_BY_USERS:
        return not needs_role(caller)
    return rule in _READ_BY_USERS and caller.directory_roles != {GUEST}


def visible(
    directory: Directory, caller: Caller, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the applications or service principals that this caller may read."""
    if caller.permissions & _SEES_ALL_APPLICATIONS:
        return rows
    return [row for row in rows if directory.owns(caller, row["id"])]


def check_read(directory: Directory, caller: Caller, id: str) -> None:
    if not caller.permissions & _SEES_ALL_APPLICATIONS and not directory.owns(caller, id):
        raise denied()


def check_change(directory: Directory, caller: Caller, id: str) -> None:
    """Refuse changes to what the caller does not own, unless it may change all of them."""
    if "Application.ReadWrite.All" not in caller.roles and not directory.owns(caller, id):
        raise denied()
