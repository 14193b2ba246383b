"""Read values from an environment mapping, each by its kind, and collect the problems.

No sentence repeats a value: it may be another, valid secret.
"""

import base64
import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches

import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.domain.lifetimes import LONGEST_APPROVAL_TTL, LONGEST_RETENTION
from bot.settings.allowed_hosts import is_one_of, is_slack
from graph.proxies import Proxies

EVERYBODY = "*"
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
GUID_EXAMPLE = "such as 01234567-89ab-cdef-0123-456789abcdef"
QUOTES = "'\""
COMMON_NAMES = frozenset({"PORT", "DATABASE_URL", "LOG_LEVEL", "LOG_FORMAT", "CA_BUNDLE"})
"""Names of settings that other programs have, too: similar names may be meant for those."""
LEAST_SIMILARITY = 0.85
"""How much alike a name is to a setting's that was meant (difflib's ratio)."""


class Reader:
    """Reads values and collects problems, so that an operator can fix all of them at once.

    For an unreadable value a default is returned; the caller checks `problems` last.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._names: set[str] = set()
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """Return the value without spaces and quotes around it; empty if it is not set."""
        value = self._environ.get(name, "").strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
            value = value[1:-1].strip()
            if name not in self._names:
                self.problem(
                    f"{name} is in quotes, which `docker run --env-file` keeps: remove them."
                )
        self._names.add(name)
        return value

    def problem(self, sentence: str) -> None:
        """Note a problem and its remedy, in a sentence."""
        self.problems.append(sentence)

    def misspelt(self) -> Iterator[str]:
        """Yield the unknown names that are similar to a known one.

        To ignore them might silently disable a protection that was asked for.
        """
        ours = sorted(self._names - COMMON_NAMES)
        for name in sorted(set(self._environ) - self._names):
            if near := get_close_matches(name, ours, n=1, cutoff=LEAST_SIMILARITY):
                yield f"Unknown setting {name}. Did you mean {near[0]}?"

    def proxies(self) -> Proxies:
        """Return the proxies that the environment's usual variables name."""
        found = Proxies.read(self._environ)
        self.problems.extend(found.problems())
        return found

    def required(self, name: str, what: str) -> str:
        if not (value := self.text(name)):
            self.problem(f"{name} is missing: set it to {what}.")
        return value

    def matching(self, name: str, pattern: str, what: str) -> str:
        value = self.required(name, what)
        if value and not re.fullmatch(pattern, value):
            self.problem(f"{name} does not look like {what}.")
        return value

    def guid(self, name: str, what: str) -> str:
        """Return the GUID in the lower case in which Entra writes it."""
        return self.matching(name, GUID, f"{what}, {GUID_EXAMPLE}").lower()

    def token(self, name: str, prefix: str) -> str:
        value = self.required(name, f"a Slack token that begins with {prefix}")
        self._check_prefix(name, value, prefix)
        return value

    def _check_prefix(self, name: str, value: str, prefix: str) -> None:
        if value == prefix:
            self.problem(f"{name} is only the beginning of a token: copy the whole of it.")
        elif value and not value.startswith(prefix):
            # The value itself stays out of the sentence: it may be another, valid token.
            self.problem(f"{name} must begin with {prefix}.")

    def app_token(self, name: str) -> str | None:
        value = self.text(name)
        self._check_prefix(name, value, "xapp-")
        return value or None

    def signing_secret(self, name: str) -> str | None:
        value = self.text(name)
        if value and not re.fullmatch(r"[0-9A-Za-z]{16,}", value):
            # A token of the same app, which is the likely slip, has hyphens.
            self.problem(f"{name} must be the signing secret of the app's Basic Information page.")
        return value or None

    def port(self, name: str) -> int | None:
        if not self.text(name):
            return None
        return self.number(name, 1, least=1, most=65535)

    def ip_address(self, name: str, default: str) -> str:
        value = self.text(name) or default
        try:
            ipaddress.ip_address(value)
        except ValueError:
            self.problem(f"{name} must be an IP address of this machine, such as 127.0.0.1.")
        return value

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name) or default
        if value not in choices:
            self.problem(f"{name} must be one of {', '.join(choices)}.")
        return value

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self.text(name) or str(default)
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            self.problem(f"{name} must be a whole number from {least} to {most}.")
            return default
        return int(text)

    def words(self, name: str, default: str) -> str:
        """Return words that stand in sentences as they are: nothing that Slack would obey."""
        value = self.text(name) or default
        if not re.fullmatch(r"[\w '#.,()/+@-]{1,80}", value):
            self.problem(
                f"{name} must be a name, a channel or an address, of at most 80 letters, digits and"
                " # @ . , ( ) / + - '."
            )
        return value

    def duration(self, name: str, default: timedelta) -> timedelta:
        value = self._duration(name, default)
        if not timedelta(0) < value <= LONGEST_APPROVAL_TTL:
            self.problem(f"{name} must be a time such as 30m, 24h or 7d, 30d at most.")
            return default
        return value

    def days(self, name: str, default: timedelta, *, least: timedelta) -> timedelta:
        value = self._duration(name, default)
        if not least <= value <= LONGEST_RETENTION:
            self.problem(
                f"{name} must be a time such as {default.days}d, {least.days}d at least and"
                f" {LONGEST_RETENTION.days}d at most."
            )
            return default
        return value

    def _duration(self, name: str, default: timedelta) -> timedelta:
        """Return the duration, or zero if the value is no duration."""
        if not (text := self.text(name)):
            return default
        found = re.fullmatch(r"(\d{1,6})(m|h|d)", text)
        units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
        return int(found[1]) * units[found[2]] if found else timedelta(0)

    def people(self, name: str, *, everybody: bool = False) -> frozenset[str]:
        people = self.text(name).replace(",", " ").split()
        if people == [EVERYBODY] and everybody:
            return frozenset(people)
        for place, person in enumerate(people, start=1):
            if person == EVERYBODY and everybody:
                self.problem(f"{name}: * means everybody, so it must stand alone.")
            elif not re.fullmatch(r"[UW][A-Z0-9]{2,}", person):
                # Only its place: a token that was pasted here by mistake must not be printed.
                self.problem(f"{name}: entry {place} is not a Slack user id such as U0123456789.")
        return frozenset(people)

    def groups(self, name: str) -> frozenset[str]:
        groups = self.text(name).replace(",", " ").split()
        for place, group in enumerate(groups, start=1):
            if not re.fullmatch(r"S[A-Z0-9]{2,}", group):
                self.problem(f"{name}: entry {place} is not a user group's id such as S0123456789.")
        return frozenset(groups)

    def slack_url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        if not is_slack(value):
            self.problem(f"{name} must be an address of slack.com or slack-gov.com over https.")
        return value if value.endswith("/") else value + "/"

    def https(self, name: str, default: str, hosts: set[str | None]) -> str:
        value = self.text(name) or default
        if not is_one_of(value, hosts):
            self.problem(f"{name} must be an https address of one of Microsoft's clouds.")
        return value.rstrip("/")

    def file(self, name: str) -> str | None:
        value = self.text(name)
        if value and not _holds_certificates(value):
            self.problem(f"{name} must name a PEM file with certificates.")
        return value or None

    def fernet_keys(self, name: str) -> tuple[str, ...]:
        keys = tuple(self.text(name).replace(",", " ").split())
        if not keys:
            self.problem(f"{name} is missing: `aad-setup keys new` prints one.")
        if not all(_is_fernet_key(key) for key in keys):
            self.problem(
                f"{name} holds something that is not a key: `aad-setup keys new` prints one."
            )
        elif any(len(set(base64.urlsafe_b64decode(key))) == 1 for key in keys):
            self.problem(
                f"{name} holds a key that anybody guesses: `aad-setup keys new` prints one."
            )
        return keys

    def database_url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
        value = re.sub(r"^sqlite://", "sqlite+aiosqlite://", value)
        known = re.match(r"sqlite\+aiosqlite:///.+|postgresql\+psycopg://.+", value)
        if not known or not _is_database(value):
            self.problem(
                f"{name} must begin with sqlite+aiosqlite:/// and name a file, or with postgresql://."
            )
            return default
        if ":memory:" in value or "mode=memory" in value:
            self.problem(f"{name} must name a file: what only memory holds is lost at each stop.")
        return _as_utf8(value)


def _as_utf8(url: str) -> str:
    """Have PostgreSQL answer in UTF-8, whatever PGCLIENTENCODING or the address say."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return url
    parsed = parsed.update_query_dict({"client_encoding": "utf8"})
    return parsed.render_as_string(hide_password=False)


def _holds_certificates(path: str) -> bool:
    try:
        ssl.create_default_context(cafile=path)
    except OSError:  # any problem with the file, also SSLError
        return False
    return True


def _is_database(url: str) -> bool:
    try:
        sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return False
    return True


def _is_fernet_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True
