"""The tenant's app management policy: its restrictions on a new application and on its secrets.

The lifetime of a new secret is the shortest of request, profile and this policy.
`defaultAppManagementPolicy.applicationRestrictions` as Microsoft documented it in June 2026,
learn.microsoft.com/graph/api/resources/appmanagementapplicationconfiguration:

- `keyCredentials` (`asymmetricKeyLifetime`, in beta `trustedCertificateAuthority`) and
  `identifierUris` (`nonDefaultUriAddition`, `uriAdditionWithoutUniqueTenantIdentifier`) concern
  certificates and identifier URIs, which this bot never adds: they cannot stop a plan.
- `audiences` and `redirectUris`: documented for beta only. v1.0 enforces them and does not tell
  them; they are read here where they are told. `audiences` knows `azureAdMultipleOrgs` and
  `personalMicrosoftAccount`, and this bot only makes applications of one directory.
- An entry counts while its `state` is not `disabled` and from
  `restrictForAppsCreatedAfterDateTime` on. `excludeActors` exempts callers by custom security
  attributes, which the bot's rights do not show: then the plan warns.
- That applications must name a `serviceManagementReference` is no part of this policy (not found
  in it): some tenants refuse with `ServiceTreeValueMissing`. The bot always sends one.
- Policies for single applications (`appManagementPolicies`) cannot concern one that is not there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from graph.calls import Json, moment, parts_of, written_as

_SECRETS = frozenset(
    {
        *("passwordAddition", "passwordLifetime"),
        *("customPasswordAddition", "symmetricKeyAddition", "symmetricKeyLifetime"),
    }
)
"""The first two are judged. The others are about values that a caller chooses and about
symmetric keys: this bot sends neither."""
_HARMLESS = frozenset({"keyCredentials", "identifierUris"})
_AUDIENCES = frozenset({"azureAdMultipleOrgs", "personalMicrosoftAccount"})

MEND = "ask for an exemption under “Application policies” in the Entra admin centre"
PERHAPS_EXEMPT = "Some callers are exempt, and the bot cannot see whether it is one."
LONGEST_LIST = 5
"""How many domains or schemes one sentence names."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`defaultAppManagementPolicy` as Graph told it, or a sentence on why it is not known."""

    told: Json | None = None
    why_unread: str = ""


@dataclass(frozen=True, kw_only=True)
class Restrictions:
    """Certain and possible obstacles, each as a sentence for people."""

    refusals: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    longest_secret: timedelta | None = None
    """How long a secret may live, if that is limited."""


_LISTS = {
    f"{name}?": [str]
    for name in ("allowedDomains", "blockedDomains", "allowedSchemes", "blockedSchemes")
}
REDIRECT_RESTRICTION = {
    "state?": str,
    "restrictForAppsCreatedAfterDateTime?": moment,
    **_LISTS,
    "web?": _LISTS,
}
"""The shape of an entry of `redirectUris`."""


def judge(policy: Policy, *, redirect: str | None, now: datetime) -> Restrictions:
    """Judge an application with a secret and that redirect URL, made now. Pure."""
    if policy.told is None:
        unread = "The bot cannot read the tenant's policy on applications, which may refuse a plan"
        return Restrictions(doubts=(f"{unread} or its secret. {policy.why_unread}",))
    if not policy.told.get("isEnabled"):
        return Restrictions()
    found = _told(policy.told.get("applicationRestrictions"))
    secrets = [each for each in found.get("passwordCredentials") or () if applies(each, now=now)]
    problems = list(_bans(secrets))
    doubts = [_unknown(name) for name in sorted(_strange(found, now, redirect))]
    if redirect is not None and found.get("redirectUris") is None:
        doubts.append(
            "The bot cannot see whether the tenant's policy on applications restricts redirect"
            " URLs: Entra may refuse this one."
        )
    elif redirect is not None:
        problems += _redirect_problems(_told(found["redirectUris"]), redirect, now)
    return Restrictions(
        refusals=tuple(f"{it.sentence} {it.remedy}" for it in problems if not it.may_exempt),
        doubts=(
            *(f"{it.sentence} {PERHAPS_EXEMPT}" for it in problems if it.may_exempt),
            *doubts,
        ),
        longest_secret=_longest(secrets),
    )


class _Problem(NamedTuple):
    """A restriction that the application breaks, unless the bot or its URL is exempt."""

    sentence: str
    remedy: str
    may_exempt: bool


def _bans(secrets: list[Json]) -> Iterator[_Problem]:
    bans = [each for each in secrets if each.get("restrictionType") == "passwordAddition"]
    if bans:
        sentence = "The tenant's policy does not allow client secrets for new applications."
        yield _Problem(sentence, f"To continue, {MEND}.", all(map(may_exempt, bans)))


def _longest(secrets: list[Json]) -> timedelta | None:
    limits = [each for each in secrets if each.get("restrictionType") == "passwordLifetime"]
    told = [parse_duration(each["maxLifetime"]) for each in limits if each.get("maxLifetime")]
    return min(told, default=None)


def applies(restriction: Json, *, now: datetime) -> bool:
    """Tell whether one entry concerns an application that is created now."""
    since = restriction.get("restrictForAppsCreatedAfterDateTime")
    started = not moment(since) or now >= datetime.fromisoformat(str(since))
    return started and restriction.get("state") != "disabled"


def may_exempt(restriction: Json) -> bool:
    """Tell whether an entry has an exemption, which may cover the bot or its URL."""
    # `exemptFormats` and `excludeFormats` exempt addresses by patterns of their own grammar.
    exempt = ("excludeActors", "exemptFormats", "excludeFormats")
    return any(_holds(restriction.get(name)) for name in exempt) or _holds(
        _told(restriction.get("web")).get("exemptFormats")
    )


