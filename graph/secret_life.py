"""Lifetime of a new secret: the shortest of request, profile and tenant policy.

The tenant speaks through its default app management policy:
learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graph.app_policy import REDIRECT_RESTRICTION, applies, may_exempt
from graph.plan import LimitedBy, PlanRequest
from graph.shapes import moment

NEVER = "Entra no longer makes secrets that never expire."

SLACK_DAYS = 1
"""Left below the tenant's limit, because its clock and ours differ."""

_NUMBER = "[0-9]{1,6}"  # more would be longer than a timedelta can be
_DURATION = re.compile(
    rf"P(?=[0-9T])(?:(?P<years>{_NUMBER})Y)?(?:(?P<months>{_NUMBER})M)?(?:(?P<weeks>{_NUMBER})W)?"
    rf"(?:(?P<days>{_NUMBER})D)?(?:T(?=[0-9])(?:(?P<hours>{_NUMBER})H)?"
    rf"(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})(?:\.[0-9]+)?S)?)?"
)


def duration(value: object) -> bool:
    """Fit an ISO 8601 duration that can be reckoned with."""
    return isinstance(value, str) and bool(_DURATION.fullmatch(value))


POLICY = {
    "isEnabled": bool,
    "applicationRestrictions?": {
        "passwordCredentials?": [
            {
                "restrictionType?": str,
                "state?": str,
                "restrictForAppsCreatedAfterDateTime?": moment,
                "maxLifetime?": duration,
            }
        ],
        "redirectUris?": {str: REDIRECT_RESTRICTION},
    },
}
"""The parts of `defaultAppManagementPolicy` that must be understood to allow a plan."""


@dataclass(frozen=True, kw_only=True)
class SecretPolicy:
    """The tenant's rules for secrets of new applications."""

    banned: bool = False
    perhaps_banned: bool = False
    """Banned, but for callers that the policy exempts, and the bot may be one of them."""
    longest: timedelta | None = None
    readable: bool = True


def read_policy(policy: dict[str, Any] | None, *, now: datetime) -> SecretPolicy:
    """Read Graph's `defaultAppManagementPolicy` for an application that is created now."""
    if policy is None:
        return SecretPolicy(readable=False)
    if not policy.get("isEnabled"):
        return SecretPolicy()
    restrictions = policy.get("applicationRestrictions") or {}
    active = [
        each for each in restrictions.get("passwordCredentials") or () if applies(each, now=now)
    ]
    longest = [
        parse_duration(each["maxLifetime"])
        for each in active
        if each.get("restrictionType") == "passwordLifetime" and each.get("maxLifetime")
    ]
    bans = [each for each in active if each.get("restrictionType") == "passwordAddition"]
    return SecretPolicy(
        banned=any(not may_exempt(each) for each in bans),
        perhaps_banned=any(may_exempt(each) for each in bans),
        longest=min(longest, default=None),
    )


def limit(request: PlanRequest, policy: SecretPolicy) -> tuple[int, LimitedBy]:
    """Return the days a secret may live and whose word that is; the earlier one wins a tie."""
    said: list[tuple[int, LimitedBy]] = [
        (request.secret_days, "requester"),
        (request.profile_days, "profile"),
    ]
    if policy.longest is not None:
        said.append((policy.longest.days - SLACK_DAYS, "tenant"))
    return min(said, key=lambda each: each[0])


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration; a year counts 365 days and a month 30."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not an ISO 8601 duration: {text!r}")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    days = part.pop("years") * 365 + part.pop("months") * 30 + part.pop("days")
    return timedelta(days=days, **part)
