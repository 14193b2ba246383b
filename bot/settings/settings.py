"""Settings: read once from an environment mapping, every problem reported at once.

An empty setting allows no one. Addresses are allow-listed: a token is sent only
to Slack's and Microsoft's own hosts, or to this machine.
"""

import ipaddress
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bot.domain.lifetimes import (
    APPROVAL_TTL,
    LONGEST_APPROVAL_TTL,
    LONGEST_RETENTION,
    RETENTION,
    SHORTEST_RETENTION,
)
from bot.domain.people import CONTACT
from bot.logs import FORMATS
from bot.problems import Unusable
from bot.settings.allowed_hosts import is_at, is_slack
from bot.settings.consent_client import ApproverSignIns, read_approver_sign_ins
from bot.settings.credentials import read_credential
from bot.settings.env_reader import GUID, Reader, readable_by, vault_keys
from graph.clouds import CLOUDS, PUBLIC, Cloud
from graph.connection import Access
from graph.rights import ConsentMode

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - a platform's router and its probes come from outside


class SettingsError(Unusable):
    """The settings cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Settings(Access):
    """All settings of the bot."""

    approver_sign_ins: ApproverSignIns | None  # with CONSENT_MODE=signed-in only
    slack_bot_token: str = field(repr=False)
    slack_app_token: str | None = field(repr=False)  # Socket Mode
    slack_signing_secret: str | None = field(repr=False)  # HTTP mode; one of the two is set
    slack_api_url: str
    port: int | None
    bind_address: str
    approval_channel: str
    approvers: frozenset[str]
    approver_groups: frozenset[str]
    mentioned: frozenset[str]  # of the approvers and their groups
    approvals_needed: int
    approval_ttl: timedelta
    requesters: frozenset[str]
    requester_groups: frozenset[str]
    open_limit: int
    daily_limit: int
    person_daily_limit: int
    vault_keys: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)  # it may hold a password
    retention: timedelta
    log_level: str
    log_format: str
    plain_cards: bool
    contact: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings that `environ` holds. Raises SettingsError with every problem."""
        reader = Reader(environ)
        approvers = reader.ids("APPROVERS", "UW", A_USER)
        groups = reader.ids("APPROVER_GROUPS", "S", A_GROUP)
        settings = cls(
            slack_bot_token=reader.token("SLACK_BOT_TOKEN", "xoxb-"),
            **_transport(reader),
            slack_api_url=_slack_url(reader),
            approval_channel=reader.required(
                "APPROVAL_CHANNEL", "a channel id such as C0123456789", r"[CG][A-Z0-9]{2,}"
            ),
            approvers=approvers,
            approver_groups=groups,
            mentioned=_mentioned(reader, approvers, groups),
            approvals_needed=reader.number("APPROVALS_NEEDED", 1, least=1, most=10),
            approval_ttl=reader.duration(
                "APPROVAL_TTL", APPROVAL_TTL, (MINUTE, LONGEST_APPROVAL_TTL), "30m, 24h or 7d, 30d"
            ),
            requesters=reader.ids("REQUESTERS", "UW", A_USER, everybody=True),
            requester_groups=reader.ids("REQUESTER_GROUPS", "S", A_GROUP),
            **_limits(reader),
            **_entra(reader),
            approver_sign_ins=read_approver_sign_ins(reader),
            vault_keys=vault_keys(reader, "VAULT_KEYS"),
            database_url=reader.database_url("DATABASE_URL", "sqlite+aiosqlite:///aad-setup.db"),
            retention=reader.duration(
                "RETENTION",
                RETENTION,
                (SHORTEST_RETENTION, LONGEST_RETENTION),
                "365d, 90d at least and 3650d",
            ),
            log_level=reader.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            log_format=reader.one_of("LOG_FORMAT", FORMATS, FORMATS[0]),
            plain_cards=reader.one_of("PLAIN_CARDS", ("true", "false"), "false") == "true",
            contact=reader.value("CONTACT", WORDS.fullmatch, IN_SENTENCES, default=CONTACT),
        )
        _refuse_problems(reader, _people(settings))
        return settings


