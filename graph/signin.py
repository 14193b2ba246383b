"""How the bot, and each new application, signs in to Entra.

msal speaks the protocol; everything that it remembers is thrown away. Each sign-in makes a new
msal object, because one that has seen a refusal repeats it from memory for a minute, and one that
has a token never asks for the roles that were granted since. msal is synchronous, so it runs in a
thread, over our own HTTP client with our CA and proxy settings.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import msal  # type: ignore[import-untyped]  # msal ships no types

from graph import tracing
from graph.bodies import UNCOMPRESSED, read_body_here, request_id_of
from graph.client import Answer, read_json
from graph.clock import Clock
from graph.error_mapping import retry_after
from graph.errors import NoAnswer, SignInFailed, Unavailable, Unreachable
from graph.shapes import filled
from graph.signin_errors import from_token_answer
from graph.tokens import Token, read_token

TIMEOUT_SECONDS = 30.0

EARLY = timedelta(minutes=5)
"""How long before its end a token is replaced."""

MOST_SECONDS = 8 * 24 * 3600
"""No token lives longer than some hours: a larger number is no lifetime."""


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
    """A file with a token of another issuer that Entra trusts; it is read again each time."""

    path: Path


Credential = str | Certificate | FederatedToken
"""A client secret, or something better."""


def trust(ca_bundle: str | Path | None) -> ssl.SSLContext:
    """Return whom to trust: those in this file, or Mozilla's list."""
    if ca_bundle:
        return ssl.create_default_context(cafile=ca_bundle)
    return httpx.create_ssl_context()


class SignIn:
    """Signs applications in at one tenant. Nothing is remembered but the discovery document."""

    def __init__(
        self,
        *,
        authority: str,
        graph_host: str,
        ca_bundle: str | Path | None = None,
        proxy: str | None = None,
    ) -> None:
        """Take `https://login…/TENANT`, `https://graph…`, a CA file in PEM and a proxy's URL."""
        self._authority = authority
        self._scope = f"{graph_host}/.default"
        self._http = httpx.Client(
            verify=trust(ca_bundle),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            headers=UNCOMPRESSED,
            trust_env=False,
            proxy=proxy,
        )
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
        channel = _Channel(self._http, self._discovery, host=urlsplit(self._authority).netloc)
        answer = self._ask(channel, client_id, credential)
        token = read_token(answer["access_token"])
        if token is None:
            raise Unavailable(code="UnreadableToken", call="sign-in")
        return replace(token, lifetime=timedelta(seconds=answer["expires_in"]))

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

    It raises our errors before msal sees a refusal or an unreadable answer, and passes to msal only
    the checked properties.
    """

    def __init__(self, http: httpx.Client, discovery: _Discovery, *, host: str) -> None:
        """Take the host of the authority: no credential is sent to another."""
        self._http = http
        self._discovery = discovery
        self._host = host

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self._discovery.get(url, lambda: self._discover(url, options))

    def post(self, url: str, **options: Any) -> httpx.Response:
        answer = self._exchange("POST", url, options)
        return _vetted(answer, _TOKEN)

    def _discover(self, url: str, options: dict[str, Any]) -> httpx.Response:
        answer = self._exchange("GET", url, options)
        vetted = _vetted(answer, _DISCOVERED)
        endpoint = urlsplit(answer.body["token_endpoint"])
        if (endpoint.scheme, endpoint.netloc.casefold()) != ("https", self._host.casefold()):
            raise answer.unexpected(f"the token endpoint is not on {self._host}")
        return vetted

    def _exchange(self, method: str, url: str, options: dict[str, Any]) -> Answer:
        """Return a success. Raises SignInFailed, Throttled, Unavailable and UnexpectedAnswer."""
        response, content = self._send(method, url, options)
        status, wait = response.status_code, retry_after(response.headers)
        body, id = read_json(content), request_id_of(response)
        tracing.note(id)
        if body is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(status=status, request_id=id, call="sign-in", retry_after=wait)
        told = body if isinstance(body, dict) else {}
        if status != HTTPStatus.OK:
            error = from_token_answer(status, told, wait)
            error.request_id = error.request_id or id
            raise error
        return Answer(status=status, body=told, request_id=id, call="sign-in")

    def _send(self, method: str, url: str, options: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        try:
            with self._http.stream(method, url, **options) as response:
                return response, read_body_here(response, call="sign-in")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(call="sign-in") from error
        except httpx.RequestError as error:
            raise NoAnswer(call="sign-in") from error


def _url(value: object) -> bool:
    """Fit an address that names a host and a path."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return bool(parts and parts.hostname and parts.path.strip("/"))


def _seconds(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST_SECONDS


_DISCOVERED = {"token_endpoint": _url, "authorization_endpoint": _url, "issuer": str}
_TOKEN = {"access_token": filled, "expires_in": _seconds, "token_type": str}


def _vetted(answer: Answer, shape: dict[str, Any]) -> httpx.Response:
    """Return the answer with only the properties of the shape."""
    body = answer.read(shape)
    return httpx.Response(answer.status, json={name: body[name] for name in shape})


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
        self._renew_at = clock.now()

    async def token(self) -> Token:
        async with self._lock:
            if self._token is None or self._clock.now() >= self._renew_at:
                self._token = await self._new()
            return self._token

    async def fresh(self, stale: Token) -> Token:
        async with self._lock:
            if self._token is None or self._token is stale:
                self._token = await self._new()
            return self._token

    async def _new(self) -> Token:
        asked_at = self._clock.now()
        try:
            token = await self._sign_in.token(self._client_id, self._credential)
        except SignInFailed as error:
            error.sentence = f"The bot itself could not sign in. {error.sentence}"
            raise
        # By our own clock, whatever it shows: by a clock that is ahead of Entra's, the moment in
        # the token is long past, and each call would make its own sign-in.
        self._renew_at = asked_at + max(token.lifetime - EARLY, token.lifetime / 2)
        return token
