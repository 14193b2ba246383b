"""Settings: read once from an environment mapping, every problem reported at once.

Empty configuration means nobody, not everybody. Addresses are allow-listed: a token is sent only
to Slack's and Microsoft's own hosts, or to this machine.
"""

import ipaddress
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from cryptography.fernet import Fernet

from graph.signin import CLOUDS

EVERYBODY = "*"
SLACK_HOSTS = ("slack.com", "slack-gov.com")
LONGEST_TTL = timedelta(days=30)
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - a platform's router and its probes come from outside


class SettingsError(Exception):
    """The settings cannot be used. `problems` are sentences, all of them."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, kw_only=True)
class EntraSettings:
    """How to reach the tenant, and who gives consent there. This is all that reading it takes."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str
    graph_url: str
    ca_bundle: str | None
    consent_mode: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "EntraSettings":
        """Return what `environ` says of Entra alone. Raises SettingsError with every problem."""
        reader = _Reader(environ)
        settings = EntraSettings(**reader.entra())
        reader.check_not_yet("ENTRA_")
        if reader.problems:
            raise SettingsError(reader.problems)
        return settings


@dataclass(frozen=True, kw_only=True)
class Settings(EntraSettings):
    """Everything the bot is told from outside."""

    slack_bot_token: str = field(repr=False)
    slack_app_token: str | None = field(repr=False)  # Socket Mode
    slack_signing_secret: str | None = field(repr=False)  # HTTP mode; one of the two is set
    slack_api_url: str
    port: int | None
    bind_address: str
    approval_channel: str
    approvers: frozenset[str]
    approver_groups: frozenset[str]
    approvals_needed: int
    approval_ttl: timedelta
    requesters: frozenset[str]
    requester_groups: frozenset[str]
    open_limit: int
    daily_limit: int
    vault_keys: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)  # it may hold a password
    log_level: str
    plain_cards: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings that `environ` holds. Raises SettingsError with every problem."""
        reader = _Reader(environ)
        settings = cls(
            slack_bot_token=reader.token("SLACK_BOT_TOKEN", "xoxb-"),
            **reader.transport(),
            slack_api_url=reader.slack_url("SLACK_API_URL", "https://slack.com/api/"),
            approval_channel=reader.matching(
                "APPROVAL_CHANNEL", r"[CG][A-Z0-9]{2,}", "a channel id such as C0123456789"
            ),
            approvers=reader.people("APPROVERS"),
            approver_groups=reader.groups("APPROVER_GROUPS"),
            approvals_needed=reader.number("APPROVALS_NEEDED", 1, least=1, most=10),
            approval_ttl=reader.hours("APPROVAL_TTL", timedelta(hours=24)),
            requesters=reader.people("REQUESTERS", everybody=True),
            requester_groups=reader.groups("REQUESTER_GROUPS"),
            open_limit=reader.number("OPEN_LIMIT", 3, least=1, most=1000),
            daily_limit=reader.number("DAILY_LIMIT", 20, least=1, most=10_000),
            **reader.entra(),
            vault_keys=reader.fernet_keys("VAULT_KEYS"),
            database_url=reader.database_url("DATABASE_URL", "sqlite+aiosqlite:///aad-setup.db"),
            log_level=reader.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            plain_cards=reader.one_of("PLAIN_CARDS", ("true", "false"), "false") == "true",
        )
        reader.check_policy(settings)
        reader.check_not_yet()
        if reader.problems:
            raise SettingsError(reader.problems)
        return settings


GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
AUTONOMOUS = (
    "Set CONSENT_MODE=autonomous: the bot itself then grants the catalogue's permissions, which"
    " makes it nearly a Global Administrator. Read README, Rights, first."
)
NOT_YET = {
    "ENTRA_CERTIFICATE": "certificates are not there yet: use ENTRA_CLIENT_SECRET",
    "ENTRA_FEDERATED_TOKEN_FILE": "federation is not there yet: use ENTRA_CLIENT_SECRET",
    "ENTRA_MANAGED_IDENTITY": "managed identities are not there yet: use ENTRA_CLIENT_SECRET",
}
"""Settings that would change who may do what; ignoring one silently would be a lie."""


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_slack(url: str) -> bool:
    """Whether an address is Slack's own over https, or this machine's."""
    scheme, host = _address(url)
    if is_loopback(host):
        return scheme in ("http", "https")
    if not re.fullmatch(r"[a-z0-9.-]+", host):
        return False
    known = any(host == name or host.endswith("." + name) for name in SLACK_HOSTS)
    return scheme == "https" and known


def _holds_certificates(path: str) -> bool:
    try:
        ssl.create_default_context(cafile=path)
    except OSError:  # what is wrong with the file, SSLError among it
        return False
    return True


def _address(url: str) -> tuple[str, str]:
    """Return scheme and host, empty for what is no URL or carries a user name."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "", ""
    return ("", "") if parts.username is not None else (parts.scheme, parts.hostname or "")