def read_access(environ: Mapping[str, str], *, signs_in: bool = True) -> Access:
    """Return the settings for Entra alone. Raises SettingsError with every problem.

    A command that does not sign in needs no credential.
    """
    reader = Reader(environ)
    access = Access(**_entra(reader, signs_in=signs_in))
    _refuse_problems(reader)
    return access


def _refuse_problems(reader: Reader, more: Iterable[str] = ()) -> None:
    problems = [*reader.problems, *more, *reader.misspelt()]
    if problems:
        raise SettingsError(*problems)


MINUTE = timedelta(minutes=1)
A_USER, A_GROUP = "a Slack user id such as U0123456789", "a user group's id such as S0123456789"
WORDS = re.compile(r"[\w '#.,()/+@-]{1,80}")
"""Words that stand in sentences as they are hold nothing that Slack would obey."""
IN_SENTENCES = (
    "must be a name, a channel or an address, of at most 80 letters, digits and # @ . , ( ) / + - '"
)
GUID_EXAMPLE = "such as 01234567-89ab-cdef-0123-456789abcdef"


def _mentioned(reader: Reader, people: frozenset[str], groups: frozenset[str]) -> frozenset[str]:
    """Return the mentions in a request for approvers: their groups if there are any, else users."""
    default = "groups" if groups else "people"
    mention = reader.one_of("MENTION", ("groups", "people", "none"), default)
    wanted = {"groups": groups, "people": people}.get(mention, frozenset())
    if not wanted and reader.text("MENTION") in ("groups", "people"):
        name = "APPROVER_GROUPS" if mention == "groups" else "APPROVERS"
        reader.problem(f"MENTION is {mention}, but {name} is empty: no approver would be notified.")
    return wanted


