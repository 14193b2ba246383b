"""The permissions this bot may ever grant, and the retired ones of Azure AD Graph.

The catalogue is a hard allow-list: a name that is not in it is refused, even if approvers agree.
Its ids only cross-check what the tenant says; the tenant's own list of permissions decides.
Names and ids: learn.microsoft.com/graph/permissions-reference

Azure AD Graph was switched off in August 2025. Vendors' guides still name its permissions: each is
mapped to the permission of Microsoft Graph that replaces it, or to the reason why none does.
learn.microsoft.com/graph/api/resources/authenticationbehaviors (the end of the API)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"

AZURE_AD_GRAPH = "00000002-0000-0000-c000-000000000000"
"""Gone since August 2025; only recognised, never asked for."""


class Kind(StrEnum):
    """The two kinds of permission, in the words of `requiredResourceAccess`."""

    ROLE = "Role"
    """An application permission: the application acts as itself."""
    SCOPE = "Scope"
    """A delegated permission: the application acts for a signed-in user."""


KIND_WORDS: Mapping[Kind, str] = MappingProxyType(
    {Kind.ROLE: "application", Kind.SCOPE: "delegated"}
)
"""The kinds as the Entra admin centre calls them."""


class Reach(StrEnum):
    """How far a permission of the catalogue reaches, in words."""

    EVERYTHING = "reads the whole directory, or the contents of groups"
    ONE_KIND = "reads one kind of object, for the whole tenant"
    SIGNED_IN = "only as far as the user who signs in may"


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A Microsoft Graph permission with its reach in plain words."""

    name: str
    kind: Kind
    id: str
    meaning: str

    @property
    def reach(self) -> Reach:
        if self.kind is Kind.SCOPE:
            return Reach.SIGNED_IN
        return Reach.EVERYTHING if self.name in _WIDEST else Reach.ONE_KIND

    def __str__(self) -> str:
        return f"{self.name} ({KIND_WORDS[self.kind]})"


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


_WIDEST = frozenset({"Directory.Read.All", "Group.Read.All"})
"""Application permissions that read everything, or what people write in groups."""

_ROLES = {
    "AdministrativeUnit.Read.All": "reads every administrative unit and who belongs to it",
    "Directory.Read.All": (
        "reads the whole directory: users, groups, devices, applications and roles"
    ),
    "Domain.Read.All": "reads the tenant's domains",
    "Group.Read.All": (
        "reads every group, its members and what groups hold (calendars, conversations, files)"
    ),
    "GroupMember.Read.All": "reads every group's name and members",
    "Member.Read.Hidden": "reads the members of groups that hide them",
    "OrgContact.Read.All": "reads every organisational contact",
    "Organization.Read.All": "reads the tenant's own details, domains and subscriptions",
    "User.Read.All": "reads every user's full profile",
    "User.ReadBasic.All": "reads every user's name, photo and mail address",
}

_SCOPES = {
    "Directory.Read.All": "reads the directory as far as the person who signs in may",
    "Group.Read.All": "reads the groups that the person who signs in may read",
    "GroupMember.Read.All": "reads the memberships that the person who signs in may read",
    "User.Read": "signs people in and reads their own profile",
    "User.Read.All": "reads the full profiles that the person who signs in may read",
    "User.ReadBasic.All": "reads names and mail addresses for the person who signs in",
}

_ROLE_IDS = {
    "AdministrativeUnit.Read.All": "134fd756-38ce-4afd-ba33-e9623dbe66c2",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Domain.Read.All": "dbb9058a-0e50-45d7-ae91-66909b5d4664",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "Member.Read.Hidden": "658aa5d8-239f-45c4-aa12-864f4fc7e490",
    "OrgContact.Read.All": "e1a88a34-94c4-4418-be12-c87b00e26bea",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadBasic.All": "97235f07-e226-4f63-ace3-39588e11d3a1",
}

_SCOPE_IDS = {
    "Directory.Read.All": "06da0dbc-49e2-44d2-8312-53f166ab848a",
    "Group.Read.All": "5f8c59db-677d-491f-a6b8-5f174b11ec1d",
    "GroupMember.Read.All": "bc024368-1153-4739-b217-4326f2e966d0",
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "User.Read.All": "a154be20-db9c-4678-8ab7-66f6cc099a59",
    "User.ReadBasic.All": "b340eb25-3456-403f-be2f-af7a0d370277",
}

