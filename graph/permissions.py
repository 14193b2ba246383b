"""The permissions this bot may ever grant, and the rights it needs itself.

The catalogue is a hard allow-list: a name that is not in it is refused, even if approvers agree.
Its ids only cross-check what the tenant says; the tenant's own list of permissions decides.
Names and ids: learn.microsoft.com/graph/permissions-reference
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graph.azure_ad_graph import suggestion
from graph.permission_kinds import KIND_WORDS
from graph.permission_kinds import MICROSOFT_GRAPH as MICROSOFT_GRAPH
from graph.permission_kinds import Kind as Kind


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A Microsoft Graph permission with its reach in plain words."""

    name: str
    kind: Kind
    id: str
    meaning: str


class NotAllowed(Exception):
    """A permission outside the catalogue. Its text is a sentence for people."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind = name, kind
        super().__init__(
            f"The {KIND_WORDS[kind]} permission “{name}” is not one this bot may grant. "
            f"{_danger(name, kind)}"
            "It only grants permissions to read a directory, whoever approves."
        )


_ESCALATES = {
    "AppRoleAssignment.ReadWrite.All": "any permission, and so make itself Global Administrator",
    "RoleManagement.ReadWrite.Directory": "the role of Global Administrator",
    "Application.ReadWrite.All": "a credential of any application, and act as that one",
    "DelegatedPermissionGrant.ReadWrite.All": "what anybody who signs in may do",
}
"""The rights that an application with it could give itself."""

_CONTENTS = re.compile(
    r"(Calendars|Channel\w*|Chat\w*|Contacts|Files|Mail\w*|Notes|OnlineMeetings|Sites|Tasks)\."
    r"|full_access_as_app"
)
"""Prefixes of permissions that reach people's own content."""

_CHANGES = re.compile(r"Write|Send|Create|Manage|FullControl|AccessAsUser|Delete")


def _danger(name: str, kind: Kind) -> str:
    """Return the problem with it as a sentence with a trailing space, or an empty text."""
    if hint := suggestion(name, kind):
        return f"{hint} "
    if name in _ESCALATES:
        return f"An application with it can give itself {_ESCALATES[name]}. "
    if _CONTENTS.match(name):
        return "It reaches what people write and keep. "
    if _CHANGES.search(name):
        return "It changes things. "
    return ""


_ROLES = {
    "AdministrativeUnit.Read.All": (
        "134fd756-38ce-4afd-ba33-e9623dbe66c2",
        "reads every administrative unit and who belongs to it",
    ),
    "Directory.Read.All": (
        "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
        "reads the whole directory: users, groups, devices, applications and roles",
    ),
    "Domain.Read.All": ("dbb9058a-0e50-45d7-ae91-66909b5d4664", "reads the tenant's domains"),
    "Group.Read.All": (
        "5b567255-7703-4780-807c-7be8301ae99b",
        "reads every group, its members and what groups hold (calendars, conversations, files)",
    ),
    "GroupMember.Read.All": (
        "98830695-27a2-44f7-8c18-0c3ebc9698f6",
        "reads every group's name and members",
    ),
    "Member.Read.Hidden": (
        "658aa5d8-239f-45c4-aa12-864f4fc7e490",
        "reads the members of groups that hide them",
    ),
    "OrgContact.Read.All": (
        "e1a88a34-94c4-4418-be12-c87b00e26bea",
        "reads every organisational contact",
    ),
    "Organization.Read.All": (
        "498476ce-e0fe-48b0-b801-37ba7e2685c6",
        "reads the tenant's own details, domains and subscriptions",
    ),
    "User.Read.All": (
        "df021288-bdef-4463-88db-98f22de89214",
        "reads every user's full profile",
    ),
    "User.ReadBasic.All": (
        "97235f07-e226-4f63-ace3-39588e11d3a1",
        "reads every user's name, photo and mail address",
    ),
}

_SCOPES = {
    "Directory.Read.All": (
        "06da0dbc-49e2-44d2-8312-53f166ab848a",
        "reads the directory as far as the person who signs in may",
    ),
    "Group.Read.All": (
        "5f8c59db-677d-491f-a6b8-5f174b11ec1d",
        "reads the groups that the person who signs in may read",
    ),
    "GroupMember.Read.All": (
        "bc024368-1153-4739-b217-4326f2e966d0",
        "reads the memberships that the person who signs in may read",
    ),
    "User.Read": (
        "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
        "signs people in and reads their own profile",
    ),
    "User.Read.All": (
        "a154be20-db9c-4678-8ab7-66f6cc099a59",
        "reads the full profiles that the person who signs in may read",
    ),
    "User.ReadBasic.All": (
        "b340eb25-3456-403f-be2f-af7a0d370277",
        "reads names and mail addresses for the person who signs in",
    ),
}


CATALOGUE: Mapping[tuple[str, Kind], Permission] = MappingProxyType(
    {
        (name, kind): Permission(name=name, kind=kind, id=id, meaning=meaning)
        for kind, names in ((Kind.ROLE, _ROLES), (Kind.SCOPE, _SCOPES))
        for name, (id, meaning) in names.items()
    }
)


def is_allowed(permission: Permission) -> bool:
    """Whether this is, letter by letter, a permission of the catalogue."""
    return CATALOGUE.get((permission.name, permission.kind)) == permission


def lookup(name: str, kind: Kind) -> Permission:
    """Return the permission of that name, or raise NotAllowed."""
    try:
        return CATALOGUE[name, kind]
    except KeyError:
        raise NotAllowed(name, kind) from None
