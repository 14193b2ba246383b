"""A command imports only what it needs: help is there at once, and a bot loads no simulator."""

import subprocess
import sys

import pytest

HEAVY = {
    *("aiohttp", "alembic", "asyncio", "cryptography", "dbos", "handlers", "httpx", "msal"),
    *("slack_bolt", "slack_sdk", "sqlalchemy", "structlog", "trustme"),
}
NOT_FOR_SERVING = {"bot.doctor", "bot.playground", "bot.restore", "trustme"}


def imported_by(code: str) -> set[str]:
    """Return the modules that a new interpreter has imported after this code."""
    code += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(ended.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"from bot.__main__ import main; main({arguments}, standalone_mode=False)"
    assert not HEAVY & imported_by(code)


def test_serving_imports_no_other_command() -> None:
    assert not NOT_FOR_SERVING & imported_by("import bot.cli.serving")
