"""The connector values of a registration, in the order of the vendor's form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.catalogue import Option, Profile, fill
from bot.domain.registration import Registration

MASK = "••••••••"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One field of the vendor's form."""

    label: str
    text: str
    is_secret: bool = False

    def __repr__(self) -> str:
        return f"Line({self.label!r}, {'…' if self.is_secret else repr(self.text)})"


@dataclass(frozen=True, kw_only=True)
class Values:
    """The values that the requester copies into the vendor's form."""

    registration: Registration
    title: str
    lines: tuple[Line, ...]
    next_steps: str
    is_open: bool  # whether the secret is in the clear

    def __repr__(self) -> str:
        return f"Values({self.registration.id}, …)"


def values_of(registration: Registration, profile: Profile, *, secret: str | None = None) -> Values:
    """Return the values, with the secret masked unless it is given."""
    fields = {**_fields(registration, profile), "secret": secret or _mask(registration)}
    lines = tuple(
        Line(label=value.label, text=fill(value, fields), is_secret=value.is_secret)
        for value in profile.values
    )
    return Values(
        registration=registration,
        title=profile.title,
        lines=lines,
        next_steps=profile.next_steps,
        is_open=secret is not None,
    )


def _fields(registration: Registration, profile: Profile) -> dict[str, str]:
    plan: Mapping[str, Any] = registration.plan or {}
    found = registration.secret
    fields = {
        "name": registration.form.name,
        "client_id": registration.app_id,
        "domain": plan["domain"],
        "tenant_id": plan["tenant_id"],
        "expires": found.expires_at.date().isoformat() if found and found.expires_at else "",
    }
    options = registration.form.options
    return fields | {
        option.id: option_text(option, options.get(option.id)) for option in profile.options
    }


def option_text(option: Option, value: Any) -> str:
    """Return an option as it goes into the vendor's form."""
    if option.kind == "flag":
        return "Yes" if value else "No"
    return ", ".join(value or ()) or "(leave empty)"


def _mask(registration: Registration) -> str:
    # Entra itself shows a secret's first three characters for ever, so that it can be recognised.
    secret = registration.secret
    return (secret.hint or "") + MASK if secret else MASK
