"""Forms: check the requester's, a sentence for each wrong field, turn it into the request for a
plan, and fill in the vendor's.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.catalogue import Option, Profile, fill
from bot.domain.people import Refusal
from bot.domain.registration import Form, Registration
from graph.app_policy import NEVER
from graph.permissions import explain_retired
from graph.plan import LONGEST_NAME, PlanRequest, redirect_problem

LONGEST_REASON = 500
MOST_LINES = 15
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Kinds of characters that are invisible, reorder or break lines, or that PostgreSQL refuses."""
BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Invisible letters, marks and signs of any kind."""
JOINERS = "\u200c\u200d"  # without which some scripts and emoji cannot be written
MOST_MARKS = 6
"""Marks upon one letter, more than any script needs: they would cover the line above."""
SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""Choose between pictures of one character, where a font has several."""
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")


class FormProblems(Refusal):
    """The form cannot be taken as it is. `problems` maps a field's name to its sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(" ".join(self.problems.values()))


def check_form(form: Form, profile: Profile) -> dict[str, str]:
    """Return a sentence for each field that is wrong; none if all are right."""
    problems = {
        "profile": profile.refusal,
        "name": _name(form.name),
        "reason": _reason(form.reason),
        "secret_days": _secret_days(form.secret_days, profile),
        "redirect": _redirect(form.redirect, profile),
    }
    for option in profile.options:
        if option.kind == "domains":
            problems[option.id] = _domains(form.options.get(option.id, ()))
    return {field: sentence for field, sentence in problems.items() if sentence}


def plan_request_of(
    form: Form,
    profile: Profile,
    *,
    registration: str,
    key: str,
    installation: str,
    requester: str,
    consent_mode: str,
) -> PlanRequest:
    """Return the request, with the profile's warnings."""
    retired = explain_retired(profile.legacy, roles=profile.roles, scopes=profile.scopes)
    return PlanRequest(
        registration=registration,
        key=key,
        installation=installation,
        profile=profile.id,
        profile_digest=profile.digest,
        name=form.name,
        reason=form.reason,
        requester=requester,
        roles=profile.roles,
        scopes=profile.scopes,
        redirect=form.redirect,
        secret_name=profile.secret_name,
        secret_days=form.secret_days,
        profile_days=profile.longest_secret_days,
        warnings=(*profile.warnings, *([retired] if retired else ())),
        consent_mode=consent_mode,
    )


def days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def check_reason(text: str) -> str:
    """Return the reason for a denial, trimmed. Raises FormProblems."""
    reason = text.strip()
    if not reason:
        raise FormProblems({"reason": "Say why: the requester reads it and can ask again."})
    if problem := _reason(reason):
        raise FormProblems({"reason": problem})
    return reason


def split_domains(text: str) -> list[str]:
    """Return the domains of a list that a person typed, lower-cased, each once."""
    parts = re.split(r"[\s,;]+", text.strip().lower())
    return list(dict.fromkeys(part.removeprefix("@") for part in parts if part))


def as_read(name: str) -> str:
    """Return a key that is equal for names that look equal: width, case, spaces, joiners."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = (each for each in folded if each not in JOINERS and each not in SELECTORS)
    return " ".join("".join(seen).split())


def _name(name: str) -> str:
    if not as_read(name):
        return "Give the application a name."
    unseen = "a line break or an invisible character: type it again, as one line"
    return _text("name", name, LONGEST_NAME, unseen if _unseen(name) else "")


def _reason(reason: str) -> str:
    if not reason.strip():
        return "Say what this is for: the approver decides by it."
    unseen = "invisible or control characters: type it again"
    is_unseen = _unseen(reason.replace("\n", "").replace("\t", ""))
    if problem := _text("reason", reason, LONGEST_REASON, unseen if is_unseen else ""):
        return problem
    if reason.count("\n") >= MOST_LINES:
        return f"The reason has too many lines; {MOST_LINES} is the most."
    return ""


def _text(field: str, text: str, longest: int, unseen: str) -> str:
    if len(text) > longest:
        return f"The {field} has {len(text)} characters; {longest} is the most."
    if unseen:
        return f"The {field} holds {unseen}."
    if _is_piled_up(text):
        return f"The {field} piles up marks upon a letter: they would cover the line above."
    return ""


def _unseen(text: str) -> bool:
    return any(
        each in BLANKS or (unicodedata.category(each) in UNSEEN and each not in JOINERS)
        for each in text
    )


def _is_piled_up(text: str) -> bool:
    is_mark = ("x" if unicodedata.category(each) in ("Mn", "Me") else " " for each in text)
    return "x" * (MOST_MARKS + 1) in "".join(is_mark)


def _secret_days(days: int, profile: Profile) -> str:
    if days in profile.secret_choices:
        return ""
    choices = ", ".join(str(choice) for choice in profile.secret_choices)
    return f"Choose how long the secret lives: {choices} days. {NEVER}"


def _redirect(redirect: str | None, profile: Profile) -> str:
    if not redirect:
        return ""
    if profile.redirect_rule == "none":
        return "This profile needs no redirect address: leave it empty."
    return redirect_problem(redirect) or ""


def _domains(domains: list[str]) -> str:
    wrong = [domain for domain in domains if not DOMAIN.fullmatch(domain)]
    if not wrong:
        return ""
    return f"{wrong[0]!r} is not a domain. Write it like example.com, separated by commas."


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
