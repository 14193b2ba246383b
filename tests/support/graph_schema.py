"""Microsoft's own description of Graph, cut to what we call: does a recorded request fit it?

It is public data beside the checkout and no part of the product; `CUT` says where.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.playground.tenant.calls import Call

CUT = Path(__file__).parents[3] / "shared" / "reference" / "data" / "graph_schema.json"

Json = dict[str, Any]

READ_ONLY: Mapping[str, frozenset[str]] = {
    "entity": frozenset({"id"}),
    "directoryObject": frozenset({"deletedDateTime"}),
    "application": frozenset(
        {
            "appId",
            "applicationTemplateId",
            "certification",
            "createdByAppId",
            "createdDateTime",
            "disabledByMicrosoftStatus",
            "publisherDomain",
            "uniqueName",  # an upsert takes it from the path
            "verifiedPublisher",
        }
    ),
    "servicePrincipal": frozenset(
        {
            *("appDescription", "appDisplayName", "appId", "appOwnerOrganizationId", "appRoles"),
            *("applicationTemplateId", "createdByAppId", "oauth2PermissionScopes"),
            *("passwordCredentials", "resourceSpecificApplicationPermissions", "signInAudience"),
            "verifiedPublisher",
        }
    ),
    "passwordCredential": frozenset({"customKeyIdentifier", "hint", "keyId", "secretText"}),
    "appRoleAssignment": frozenset(
        {"createdDateTime", "principalDisplayName", "principalType", "resourceDisplayName"}
    ),
}
"""What callers must not send. The cut does not say it; learn.microsoft.com/graph/api/resources
does, type by type."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_CAST = "microsoft.graph."
_KEYED = re.compile(r"(?P<set>\w+)\((?P<key>\w+)='[^']*'\)")
_ANY = re.compile(r"([\w/]+)/any\((\w+):\2 eq '[^']*'\)")
_FILTERED = re.compile(r"([\w/]+) (?:eq|ne|ge|le|gt|lt) |startswith\(([\w/]+),")


class Misfit(AssertionError):
    """A request that Graph's description does not allow."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a path leads: a type, whether many of it, and the operation called on it, if any."""

    type: str
    many: bool
    template: str
    """The path as the table of permissions writes it."""
    params: Mapping[str, str] | None = None
    """Of an operation."""


