"""A command imports only what it needs, and prints what the documents show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.marks import slow

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


@pytest.mark.parametrize("arguments", [["--help"], slow(["plan", "--help"]), ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"from bot.__main__ import main; main({arguments}, standalone_mode=False)"
    assert not HEAVY & imported_by(code)


@pytest.mark.slow
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


def shown(document: str, what: str) -> str:
    """Return what stands in a document between two comments of this name."""
    text = (ROOT / document).read_text("utf-8")
    found = re.search(rf"<!-- {what} -->\n```text\n(.*?)```\n<!-- /{what} -->", text, re.S)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_the_transcript_is_what_the_demo_prints() -> None:
    asked = [sys.executable, "-m", "bot", "demo", "--story", "--plain"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=plain()).stdout
    assert same(shown("SIMULATORS.md", "transcript")) == same(told)


def test_readme_shows_parts_of_the_transcript() -> None:
    """In order, with … for what is left out."""
    rest = shown("SIMULATORS.md", "transcript")
    for part in shown("README.md", "excerpt").split("…\n"):
        _, found, rest = rest.partition(part)
        assert found, part


def same(transcript: str) -> list[str]:
    """Return the lines without what differs between two runs: ids, digests, times, progress."""
    text = re.sub(r"AAD-\w{4}", "AAD-7K3F", transcript)
    text = re.sub(r"plan [0-9a-f]{16}", "plan …", text)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DATE", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "GUID", text)
    text = re.sub(r"^( +)\S{3}(8Q~\S+|•+)$", r"\1SECRET", text, flags=re.M)
    text = re.sub(r"steps done (in|after) \d+ (s|min|h)$", "steps done", text, flags=re.M)
    before, _, rest = text.partition("the card keeps up")
    call, _, after = rest.partition("▶ The bot calls")[2].partition("▶ The administrator presses")
    return (before + call + after.partition("▶ What the finished card")[2]).split()


def plain() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
