"""A command imports only what it needs: help is there at once, and a bot loads no simulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("aiohttp", "alembic", "asyncio", "cryptography", "dbos", "handlers", "httpx", "msal"),
    *("slack_bolt", "slack_sdk", "sqlalchemy", "structlog", "trustme"),
}
NOT_FOR_SERVING = {
    *("alembic", "bot.doctor", "bot.playground", "bot.restore.database_copy", "trustme")
}


def imported_by(code: str) -> set[str]:
    """Return the modules that a new interpreter has imported after this code."""
    code += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd="/",  # where no .env is
    )
    return set(ended.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"from bot.__main__ import main; main({arguments}, standalone_mode=False)"
    assert not HEAVY & imported_by(code)


def test_serving_imports_nothing_of_other_commands_or_migrations() -> None:
    assert not NOT_FOR_SERVING & imported_by("import bot.cli.serving")


@pytest.mark.slow
def test_modules_that_serving_imports_are_never_searched_for_garbage() -> None:
    code = """if True:
        import gc, sys, typer
        from bot.__main__ import main
        try:
            main(["serve"], standalone_mode=False)  # refused: there are no settings
        except typer.Exit:
            assert gc.isenabled() and gc.get_freeze_count() > 10_000
    """
    assert "bot.cli.serving" in imported_by(code)
