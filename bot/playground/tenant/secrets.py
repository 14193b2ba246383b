"""Secrets of applications, and how they reach the token endpoint.

learn.microsoft.com/graph/api/application-addpassword: the service makes the secret and shows it
once; without an end it lives for two years; the hint is its first three characters.
"""

import string
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.playground.tenant.app_policies import check_secret, default_policy_for
from bot.playground.tenant.checks import invalid, read_time
from bot.playground.tenant.directory import Directory, stamp
from bot.playground.tenant.replicas import Kind

DEFAULT_LIFE = timedelta(days=730)
_LATEST_START = datetime.max.replace(tzinfo=UTC) - DEFAULT_LIFE
_LETTERS = string.ascii_letters + string.digits + "._~-"


def make(
    directory: Directory,
    application: dict[str, Any],
    wanted: dict[str, Any],
    *,
    caller: str | None,
) -> dict[str, Any]:
    """Make a secret within the tenant's policy; nothing is written yet."""
    start = _time(wanted.get("startDateTime")) or directory.now()
    if start > _LATEST_START:
        raise invalid("startDateTime")
    end = _time(wanted.get("endDateTime")) or start + DEFAULT_LIFE
    if end <= start or end <= directory.now():
        raise invalid("endDateTime")
    default = default_policy_for(directory, application["id"])
    default.check(caller=caller, start=start, end=end)
    check_secret(directory, application, start=start, end=end)
    return new_secret(directory, name=wanted.get("displayName"), start=start, end=end)


def new_secret(
    directory: Directory, *, name: str | None, start: datetime, end: datetime
) -> dict[str, Any]:
    """Make a secret whatever the policy says."""
    letters = "".join(directory.random.choices(_LETTERS, k=37))
    text = f"{letters[:3]}8Q~{letters[3:]}"
    return {
        "customKeyIdentifier": None,
        "displayName": name,
        "endDateTime": stamp(end),
        "hint": text[:3],
        "keyId": directory.new_id(),
        "secretText": text,
        "startDateTime": stamp(start),
    }


def announce(directory: Directory, app_id: str, secret: dict[str, Any]) -> None:
    """Send a secret on its way to the token endpoint."""
    directory.store.put(Kind.SECRET, secret["keyId"], {**secret, "appId": app_id})


def without_text(secret: dict[str, Any]) -> dict[str, Any]:
    return {**secret, "secretText": None}


def _time(value: str | None) -> datetime | None:
    return None if value is None else read_time(value)
