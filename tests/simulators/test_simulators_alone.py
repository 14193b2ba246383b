"""Each simulator alone: started from a terminal or by a program, talked to, stopped."""

import asyncio
import json
import shutil
import signal
import socket
import ssl
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.fernet import Fernet
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground import alone
from bot.playground.alone import Alone
from bot.problems import Unusable
from tests.support.cli import Ended, ended
from tests.support.serve_process import COLD, starting
from tests.support.simulator_process import SimulatorProcess, command, simulator_process

Simulator = AbstractAsyncContextManager[Alone]
UNUSABLE = 2


def small(
    ca_file: Path | None = None,
    *,
    cloud: str = "public",
    real_host_names: bool = False,
    **changes: int,
) -> Simulator:
    sizes = {"port": 0, "users": 3, "groups": 1, "seed": 7, **changes}
    return alone.tenant(ca_file=ca_file, cloud=cloud, real_host_names=real_host_names, **sizes)


async def problems(simulator: Simulator) -> tuple[str, ...]:
    with pytest.raises(Unusable) as raised:
        await simulator.__aenter__()
    return raised.value.problems


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


# Arguments


async def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    wrong = small(
        tmp_path / "nowhere" / "ca.pem", cloud="moon", port=65_536, users=-1, groups=100_001
    )
    assert await problems(wrong) == (
        "--port must be from 1 to 65535, or 0 for any that is free.",
        "--users must be from 0 to 100000.",
        "--groups must be from 0 to 100000.",
        f"--ca-file: there is no folder {tmp_path / 'nowhere'}. Make it first.",
        "--cloud must be one of public, usgov, usgov-dod, china.",
    )
    assert await problems(alone.workspace(port=-1)) == (
        "--port must be from 1 to 65535, or 0 for any that is free.",
    )
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    "simulator", [lambda port: small(port=port), lambda port: alone.workspace(port=port)]
)
async def test_a_port_in_use_is_one_sentence(
    simulator: Callable[[int], Simulator], taken: int
) -> None:
    assert await problems(simulator(taken)) == (
        f"Port {taken} is in use: stop what uses it, or take --port 0 for a free one.",
    )


async def test_a_port_in_use_leaves_the_certificate_of_whoever_uses_it(
    tmp_path: Path, taken: int
) -> None:
    ca_file = tmp_path / "ca.pem"
    async with small(ca_file):
        before = ca_file.read_bytes()
        await problems(small(ca_file, port=taken))
        assert ca_file.read_bytes() == before


# The certificate


