"""Values in request bodies: a check looks at one value and raises what Graph would answer."""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.playground.tenant.errors import GraphFailure, bad_request

Check = Callable[[str, object], None]

_DURATION = re.compile(
    r"P(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,6})M)?(?:(?P<seconds>[0-9]{1,6})S)?)?"
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The properties of one Graph type: what a caller may set, and what only the tenant sets."""

    name: str
    writable: Mapping[str, Check]
    read_only: frozenset[str] = frozenset()
    never_null: frozenset[str] = field(default=frozenset())

    @property
    def properties(self) -> frozenset[str]:
        return frozenset(self.writable) | self.read_only

    def check(self, body: object) -> None:
        """Refuse unknown and read-only properties and values of a wrong type or length."""
        if not isinstance(body, dict):
            raise invalid(self.name)
        for name, value in body.items():
            if not name.startswith("@odata."):
                self._check_property(name, value)

    def _check_property(self, name: str, value: object) -> None:
        if name in self.read_only:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        if name not in self.writable:
            raise bad_request(f"Invalid property '{name}'.")
        if value is None and name not in self.never_null:
            return
        self.writable[name](name, value)


def invalid(name: str) -> GraphFailure:
    message = f"Invalid value specified for property '{name}' of resource."
    return bad_request(message, details=[_detail("InvalidValue", message, name)])


def _detail(code: str, message: str, target: str) -> dict[str, str]:
    return {"code": code, "message": message, "target": target}


def text(limit: int | None = None) -> Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or (limit is not None and len(value) > limit):
            raise invalid(name)

    return check


def filled_text(limit: int) -> Check:
    def check(name: str, value: object) -> None:
        text(limit)(name, value)
        if not str(value).strip():
            raise invalid(name)

    return check


def one_of(*allowed: str) -> Check:
    def check(name: str, value: object) -> None:
        if value not in allowed:
            raise invalid(name)

    return check


def listed(check_item: Check, *, at_most: int | None = None) -> Check:
    """A collection; Graph refuses one that holds a value twice."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, list) or (at_most is not None and len(value) > at_most):
            raise invalid(name)
        for item in value:
            check_item(name, item)
        # Written out, because a list of thousands must not be compared item by item.
        if len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            raise bad_request("Request contains a property with duplicate values.")

    return check


def record(shape: Shape) -> Check:
    return lambda _, value: shape.check(value)


def flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise invalid(name)


def number(name: str, value: object) -> None:
    """Edm.Int32."""
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
        raise invalid(name)


def guid(name: str, value: object) -> None:
    if not is_guid(value):
        raise invalid(name)


def is_guid(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F-]{36}", value):
        return False
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def binary(name: str, value: object) -> None:
    """Edm.Binary: base64, also in lines, as `az` sends a certificate."""
    if not isinstance(value, str):
        raise invalid(name)
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except ValueError:  # not base64, or not even ASCII
        raise invalid(name) from None


def timestamp(name: str, value: object) -> None:
    """Edm.DateTimeOffset: a time without an offset is refused."""
    if not isinstance(value, str) or read_time(value) is None:
        raise invalid(name)


def url_friendly(least: int, most: int) -> Check:
    """A name that can stand in a URL: letters, digits, dashes and underscores."""

    def check(name: str, value: object) -> None:
        pattern = rf"[A-Za-z0-9][A-Za-z0-9_-]{{{least - 1},{most - 1}}}"
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise invalid(name)

    return check


def https_url(limit: int) -> Check:
    def check(name: str, value: object) -> None:
        text(limit)(name, value)
        if not re.fullmatch(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?", str(value)):
            raise invalid(name)

    return check


def nothing(name: str, value: object) -> None:
    """A property that this tenant knows but cannot carry out: refused unless null."""
    raise invalid(name)


def duration(name: str, value: object) -> None:
    """Edm.Duration: days and parts of days."""
    if not isinstance(value, str) or read_duration(value) is None:
        raise invalid(name)


def read_duration(value: str) -> timedelta | None:
    """Return how long `P4DT12H30M5S` is, or None if it is no duration."""
    found = _DURATION.fullmatch(value)
    if found is None or value.endswith(("P", "T")):
        return None
    return timedelta(**{unit: int(count) for unit, count in found.groupdict(default="0").items()})


def read_time(value: str) -> datetime | None:
    """Return the time in UTC, or None if it is no time or does not say in which zone."""
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