_TABLES = ((Kind.ROLE, _ROLE_IDS, _ROLES), (Kind.SCOPE, _SCOPE_IDS, _SCOPES))
CATALOGUE: Mapping[tuple[str, Kind], Permission] = MappingProxyType(
    {
        (name, kind): Permission(name=name, kind=kind, id=ids[name], meaning=meaning)
        for kind, ids, meanings in _TABLES
        for name, meaning in meanings.items()
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


ENDED = (
    "Azure AD Graph was retired in August 2025: its permissions can do nothing any more, and this"
    " bot never asks for them"
)


class NotRetiredPermission(ValueError):
    """A text that names no permission of Azure AD Graph. Its text is a sentence."""


@dataclass(frozen=True)
class RetiredPermission:
    """A permission of Azure AD Graph. A successor has the same name."""

    name: str
    kind: Kind
    has_successor: bool
    why: str
    """Why there is no successor, or an alternative."""

    def __str__(self) -> str:
        return f"{self.name} ({KIND_WORDS[self.kind]})"


_WRITES = "that changes the directory, and this bot only grants permissions to read one"
_PERSON = "that does whatever a signed-in user may do, and a connector signs no user in"
_LESS = "often GroupMember.Read.All and User.Read.All are enough"
_NO_PERSON = "a connector that signs no user in does without"
_IDS = MappingProxyType(
    {
        "Directory.Read.All": "5778995a-e1bf-45b8-affa-663a9f3f4d04",
        "User.Read": "311a71cc-e848-46a1-bdf8-97ff7156d8e6",
        "User.Read.All": "c582532d-9d9e-43bd-a97c-2667a28ce295",
        "User.ReadBasic.All": "cba73afc-7f69-4d86-8450-4978e04ecd1a",
        "Group.Read.All": "6234d376-f627-4f0f-90e0-dff25c5211a3",
        "Directory.AccessAsUser.All": "a42657d6-7f20-40e3-b6f0-cee03008a62a",
        "Directory.ReadWrite.All": "78c8a3c8-a07e-4b9e-af1b-b5ccab50a175",
        "Application.ReadWrite.OwnedBy": "824c81eb-e3f8-4ee6-8f6d-de7f50d565b7",
    }
)
"""As manifests in public repositories show them; one id serves both kinds of Directory.Read.All."""

_ROWS = (
    RetiredPermission("Directory.Read.All", Kind.ROLE, True, _LESS),
    RetiredPermission("Directory.Read.All", Kind.SCOPE, True, _NO_PERSON),
    RetiredPermission("User.Read", Kind.SCOPE, True, _NO_PERSON),
    RetiredPermission("User.Read.All", Kind.SCOPE, True, _NO_PERSON),
    RetiredPermission("User.ReadBasic.All", Kind.SCOPE, True, _NO_PERSON),
    RetiredPermission("Group.Read.All", Kind.SCOPE, True, _NO_PERSON),
    RetiredPermission("Directory.AccessAsUser.All", Kind.SCOPE, False, _PERSON),
    RetiredPermission("Directory.ReadWrite.All", Kind.ROLE, False, _WRITES),
    RetiredPermission("Directory.ReadWrite.All", Kind.SCOPE, False, _WRITES),
    RetiredPermission("Application.ReadWrite.OwnedBy", Kind.ROLE, False, _WRITES),
)

_WRITTEN = re.compile(
    rf"(?:{AZURE_AD_GRAPH}/)?(?P<name>[\w.-]+?)(?: \((?P<kind>application|delegated)\))?"
)


def retired_permission(text: str) -> RetiredPermission:
    """Return the permission that a guide names, by name or id, like “User.Read.All (delegated)”.

    Without a kind, an application permission is meant where there is one. Raises
    NotRetiredPermission."""
    found = _WRITTEN.fullmatch(text.strip())
    rows = [] if found is None else [row for row in _ROWS if _fits(row, found["name"])]
    if found is not None and found["kind"]:
        rows = [row for row in rows if KIND_WORDS[row.kind] == found["kind"]]
    if not rows:
        raise NotRetiredPermission(
            f"“{text}” is no permission of Azure AD Graph that this bot knows."
            " Write it like “Directory.Read.All (application)”."
        )
    return rows[0]


def explain_retired(
    wished: Iterable[RetiredPermission], *, roles: Iterable[str], scopes: Iterable[str]
) -> str | None:
    """Return a warning that says how a plan with these roles and scopes replaces them, if any."""
    asked = {*((name, Kind.ROLE) for name in roles), *((name, Kind.SCOPE) for name in scopes)}
    fates: dict[str, list[str]] = {}
    for each in wished:
        fates.setdefault(_fate_in_plan(each, asked), []).append(str(each))
    told = [f"For {' and '.join(names)}, {fate}." for fate, names in fates.items()]
    return " ".join([f"{ENDED}.", *told]) if told else None


def suggestion(name: str, kind: Kind) -> str | None:
    """Return the permission to ask for instead of one given the old way: by id or resource."""
    try:
        old = retired_permission(name)
    except NotRetiredPermission:
        return None
    if AZURE_AD_GRAPH not in name and name != _IDS[old.name]:
        return None  # Microsoft Graph has permissions of the same names
    same = [row for row in _ROWS if row.name == old.name and row.kind is kind]
    row = (same or [old])[0]
    return f"{ENDED}. For {row}, {_fate(row)}."


def _fate_in_plan(old: RetiredPermission, asked: set[tuple[str, Kind]]) -> str:
    if (old.name, old.kind) in asked:
        return "the plan asks Microsoft Graph instead"
    return f"{_fate(old)}. This plan does without" if old.has_successor else _fate(old)


def _fate(old: RetiredPermission) -> str:
    if old.has_successor:
        return f"Microsoft Graph has a permission of the same name; {old.why}"
    return f"there is nothing instead: {old.why}"


def _fits(row: RetiredPermission, name: str) -> bool:
    return name in (row.name, _IDS[row.name])