class _Reader:
    """Reads values and collects problems, so that a person can mend all of them at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def _text(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def _problem(self, sentence: str) -> None:
        self.problems.append(sentence)

    def entra(self) -> dict[str, Any]:
        """Return the fields of EntraSettings."""
        return {
            "tenant_id": self.matching("ENTRA_TENANT_ID", GUID, "a directory (tenant) id"),
            "client_id": self.matching("ENTRA_CLIENT_ID", GUID, "an application (client) id"),
            "client_secret": self.required("ENTRA_CLIENT_SECRET", "the bot's own client secret"),
            "authority": self.authority(),
            "graph_url": self.graph_url(),
            "ca_bundle": self.file("CA_BUNDLE"),
            "consent_mode": self.consent_mode(),
        }

    def transport(self) -> dict[str, Any]:
        """Return the fields of Socket Mode or HTTP mode: what is present chooses."""
        socket, http = self._text("SLACK_APP_TOKEN"), self._text("SLACK_SIGNING_SECRET")
        if socket and http:
            self._problem(
                "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both set: keep the first for Socket"
                " Mode or the second for HTTP mode."
            )
        elif not socket and not http:
            self._problem(
                "SLACK_APP_TOKEN is missing: set it to a Slack token that begins with xapp-. For"
                " HTTP mode set SLACK_SIGNING_SECRET and PORT instead."
            )
        elif http and not self._text("PORT"):
            self._problem("PORT is missing: with SLACK_SIGNING_SECRET the bot listens there.")
        return {
            "slack_app_token": self.app_token("SLACK_APP_TOKEN"),
            "slack_signing_secret": self.signing_secret("SLACK_SIGNING_SECRET"),
            "port": self.port("PORT"),
            "bind_address": self.ip_address("BIND_ADDRESS", EVERY_ADDRESS),
        }

    def required(self, name: str, what: str) -> str:
        if not (value := self._text(name)):
            self._problem(f"{name} is missing: set it to {what}.")
        return value

    def matching(self, name: str, pattern: str, what: str) -> str:
        value = self.required(name, what)
        if value and not re.fullmatch(pattern, value):
            self._problem(f"{name} does not look like {what}.")
        return value

    def token(self, name: str, prefix: str) -> str:
        value = self.required(name, f"a Slack token that begins with {prefix}")
        self._check_prefix(name, value, prefix)
        return value

    def _check_prefix(self, name: str, value: str, prefix: str) -> None:
        if value == prefix:
            self._problem(f"{name} is only the beginning of a token: copy the whole of it.")
        elif value and not value.startswith(prefix):
            # The value itself stays out of the sentence: it may be another, valid token.
            self._problem(f"{name} must begin with {prefix}.")

    def app_token(self, name: str) -> str | None:
        value = self._text(name)
        self._check_prefix(name, value, "xapp-")
        return value or None

    def signing_secret(self, name: str) -> str | None:
        value = self._text(name)
        if value and not re.fullmatch(r"[0-9A-Za-z]{16,}", value):
            # A token of the same app, which is the likely slip, has hyphens.
            self._problem(f"{name} must be the signing secret of the app's Basic Information page.")
        return value or None

    def port(self, name: str) -> int | None:
        if not self._text(name):
            return None
        return self.number(name, 1, least=1, most=65535)

    def ip_address(self, name: str, default: str) -> str:
        value = self._text(name) or default
        try:
            ipaddress.ip_address(value)
        except ValueError:
            self._problem(f"{name} must be an IP address of this machine, such as 127.0.0.1.")
        return value

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._text(name) or default
        if value not in choices:
            self._problem(f"{name} must be one of {', '.join(choices)}.")
        return value

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self._text(name) or str(default)
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            self._problem(f"{name} must be a whole number from {least} to {most}.")
            return default
        return int(text)

    def hours(self, name: str, default: timedelta) -> timedelta:
        text = self._text(name)
        if not text:
            return default
        found = re.fullmatch(r"(\d{1,6})(m|h|d)", text)
        units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
        value = int(found[1]) * units[found[2]] if found else timedelta(0)
        if not timedelta(0) < value <= LONGEST_TTL:
            self._problem(f"{name} must be a time such as 30m, 24h or 7d, 30d at most.")
            return default
        return value

    def people(self, name: str, *, everybody: bool = False) -> frozenset[str]:
        people = self._text(name).replace(",", " ").split()
        if people == [EVERYBODY] and everybody:
            return frozenset(people)
        for place, person in enumerate(people, start=1):
            if person == EVERYBODY and everybody:
                self._problem(f"{name}: * means everybody, so it must stand alone.")
            elif not re.fullmatch(r"[UW][A-Z0-9]{2,}", person):
                # Only its place: a token that was pasted here by mistake must not be printed.
                self._problem(f"{name}: entry {place} is not a Slack user id such as U0123456789.")
        return frozenset(people)

    def groups(self, name: str) -> frozenset[str]:
        groups = self._text(name).replace(",", " ").split()
        for place, group in enumerate(groups, start=1):
            if not re.fullmatch(r"S[A-Z0-9]{2,}", group):
                self._problem(
                    f"{name}: entry {place} is not a user group's id such as S0123456789."
                )
        return frozenset(groups)

    def slack_url(self, name: str, default: str) -> str:
        value = self._text(name) or default
        if not is_slack(value):
            self._problem(f"{name} must be an address of slack.com or slack-gov.com over https.")
        return value if value.endswith("/") else value + "/"

    def consent_mode(self) -> str:
        value = self._text("CONSENT_MODE")
        if value == "autonomous":
            return value
        if not value:
            self._problem(f"CONSENT_MODE is missing. {AUTONOMOUS}")
        elif value in ("portal", "signed-in"):
            self._problem(f"CONSENT_MODE={value} is not there yet. {AUTONOMOUS}")
        else:
            self._problem("CONSENT_MODE must be autonomous.")
        return value

    def _cloud(self) -> str:
        return self.one_of("ENTRA_CLOUD", tuple(CLOUDS), "public")

    def authority(self) -> str:
        cloud = CLOUDS.get(self._cloud(), CLOUDS["public"])
        default = f"{cloud.login}/{self._text('ENTRA_TENANT_ID')}"
        hosts = {urlsplit(each.login).hostname for each in CLOUDS.values()}
        return self._https("ENTRA_AUTHORITY", default, hosts)

    def graph_url(self) -> str:
        # The cloud's name was judged by authority() already.
        cloud = CLOUDS.get(self._text("ENTRA_CLOUD") or "public", CLOUDS["public"])
        hosts = {urlsplit(each.graph).hostname for each in CLOUDS.values()}
        return self._https("GRAPH_URL", cloud.graph, hosts)

    def _https(self, name: str, default: str, hosts: set[str | None]) -> str:
        value = self._text(name) or default
        scheme, host = _address(value)
        if scheme != "https" or not (host in hosts or is_loopback(host)):
            self._problem(f"{name} must be an https address of one of Microsoft's clouds.")
        return value.rstrip("/")

    def file(self, name: str) -> str | None:
        value = self._text(name)
        if value and not _holds_certificates(value):
            self._problem(f"{name} must name a PEM file with certificates.")
        return value or None

    def fernet_keys(self, name: str) -> tuple[str, ...]:
        keys = tuple(self._text(name).replace(",", " ").split())
        if not keys:
            self._problem(f"{name} is missing: `aad-setup keys new` prints one.")
        if not all(_is_fernet_key(key) for key in keys):
            self._problem(
                f"{name} holds something that is not a key: `aad-setup keys new` prints one."
            )
        return keys

    def database_url(self, name: str, default: str) -> str:
        value = self._text(name) or default
        value = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)
        value = re.sub(r"^sqlite://", "sqlite+aiosqlite://", value)
        known = re.match(r"sqlite\+aiosqlite:///.+|postgresql\+psycopg://.+", value)
        if not known or not _is_database(value):
            self._problem(
                f"{name} must begin with sqlite+aiosqlite:/// and name a file, or with postgresql://."
            )
            return default
        if ":memory:" in value:
            self._problem(f"{name} must name a file: what only memory holds is lost at each stop.")
        return value

    def check_policy(self, settings: Settings) -> None:
        """Note what nobody could ever ask for, or approve."""
        approvers, needed = settings.approvers, settings.approvals_needed
        if not settings.requesters and not settings.requester_groups:
            self._problem(
                "REQUESTERS is missing: list the Slack user ids of the people who may ask, or * for"
                " every full member of the team; or set REQUESTER_GROUPS."
            )
        if settings.approver_groups:
            return  # who is in them can change at any time
        if not approvers:
            self._problem(
                "APPROVERS is missing: list the Slack user ids of the people who decide, or set"
                " APPROVER_GROUPS."
            )
        elif needed > len(approvers):
            self._problem(
                f"APPROVALS_NEEDED is {needed}, but APPROVERS lists {len(approvers)}:"
                " nothing could ever be approved."
            )
        elif (
            settings.requesters
            and not settings.requester_groups
            and all(len(approvers - {person}) < needed for person in settings.requesters)
        ):
            self._problem(
                "Everybody in REQUESTERS is needed in APPROVERS, and nobody decides on what they"
                " asked for themselves: add another approver."
            )

    def check_not_yet(self, prefix: str = "") -> None:
        for name, reason in NOT_YET.items():
            if name.startswith(prefix) and self._text(name):
                self._problem(f"{name} is set, but {reason}.")


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
