"""The catalogue: the needs of each kind of connector, read from `profiles/*.toml` and checked.

A profile is data, so a vendor is added by a file. The permissions that a profile may ask for are
limited by the hard allow-list in `graph.permissions`, which no file can widen.
"""

import hashlib
import json
import re
import string
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

from bot.domain.approval_requests import ONE_APPROVAL, Quorum
from bot.domain.people import CONTACT
from bot.problems import Unusable
from graph.app_policy import NEVER
from graph.clouds import CLOUDS, Cloud
from graph.permissions import (
    Kind,
    NotAllowed,
    NotRetiredPermission,
    Permission,
    RetiredPermission,
    lookup,
    retired_permission,
)

SECRET = "{secret}"
KNOWN_FIELDS = frozenset({"name", "client_id", "secret", "domain", "tenant_id", "expires"})
MOST_APPROVALS = 10
LONGEST_SECRET_DAYS = 730  # the Entra portal's own maximum, 24 months


ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

Shape = Mapping[str, Any]
"""A kind for each key: a type, a list with the type of its items, or the shape of a table. A key
with a question mark may be left out."""

OPTION: Shape = {"id": str, "kind": str, "label": str, "hint": str}
VALUE: Shape = {"label": str, "value": str}
PROFILE: Shape = {
    "order": int,
    "title": str,
    "summary": str,
    "roles": [str],
    "scopes": [str],
    "legacy?": [str],
    "warnings": [str],
    "next_steps": str,
    "refused_clouds?": {f"{name}?": str for name in CLOUDS},
    "approval?": {"needed?": int, "distinct_groups?": bool},
    "redirect": {"rule": str, "caution?": str},
    "secret": {"name": str, "default_days": int, "choices": [object]},  # "never" is told of later
    "options?": [OPTION],
    "values": [VALUE],
}
WORDS = {str: "a text in quotes", int: "a whole number", bool: "true or false"}


class CatalogueError(Unusable):
    """Profile files are wrong. The problems are sentences for their author."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """A form field of the profile's own: a flag, or a list of e-mail domains."""

    id: str
    kind: Literal["flag", "domains"]
    label: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Value:
    """One line of the vendor's form: its label, and a text with fields in braces."""

    label: str
    value: str

    @property
    def is_secret(self) -> bool:
        return self.value == SECRET


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The needs of one kind of connector. The defaults are for a stand-in: see `drawable`."""

    id: str
    order: int = 0
    title: str
    summary: str = ""
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    legacy: tuple[RetiredPermission, ...] = ()
    """Permissions of Azure AD Graph in the vendor's guide: explained, never requested."""
    approval: Quorum = ONE_APPROVAL
    """What it takes at least, whatever the settings say."""
    warnings: tuple[str, ...] = ()
    refused_clouds: Mapping[str, str] = field(default_factory=dict)
    """Clouds in which the vendor's connector does not work → the vendor's reason, a sentence."""
    refusal: str = ""
    """Why it cannot be requested in this bot's cloud, if so: see `profile_in`."""
    next_steps: str
    redirect_rule: Literal["none", "optional"] = "none"
    redirect_caution: str = ""
    secret_name: str = ""
    secret_days: int = 0
    secret_choices: tuple[int, ...] = ()
    options: tuple[Option, ...] = ()
    values: tuple[Value, ...] = ()
    digest: str = ""

    @property
    def longest_secret_days(self) -> int:
        return max(self.secret_choices)


Catalogue = Mapping[str, Profile]


def catalogue_in(cloud: Cloud, catalogue: Catalogue) -> Catalogue:
    """Return the profiles as they are in this cloud; those that refuse it come last."""
    seen = [profile_in(cloud, each) for each in catalogue.values()]
    return {each.id: each for each in sorted(seen, key=lambda each: bool(each.refusal))}