def _limits(reader: Reader) -> dict[str, Any]:
    """Return how much people may ask for; one person's part of a day is half unless set."""
    daily = reader.number("DAILY_LIMIT", 20, least=1, most=10_000)
    person = reader.number("PERSON_DAILY_LIMIT", (daily + 1) // 2, least=1, most=10_000)
    if person > daily:
        reader.problem(
            f"PERSON_DAILY_LIMIT is {person}, but DAILY_LIMIT is {daily}: no user can begin more"
            " than the team may."
        )
    return {
        "open_limit": reader.number("OPEN_LIMIT", 3, least=1, most=1000),
        "daily_limit": daily,
        "person_daily_limit": person,
    }


def _entra(reader: Reader, *, signs_in: bool = True) -> dict[str, Any]:
    """Return the fields of Access."""
    tenant, application = "a directory (tenant) id", "an application (client) id"
    # In the lower case in which Entra writes them.
    tenant_id = reader.required("ENTRA_TENANT_ID", f"{tenant}, {GUID_EXAMPLE}", GUID).lower()
    client_id = reader.required("ENTRA_CLIENT_ID", f"{application}, {GUID_EXAMPLE}", GUID).lower()
    return {
        "tenant_id": tenant_id,
        "client_id": client_id,
        "credential": read_credential(reader, client_id, is_needed=signs_in),
        **_cloud(reader),
        "ca_bundle": reader.value(
            "CA_BUNDLE",
            readable_by(lambda file: ssl.create_default_context(cafile=file)),
            "must name a PEM file with certificates",
        )
        or None,
        "proxies": reader.proxies(),
        "consent_mode": reader.one_of("CONSENT_MODE", tuple(ConsentMode), ConsentMode.PORTAL),
    }


def _cloud(reader: Reader) -> dict[str, Any]:
    """Return the cloud, and where to sign in and where Graph is: its own addresses or those set."""
    cloud = CLOUDS.get(reader.one_of("ENTRA_CLOUD", tuple(CLOUDS), PUBLIC.name), PUBLIC)
    tenant = reader.text("ENTRA_TENANT_ID").lower()
    authority = _own(reader, "ENTRA_AUTHORITY", f"{cloud.login}/{tenant}", cloud).lower()
    if is_at(authority, cloud.login) and urlsplit(authority).path.strip("/") != tenant:
        reader.problem(
            "ENTRA_AUTHORITY does not end with the id in ENTRA_TENANT_ID: it would sign in to"
            " another tenant. Correct one of the two, or leave ENTRA_AUTHORITY out."
        )
    graph_url = _own(reader, "GRAPH_URL", cloud.graph, cloud)
    return {"cloud": cloud, "authority": authority, "graph_url": graph_url}


def _own(reader: Reader, name: str, default: str, cloud: Cloud) -> str:
    """Return an address on the same host as the default, or on this machine."""
    sentence = f"must be an https address of the cloud {cloud.name} (ENTRA_CLOUD)"
    fits = partial(is_at, own=default)
    return reader.value(name, fits, sentence, default=default).rstrip("/")


def _transport(reader: Reader) -> dict[str, Any]:
    """Return the fields of Socket Mode or HTTP mode, whichever is configured."""
    socket, http = reader.text("SLACK_APP_TOKEN"), reader.text("SLACK_SIGNING_SECRET")
    if socket and http:
        reader.problem(
            "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both set: keep the first for Socket"
            " Mode or the second for HTTP mode."
        )
    elif not socket and not http:
        reader.problem(
            "SLACK_APP_TOKEN is missing: set it to a Slack token that begins with xapp-. For"
            " HTTP mode set SLACK_SIGNING_SECRET and PORT instead."
        )
    elif http and not reader.text("PORT"):
        reader.problem("PORT is missing: with SLACK_SIGNING_SECRET the bot listens there.")
    return {
        "slack_app_token": reader.token("SLACK_APP_TOKEN", "xapp-", is_required=False) or None,
        # A token of the same app, which is the likely slip, has hyphens.
        "slack_signing_secret": reader.value(
            "SLACK_SIGNING_SECRET",
            re.compile("[0-9A-Za-z]{16,}").fullmatch,
            "must be the signing secret of the app's Basic Information page",
        )
        or None,
        "port": reader.number("PORT", 1, least=1, most=65535) if reader.text("PORT") else None,
        "bind_address": reader.value(
            "BIND_ADDRESS",
            readable_by(ipaddress.ip_address),
            "must be an IP address of this machine, such as 127.0.0.1",
            default=EVERY_ADDRESS,
        ),
    }


def _slack_url(reader: Reader) -> str:
    sentence = "must be an address of slack.com or slack-gov.com over https"
    value = reader.value("SLACK_API_URL", is_slack, sentence, default="https://slack.com/api/")
    return value.removesuffix("/") + "/"


def _people(settings: Settings) -> Iterator[str]:
    """Yield problems that would leave the bot without requesters or approvers."""
    approvers, needed = settings.approvers, settings.approvals_needed
    if not settings.requesters and not settings.requester_groups:
        yield (
            "REQUESTERS is missing: list the Slack user ids of the people who may ask, or * for"
            " every full member of the team; or set REQUESTER_GROUPS."
        )
    if settings.approver_groups:
        return  # who is in them can change at any time
    if not approvers:
        yield (
            "APPROVERS is missing: list the Slack user ids of the people who decide, or set"
            " APPROVER_GROUPS."
        )
    elif needed > len(approvers):
        yield (
            f"APPROVALS_NEEDED is {needed}, but APPROVERS lists {len(approvers)}:"
            " nothing could ever be approved."
        )
    elif (
        settings.requesters
        and not settings.requester_groups
        and all(len(approvers - {person}) < needed for person in settings.requesters)
    ):
        yield (
            "Every requester in REQUESTERS is needed in APPROVERS, and requesters don't decide"
            " on their own requests: add another approver."
        )
