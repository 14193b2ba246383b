"""Imports point down, and only one place knows each outside thing."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(path for top in ("bot", "handlers", "graph") for path in (ROOT / top).rglob("*.py"))

# From the top down, a layer a line; an indented line goes on with the layer above it. A module
# belongs to the longest name that it begins with, and may import its own layer and those below.
LAYERS = """
bot.entry
bot.__main__
bot.cli
bot.playground
bot.app bot.doctor bot.restore.database_copy
bot.checks bot.own_credential bot.server
bot.manifest
handlers
bot.registrar bot.worker.scheduler bot.worker.consent_watch bot.restore.reconciliation
bot.restore.registration_reconciler
bot.worker.orphans
bot.runs bot.worker.replicas
bot.services
bot.worker.engine bot.domain.forms bot.planning.plans bot.planning.consent_script
bot.storage bot.domain.catalogue
bot.approval
bot.domain bot.settings.settings
bot.settings.credentials bot.settings.consent_client
bot.settings.env_reader
bot.domain.lifetimes bot.worker.loops bot.logs bot.settings.allowed_hosts bot.worker.outages
bot.problems graph
"""
RANKS = {
    name: rank
    for rank, layer in enumerate(re.split(r"\n(?! )", LAYERS.strip()))
    for name in layer.split()
}
TOOLS = {
    "dbos": ("bot.worker.engine",),
    "alembic": ("bot.storage",),
    "msal": ("graph.signin", "graph.managed_identity"),
    "httpx": ("graph",),
    # The start tries the tokens before there is anybody who could listen.
    "slack_sdk": ("handlers", "bot.checks", "bot.server.http_server"),
    "slack_bolt": ("handlers", "bot.server.http_server"),
    "trustme": ("bot.playground",),
    "typer": ("bot.__main__", "bot.cli"),
}
"""Who may import what comes from outside; `bot.playground` stands for the world and may all."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return every module that a file imports; `from bot import app` is `bot.app`."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def rank(module: str) -> int:
    fitting = [name for name in RANKS if within(module, name)]
    assert fitting, f"{module} has no layer yet: give it one in LAYERS."
    return RANKS[max(fitting, key=len)]


def every_import() -> Iterator[tuple[str, str]]:
    """Return each module with each that it imports."""
    return ((name_of(path), imported) for path in FILES for imported in imports(path))


def test_imports_point_down() -> None:
    for module, imported in every_import():
        if module != "bot" and imported.partition(".")[0] in ("bot", "handlers", "graph"):
            assert rank(imported) >= rank(module), f"{module} imports {imported}, which is above it"


def test_each_layer_is_there() -> None:
    modules = {name_of(path) for path in FILES}
    gone = [layer for layer in RANKS if not any(within(it, layer) for it in modules)]
    assert not gone, gone


def test_each_tool_has_its_place() -> None:
    for module, imported in every_import():
        places = (*TOOLS.get(imported.partition(".")[0], ("",)), "bot.playground")
        known = places[0] == "" or any(within(module, place) for place in places)
        assert known, f"{module} imports {imported}, which only {places} may"


def test_listeners_see_only_the_registrar() -> None:
    words = {"bot.domain.people.Refusal", "bot.storage.queries.ListKind"}
    for name, values in (("buttons", set()), ("commands", words)):
        found = set(imports(ROOT / "handlers" / "listeners" / f"{name}.py"))
        reached = {module for module in found if within(module, "bot")}
        assert reached <= {"bot.registrar.Registrar", "bot.domain.people.Person", *values}, name


def test_only_the_playground_is_built_from_simulators() -> None:
    for path in FILES:
        module = name_of(path)
        if not within(module, "bot.playground") and module != "bot.cli.simulators":
            assert not any(within(it, "bot.playground") for it in imports(path)), module


def test_no_test_file_is_imported() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for imported in imports(path):
            if within(imported, "tests"):
                parts = imported.split(".")
                shared = not any(part == "conftest" or part.startswith("test_") for part in parts)
                assert shared, f"{name_of(path)} imports {imported}: share it in tests/support"


def test_support_imports_no_other_tests() -> None:
    for path in (ROOT / "tests" / "support").rglob("*.py"):
        for imported in imports(path):
            if within(imported, "tests"):
                assert within(imported, "tests.support"), f"{name_of(path)} imports {imported}"
