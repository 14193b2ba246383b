"""A stage whose bot signs in with one credential or another: the settings for each."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from tests.support.credentials import PASSWORD, certificate, issuer, pem, pfx, private, rsa_key

Environ = dict[str, str]
SUBJECT = "system:serviceaccount:bots:aad-setup"
FILES = ("PEM", "PFX with a password", "federated token")
"""Credentials that are in a file."""
IDENTITIES = tuple(
    f"{which}, {where}"
    for which in ("system-assigned", "user-assigned")
    for where in ("virtual machine", "App Service")
)
CREDENTIALS = ("secret", *FILES, *IDENTITIES)


@asynccontextmanager
async def signing_in(stage: Stage, credential: str) -> AsyncIterator[Environ]:
    """Yield the changes to the environment of a bot that signs in so.

    A managed identity is found only by the environment of the process, so that is changed, too.
    """
    if credential not in IDENTITIES:
        yield settings_of(stage, credential)
    else:
        which, _, where = credential.partition(", ")
        async with on_a_machine(stage, which=which, where=where) as environ:
            yield environ


def settings_of(stage: Stage, credential: str) -> Environ:
    """Return the changes for a secret or a file, which is written."""
    return {} if credential == "secret" else {"ENTRA_CLIENT_SECRET": "", **_file(stage, credential)}


def _file(stage: Stage, credential: str) -> Environ:
    tenant, folder = stage.tenant, stage.folder
    if credential == "federated token":
        issuer().known_to(tenant, tenant.administrator, subject=SUBJECT)
        token = issuer().token(subject=SUBJECT, audience=tenant.cloud.federated_audience)
        file = private(folder / "token", token)
        return {"ENTRA_FEDERATED_TOKEN_FILE": str(file)}
    tenant.trust(tenant.administrator, certificate(rsa_key()))
    if credential == "PEM":
        return {"ENTRA_CERTIFICATE": str(private(folder / "bot.pem", pem(rsa_key())))}
    file = private(folder / "bot.pfx", pfx(rsa_key(), password=PASSWORD))
    return {"ENTRA_CERTIFICATE": str(file), "ENTRA_CERTIFICATE_PASSWORD": PASSWORD}


@asynccontextmanager
async def on_a_machine(stage: Stage, *, which: str, where: str) -> AsyncIterator[Environ]:
    """Run a machine with two identities, of which the bot uses one."""
    own, other = stage.tenant.add_managed_identity(), stage.tenant.add_managed_identity([])
    is_system = which == "system-assigned"
    system, assigned = (own, [other]) if is_system else (other, [own])
    async with stage.tenant.machine(system=system, assigned=assigned) as machine:
        found = machine.app_service if where == "App Service" else machine.virtual_machine
        with in_the_environment(found):
            yield {**found, **identity(own, is_system=is_system)}


@contextmanager
def in_the_environment(variables: Environ) -> Iterator[None]:
    """Let this process have these variables, which tell a machine's form."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def identity(own: Credential, *, is_system: bool = True) -> Environ:
    """Return the settings of a bot that is this managed identity."""
    return {
        "ENTRA_CLIENT_ID": own.client_id,
        "ENTRA_CLIENT_SECRET": "",
        "ENTRA_MANAGED_IDENTITY": "system" if is_system else own.client_id.upper(),
    }
