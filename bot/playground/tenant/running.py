"""A tenant that runs: TLS on loopback with a certificate authority of its own, gone afterwards."""

import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import trustme
from aiohttp import web

from bot.playground.guard import guard
from bot.playground.tenant.cloud_names import CLOUD_NAMES
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.faults import Faults
from bot.playground.tenant.front import Front
from bot.playground.tenant.log import Log
from bot.playground.tenant.replicas import Store
from bot.playground.tenant.seeding import new_id, seeded
from bot.playground.tenant.sim import Sim
from bot.playground.tenant.tenant import Tenant
from bot.server.serving import serving
from graph.clock import Clock
from graph.clouds import PUBLIC, Cloud

HOST = "127.0.0.1"
DOMAIN = "northwind.example"
FIRST_NAME = "northwind"
CERTIFICATE_LIFE = timedelta(days=1)
LARGEST_BODY_BYTES = 4 * 1024 * 1024
LONGEST_LINE_BYTES = 64 * 1024
"""Of an address or header: long enough that Graph's own refusals are met first."""


@asynccontextmanager
async def running(
    *,
    clock: Clock,
    cloud: Cloud = PUBLIC,
    real_host_names: bool = False,
    ca: trustme.CA | None = None,
    port: int = 0,
    seed: int = 7,
    users: int = 2000,
    groups: int = 150,
) -> AsyncIterator[Tenant]:
    """Run a tenant until the block ends; the same seed gives the same ids, people and lags.

    With `real_host_names` it answers as the cloud's own hosts, too, for clients that know no others
    and reach it through a proxy on this machine.
    """
    authority = ca or trustme.CA(organization_name="aad-setup playground")
    directory = _directory(clock, cloud, seed=seed, users=users, groups=groups)
    log = Log(directory)
    tenant = Tenant(directory, log)
    if real_host_names:
        tenant.host_names = tuple(str(urlsplit(it).hostname) for it in (cloud.login, cloud.graph))
    machines = AsyncExitStack()
    sim = Sim(tenant, clock, machines)
    runner = _runner(Front(directory, log, tenant.host_names), sim)
    tls = _tls(authority, tenant.host_names)
    listener = socket.create_server((HOST, port))
    directory.url = f"https://{HOST}:{listener.getsockname()[1]}"
    async with serving(runner, listener, tls=tls), machines:
        try:
            with _ca_file(authority) as tenant.ca_file:
                yield tenant
        finally:
            for held in directory.faults.holds:
                held.drop()


def _directory(clock: Clock, cloud: Cloud, *, seed: int, users: int, groups: int) -> Directory:
    # Not for secrets of anybody: a tenant has to be the same for the same seed.
    random = Random(seed)  # noqa: S311
    faults = Faults(random=random)
    initial_domain = f"{FIRST_NAME}.{CLOUD_NAMES[cloud.name].initial_domain}"
    return Directory(
        id=new_id(random),
        name="Northwind Traders",
        domain=DOMAIN,
        initial_domain=initial_domain,
        url="",
        cloud=cloud,
        clock=clock,
        random=random,
        faults=faults,
        store=Store(arrivals=lambda kind: faults.arrivals(kind, clock.now())),
        people=seeded(
            random, users=users, groups=groups, domain=DOMAIN, initial_domain=initial_domain
        ),
    )


def _runner(front: Front, sim: Sim) -> web.AppRunner:
    app = web.Application(client_max_size=LARGEST_BODY_BYTES, middlewares=[guard])
    app.router.add_routes(sim.routes())
    app.router.add_route("*", r"/{path:[\s\S]*}", front.serve)
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=0.1,
        auto_decompress=False,  # the front refuses what is compressed, in Graph's own words
        max_line_size=LONGEST_LINE_BYTES,
        max_field_size=LONGEST_LINE_BYTES,
    )


def _tls(authority: trustme.CA, names: Iterable[str]) -> ssl.SSLContext:
    # The machine's clock, not the tenant's: TLS libraries know no other.
    until = datetime.now(UTC) + CERTIFICATE_LIFE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost", *names, not_after=until).configure_cert(context)
    return context


@contextmanager
def _ca_file(authority: trustme.CA) -> Iterator[Path]:
    """The certificate alone; its key never leaves the process."""
    with tempfile.TemporaryDirectory(prefix="aad-setup-") as folder:
        path = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        yield path
