"""Graph's paths: `/applications(uniqueName='x')/addPassword` becomes a template and its keys."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from bot.playground.tenant.errors import bad_request

COLLECTIONS = {
    "applications",
    "servicePrincipals",
    "oauth2PermissionGrants",
    "appRoleAssignedTo",
    "appRoleAssignments",
    "organization",
    "domains",
    "users",
    "groups",
    "deletedItems",
}
"""Segments whose next segment is the id of a member."""

_KEYED = re.compile(r"(?P<name>\w+)\((?P<key>\w+)='(?P<value>(?:[^']|'')*)'\)")


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
    for segment in map(unquote, raw_path.strip("/").split("/")):
        if parts and parts[-1] in COLLECTIONS and _is_id(segment):
            parts.append("{}")
            keys.append(Key(name="id", value=segment))
        elif keyed := _KEYED.fullmatch(segment):
            parts += [keyed["name"], "{}"]
            keys.append(Key(name=keyed["key"], value=keyed["value"].replace("''", "'")))
        elif "(" in segment:
            raise bad_request(f"Syntax error in segment '{segment}'.", code="BadRequest")
        else:
            parts.append(segment)
    return Target(template="/".join(parts), keys=tuple(keys))


def _is_id(segment: str) -> bool:
    return not segment.startswith(("$", "microsoft.graph.")) and segment != "delta"
