"""How the bot, and each new application, signs in to Entra.

msal speaks the protocol; everything that it remembers is thrown away. Each sign-in makes a new
msal object, because one that has seen a refusal repeats it from memory for a minute, and one that
has a token never asks for the roles that were granted since. msal is synchronous, so it runs in a
thread, over our own HTTP client with our CA and proxy settings.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import httpx
import msal  # type: ignore[import-untyped]  # msal ships no types

from graph.answers import retry_after
from graph.clock import Clock
from graph.errors import GraphError, NoAnswer, SignInFailed, Unavailable, Unreachable
from graph.signin_errors import from_token_answer
from graph.tokens import Token, TokenSource, read_token

__all__ = [
    "CLOUDS",
    "BotTokens",
    "Certificate",
    "Cloud",
    "Credential",
    "FederatedToken",
    "SignIn",
    "Token",
    "TokenSource",
]

TIMEOUT_SECONDS = 30.0

EARLY = timedelta(minutes=5)
"""How long before its end a token is replaced."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Where a national cloud signs in and where its Graph is."""

    login: str
    graph: str


CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {
        "public": Cloud(
            login="https://login.microsoftonline.com", graph="https://graph.microsoft.com"
        ),
        "usgov": Cloud(
            login="https://login.microsoftonline.us", graph="https://graph.microsoft.us"
        ),
        "usgov-dod": Cloud(
            login="https://login.microsoftonline.us", graph="https://dod-graph.microsoft.us"
        ),
        "china": Cloud(
            login="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
        ),
    }
)
"""learn.microsoft.com/graph/deployments"""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A private key with its certificate, in a PFX file."""

    path: Path
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class FederatedToken:
    """A file with a token of another issuer that Entra trusts; it is read anew each time."""

    path: Path


Credential = str | Certificate | FederatedToken
"""A client secret, or something better."""


class SignIn:
    """Signs applications in at one tenant. Nothing is remembered but the discovery document."""

    def __init__(
        self, *, authority: str, graph_host: str, ca_bundle: str | Path | None = None
    ) -> None:
        """Take `https://login…/TENANT`, `https://graph…` and the path of a CA file in PEM."""
        self._authority = authority
        self._scope = f"{graph_host}/.default"
        verify = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
        self._http = httpx.Client(verify=verify, timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._discovery = _Discovery()
        self._held: dict[str, Token] = {}

    async def token(self, client_id: str, credential: Credential) -> Token:
        """Sign the application in. Raises SignInFailed, Throttled or Unavailable."""
        return await asyncio.to_thread(self._sign_in, client_id, credential)

    def hold(self, client_id: str, token: Token) -> None:
        """Keep a token, in memory only, for the next one who asks for it."""
        self._held[client_id] = token

    def take(self, client_id: str) -> Token | None:
        """Return the token held for an application, and forget it."""
        return self._held.pop(client_id, None)

    def close(self) -> None:
        self._http.close()

    def _sign_in(self, client_id: str, credential: Credential) -> Token:
        channel = _Channel(self._http, self._discovery)
        answer = self._ask(channel, client_id, credential)
        if "access_token" not in answer:
            raise channel.refusal(answer)
        token = read_token(answer["access_token"])
        if token is None:
            raise Unavailable(code="UnreadableToken", call="sign-in")
        return token

    def _ask(self, channel: "_Channel", client_id: str, credential: Credential) -> dict[str, Any]:
        # Our authorities are allow-listed, so Microsoft need not be asked whether they are real.
        application = msal.ConfidentialClientApplication(
            client_id,
            client_credential=_for_msal(credential),
            authority=self._authority,
            instance_discovery=False,
            http_client=channel,
        )
        answer: dict[str, Any] = application.acquire_token_for_client(scopes=[self._scope])
        return answer


class _Discovery:
    """The discovery document, fetched once."""

    def __init__(self) -> None:
        self._documents: dict[str, httpx.Response] = {}
        self._lock = Lock()

    def get(self, url: str, fetch: Callable[[], httpx.Response]) -> httpx.Response:
        with self._lock:
            if url not in self._documents:
                self._documents[url] = fetch()
            return self._documents[url]


class _Channel:
    """The HTTP client that msal is given for one sign-in.

    It keeps the status that msal drops from its answers, and raises our errors before msal logs
    or wraps what it cannot read.
    """

    def __init__(self, http: httpx.Client, discovery: _Discovery) -> None:
        self._http = http
        self._discovery = discovery
        self.status = 0
        self.wait: float | None = None
        self._request_id: str | None = None

    def refusal(self, answer: Mapping[str, Any]) -> GraphError:
        """Return what this answer, the last one, means."""
        error = from_token_answer(self.status, answer, self.wait)
        error.request_id = error.request_id or self._request_id
        return error

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self._discovery.get(url, lambda: self._discover(url, options))

    def post(self, url: str, **options: Any) -> httpx.Response:
        response, _ = self._exchange("POST", url, options)
        return response

    def _discover(self, url: str, options: dict[str, Any]) -> httpx.Response:
        response, document = self._exchange("GET", url, options)
        if response.status_code != HTTPStatus.OK:
            raise self.refusal(document)
        return response

    def _exchange(
        self, method: str, url: str, options: dict[str, Any]
    ) -> tuple[httpx.Response, dict[str, Any]]:
        response = self._send(method, url, options)
        self.status, self.wait = response.status_code, retry_after(response.headers)
        self._request_id = _request_id(response)
        answer = _json(response)
        if answer is None or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(
                status=self.status,
                request_id=self._request_id,
                call="sign-in",
                retry_after=self.wait,
            )
        return response, answer

    def _send(self, method: str, url: str, options: dict[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, url, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(call="sign-in") from error
        except httpx.RequestError as error:
            raise NoAnswer(call="sign-in") from error


def _request_id(response: httpx.Response) -> str | None:
    """The sign-in service has a name of its own for it; what stands before it, Graph's."""
    headers = response.headers
    id: str | None = headers.get("x-ms-request-id") or headers.get("request-id")
    return id


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _for_msal(credential: Credential) -> str | dict[str, Any]:
    match credential:
        case Certificate():
            return {
                "private_key_pfx_path": str(credential.path),
                "passphrase": credential.passphrase,
                "public_certificate": True,
            }
        case FederatedToken():
            # msal deprecated fixed assertions: they end before the bot does.
            return {"client_assertion": lambda: credential.path.read_text().strip()}
        case _:
            return credential


class BotTokens:
    """The bot's own token, renewed five minutes before its end; one sign-in however many ask."""

    def __init__(
        self, *, sign_in: SignIn, client_id: str, credential: Credential, clock: Clock
    ) -> None:
        self._sign_in = sign_in
        self._client_id = client_id
        self._credential = credential
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Token | None = None

    async def token(self) -> Token:
        async with self._lock:
            if self._token is None or self._clock.now() >= self._token.expires_at - EARLY:
                self._token = await self._new()
            return self._token

    async def fresh(self, stale: Token) -> Token:
        async with self._lock:
            if self._token is None or self._token is stale:
                self._token = await self._new()
            return self._token

    async def _new(self) -> Token:
        try:
            return await self._sign_in.token(self._client_id, self._credential)
        except SignInFailed as error:
            error.sentence = f"The bot itself could not sign in. {error.sentence}"
            raise
