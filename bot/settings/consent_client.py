"""Read what consent mode `signed-in` needs: where approvers sign in, and as whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.settings.env_reader import GUID, Reader
from graph.approver_sign_in import ConsentClient
from graph.calls import parts_of
from graph.rights import ConsentMode

CALLBACK = "/consent/callback"
"""The path of the redirect URI."""
URL, IDENTITIES = "PUBLIC_URL", "APPROVER_IDENTITIES"
CODE = "CONSENT_DEVICE_CODE"
ID, SECRET, CONTEXT = "CONSENT_CLIENT_ID", "CONSENT_CLIENT_SECRET", "CONSENT_AUTH_CONTEXT"
ENTRY = re.compile(rf"([UW][A-Z0-9]{{2,}})=({GUID})")


@dataclass(frozen=True, kw_only=True)
class ApproverSignIns:
    """How approvers sign in."""

    public_url: str
    """Where browsers reach the port of this bot, without a path."""
    consent_client: ConsentClient
    with_codes: bool
    """Whether approvers may sign in with a code, too, which is bound to no browser."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """The object id in Entra of each approver, by Slack user id."""


def read_approver_sign_ins(reader: Reader) -> ApproverSignIns | None:
    """Return how approvers sign in, or None in a mode in which none does."""
    said = {name: reader.text(name) for name in (URL, IDENTITIES, ID, SECRET, CONTEXT, CODE)}
    if reader.text("CONSENT_MODE") != ConsentMode.SIGNED_IN:
        for name in filter(said.get, said):
            reader.problem(
                f"{name} is set, but only CONSENT_MODE=signed-in uses it. Remove it, or set"
                " CONSENT_MODE=signed-in."
            )
        return None
    if not reader.text("PORT"):
        reader.problem("PORT is missing: with CONSENT_MODE=signed-in browsers come there.")
    example = "https://bot.example.com"
    url = reader.required(URL, f"the https address at which browsers reach PORT, such as {example}")
    if url and not _is_origin(url):
        reader.problem(f"{URL} must be an https address without a path, such as {example}.")
    url = url.rstrip("/")
    return ApproverSignIns(
        public_url=url,
        consent_client=_client(reader, url),
        with_codes=reader.one_of(CODE, ("yes", "no"), "no") == "yes",
        identities=_identities(reader),
    )


def _client(reader: Reader, url: str) -> ConsentClient:
    what = "the application (client) id of the consent client"
    client_id = reader.required(ID, what, GUID).lower()
    if client_id and client_id == reader.text("ENTRA_CLIENT_ID").lower():
        reader.problem(
            f"{ID} is ENTRA_CLIENT_ID: the consent client must be an application of its own, or"
            " its rights would be the bot's."
        )
    context = reader.value(
        CONTEXT, re.compile("c[1-9][0-9]?").fullmatch, "must be one of c1 to c99"
    )
    return ConsentClient(
        client_id=client_id,
        client_secret=reader.required(SECRET, "the consent client's own client secret"),
        redirect_uri=url + CALLBACK,
        auth_context=context or None,
    )


def _identities(reader: Reader) -> Mapping[str, str]:
    """Return whose Entra account is whose. No account belongs to two approvers."""
    found: dict[str, str] = {}
    entries = reader.text(IDENTITIES).replace(",", " ").split()
    if not entries:
        reader.problem(
            f"{IDENTITIES} is missing: list approvers as U0123456789=<object id of the Entra user>."
        )
    for place, entry in enumerate(entries, start=1):
        read = ENTRY.fullmatch(entry)
        if read is None:
            reader.problem(
                f"{IDENTITIES}: entry {place} is not a Slack user id, = and the object id of an"
                " Entra user."
            )
            continue
        person, account = read[1], read[2].lower()
        if person in found or account in found.values():
            reader.problem(
                f"{IDENTITIES}: entry {place} repeats a person or an account. List each once."
            )
        found[person] = account
    return found


def _is_origin(url: str) -> bool:
    parts = parts_of(url)
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.username is not None:
        return False
    return parts.path in ("", "/") and not parts.query and not parts.fragment