def _redirect_problems(restrictions: Json, redirect: str, now: datetime) -> Iterator[_Problem]:
    """Yield each documented restriction that the URL breaks."""
    for name in _REDIRECTS:
        entry = restrictions.get(name)
        if not isinstance(entry, dict) or not applies(entry, now=now):
            continue
        if why := _broken(name, entry, redirect):
            sentence = f"The tenant's policy on applications does not allow {why} ({name})."
            yield _Problem(sentence, f"Choose another URL, or {MEND}.", may_exempt(entry))


def _broken(name: str, entry: Json, redirect: str) -> str | None:
    list_name, preposition = _REDIRECTS[name]
    if not list_name:
        return "wildcards in redirect URLs" if "*" in redirect else None
    listed = _lists(entry, list_name)
    parts = parts_of(redirect)
    if parts is None:
        return None  # graph/plan.py refuses it, with its own sentence
    is_domain = list_name.endswith("Domains")
    found = (parts.hostname or "").casefold() if is_domain else parts.scheme
    forbidden = f"redirect URLs {preposition} {found}"
    if list_name.startswith("blocked"):
        return forbidden if found in listed else None
    if found in listed or (list_name == "allowedSchemes" and "*" in listed):
        return None
    return f"{forbidden}, only {preposition} {some(sorted(listed), LONGEST_LIST)}"


_REDIRECTS = {
    "uriWithoutAllowedDomain": ("allowedDomains", "on"),
    "uriWithBlockedDomain": ("blockedDomains", "on"),
    "uriWithoutAllowedScheme": ("allowedSchemes", "with"),
    "uriWithBlockedScheme": ("blockedSchemes", "with"),
    "uriWithWildcard": ("", ""),
}
"""Each restriction with its list, and the word before an entry of it.

learn.microsoft.com/graph/api/resources/redirecturiconfiguration (beta). Domains match whole and
whatever their case; the list for a platform is combined with the one for all."""


def _lists(entry: Json, name: str) -> set[str]:
    """Return the list for all platforms with that for `web`, the only one that the bot fills."""
    web = _told(entry.get("web"))
    return {str(each).casefold() for each in (*(entry.get(name) or ()), *(web.get(name) or ()))}


def _strange(found: Json, now: datetime, redirect: str | None) -> Iterator[str]:
    """Yield the active restrictions that this module does not know."""
    known_names = {"audiences": _AUDIENCES}
    if redirect is not None:
        known_names["redirectUris"] = frozenset(_REDIRECTS)
    for entry in found.get("passwordCredentials") or ():
        kind = str(entry.get("restrictionType"))
        if kind not in _SECRETS and applies(entry, now=now):
            yield f"passwordCredentials.{kind}"
    for part, names in known_names.items():
        for name, entry in _told(found.get(part)).items():
            if name not in names and _is_active(entry, now):
                yield f"{part}.{name}"
    for name, entry in found.items():
        known = name in _HARMLESS | {"passwordCredentials", "audiences", "redirectUris"}
        if not known and _is_active(entry, now):
            yield name


def _is_active(value: object, now: datetime) -> bool:
    """Whether there is a restriction in it that is not switched off."""
    if isinstance(value, list):
        return any(_is_active(each, now) for each in value)
    if not isinstance(value, dict):
        return False
    if "state" in value:
        return applies(value, now=now)
    return any(_is_active(each, now) for each in value.values())


def _holds(value: object) -> bool:
    """Whether there is anything in it: an object with empty lists is no exemption."""
    if isinstance(value, Mapping):
        return any(_holds(each) for name, each in value.items() if not name.startswith("@odata."))
    return bool(value)


def _told(value: object) -> Json:
    if not isinstance(value, dict):
        return {}
    return {name: each for name, each in value.items() if not name.startswith("@odata.")}


def _unknown(name: str) -> str:
    return (
        f"The tenant's policy on applications holds a restriction that this bot does not know"
        f" ({name[:80]}): Entra may refuse this plan."
    )


def some(names: Sequence[str], most: int) -> str:
    """Return the first names and how many more there are: a card holds only so much."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


NEVER = "Entra no longer makes secrets that never expire."

SLACK_DAYS = 1
"""Left below the tenant's limit, because its clock and ours differ."""

# ISO 8601, as far as it can be reckoned with: more digits would be longer than a timedelta can be.
_NUMBER = "[0-9]{1,6}"
_DURATION = re.compile(
    rf"P(?=[0-9T])(?:(?P<years>{_NUMBER})Y)?(?:(?P<months>{_NUMBER})M)?(?:(?P<weeks>{_NUMBER})W)?"
    rf"(?:(?P<days>{_NUMBER})D)?(?:T(?=[0-9])(?:(?P<hours>{_NUMBER})H)?"
    rf"(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})(?:\.[0-9]+)?S)?)?"
)


POLICY = {
    "isEnabled": bool,
    "applicationRestrictions?": {
        "passwordCredentials?": [
            {
                "restrictionType?": str,
                "state?": str,
                "restrictForAppsCreatedAfterDateTime?": moment,
                "maxLifetime?": written_as(_DURATION),
            }
        ],
        "redirectUris?": {str: REDIRECT_RESTRICTION},
    },
}
"""The parts of `defaultAppManagementPolicy` that must be understood to allow a plan."""


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration; a year counts 365 days and a month 30."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not an ISO 8601 duration: {text!r}")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    days = part.pop("years") * 365 + part.pop("months") * 30 + part.pop("days")
    return timedelta(days=days, **part)
