"""The table of clouds, and that no other place knows a host of Microsoft's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.playground.tenant.cloud_names import CLOUD_NAMES
from graph.clouds import CLOUDS

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "graph" / "clouds.py"
SIMULATED = ROOT / "bot" / "playground" / "tenant" / "cloud_names.py"
MICROSOFTS = re.compile(
    r"microsoft(online)?\.(com|us|cn|de)|windows\.net|chinacloudapi|usgovcloudapi|onmschina"
    r"|azure\.(com|net|us|cn)|AzureADTokenExchange",
    re.IGNORECASE,
)


def texts(path: Path) -> Iterator[str]:
    """Yield the texts in a module's code, without docstrings, if a host is anywhere in it."""
    source = path.read_text("utf-8")
    if not MICROSOFTS.search(source):  # to parse them all takes seconds
        return
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in told and isinstance(node.value, str):
            yield node.value


def test_microsofts_hosts_stand_in_two_tables_alone() -> None:
    modules = [path for top in ("bot", "handlers", "graph") for path in (ROOT / top).rglob("*.py")]
    told = {path: [text for text in texts(path) if MICROSOFTS.search(text)] for path in modules}
    assert {path for path, found in told.items() if found} == {TABLE, SIMULATED}
    assert len(told[TABLE]) > len(CLOUDS)
    profiles = (ROOT / "bot" / "profiles").glob("*.toml")
    assert not [path for path in profiles if MICROSOFTS.search(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    ("name", "admin_centre"),
    [
        ("public", "https://entra.microsoft.com"),
        ("usgov", "https://entra.microsoft.us"),
        ("usgov-dod", "https://entra.microsoft.us"),
        ("china", "https://entra.microsoftonline.cn"),
    ],
)
def test_the_page_for_consent_is_in_the_clouds_admin_centre_and_in_the_tenant(
    name: str, admin_centre: str
) -> None:
    assert CLOUDS[name].permissions_page("t1", "a1") == (
        f"{admin_centre}/t1/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade"
        "/~/CallAnAPI/appId/a1"
    )


def test_each_cloud_is_known_by_its_name_and_has_addresses_of_its_own() -> None:
    assert list(CLOUDS) == list(CLOUD_NAMES) == ["public", "usgov", "usgov-dod", "china"]
    assert len({(each.login, each.graph) for each in CLOUDS.values()}) == len(CLOUDS)
    assert {each.federated_audience.removeprefix("api://") for each in CLOUDS.values()} == {
        "AzureADTokenExchange",
        "AzureADTokenExchangeUSGov",
        "AzureADTokenExchangeChina",
    }


def test_setup_lists_every_cloud_with_its_names() -> None:
    setup = (ROOT / "SETUP.md").read_text("utf-8")
    for each in CLOUDS.values():
        names = (each.name, each.login, each.graph, each.admin_centre, each.federated_audience)
        assert f"| {' | '.join(f'`{name}`' for name in names)} |" in setup
