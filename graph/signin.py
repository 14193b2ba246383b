"""Sign the bot and each new application in to Entra.

msal speaks the protocol; everything that it remembers is thrown away. Each sign-in makes a new
msal object, because one that has seen a refusal repeats it from memory for a minute, and one that
has a token never asks for the roles that were granted since. msal is synchronous, so it runs in a
thread, over our own HTTP client with our CA and proxy settings.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
import msal  # type: ignore[import-untyped]  # msal ships no types

from graph.calls import Answer, Json, filled, parts_of, selection
from graph.client import Token, read_token
from graph.clock import Clock
from graph.clouds import Cloud
from graph.credentials import (
    Certificate,
    Credential,
    CredentialUnusable,
    FederatedToken,
    ManagedIdentity,
)
from graph.error_mapping import retry_after
from graph.errors import SignInFailed, Unavailable
from graph.http import UNCOMPRESSED, exchange, request_id_of
from graph.managed_identity import CALL, IdentityDiffers, identity_answer
from graph.signin_errors import AssertionNotThereYet, from_token_answer

TIMEOUT_SECONDS = 30.0

EARLY = timedelta(minutes=5)
"""How long before its end a token is replaced."""

MOST_SECONDS = 8 * 24 * 3600
"""No token lives longer than some hours: a larger number is no lifetime."""


def trust(ca_bundle: str | Path | None) -> ssl.SSLContext:
    """Return the authorities to trust: those in this file, or Mozilla's list."""
    if ca_bundle:
        return ssl.create_default_context(cafile=ca_bundle)
    return httpx.create_ssl_context()


Proof = str | Certificate | FederatedToken
"""A credential that the token endpoint takes."""


class SignIn:
    """Sign applications in at one tenant. Only the discovery document is remembered."""

    def __init__(
        self,
        *,
        authority: str,
        cloud: Cloud,
        ca_bundle: str | Path | None = None,
        proxy: str | None = None,
    ) -> None:
        """Take `https://login…/TENANT`, its cloud, a CA file in PEM and a proxy's URL."""
        self._authority = authority
        self._cloud = cloud
        http = httpx.Client(
            verify=trust(ca_bundle),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            headers=UNCOMPRESSED,
            trust_env=False,
            proxy=proxy,
        )
        self._channel = _Channel(http, host=urlsplit(authority).netloc, cloud=cloud)
        self._held: dict[str, Token] = {}

    async def token(self, client_id: str, credential: Credential) -> Token:
        """Sign the application in. Raises SignInFailed, Throttled or Unavailable."""
        return await asyncio.to_thread(self._sign_in, client_id, credential)

    def hold(self, client_id: str, token: Token) -> None:
        """Keep a token, in memory only, for the next step."""
        self._held[client_id] = token

    def take(self, client_id: str) -> Token | None:
        """Return the token held for an application, and forget it."""
        return self._held.pop(client_id, None)

    def close(self) -> None:
        self._channel.http.close()

    def _sign_in(self, client_id: str, credential: Credential) -> Token:
        answer: dict[str, Any]
        if isinstance(credential, ManagedIdentity):
            answer = identity_answer(credential, self._cloud)
        else:
            # Graph's own name, whatever address it is called at.
            scopes = [f"{self._cloud.graph}/.default"]
            answer = self.client(client_id, credential).acquire_token_for_client(scopes=scopes)
        token = read_token(answer["access_token"])
        if token is None:
            raise Unavailable(code="UnreadableToken", call="sign-in")
        if isinstance(credential, ManagedIdentity):
            self._check_identity(token, client_id)
        # App Service tells when a token ends; by a clock that is wrong, msal counts odd seconds.
        seconds = min(max(answer["expires_in"], 0), MOST_SECONDS)
        return replace(token, lifetime=timedelta(seconds=seconds))

    def client(
        self, client_id: str, credential: Proof | None, *, shape: Json | None = None, **options: Any
    ) -> Any:
        """Return a new client application of msal, which blocks: call it in a thread.

        Without a credential it is a public client. Of what the token endpoint answers it gets the
        parts that `shape` names. Raises CredentialUnusable, and what `token` raises if discovery
        fails.
        """
        application = msal.PublicClientApplication
        if credential is not None:
            application = msal.ConfidentialClientApplication
            options["client_credential"] = _for_msal(credential)
        return application(
            client_id,
            authority=self._authority,
            # Our authorities are allow-listed: Microsoft need not be asked whether they are real.
            instance_discovery=False,
            http_client=replace(self._channel, shape=shape or TOKEN),
            **options,
        )

    def _check_identity(self, token: Token, client_id: str) -> None:
        """Raise IdentityDiffers for an identity that the settings do not name.

        A machine is asked for its identity, not for this one of this tenant.
        """
        is_own = token.app_id.lower() in ("", client_id)
        is_here = bool(token.tenant_id) and self._authority.endswith(token.tenant_id.lower())
        if not is_own or not is_here:
            raise IdentityDiffers(call=CALL)


