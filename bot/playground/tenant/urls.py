"""Graph's paths: `/applications(uniqueName='x')/addPassword` becomes a template and its keys.

Operations may be called by their qualified name and with empty brackets, as Microsoft's SDKs do:
`…/microsoft.graph.addPassword()` is `…/addPassword`. Alternate keys are those of the public schema.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from bot.playground.tenant.errors import bad_request

COLLECTIONS = {
    "applications",
    "servicePrincipals",
    "oauth2PermissionGrants",
    "appRoleAssignedTo",
    "appRoleAssignments",
    "appManagementPolicies",
    "directoryAudits",
    "permissionGrantPolicies",
    "includes",
    "roleDefinitions",
    "roleAssignments",
    "users",
    "groups",
    "deletedItems",
}
"""Segments whose next segment is the id of a member."""
ALTERNATE_KEYS: Mapping[str, frozenset[str]] = {
    "applications": frozenset({"appId", "uniqueName"}),
    "servicePrincipals": frozenset({"appId"}),
}
OPERATION_NAMES = {"addPassword", "removePassword", "delta", "restore"}
"""Actions and functions, known here or not: never the id of a member."""

_KEYED = re.compile(r"(?P<name>[A-Za-z0-9]+)\((?:(?P<key>[A-Za-z]+)=)?'(?P<value>(?:[^']|'')*)'\)")
_OWN_TENANT = "myorganization/"
"""Says the caller's tenant, which is meant without it, too; m365 writes it."""
_NAMESPACE = "microsoft.graph."
_ALIAS = "graph."
"""What the public schema calls the namespace for short; msgraph-sdk writes it in casts."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """How a member of a collection is named: by `id` or by an alternate key."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a path means: `applications/{}/addPassword` and the keys that fill the gaps."""

    template: str
    keys: tuple[Key, ...]


def target_of(raw_path: str) -> Target:
    """Read a path below `/v1.0`, still percent-encoded."""
    parts: list[str] = []
    keys: list[Key] = []
    for segment in map(_plain, raw_path.strip("/").removeprefix(_OWN_TENANT).split("/")):
        if parts and parts[-1] in COLLECTIONS and _is_id(segment):
            parts.append("{}")
            keys.append(Key(name="id", value=segment))
        elif (keyed := _KEYED.fullmatch(segment)) and keyed["name"] in COLLECTIONS:
            parts += [keyed["name"], "{}"]
            keys.append(_key(keyed))
        elif "(" in segment:
            raise bad_request(f"Syntax error in segment '{segment}'.", code="BadRequest")
        else:
            parts.append(segment)
    return Target(template="/".join(parts), keys=tuple(keys))


def _plain(raw_segment: str) -> str:
    """Decode a segment; an operation loses its namespace and its empty brackets.

    The namespace's alias is as good as its name.
    """
    segment = unquote(raw_segment)
    if segment.startswith(_ALIAS):
        segment = _NAMESPACE + segment.removeprefix(_ALIAS)
    name = segment.removeprefix(_NAMESPACE).removesuffix("()")
    return name if name in OPERATION_NAMES else segment


def _key(keyed: re.Match[str]) -> Key:
    name = keyed["key"] or "id"
    if name != "id" and name not in ALTERNATE_KEYS.get(keyed["name"], ()):
        message = f"The key property '{name}' is not a key of the requested type."
        raise bad_request(message, code="BadRequest")
    return Key(name=name, value=keyed["value"].replace("''", "'"))


def _is_id(segment: str) -> bool:
    return not segment.startswith(("$", _NAMESPACE)) and segment not in OPERATION_NAMES
