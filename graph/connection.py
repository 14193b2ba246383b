"""A connection to a tenant: the client, the tenant's cache, how to sign in, and until when.

`serve` and the commands that only read connect in the same way.
"""

import asyncio
import base64
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from graph.calls import moment
from graph.client import Client
from graph.clock import Clock
from graph.clouds import Cloud
from graph.credentials import Certificate, Credential, ManagedIdentity
from graph.errors import Forbidden, GraphError, NotFound, Unreachable
from graph.http import Proxies, shown
from graph.managed_identity import identity_answer
from graph.signin import BotTokens, SignIn, trust
from graph.tenant_cache import TenantCache

CONNECT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Access:
    """The addresses of a tenant, the application that signs in there, and the consent mode."""

    tenant_id: str
    client_id: str
    credential: Credential = field(repr=False)
    cloud: Cloud
    authority: str
    """The tenant's own authority: a URL that ends with its id."""
    graph_url: str
    """Microsoft Graph's address, without a version."""
    ca_bundle: str | None
    """The file of certificates to trust instead of the system's."""
    proxies: Proxies
    consent_mode: str


@dataclass(frozen=True)
class Connection:
    """Everything needed to read or change a tenant."""

    graph: Client
    tenant_cache: TenantCache
    sign_in: SignIn
    tokens: BotTokens


@asynccontextmanager
async def connected(access: Access, clock: Clock) -> AsyncIterator[Connection]:
    """Connect to a tenant while inside. Nothing is sent before the first call.

    Raises OSError if the file of certificates cannot be read.
    """
    ca_bundle, proxies = access.ca_bundle, access.proxies
    sign_in = SignIn(
        authority=access.authority,
        cloud=access.cloud,
        ca_bundle=ca_bundle,
        proxy=proxies.of(access.authority),
    )
    tokens = BotTokens(
        sign_in=sign_in, client_id=access.client_id, credential=access.credential, clock=clock
    )
    proxy = proxies.of(access.graph_url)
    async with httpx.AsyncClient(
        verify=trust(ca_bundle), http2=False, trust_env=False, proxy=proxy
    ) as http:
        graph = Client(http, access.graph_url, tokens, clock, secrets.SystemRandom().random)
        try:
            yield Connection(graph, TenantCache(graph=graph, clock=clock), sign_in, tokens)
        finally:
            sign_in.close()


async def why_unreachable(
    url: str, *, ca_bundle: str | None, proxies: Proxies
) -> Unreachable | None:
    """Return the reason why this address cannot be connected to, if there is one."""
    host = urlsplit(url).hostname
    proxy = proxies.of(url)
    try:
        # Its own client, and no bare socket: it goes through a proxy where calls do.
        async with httpx.AsyncClient(
            verify=trust(ca_bundle), timeout=CONNECT_SECONDS, trust_env=False, proxy=proxy
        ) as client:
            await client.head(url)
    except httpx.TransportError as error:
        if _is_distrust(error):
            return Unreachable(
                sentence=f"The certificate of {host} is not trusted.",
                advice="If a proxy on the way inspects traffic, CA_BUNDLE must hold its certificate"
                " authority.",
            )
        through = f"the proxy {shown(proxy)}" if proxy else "its proxy if it has one (HTTPS_PROXY)"
        return Unreachable(
            sentence=f"Cannot connect to {host}.",
            advice=f"Check the network, its firewall and {through}.",
        )
    return None


async def why_cut_off(access: Access) -> Unreachable | None:
    """Return why the sign-in or Graph cannot be reached, if one of them cannot."""
    identity, urls = access.credential, [access.authority, access.graph_url]
    if isinstance(identity, ManagedIdentity):
        try:
            await asyncio.to_thread(identity_answer, identity, access.cloud)
        except Unreachable as error:
            return error
        except GraphError:
            pass  # it can be reached
        urls.remove(access.authority)  # which this sign-in does not call
    for url in urls:
        if found := await why_unreachable(url, ca_bundle=access.ca_bundle, proxies=access.proxies):
            return found
    return None


def _is_distrust(error: BaseException | None) -> bool:
    """Whether an untrusted certificate caused this error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


WARN_AT = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""How long before the end it is warned about."""


async def own_credential_ends(graph: Client, access: Access) -> datetime | None:
    """Return when the bot's own secret or certificate ends, or None if neither is known.

    Federated tokens and managed identities are renewed by others. Raises GraphError, also if the
    certificate's file cannot be used.
    """
    match access.credential:
        case str() as secret:
            return await secret_ends(graph, access.client_id, secret)
        case Certificate() as certificate:
            pair = certificate.read()
            # Graph writes it in hexadecimal, where it writes other binary values in base64.
            names = {pair.thumbprint.hex().upper(), base64.b64encode(pair.thumbprint).decode()}
            kind = ("keyCredentials", "customKeyIdentifier")
            return await _last_end(graph, access.client_id, *kind, names) or pair.ends
        case _:
            return None


async def secret_ends(graph: Client, client_id: str, secret: str) -> datetime | None:
    """Return the end that Entra tells.

    Graph shows only the first three characters of a secret, so of several that begin alike the one
    that ends last is taken.
    """
    return await _last_end(graph, client_id, "passwordCredentials", "hint", {secret[:3]})


async def _last_end(
    graph: Client, client_id: str, kind: str, name: str, wanted: set[str]
) -> datetime | None:
    """Return the last end of the credentials of a kind that have one of these names, if any."""
    shape = {kind: [{"endDateTime": moment, f"{name}?": str}]}
    try:
        own = await graph.get(f"/applications(appId='{client_id}')", shape)
    except (Forbidden, NotFound):
        return None
    ends = [each["endDateTime"] for each in own[kind] if each.get(name) in wanted]
    return max(map(datetime.fromisoformat, ends), default=None)


def stage_of(end: datetime, now: datetime) -> timedelta | None:
    """Return the shortest time to warn at that has come, or None if the end is far."""
    return next((each for each in WARN_AT if end - now <= each), None)
