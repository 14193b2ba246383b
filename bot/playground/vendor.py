"""A simulated vendor's console: the form of its directory connector, and *Sync Directory Data*.

The fields are those of the guide, in its order. The key stays in this process's memory: it is shown
masked, and no log, answer or `repr` holds it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bot.playground.directory_sync import Connector, Entra, Found, SyncFailed, read
from bot.playground.tenant import Tenant
from graph.clock import Clock

DESCRIPTION, TYPE, APPLICATION_ID = "Description", "Type", "Application Id"
KEY, TENANT_DOMAIN = "Key", "Tenant Domain"
ACKNOWLEDGE = "Acknowledge Disabled Accounts in Active Directory"
FILTER = "Optional Email Domains Filter"
OFFICE_365 = "Office 365 / Windows Azure Active Directory"
YES, NO = "Yes", "No"
LONGEST = 500
SHOWN_OF_KEY = 3

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.I)

Kind = Literal["text", "choice", "secret", "flag"]


def _any(_: str) -> str:
    return ""


def _type(value: str) -> str:
    return "" if value == OFFICE_365 else f"{TYPE} must be {OFFICE_365}."


def _id(value: str) -> str:
    if _ID.fullmatch(value):
        return ""
    return f"{APPLICATION_ID} must look like 00000000-0000-0000-0000-000000000000."


def _key(value: str) -> str:
    return "" if len(value.split()) == 1 else f"{KEY} must have no spaces in it."


def _domain(value: str) -> str:
    if _DOMAIN.fullmatch(value):
        return ""
    return f"{TENANT_DOMAIN} must be a domain like example.com."


def _flag(value: str) -> str:
    return "" if value in (YES, NO) else f"{ACKNOWLEDGE} must be {YES} or {NO}."


def _filter(value: str) -> str:
    if all(_DOMAIN.fullmatch(domain) for domain in _domains(value)):
        return ""
    return f"{FILTER} must be domains like example.com, with commas between them."


def _domains(value: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in re.split(r"[\s,;]+", value) if part)


@dataclass(frozen=True, kw_only=True)
class Field:
    name: str
    kind: Kind = "text"
    is_required: bool = True
    hint: str = ""
    problem: Callable[[str], str] = _any
    """Return why a value cannot be saved, or nothing."""


FIELDS = (
    Field(name=DESCRIPTION),
    Field(name=TYPE, kind="choice", problem=_type),
    Field(name=APPLICATION_ID, problem=_id),
    Field(name=KEY, kind="secret", problem=_key),
    Field(name=TENANT_DOMAIN, problem=_domain),
    Field(name=ACKNOWLEDGE, kind="flag", problem=_flag),
    Field(
        name=FILTER,
        is_required=False,
        hint="Only users with an address there. Empty: all.",
        problem=_filter,
    ),
)


class CannotSave(Exception):
    """Every problem of a form, by the name of its field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


class CannotSync(Exception):
    """A sentence for the person who pressed the button too early."""


@dataclass(kw_only=True)
class Result:
    """How a sync ended, in the vendor's words."""

    at: str
    ok: bool
    text: str
    details: list[str] = field(default_factory=list)
    advice: str = ""
    users: int | None = None
    groups: int | None = None


class Vendor:
    """One connector. Callers are told of each change by `changed`."""

    def __init__(
        self, entra: Entra, clock: Clock, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._entra = entra
        self._clock = clock
        self._changed = changed
        self._values: dict[str, str] = {}
        self._result: Result | None = None
        self._is_syncing = False

    def to_json(self) -> dict[str, Any]:
        """Return what the console shows: the key masked."""
        return {
            "fields": [self._field(each) for each in FIELDS],
            "saved": bool(self._values),
            "syncing": self._is_syncing,
            "result": asdict(self._result) if self._result else None,
        }

    def save(self, values: Mapping[str, object]) -> None:
        """Keep the form. Raises CannotSave, and then keeps what was there."""
        typed = {name: str(value).strip() for name, value in values.items()}
        if not typed.get(KEY) and KEY in self._values:
            typed[KEY] = self._values[KEY]
        if problems := dict(_problems(typed)):
            raise CannotSave(problems)
        self._values = {each.name: typed.get(each.name, "") for each in FIELDS}
        self._result = None
        self._changed()

    async def sync(self) -> None:
        """Read the directory, or learn why that fails. Raises CannotSync."""
        if not self._values:
            raise CannotSync("Fill in the connector and save it first.")
        if self._is_syncing:
            raise CannotSync("A sync is running already.")
        self._is_syncing = True
        self._changed()
        try:
            self._result = await self._synced()
        finally:
            self._is_syncing = False
            self._changed()

    async def _synced(self) -> Result:
        connector = self._connector()
        try:
            found = await read(self._entra, connector)
        except SyncFailed as failed:
            return Result(at=self._now(), ok=False, text=failed.sentence, advice=failed.advice)
        return Result(
            at=self._now(),
            ok=True,
            text=f"Read {_number(found.users, 'user')} and {_number(found.groups, 'group')}.",
            details=list(_details(found, connector)),
            users=found.users,
            groups=found.groups,
        )

    def _connector(self) -> Connector:
        return Connector(
            application_id=self._values[APPLICATION_ID],
            key=self._values[KEY],
            domain=self._values[TENANT_DOMAIN],
            acknowledges_disabled=self._values[ACKNOWLEDGE] == YES,
            domains=_domains(self._values[FILTER]),
        )

    def _now(self) -> str:
        return self._clock.now().isoformat()

    def _field(self, it: Field) -> dict[str, Any]:
        value = self._values.get(it.name, "")
        return {
            "name": it.name,
            "kind": it.kind,
            "required": it.is_required,
            "hint": it.hint,
            "choices": [OFFICE_365] if it.kind == "choice" else [],
            "value": masked(value) if it.kind == "secret" else value,
        }


def of(tenant: Tenant, clock: Clock, *, changed: Callable[[], None] = lambda: None) -> Vendor:
    """Make a vendor that finds the simulated tenant where others find Entra and Graph."""
    entra = Entra(
        login_url=tenant.url,
        graph_url=tenant.graph_url,
        scope=f"{tenant.cloud.graph}/.default",
        ca_file=tenant.ca_file,
    )
    return Vendor(entra, clock, changed=changed)


def masked(key: str) -> str:
    return f"{key[:SHOWN_OF_KEY]}{'•' * 8}" if key else ""


def _problems(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {each.name for each in FIELDS}
    for name in values.keys() - known:
        yield name, f"There is no field {name[:40]}."
    for each in FIELDS:
        value = values.get(each.name, "")
        if not value and each.is_required:
            yield each.name, f"{each.name} is missing."
        elif len(value) > LONGEST:
            yield each.name, f"{each.name} is longer than {LONGEST} characters."
        elif value and (problem := each.problem(value)):
            yield each.name, problem


def _details(found: Found, connector: Connector) -> Iterator[str]:
    if connector.domains:
        kept = found.users - found.left_out
        verb = "has" if kept == 1 else "have"
        names = ", ".join(connector.domains)
        yield (
            f"{_number(kept, 'user')} {verb} an address in {names};"
            f" {found.left_out:,} left out by the filter."
        )
    if found.disabled:
        accounts = _number(found.disabled, "account")
        verb = "is" if found.disabled == 1 else "are"
        if connector.acknowledges_disabled:
            yield f"{accounts} {verb} disabled in the directory, and so also here."
        else:
            yield f"{accounts} {verb} disabled in the directory, but stay active here."


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