@dataclass(eq=False)
class _Channel:
    """The HTTP client that msal is given. It fetches each discovery document once.

    It raises our errors before msal sees a refusal or an unreadable answer, and passes to msal only
    the checked properties.
    """

    http: httpx.Client
    host: str
    """The authority's: no credential is sent to another host."""
    cloud: Cloud
    shape: Json = field(default_factory=lambda: TOKEN)
    """What an answer of the token endpoint must have."""
    discovered: dict[str, httpx.Response] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def get(self, url: str, **options: Any) -> httpx.Response:
        with self.lock:
            if url not in self.discovered:
                self.discovered[url] = self._discover(url, options)
            return self.discovered[url]

    def post(self, url: str, *, data: dict[str, Any], **options: Any) -> httpx.Response:
        # msal has assertions as bytes, of which httpx would send Python's notation, b'…'.
        form = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in data.items()
            if value is not None  # httpx would send an empty one
        }
        return _vetted(self._exchange("POST", url, {**options, "data": form}), self.shape)

    def _discover(self, url: str, options: dict[str, Any]) -> httpx.Response:
        answer = self._exchange("GET", url, options)
        vetted = _vetted(answer, _DISCOVERED)
        for name in POSTED_TO & answer.body.keys():
            endpoint = urlsplit(answer.body[name])
            if (endpoint.scheme, endpoint.netloc.casefold()) != ("https", self.host.casefold()):
                raise answer.unexpected(f"the {name} is not on {self.host}")
        return vetted

    def _exchange(self, method: str, url: str, options: dict[str, Any]) -> Answer:
        """Return a success. Raises SignInFailed, Throttled, Unavailable and UnexpectedAnswer."""
        response, body = exchange(self.http.stream(method, url, **options), call="sign-in")
        status, wait = response.status_code, retry_after(response.headers)
        id = request_id_of(response)
        if body is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(status=status, request_id=id, call="sign-in", retry_after=wait)
        told = body if isinstance(body, dict) else {}
        if status != HTTPStatus.OK:
            refusal = from_token_answer(status, told, wait, self.cloud)
            refusal.request_id = refusal.request_id or id
            raise refusal
        return Answer(status=status, body=told, request_id=id, call="sign-in")


def _url(value: object) -> bool:
    """Fit an address that names a host and a path."""
    parts = parts_of(value) if isinstance(value, str) else None
    return bool(parts and parts.hostname and parts.path.strip("/"))


def seconds(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST_SECONDS


POSTED_TO = {"token_endpoint", "device_authorization_endpoint"}
_DISCOVERED = {
    "token_endpoint": _url,
    "authorization_endpoint": _url,
    "device_authorization_endpoint?": _url,
    "issuer": str,
}
TOKEN: Json = {"access_token": filled, "expires_in": seconds, "token_type": str}


def _vetted(answer: Answer, shape: dict[str, Any]) -> httpx.Response:
    """Return the answer with only the properties of the shape."""
    body = answer.read(shape)
    names = [name for name in selection(shape).split(",") if name in body]
    return httpx.Response(answer.status, json={name: body[name] for name in names})


def _for_msal(credential: Proof) -> str | dict[str, Any]:
    """Return a credential in msal's form. Raises CredentialUnusable."""
    match credential:
        case Certificate():
            pair = credential.read()
            # Never with a thumbprint: msal then falls back to SHA-1 (x5t) and RS256.
            return {"private_key": pair.key, "public_certificate": pair.pem}
        case FederatedToken():
            # msal deprecated fixed assertions: they end before the bot does.
            return {"client_assertion": credential.read}
        case _:
            return credential


def _told_as_own(error: SignInFailed, credential: Credential, now: datetime) -> None:
    """Say that the bot's own sign-in failed, and of a certificate that has expired just that."""
    if isinstance(error, AssertionNotThereYet) and isinstance(credential, Certificate):
        with suppress(CredentialUnusable):
            ends = credential.read().ends
            if ends <= now:
                day = ends.date().isoformat()
                error.sentence = f"The certificate in ENTRA_CERTIFICATE expired on {day}."
                error.advice = "Upload a new one in Entra, and put it and its key into that file."
    error.sentence = f"The bot itself could not sign in. {error.sentence}"


@dataclass(kw_only=True)
class BotTokens:
    """The bot's own token, renewed five minutes before its end. Callers share one sign-in."""

    sign_in: SignIn
    client_id: str
    credential: Credential = field(repr=False)
    clock: Clock
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _token: Token | None = None
    _renew_at: datetime | None = None

    async def token(self) -> Token:
        return await self.fresh(None)

    async def fresh(self, stale: Token | None) -> Token:
        async with self._lock:
            is_due = self._renew_at is None or self.clock.now() >= self._renew_at
            if self._token is None or self._token is stale or is_due:
                self._token = await self._new()
            return self._token

    async def _new(self) -> Token:
        asked_at = self.clock.now()
        try:
            token = await self.sign_in.token(self.client_id, self.credential)
        except SignInFailed as error:
            _told_as_own(error, self.credential, asked_at)
            raise
        # By our own clock, whatever it shows: by a clock that is ahead of Entra's, the moment in
        # the token is long past, and each call would make its own sign-in.
        self._renew_at = asked_at + max(token.lifetime - EARLY, token.lifetime / 2)
        return token
