"""Read values from an environment mapping, each by its kind, and collect the problems.

No sentence repeats a value: it may be another, valid secret.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches

import sqlalchemy as sa
from cryptography.fernet import Fernet

from graph.http import Proxies

EVERYBODY = "*"
QUOTES = "'\""
COMMON_NAMES = frozenset({"PORT", "DATABASE_URL", "LOG_LEVEL", "LOG_FORMAT", "CA_BUNDLE"})
"""Names of settings that other programs have, too: similar names may be meant for those."""
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
LEAST_SIMILARITY = 0.85
"""How much alike a name is to a setting's that was meant (difflib's ratio)."""


class Reader:
    """Read values and collect problems, so that an operator can fix all of them at once.

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

    def value(
        self, name: str, fits: Callable[[str], object], sentence: str, *, default: str = ""
    ) -> str:
        """Return the value, or the default if it is not set. The sentence says what fits."""
        value = self.text(name) or default
        if value and not fits(value):
            self.problem(f"{name} {sentence}.")
        return value

    def required(self, name: str, what: str, pattern: str = "(?s).+") -> str:
        if not (value := self.text(name)):
            self.problem(f"{name} is missing: set it to {what}.")
        elif not re.fullmatch(pattern, value):
            self.problem(f"{name} does not look like {what}.")
        return value

    def token(self, name: str, prefix: str, *, is_required: bool = True) -> str:
        what = f"a Slack token that begins with {prefix}"
        value = self.required(name, what) if is_required else self.text(name)
        if value == prefix:
            self.problem(f"{name} is only the beginning of a token: copy the whole of it.")
        elif value and not value.startswith(prefix):
            # The value itself stays out of the sentence: it may be another, valid token.
            self.problem(f"{name} must begin with {prefix}.")
        return value

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        sentence = f"must be one of {', '.join(choices)}"
        return self.value(name, choices.__contains__, sentence, default=default)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self.text(name) or str(default)
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            self.problem(f"{name} must be a whole number from {least} to {most}.")
            return default
        return int(text)

    def duration(
        self, name: str, default: timedelta, within: tuple[timedelta, timedelta], example: str
    ) -> timedelta:
        """Return a time within these limits. The example ends with the longest one."""
        text = self.text(name)
        found = re.fullmatch(r"(\d{1,6})(m|h|d)", text)
        units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
        value = int(found[1]) * units[found[2]] if found else timedelta()
        is_within = within[0] <= value <= within[1]
        if text and not is_within:
            self.problem(f"{name} must be a time such as {example} at most.")
        return value if is_within else default

    def ids(self, name: str, letters: str, what: str, *, everybody: bool = False) -> frozenset[str]:
        """Return Slack ids that begin with one of these letters; or all people, if that may be."""
        ids = self.text(name).replace(",", " ").split()
        if ids == [EVERYBODY] and everybody:
            return frozenset(ids)
        for place, id in enumerate(ids, start=1):
            if id == EVERYBODY and everybody:
                self.problem(f"{name}: * means everybody, so it must stand alone.")
            elif not re.fullmatch(rf"[{letters}][A-Z0-9]{{2,}}", id):
                # Only its place: a token that was pasted here by mistake must not be printed.
                self.problem(f"{name}: entry {place} is not {what}.")
        return frozenset(ids)

    def database_url(self, name: str, default: str) -> str:
        value = self.text(name) or default
        value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
        value = re.sub(r"^sqlite://", "sqlite+aiosqlite://", value)
        known = re.match(r"sqlite\+aiosqlite:///.+|postgresql\+psycopg://.+", value)
        if not known or not readable_by(sa.make_url)(value):
            self.problem(
                f"{name} must begin with sqlite+aiosqlite:/// and name a file, or with postgresql://."
            )
            return default
        if ":memory:" in value or "mode=memory" in value:
            self.problem(f"{name} must name a file: what only memory holds is lost at each stop.")
        return _as_utf8(value)


def readable_by(read: Callable[[str], object]) -> Callable[[str], bool]:
    """Return a test of values: they fit if this function can read them."""

    def fits(value: str) -> bool:
        try:
            read(value)
        except (ValueError, OSError, sa.exc.ArgumentError):  # an SSLError is an OSError
            return False
        return True

    return fits


def vault_keys(reader: Reader, name: str) -> tuple[str, ...]:
    keys = tuple(reader.text(name).replace(",", " ").split())
    problem = ""
    if not keys:
        problem = "is missing"
    elif not all(map(readable_by(Fernet), keys)):
        problem = "holds something that is not a key"
    elif any(len(set(base64.urlsafe_b64decode(key))) == 1 for key in keys):
        problem = "holds a key that is easy to guess"
    if problem:
        reader.problem(f"{name} {problem}: `aad-setup keys new` prints one.")
    return keys


def _as_utf8(url: str) -> str:
    """Have PostgreSQL answer in UTF-8, whatever PGCLIENTENCODING or the address say."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return url
    parsed = parsed.update_query_dict({"client_encoding": "utf8"})
    return parsed.render_as_string(hide_password=False)
