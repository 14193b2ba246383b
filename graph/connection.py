"""A connection to a tenant: the client, what it has learnt of the tenant, and how to sign in.

The bot that serves and the commands that only look are connected in the same way.
"""

import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from graph.client import Client
from graph.clock import Clock
from graph.knowledge import Knowledge
from graph.signin import BotTokens, SignIn


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What everything that reads or changes a tenant is made from."""

    graph: Client
    knowledge: Knowledge
    sign_in: SignIn


@asynccontextmanager
async def connected(
    *,
    authority: str,
    graph_url: str,
    ca_bundle: str | None,
    client_id: str,
    client_secret: str,
    clock: Clock,
) -> AsyncIterator[Connection]:
    """Connect to a tenant while inside. Nothing is sent before the first call."""
    sign_in = SignIn(authority=authority, graph_host=graph_url, ca_bundle=ca_bundle)
    tokens = BotTokens(sign_in=sign_in, client_id=client_id, credential=client_secret, clock=clock)
    verify = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
    async with httpx.AsyncClient(verify=verify, http2=False) as http:
        graph = Client(
            http=http,
            graph_url=graph_url,
            tokens=tokens,
            clock=clock,
            jitter=secrets.SystemRandom().random,
        )
        try:
            yield Connection(
                graph=graph, knowledge=Knowledge(graph=graph, clock=clock), sign_in=sign_in
            )
        finally:
            sign_in.close()
