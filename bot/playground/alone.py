"""Each simulator alone, on this machine, for other programs to talk to.

Its clock is the machine's until it is moved through `/sim/clock`.
"""

import errno
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import Any

import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID

from bot.playground import tenant as tenants
from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from bot.playground.stage import entra_environ, install, slack_environ
from bot.problems import Unusable
from graph.clouds import CLOUDS

HIGHEST_PORT = 65_535
MOST_OBJECTS = 100_000
"""Users or groups: about a second to make, and some hundred megabytes to hold."""

AUTHORITY = "aad-setup playground alone"
"""Who signs such a tenant's certificate, by which its file is known again."""

NOT_SYSTEM_WIDE = "(name its certificate to single programs, never trust it system-wide)"


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A simulator that runs, as programs and people are told of it.

    `facts` are what another program needs to take part, `environ` what a bot is started with to
    talk to it, `example` a command that shows that it answers.
    """

    title: str
    addresses: Mapping[str, str]
    facts: Mapping[str, Any]
    environ: Mapping[str, str]
    example: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        return {**self.facts, "environ": dict(self.environ)}

    def to_text(self) -> str:
        width = max(map(len, self.addresses))
        return "\n".join(
            (
                self.title,
                "It is a simulator: nothing in it is real, and all of it is gone when it stops.",
                "",
                *(f"  {name:<{width}}  {address}" for name, address in self.addresses.items()),
                "",
                "Try it:",
                f"  {join(self.example)}",
                "",
                "Settings of a bot that talks to it, for a shell or a .env:",
                *(f"export {name}={quote(value)}" for name, value in self.environ.items()),
                "",
                "Ctrl-C stops it.",
            )
        )


@asynccontextmanager
async def tenant(
    *,
    port: int,
    ca_file: Path | None,
    cloud: str,
    real_host_names: bool,
    users: int,
    groups: int,
    seed: int,
) -> AsyncIterator[Alone]:
    """Run a tenant on 127.0.0.1. Port 0 takes any that is free; the same seed makes the same.

    `ca_file` gets the certificate to trust, never its key; without one it is in a file that goes
    when the tenant does. Raises Unusable with every problem, and then has written nothing.
    """
    problems = [*_port_problems(port), *_count_problems("--users", users)]
    problems += [*_count_problems("--groups", groups), *_ca_file_problems(ca_file)]
    if cloud not in CLOUDS:
        problems.append(f"--cloud must be one of {', '.join(CLOUDS)}.")
    if problems:
        raise Unusable(*problems)
    async with AsyncExitStack() as stack:
        running = tenants.running(
            clock=MovableClock(),
            cloud=CLOUDS[cloud],
            real_host_names=real_host_names,
            ca=trustme.CA(organization_name=AUTHORITY),
            port=port,
            seed=seed,
            users=users,
            groups=groups,
        )
        with _told_if_taken(port):
            it = await stack.enter_async_context(running)
        yield _tenant_alone(it, _kept(it.ca_file, ca_file))


@asynccontextmanager
async def workspace(*, port: int) -> AsyncIterator[Alone]:
    """Run a workspace on 127.0.0.1 with the app installed as its manifest says.

    Port 0 takes any that is free. Raises Unusable.
    """
    if problems := [*_port_problems(port)]:
        raise Unusable(*problems)
    async with AsyncExitStack() as stack:
        with _told_if_taken(port):
            it = await stack.enter_async_context(
                workspaces.running(clock=MovableClock(), port=port)
            )
        install(it)
        yield _workspace_alone(it)


def _tenant_alone(it: tenants.Tenant, ca_file: Path) -> Alone:
    token = f"{it.authority}/oauth2/v2.0/token"
    administrator, hosts = it.administrator, ", ".join(it.host_names)
    form = {
        "grant_type": "client_credentials",
        "client_id": administrator.client_id,
        "client_secret": administrator.client_secret,
        "scope": f"{it.graph_url}/.default",
    }
    fields = (part for name in form for part in ("--data-urlencode", f"{name}={form[name]}"))
    return Alone(
        title=f"The Entra tenant {it.name} ({it.domain}) is there.",
        addresses={
            "sign-in": it.authority,
            "Graph": f"{it.graph_url}/v1.0",
            "faults, log, clock": f"{it.url}/sim/",
            "certificate to trust": str(ca_file),
            **({"also answers as": f"{hosts} {NOT_SYSTEM_WIDE}"} if hosts else {}),
        },
        facts={
            "url": it.url,
            "authority": it.authority,
            "graph_url": it.graph_url,
            "ca_file": str(ca_file),
            "host_names": it.host_names,
            "tenant_id": it.id,
            "domain": it.domain,
            "initial_domain": it.initial_domain,
            "client_id": administrator.client_id,
            "client_secret": administrator.client_secret,
        },
        environ=entra_environ(it, ca_file),
        example=("curl", "--cacert", str(ca_file), token, *fields),
    )


def _workspace_alone(it: workspaces.Workspace) -> Alone:
    bearer = f"Authorization: Bearer {it.bot_token}"
    return Alone(
        title=f"The Slack workspace {it.installation.team_domain} ({it.team_id}) is there.",
        addresses={
            "Web API": it.api_url,
            "people, faults, log, clock": f"{it.url}/sim/",
        },
        facts=it.to_json(),
        environ=slack_environ(it),
        example=("curl", "--request", "POST", "--header", bearer, f"{it.api_url}auth.test"),
    )


def _kept(certificate: Path, ca_file: Path | None) -> Path:
    """Return where the certificate is for others, written there if that is somewhere else."""
    if ca_file is None:
        return certificate
    try:
        ca_file.write_bytes(certificate.read_bytes())
    except OSError as error:
        raise Unusable(f"--ca-file: {ca_file} cannot be written: {error.strerror}.") from error
    return ca_file.absolute()


@contextmanager
def _told_if_taken(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"Port {port} is in use: stop what uses it, or take --port 0 for a free one."
        elif error.errno == errno.EACCES and 0 < port < 1024:
            sentence = f"Port {port} is not for everybody: take one above 1023, or --port 0."
        else:
            raise
        raise Unusable(sentence) from error


def _port_problems(port: int) -> Iterator[str]:
    if not 0 <= port <= HIGHEST_PORT:
        yield f"--port must be from 1 to {HIGHEST_PORT}, or 0 for any that is free."


def _count_problems(option: str, count: int) -> Iterator[str]:
    if not 0 <= count <= MOST_OBJECTS:
        yield f"{option} must be from 0 to {MOST_OBJECTS}."


def _ca_file_problems(path: Path | None) -> Iterator[str]:
    if path is None:
        return
    try:
        folder, there = path.parent.is_dir(), path.exists()
        content = path.read_bytes() if path.is_file() else None
    except OSError as error:
        yield f"--ca-file: {path} cannot be read: {error.strerror}."
        return
    if not folder:
        yield f"--ca-file: there is no folder {path.parent}. Make it first."
    elif there and (content is None or not _is_ours(content)):
        yield f"--ca-file: {path} is there, and no earlier tenant made it. Name another file."


def _is_ours(content: bytes) -> bool:
    """Whether this is what an earlier tenant left and nothing else, so that it can be deleted."""
    try:
        [certificate] = x509.load_pem_x509_certificates(content)
    except ValueError:
        return False
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return [name.value for name in names] == [AUTHORITY]