class Schema:
    """The cut, with questions to it."""

    def __init__(self, cut: Json) -> None:
        self._types: Json = cut["types"]
        self._enums: Json = cut["enums"]
        self._sets: dict[str, str] = cut["sets"]
        self._singletons: dict[str, str] = cut["singletons"]
        self._ops: list[Json] = cut["ops"]
        self._permissions: Json = cut["permissions"]

    def check(
        self, call: Call, *, members: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    ) -> Place | None:
        """Return where the call went, or raise Misfit. A `$batch` is only its requests.

        `members` are, for templates of collections, the types whose properties may be selected.
        """
        path = call.path.removeprefix("/v1.0")
        if path == "/$batch":
            return None
        place = self.place(path)
        for name, value in call.query.items():
            self._option(members.get(place.template, (place.type,)), name, value)
        self._body(call, place)
        return place

    def rows(self, method: str, template: str, scheme: str = "Application") -> list[list[Any]]:
        """Return the permissions that allow a call: name, least, those needed, too.

        `scheme` is `Application`, or `DelegatedWork` for delegated ones.
        """
        found: list[list[Any]] = self._permissions.get(template, {}).get(method, {}).get(scheme, [])
        return found

    def place(self, path: str) -> Place:
        """Follow a path, segment by segment."""
        first, *rest = path.strip("/").split("/")
        place = self._root(first)
        for segment in rest:
            place = self._onwards(place, segment)
        return place

    def _root(self, segment: str) -> Place:
        if keyed := _KEYED.fullmatch(segment):
            type = self._known(self._sets, keyed["set"])
            self._property(type, keyed["key"])
            template = f"/{keyed['set']}({keyed['key']}={{value}})".lower()
            return Place(type=type, many=False, template=template)
        many = segment in self._sets
        type = self._sets[segment] if many else self._known(self._singletons, segment)
        return Place(type=type, many=many, template=f"/{segment}".lower())

    def _onwards(self, place: Place, segment: str) -> Place:
        template = f"{place.template}/{segment}".lower()
        if operation := self._operation(place, segment):
            params = operation["params"]
            return Place(type=place.type, many=place.many, template=template, params=params)
        if place.many and (cast := segment.removeprefix(_CAST)) != segment:
            if place.type not in self._lineage(cast):
                raise Misfit(f"{cast} is no {place.type}")
            return Place(type=cast, many=True, template=template)
        if place.many:
            if not _GUID.fullmatch(segment) and len(segment) < 20:
                raise Misfit(f"{segment} is no id of {place.type}")
            return Place(type=place.type, many=False, template=f"{place.template}/{{id}}")
        target = self._navigation(place.type, segment)
        return Place(type=_item(target), many=target != _item(target), template=template)

    def _operation(self, place: Place, name: str) -> Json | None:
        on = [f"Collection({each})" if place.many else each for each in self._lineage(place.type)]
        return next((op for op in self._ops if op["name"] == name and op["on"] in on), None)

    def _navigation(self, type: str, name: str) -> str:
        for each in self._lineage(type):
            if found := self._types[each].get("nav", {}).get(name):
                return str(found)
        raise Misfit(f"{type} leads to no {name}")

    def _option(self, types: tuple[str, ...], name: str, value: str) -> None:
        """Check one query option; what it names must be properties of one of the types."""
        match name:
            case "$select":
                named = value.split(",")
            case "$filter":
                rest = _ANY.sub("", value)
                named = [found[0] for found in _ANY.findall(value)]
                named += [next(filter(None, groups)) for groups in _FILTERED.findall(rest)]
            case "$top" if value.isdecimal() and 0 < int(value) < 1000:
                named = []
            case "$count" if value in ("true", "false"):
                named = []
            case "$skiptoken" | "$deltatoken":
                named = []
            case _:
                raise Misfit(f"{name}={value} on {' or '.join(types)}")
        known = {name for type in types for name in self._properties(type)}
        for each in named:
            if each.split("/")[0] not in known:
                raise Misfit(f"{' or '.join(types)} has no {each}")

    def _body(self, call: Call, place: Place) -> None:
        if call.method in ("GET", "DELETE"):
            if call.body is not None:
                raise Misfit(f"{call.method} with a body")
        elif place.params is not None:
            self._members(call.body, place.params, "an operation")
        elif (call.method, place.many) in (("POST", True), ("PATCH", False)):
            self._value(call.body, place.type)
        else:
            raise Misfit(f"{call.method} on {place.template}")

    def _members(self, body: object, allowed: Mapping[str, str], owner: str) -> None:
        if not isinstance(body, dict):
            raise Misfit(f"{owner} needs an object")
        for name, value in body.items():
            if name not in allowed:
                raise Misfit(f"{owner} has no {name}")
            self._value(value, allowed[name])

    def _value(self, value: object, type: str) -> None:
        if value is None:
            return
        if type != _item(type):
            if not isinstance(value, list):
                raise Misfit(f"{type} needs a list")
            for each in value:
                self._value(each, _item(type))
        elif type in self._types:
            self._object(value, type)
        elif not self._is_plain(value, type):
            raise Misfit(f"not a value of {type}")

    def _object(self, value: object, type: str) -> None:
        fixed = frozenset().union(*(READ_ONLY.get(each, ()) for each in self._lineage(type)))
        if isinstance(value, dict) and (sent := fixed & value.keys()):
            raise Misfit(f"{type}: {sorted(sent)} cannot be written")
        self._members(value, self._properties(type), type)

    def _is_plain(self, value: object, type: str) -> bool:
        match type:
            case "Edm.String":
                return isinstance(value, str)
            case "Edm.Boolean":
                return isinstance(value, bool)
            case "Edm.Int32" | "Edm.Int64":
                return isinstance(value, int) and not isinstance(value, bool)
            case "Edm.Guid":
                return isinstance(value, str) and bool(_GUID.fullmatch(value))
            case "Edm.DateTimeOffset":
                return isinstance(value, str) and bool(_TIME.fullmatch(value))
            case _:
                return value in self._enums.get(type, ())

    def _property(self, type: str, name: str) -> None:
        if name not in self._properties(type):
            raise Misfit(f"{type} has no {name}")

    def _properties(self, type: str) -> dict[str, str]:
        return {
            name: of
            for each in self._lineage(type)
            for name, of in self._types[each].get("props", {}).items()
        }

    def _lineage(self, type: str) -> Iterator[str]:
        """Yield a type and those that it is built on."""
        each: str | None = type
        while each is not None:
            yield each
            each = self._types.get(each, {}).get("base")

    def _known(self, names: Mapping[str, str], name: str) -> str:
        if name not in names:
            raise Misfit(f"Graph has no {name} here")
        return names[name]


def read_schema() -> Schema | None:
    """Return the cut, or None where it is not beside this checkout."""
    return Schema(json.loads(CUT.read_text("utf-8"))) if CUT.exists() else None


def _item(type: str) -> str:
    return type.removeprefix("Collection(").removesuffix(")")