def profile_in(cloud: Cloud, profile: Profile) -> Profile:
    """Return the profile with its `refusal`, if it has one in this cloud."""
    if not (reason := profile.refused_clouds.get(cloud.name)):
        return profile
    refusal = f"{profile.title} cannot be used in your tenant's cloud ({cloud.name}). {reason}"
    return replace(profile, refusal=refusal)


def profile_ids() -> Sequence[str]:
    """Return the ids of the shipped profiles by the alphabet, without reading them."""
    return sorted(_files())


def read_catalogue(
    folder: Traversable | None = None, *, reserved: Collection[str] = ()
) -> Catalogue:
    """Read the shipped profiles by id, in their own order, or those of another folder.

    None may have a `reserved` name: behind the command that means something else. Raises
    CatalogueError with all their problems.
    """
    profiles, problems = [], []
    for id, file in _files(folder).items():
        try:
            profiles.append(parse_profile(id, file.read_text("utf-8"), reserved))
        except CatalogueError as error:
            problems.append(str(error))
        except (OSError, UnicodeDecodeError):
            problems.append(f"profile {id}: the file cannot be read as UTF-8 text.")
    if problems:
        raise CatalogueError(*problems)
    return {each.id: each for each in sorted(profiles, key=lambda it: (it.order, it.id))}


def permissions_of(catalogue: Catalogue) -> tuple[Permission, ...]:
    """Return every permission that a profile asks for, once."""
    roles = {(name, Kind.ROLE) for each in catalogue.values() for name in each.roles}
    scopes = {(name, Kind.SCOPE) for each in catalogue.values() for name in each.scopes}
    return tuple(lookup(*each) for each in sorted(roles | scopes))


def _files(folder: Traversable | None = None) -> Mapping[str, Traversable]:
    files = (folder or resources.files("bot").joinpath("profiles")).iterdir()
    return {f.name.removesuffix(".toml"): f for f in files if f.name.endswith(".toml")}


def drawable(catalogue: Catalogue, id: str) -> Profile:
    """Return the profile, or a stand-in for one that was removed while registrations of it live.

    The stand-in names itself and asks for nothing: the plan holds all that was planned.
    """
    return catalogue.get(id) or Profile(
        id=id,
        title=f"{id} (no longer in the catalogue)",
        next_steps=f"Ask {CONTACT} to put the profile back into the catalogue.",
    )


