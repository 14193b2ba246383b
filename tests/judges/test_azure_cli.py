"""Microsoft's own `az` does the job at the simulated tenant, as it comes.

`AZURE_CLI` names a virtual environment of its own in which `pip install azure-cli` was run.
"""

import dataclasses
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from graph.consent_policy import INCLUDES, SET_UP_RIGHTS
from tests.judges.presence import need_program
from tests.support.cli import ended
from tests.support.credentials import certificate, pem, private, rsa_key
from tests.support.outside_cli import OutsideCli
from tests.support.simulator_process import SimulatorProcess, command, simulator_process

pytestmark = pytest.mark.slow

GRAPH = "00000003-0000-0000-c000-000000000000"
READ_USERS = "df021288-bdef-4463-88db-98f22de89214"
READ_ONESELF = "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def program() -> str:
    return str(need_program("AZURE_CLI", "bin/az", "pip install azure-cli", is_of_node=False))


@pytest.fixture
async def tenant(program: str, tmp_path: Path) -> AsyncIterator[SimulatorProcess]:
    async with simulator_process(
        "tenant", "--users", "5", "--groups", "1", "--json", folder=tmp_path
    ) as tenant:
        yield tenant


@pytest.fixture
async def az(program: str, tenant: SimulatorProcess, tmp_path: Path) -> OutsideCli:
    """`az` that knows this tenant's cloud as SIMULATORS.md says."""
    home = tmp_path / "home"
    home.mkdir()
    environ = {
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "REQUESTS_CA_BUNDLE": tenant.facts["ca_file"],
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    az = OutsideCli(program=(program,), environ=environ, folder=home)
    manager = f"https://localhost:{urlsplit(tenant.facts['url']).port}/arm"
    await az.read("cloud", "register", "--name", "sim", "--endpoint-resource-manager", manager)
    await az.read("cloud", "set", "--name", "sim", "--only-show-errors")
    await az.read("config", "set", "core.instance_discovery=false", "--only-show-errors")
    return az


def login(tenant: SimulatorProcess, id: str, *proof: str) -> tuple[str, ...]:
    where = ("--tenant", tenant.facts["tenant_id"])
    return ("login", "--service-principal", "--username", id, *proof, *where)


async def signed_in(az: OutsideCli, tenant: SimulatorProcess, id: str, *proof: str) -> str:
    """Sign in by this proof instead of as before; return as whom the account says it is."""
    await az.run("logout")
    [account] = await az.read(*login(tenant, id, *proof), "--allow-no-subscriptions")
    assert account["tenantId"] == tenant.facts["tenant_id"]
    return str(account["user"]["name"])


async def as_the_bot(az: OutsideCli, tenant: SimulatorProcess) -> None:
    facts = tenant.facts
    await signed_in(az, tenant, facts["client_id"], "--password", facts["client_secret"])


async def test_an_application_is_made_and_its_secret_signs_in(
    az: OutsideCli, tenant: SimulatorProcess
) -> None:
    facts = tenant.facts
    await as_the_bot(az, tenant)
    made = await az.read("ad", "app", "create", "--display-name", "judged")
    id = made["appId"]
    secret = await az.read("ad", "app", "credential", "reset", "--id", id)
    permissions = (f"{READ_USERS}=Role", f"{READ_ONESELF}=Scope")
    add = ("permission", "add", "--id", id, "--api", GRAPH, "--api-permissions", *permissions)
    await az.read("ad", "app", *add)
    principal = await az.read("ad", "sp", "create", "--id", id)
    grant = ("permission", "grant", "--id", id, "--api", GRAPH, "--scope", "User.Read")
    granted = await az.read("ad", "app", *grant)
    assert (granted["clientId"], granted["scope"]) == (principal["id"], "User.Read")

    url = f"{facts['graph_url']}/v1.0/applications?$filter=appId eq '{id}'"
    read = await az.read("rest", "--method", "get", "--url", url)
    [wanted] = read["value"][0]["requiredResourceAccess"]
    assert {each["id"] for each in wanted["resourceAccess"]} == {READ_USERS, READ_ONESELF}

    assert await signed_in(az, tenant, id, "--password", secret["password"]) == id


async def test_a_certificate_that_it_uploads_signs_in(
    az: OutsideCli, tenant: SimulatorProcess
) -> None:
    await as_the_bot(az, tenant)
    id = (await az.read("ad", "app", "create", "--display-name", "certified"))["appId"]
    await az.read("ad", "sp", "create", "--id", id)
    public = certificate(rsa_key()).public_bytes(Encoding.PEM).decode()
    await az.read("ad", "app", "credential", "reset", "--id", id, "--append", "--cert", public)
    file = private(az.folder / "key.pem", pem(rsa_key()))
    assert await signed_in(az, tenant, id, "--certificate", str(file)) == id


async def test_a_wrong_secret_and_a_tenant_without_subscriptions_are_refused(
    az: OutsideCli, tenant: SimulatorProcess
) -> None:
    id, secret = tenant.facts["client_id"], tenant.facts["client_secret"]
    for proof, more, why in (
        ("wrong", ("--allow-no-subscriptions",), "AADSTS7000215"),
        (secret, (), "No subscriptions found"),
    ):
        refused = await az.run(*login(tenant, id, "--password", proof), *more)
        assert refused.status == 1
        assert why in refused.err


async def test_the_calls_of_consent_policy_are_carried_out(
    az: OutsideCli, tenant: SimulatorProcess
) -> None:
    """What `aad-setup consent-policy` prints for `az rest`, in a shell."""
    facts = tenant.facts
    printed = await aad_setup(tenant, "consent-policy", folder=az.folder)
    once, again = printed.split("# Or az rest, in a POSIX shell")[1].split("# Instead, after the")
    trust = ssl.create_default_context(cafile=facts["ca_file"])
    async with httpx.AsyncClient(verify=trust) as http:
        wanted = {"rights": SET_UP_RIGHTS}
        answer = await http.post(f"{facts['url']}/sim/administrators", json=wanted)
    made = answer.json()
    await signed_in(az, tenant, made["client_id"], "--password", made["client_secret"])
    for script in (once, f"# {again}"):
        shell = dataclasses.replace(az, program=("sh", "-euc"), environ=beside(az))
        done = await shell.run(script)
        assert done.status == 0, done.err
    listed = f"{facts['graph_url']}/v1.0{INCLUDES}"
    found = (await az.read("rest", "--method", "get", "--url", listed))["value"]
    assert [each["permissionType"] for each in found] == ["application", "delegated"]


def beside(az: OutsideCli) -> dict[str, str]:
    """Return the environment of a shell that finds this `az` first."""
    return {**az.environ, "PATH": f"{Path(az.program[0]).parent}:{os.environ['PATH']}"}


async def aad_setup(tenant: SimulatorProcess, *arguments: str, folder: Path) -> str:
    """Return what a command prints for a bot of this tenant."""
    facts = tenant.facts
    environ = {
        "ENTRA_TENANT_ID": facts["tenant_id"],
        "ENTRA_CLIENT_ID": facts["client_id"],
        "ENTRA_CLIENT_SECRET": facts["client_secret"],
        "ENTRA_AUTHORITY": facts["authority"],
        "GRAPH_URL": facts["graph_url"],
        "CA_BUNDLE": facts["ca_file"],
    }
    told = await ended(await command(*arguments, folder=folder, environ=environ))
    assert told.status == 0, told.err
    return told.out
