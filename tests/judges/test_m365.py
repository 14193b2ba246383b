"""The CLI for Microsoft 365 does the job at the simulated tenant, as it comes.

It knows no hosts but Microsoft's, so it reaches the tenant through a proxy on this machine that
sends their connections there, and refuses all others. `M365_CLI` names a folder in which
`npm install @pnp/cli-microsoft365` was run.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from graph.clouds import CLOUDS, Cloud
from tests.judges.presence import need_program
from tests.support import http_proxy
from tests.support.outside_cli import OutsideCli
from tests.support.simulator_process import SimulatorProcess, simulator_process

pytestmark = pytest.mark.slow

NAMES = {"public": "Public", "usgov": "USGovHigh", "usgov-dod": "USGovDoD"}
"""Our names of clouds → its own. Its host of the sign-in in China is the former one."""


@pytest.fixture
def program() -> str:
    path = "node_modules/@pnp/cli-microsoft365/dist/index.js"
    return str(need_program("M365_CLI", path, "npm install @pnp/cli-microsoft365@11"))


@pytest.fixture
async def tenant(program: str, cloud: Cloud, tmp_path: Path) -> AsyncIterator[SimulatorProcess]:
    size = ("--users", "5", "--groups", "1")
    where = ("--cloud", cloud.name, "--real-host-names")
    async with simulator_process("tenant", *size, *where, "--json", folder=tmp_path) as tenant:
        yield tenant


@pytest.fixture
async def m365(program: str, tenant: SimulatorProcess, tmp_path: Path) -> AsyncIterator[OutsideCli]:
    home = tmp_path / "home"
    home.mkdir()
    async with http_proxy.running() as proxy:
        here = urlsplit(tenant.facts["url"]).netloc
        proxy.stand_ins = {f"{host}:443": here for host in tenant.facts["host_names"]}
        environ = {"HTTPS_PROXY": proxy.url, "NODE_EXTRA_CA_CERTS": tenant.facts["ca_file"]}
        yield OutsideCli(program=("node", program), environ=environ, folder=home)
        assert proxy.seen


def login(cloud: Cloud, tenant: SimulatorProcess, id: str, secret: str) -> tuple[str, ...]:
    who = ("--appId", id, "--tenant", tenant.facts["tenant_id"], "--secret", secret)
    where = ("--cloud", NAMES[cloud.name], "--output", "json")
    return ("login", "--authType", "secret", *who, *where)


@pytest.mark.parametrize("cloud", [CLOUDS[name] for name in NAMES], ids=NAMES)
async def test_an_application_is_made_with_consent_and_its_secret_signs_in(
    cloud: Cloud, m365: OutsideCli, tenant: SimulatorProcess
) -> None:
    facts = tenant.facts
    connected = await m365.read(*login(cloud, tenant, facts["client_id"], facts["client_secret"]))
    assert connected["connectedAs"] == "aad-setup"
    made = await m365.read(
        *("entra", "app", "add", "--name", "judged", "--withSecret", "--grantAdminConsent"),
        *("--apisApplication", f"{cloud.graph}/User.Read.All"),
        *("--apisDelegated", f"{cloud.graph}/User.Read", "--output", "json"),
    )
    about = ("--appId", made["appId"], "--output", "json")
    permissions = await m365.read("entra", "app", "permission", "list", *about)
    assert {(each["permission"], each["type"]) for each in permissions} == {
        ("User.Read.All", "Application"),
        ("User.Read", "Delegated"),
    }
    [secret] = made["secrets"]
    connected = await m365.read(*login(cloud, tenant, made["appId"], secret["value"]))
    assert connected["connectedAs"] == "judged"
    people = await m365.read("entra", "user", "list", "--properties", "id", "--output", "json")
    assert len(people) == 5


async def test_a_wrong_secret_is_refused_with_entras_number(
    cloud: Cloud, m365: OutsideCli, tenant: SimulatorProcess
) -> None:
    refused = await m365.run(*login(cloud, tenant, tenant.facts["client_id"], "wrong"))
    assert refused.status == 1
    assert "AADSTS7000215" in refused.out + refused.err
    connected = await m365.run("entra", "app", "list", "--output", "json")
    assert connected.status == 1