def parse_profile(id: str, text: str, reserved: Collection[str] = ()) -> Profile:
    """Turn a profile's TOML into a checked Profile. Raises CatalogueError."""
    try:
        raw = tomllib.loads(text)
        problems = [*_wrong_name(id, reserved), *_unshapely(raw)]
        if not problems:
            profile = _profile(id, raw)
            problems = list(_problems(profile))
    except NotRetiredPermission as error:
        raise CatalogueError(f"profile {id}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"profile {id}: it is not TOML: {error}.") from error
    if problems:
        raise CatalogueError(f"profile {id}: " + " ".join(problems))
    return profile


def fill(value: Value, fields: Mapping[str, str]) -> str:
    """Return the value's text with its fields filled in."""
    return value.value.format_map(fields)


def _profile(id: str, raw: Mapping[str, Any]) -> Profile:
    redirect, secret = raw["redirect"], raw["secret"]
    lists: dict[str, Any] = {it: tuple(raw[it]) for it in ("roles", "scopes", "warnings")}
    return Profile(
        id=id,
        **{name: raw[name] for name in ("order", "title", "summary", "next_steps")},
        **lists,
        refused_clouds=raw.get("refused_clouds", {}),
        legacy=tuple(retired_permission(text) for text in raw.get("legacy", ())),
        approval=Quorum(**raw.get("approval", {})),
        redirect_rule=redirect["rule"],
        redirect_caution=redirect.get("caution", ""),
        secret_name=secret["name"],
        secret_days=secret["default_days"],
        secret_choices=tuple(secret["choices"]),
        options=tuple(Option(**option) for option in raw.get("options", ())),
        values=tuple(Value(**value) for value in raw["values"]),
        digest=hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest(),
    )


def _wrong_name(id: str, reserved: Collection[str]) -> Iterable[str]:
    if not ID.fullmatch(id):
        yield "Name the file with small letters, digits and hyphens: people type its name."
    if id in reserved:
        yield f"`{id}` is a word of the command: give the file another name."


def _unshapely(raw: Mapping[str, Any], shape: Shape = PROFILE, within: str = "") -> Iterator[str]:
    """Yield a sentence for each key that is missing, unknown, or of another kind."""
    kinds = {key.removesuffix("?"): kind for key, kind in shape.items()}
    for key in kinds:
        if key not in raw and f"{key}?" not in shape:
            yield f"`{within}{key}` is missing."
    for key, value in raw.items():
        if key in kinds:
            yield from _unlike(value, kinds[key], f"{within}{key}")
        else:
            near = get_close_matches(key, kinds, n=1)
            meant = f" Did you mean `{within}{near[0]}`?" if near else ""
            yield f"`{within}{key}` is no key of a profile.{meant}"


def _unlike(value: object, kind: Any, name: str) -> Iterator[str]:
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"`{name}` must be a list."
            return
        for place, item in enumerate(value, start=1):
            yield from _unlike(item, kind[0], f"{name}, entry {place}")
    elif isinstance(kind, Mapping):
        if not isinstance(value, dict):
            yield f"`{name}` must be a table."
            return
        yield from _unshapely(value, kind, f"{name}.")
    elif kind is not object and type(value) is not kind:
        yield f"`{name}` must be {WORDS[kind]}."


def _problems(profile: Profile) -> Iterable[str]:
    yield from _refused(profile.roles, Kind.ROLE)
    yield from _refused(profile.scopes, Kind.SCOPE)
    if not 1 <= profile.approval.needed <= MOST_APPROVALS:
        yield f"1 to {MOST_APPROVALS} approvals can be needed."
    for cloud, reason in profile.refused_clouds.items():
        if not reason.strip():
            yield f"Give the vendor's reason why {cloud} is refused."
    if profile.redirect_rule not in ("none", "optional"):
        yield f"Unknown redirect rule {profile.redirect_rule!r}."
    if profile.secret_days not in profile.secret_choices:
        yield "The default life of the secret is not among its choices."
    lives: Sequence[object] = profile.secret_choices
    if not all(isinstance(it, int) and 1 <= it <= LONGEST_SECRET_DAYS for it in lives):
        yield f"A secret may live 1 to {LONGEST_SECRET_DAYS} days. {NEVER}"
    yield from _wrong_options(profile)
    yield from _wrong_values(profile)


def _wrong_options(profile: Profile) -> Iterable[str]:
    ids = [option.id for option in profile.options]
    for id in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"There are two options with the id {id!r}."
    for option in profile.options:
        if option.kind not in ("flag", "domains"):
            yield f"Unknown kind of option {option.kind!r}."
        if option.id in KNOWN_FIELDS:
            yield f"Option {option.id!r} has the name of a field."


def _wrong_values(profile: Profile) -> Iterable[str]:
    try:
        fields = [(value, _fields(value.value)) for value in profile.values]
    except ValueError as error:  # the formatter's own word for it
        yield f"The braces of a value are not right: {error}."
        return
    holders = [value for value, used in fields if "secret" in used]
    if len(holders) != 1 or not holders[0].is_secret:
        yield "Exactly one value must be the secret, alone in its line."
    known = KNOWN_FIELDS | {option.id for option in profile.options}
    for value, used in fields:
        for name in sorted(used - known):
            yield f"Unknown field {name!r} in value {value.label!r}."


def _refused(names: Iterable[str], kind: Kind) -> Iterable[str]:
    for name in names:
        try:
            lookup(name, kind)
        except NotAllowed as error:
            yield str(error)


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
