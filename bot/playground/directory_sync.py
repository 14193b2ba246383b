"""The sync of a simulated vendor: an outside program that reads a directory with a pasted key.

It shares no code with the bot and knows of the tenant what such a vendor knows of Entra: where to
sign in, where Graph is, and which authority to trust. Failures are told in the vendor's words, for
the person at its console.
"""

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

USER_AGENT = "vendor-simulator/1.0"
TIMEOUT_SECONDS = 30.0
"""For each call."""
MOST_PAGES = 1000

MASKS = ("•", "***", "…")
"""What a masked key is shown with, which no key has in it."""


@dataclass(frozen=True, kw_only=True)
class Entra:
    """Where the vendor signs in and reads."""

    login_url: str
    graph_url: str
    scope: str
    ca_file: Path
    page: int = 500
    """How many users or groups to ask for at a time."""


@dataclass(frozen=True, kw_only=True)
class Connector:
    """What the sync takes from the form."""

    application_id: str
    key: str = field(repr=False)
    domain: str
    acknowledges_disabled: bool
    domains: tuple[str, ...] = ()
    """Only addresses in these; without any, all."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read, in numbers."""

    users: int
    groups: int
    left_out: int
    """Users without an address in the domains of the filter."""
    disabled: int
    """Users who are not left out, and whose accounts are disabled in the directory."""


class SyncFailed(Exception):
    """Why nothing was synchronised, and what to do about it."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice


async def read(entra: Entra, connector: Connector) -> Found:
    """Sign in and read users and groups, page by page. Raises SyncFailed."""
    async with httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=entra.ca_file),
        headers={"User-Agent": USER_AGENT},
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    ) as http:
        try:
            token = await _token(http, entra, connector)
            reader = _Reader(http, entra, token)
            users = [it async for it in reader.all("users", "id,accountEnabled,proxyAddresses")]
            groups = [it async for it in reader.all("groups", "id,displayName")]
        except httpx.RequestError:
            sentence = "The connection to Microsoft broke off before everything was read."
            raise SyncFailed(sentence, LATER) from None
    kept = [user for user in users if _is_kept(user, connector.domains)]
    return Found(
        users=len(users),
        groups=len(groups),
        left_out=len(users) - len(kept),
        disabled=sum(user.get("accountEnabled") is False for user in kept),
    )


def _is_kept(user: Mapping[str, Any], domains: tuple[str, ...]) -> bool:
    if not domains:
        return True
    addresses = [str(each).lower() for each in user.get("proxyAddresses") or ()]
    return any(address.endswith(f"@{domain}") for address in addresses for domain in domains)


async def _token(http: httpx.AsyncClient, entra: Entra, connector: Connector) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": connector.application_id,
        "client_secret": connector.key,
        "scope": entra.scope,
    }
    url = f"{entra.login_url}/{connector.domain}/oauth2/v2.0/token"
    answer = await http.post(url, data=form)
    body = _object(answer)
    if answer.is_success and isinstance(token := body.get("access_token"), str):
        return token
    numbers = body.get("error_codes")
    if not isinstance(numbers, list) or not numbers:
        raise _unavailable("Microsoft's sign-in", answer)
    raise _not_signed_in(int(numbers[0]), connector)


class _Reader:
    def __init__(self, http: httpx.AsyncClient, entra: Entra, token: str) -> None:
        self._http = http
        self._graph_url = entra.graph_url
        self._page_size = entra.page
        self._headers = {"Authorization": f"Bearer {token}"}

    async def all(self, collection: str, properties: str) -> AsyncIterator[dict[str, Any]]:
        """Read a collection to its end, following the links from page to page."""
        url = f"{self._graph_url}/v1.0/{collection}?$select={properties}&$top={self._page_size}"
        for _ in range(MOST_PAGES):
            page = await self._page(url, collection)
            for each in page["value"]:
                yield each
            url = str(page.get("@odata.nextLink", ""))
            if not url:
                return
            if not url.startswith(f"{self._graph_url}/"):
                break  # a token goes to no other host
        raise SyncFailed(f"Microsoft Graph's list of {collection} does not end.", LATER)

    async def _page(self, url: str, collection: str) -> dict[str, Any]:
        answer = await self._http.get(url, headers=self._headers)
        if answer.status_code == httpx.codes.FORBIDDEN:
            raise SyncFailed(
                f"The sign-in worked, but the application may not read {collection}: no"
                " administrator has consented to that.",
                "An administrator opens API permissions of the application in the Entra admin"
                " centre and presses Grant admin consent. Then sync again.",
            )
        body = _object(answer)
        if not answer.is_success or not isinstance(body.get("value"), list):
            raise _unavailable("Microsoft Graph", answer)
        return body


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


LATER = "Nothing was changed here. Sync again in some minutes."


def _unavailable(service: str, answer: httpx.Response) -> SyncFailed:
    if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return SyncFailed(f"{service} failed (HTTP {answer.status_code}).", LATER)
    wait = answer.headers.get("Retry-After", "")
    words = f" for {wait} seconds" if wait.isascii() and wait.isdigit() else ""
    return SyncFailed(f"{service} is busy and asked to be left alone{words}.", LATER)


def _not_signed_in(number: int, connector: Connector) -> SyncFailed:
    """Tell a refusal apart by its number, as Microsoft's list of AADSTS codes does."""
    if number == WRONG_KEY:
        return _wrong_key(connector.key)
    sentence, advice = REFUSALS.get(number, UNKNOWN)
    return SyncFailed(f"{sentence.format(domain=connector.domain)} (AADSTS{number})", advice)


def _wrong_key(key: str) -> SyncFailed:
    told = next(_guesses(key))
    return SyncFailed(f"{told[0]} (AADSTS{WRONG_KEY})", told[1])


def _guesses(key: str) -> Iterator[tuple[str, str]]:
    """Say what was pasted instead, the best guess first."""
    if any(mask in key for mask in MASKS):
        yield (
            "The Key is masked: dots were pasted instead of the secret.",
            "Copy the Key while it is shown in full. If it can't be shown again, get a new one.",
        )
    if _is_id(key):
        yield (
            "The Key is the id of a secret, not its value.",
            "Paste the secret's value, which Entra shows only once. If it is lost, get a new one.",
        )
    yield (
        "Microsoft does not accept the Key for this Application Id.",
        "Paste Application Id and Key again. If the Key was replaced or removed, get a new one.",
    )


def _is_id(key: str) -> bool:
    try:
        return str(UUID(key)) == key.lower()
    except ValueError:
        return False


WRONG_KEY = 7000215
REFUSALS = {
    7000222: (
        "The Key has expired.",
        "Get a new Key for this application, paste it here, save, and sync again.",
    ),
    700016: (
        "There is no application with this Application Id in {domain}.",
        "Check the Application Id. If the application was removed, a new one must be registered.",
    ),
    7000112: (
        "The application is disabled in Entra.",
        "Enable it under Enterprise applications in the Entra admin centre, or remove this"
        " connector.",
    ),
    90002: (
        "Microsoft knows no organisation with the domain {domain}.",
        "Check the Tenant Domain: it must be one that is verified in Entra.",
    ),
}
UNKNOWN = (
    "Microsoft refused the sign-in.",
    "Give this number to the administrator of your Entra tenant.",
)
