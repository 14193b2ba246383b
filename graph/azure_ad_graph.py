"""Azure AD Graph, which was switched off in August 2025: recognised and explained, never asked for.

Vendors' guides still name its permissions. Each is mapped to the permission of Microsoft
Graph that replaces it, or to the reason why none does.
learn.microsoft.com/graph/api/resources/authenticationbehaviors (the end of the API)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from graph.permission_kinds import AZURE_AD_GRAPH, KIND_WORDS, Kind

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