async def test_the_ca_file_holds_one_certificate_and_no_key(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    async with small(ca_file) as it:
        assert it.to_json()["ca_file"] == str(ca_file)
        await answers(it)
    assert b"PRIVATE" not in ca_file.read_bytes()
    [certificate] = x509.load_pem_x509_certificates(ca_file.read_bytes())
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_a_ca_file_of_an_earlier_tenant_is_replaced(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    async with small(ca_file):
        first = ca_file.read_bytes()
    async with small(ca_file) as it:
        assert ca_file.read_bytes() != first
        await answers(it)


async def test_names_of_microsofts_hosts_come_with_a_warning() -> None:
    async with small(cloud="china", real_host_names=True) as it:
        hosts = ("login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn")
        assert it.facts["host_names"] == hosts
        assert "never trust it system-wide" in it.to_text()
    async with small() as it:
        assert not it.facts["host_names"]
        assert "system-wide" not in it.to_text()


def somebody_elses() -> bytes:
    return trustme.CA(organization_name="Northwind Traders").cert_pem.bytes()


@pytest.mark.parametrize("content", [b"", b"SLACK_BOT_TOKEN=xoxb-1\n", somebody_elses()])
async def test_no_other_file_is_written_over(tmp_path: Path, content: bytes) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(content)
    [problem] = await problems(small(precious))
    assert problem.endswith("no earlier tenant made it. Name another file.")
    assert precious.read_bytes() == content
    assert await problems(small(tmp_path)) == (
        f"--ca-file: {tmp_path} is there, and no earlier tenant made it. Name another file.",
    )


async def test_a_bundle_that_begins_with_ours_is_not_written_over(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    async with small(ca_file):
        pass
    bundle = ca_file.read_bytes() + somebody_elses()
    ca_file.write_bytes(bundle)
    await problems(small(ca_file))
    assert ca_file.read_bytes() == bundle


async def test_a_ca_file_that_cannot_be_is_said_before_anything_runs(tmp_path: Path) -> None:
    [problem] = await problems(small(tmp_path / ("n" * 300)))
    assert problem.endswith("cannot be read: File name too long.")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that takes no files")
async def test_a_ca_file_that_cannot_be_written_stops_the_tenant() -> None:
    [problem] = await problems(small(Path("/proc/ca.pem")))
    assert problem.startswith("--ca-file: /proc/ca.pem cannot be written: ")


async def answers(it: Alone) -> None:
    trust = ssl.create_default_context(cafile=it.facts["ca_file"])
    async with httpx.AsyncClient(verify=trust) as http:
        answer = await http.get(f"{it.facts['authority']}/v2.0/.well-known/openid-configuration")
    assert answer.json()["issuer"] == f"{it.facts['authority']}/v2.0"


# What it says


async def test_the_same_seed_makes_the_same_tenant() -> None:
    seen = []
    for seed in (7, 7, 8):
        async with small(seed=seed) as it:
            seen.append(it.facts["tenant_id"])
    assert seen[0] == seen[1] != seen[2]


async def test_both_listen_on_this_machine_only_and_on_the_port_that_was_asked_for(
    taken: int,
) -> None:
    async with small() as tenant, alone.workspace(port=0) as workspace:
        for it in (tenant, workspace):
            assert it.facts["url"].split(":")[1] == "//127.0.0.1"
            port = int(it.facts["url"].rsplit(":")[-1])
            with socket.create_server(("127.0.0.2", port)):
                pass  # so nothing listens on every address


# As processes


@pytest.mark.slow
async def test_the_workspace_answers_a_program_that_read_its_line(tmp_path: Path) -> None:
    async with simulator_process("workspace", "--json", folder=tmp_path) as it:
        facts = it.facts
        client = AsyncWebClient(token=facts["bot_token"], base_url=facts["api_url"])
        who = await client.auth_test()
        assert (who["team_id"], who["user_id"]) == (facts["team_id"], facts["bot_user_id"])
        assert facts["environ"]["SLACK_APP_TOKEN"] == facts["app_token"]
        assert facts["people"]["rosa"] == facts["environ"]["REQUESTERS"]
        assert await it.stop() == Ended(status=0, out="", err="")
    assert not names_in(tmp_path)


@pytest.mark.slow
async def test_settings_pasted_from_the_terminal_make_a_plan(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    async with simulator_process("tenant", "--ca-file", str(ca_file), folder=tmp_path) as it:
        assert it.told == "The Entra tenant Northwind Traders (northwind.example) is there.\n"
        lines = await it.lines_until("Ctrl-C stops it.")
        assert "It is a simulator: nothing in it is real" in lines[0]
        settings = [line for line in lines if line.startswith("export ")]
        (tmp_path / ".env").write_text("\n".join(settings), "utf-8")
        asked = ("--profile", "directory-read", "--name", "reader", "--reason", "OPS-1")
        plan = await ended(await command("plan", *asked, folder=tmp_path))
        assert plan.status == 0, plan.err
        assert plan.out.startswith("Plan for the application “reader”")
        assert await it.stop(signal.SIGINT) == Ended(status=0, out="", err="")
    assert names_in(tmp_path) == [".env", "ca.pem"]


@pytest.mark.slow
async def test_the_example_for_the_terminal_works(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    async with (
        simulator_process("tenant", folder=tmp_path) as tenant,
        simulator_process("workspace", folder=tmp_path) as workspace,
    ):
        for it, sign in ((tenant, "access_token"), (workspace, "bot_id")):
            lines = await it.lines_until("Ctrl-C stops it.")
            [example] = [line for line in lines if line.startswith("  curl ")]
            process = await asyncio.create_subprocess_shell(example, stdout=PIPE, stderr=PIPE)
            assert sign in json.loads((await ended(process)).out)
        await tenant.stop()
    assert not names_in(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tenant", "workspace"])
async def test_what_cannot_be_used_ends_with_2_and_sentences(
    name: str, tmp_path: Path, taken: int
) -> None:
    ended_at_once = await ended(await command(name, "--port", str(taken), folder=tmp_path))
    assert ended_at_once == Ended(
        status=UNUSABLE,
        out="",
        err=f"Port {taken} is in use: stop what uses it, or take --port 0 for a free one.\n",
    )
    no_number = await ended(await command(name, "--port", "many", folder=tmp_path))
    assert (no_number.status, no_number.out) == (UNUSABLE, "")
    assert not names_in(tmp_path)


@pytest.mark.slow
async def test_the_bot_runs_between_two_simulators_that_stand_alone(tmp_path: Path) -> None:
    async with (
        simulator_process(
            "tenant", "--users", "40", "--groups", "4", "--json", folder=tmp_path
        ) as tenant,
        simulator_process("workspace", "--json", folder=tmp_path) as workspace,
        httpx.AsyncClient(base_url=workspace.facts["url"] + "/sim/", timeout=20) as people,
        starting(environ_of(tenant, workspace), tmp_path, COLD) as bot,
    ):
        await until(people, lambda seen: seen["connections"] == 1, "state")
        await act(people, "command", person="rosa")
        asked = {"Application name": "reader", "Reason": "OPS-1"}
        await act(people, "submit", person="rosa", values=asked)
        await until(people, lambda seen: "[Approve]" in seen[-1]["shown"], "messages", "approvals")
        await act(people, "click", person="ada", label="Approve")
        await until(people, lambda seen: "Get the values" in seen[-1]["shown"], "messages", "rosa")
        await act(people, "click", person="rosa", label="Get the values")
        await act(people, "click", person="rosa", label="Show the secret")
        assert "reader: ready" in (await looked(people, "messages", "approvals"))[-1]["shown"]
        await bot.stop()


def environ_of(tenant: SimulatorProcess, workspace: SimulatorProcess) -> dict[str, str]:
    """Return the settings that both print, and a key."""
    key = Fernet.generate_key().decode()
    return {**tenant.facts["environ"], **workspace.facts["environ"], "VAULT_KEYS": key}


async def act(people: httpx.AsyncClient, verb: str, **arguments: object) -> None:
    answer = await people.post(verb, json=arguments)
    assert answer.is_success, answer.text


async def looked(people: httpx.AsyncClient, what: str, where: str = "") -> Any:
    answer = await people.get(what, params={"where": where} if where else {})
    return answer.json()["result"]


async def until(
    people: httpx.AsyncClient, happened: Callable[[Any], bool], what: str, where: str = ""
) -> None:
    """Look again and again: the workspace is another process, and cannot wake this one."""
    for _ in range(600):
        seen = await looked(people, what, where)
        if seen and happened(seen):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(seen)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
