"""What README, the manifest and `.env.example` say is what the code does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.core
import typer.main
from jsonschema import Draft7Validator

from bot.__main__ import main
from bot.approval import table
from bot.catalogue import read_catalogue
from bot.config import NOT_YET, Settings, SettingsError
from bot.manifest import SCOPES, manifest
from bot.registration import MOVES
from graph.rights import ConsentMode, rights

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCHEMA = ROOT.parent / "shared" / "reference" / "data" / "slack_manifest_schema.json"


def section(title: str) -> str:
    """Return README's section under this heading."""
    found = re.search(rf"^#+ {re.escape(title)}$(.*?)(?=^#+ |\Z)", README, re.M | re.S)
    assert found is not None, title
    return found[1]


def settings_read() -> set[str]:
    """Return the names that reading the settings looks up."""

    seen: set[str] = set()

    class Noting(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override] # strings only
            seen.add(name)
            return default

    with pytest.raises(SettingsError):
        Settings.read(Noting())
    return seen - set(NOT_YET)


def test_the_settings_table_lists_exactly_what_is_read() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.M)) == settings_read()


def test_the_policy_is_the_one_that_is_enforced() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", section("Who may do what"), re.M)
    assert rows[1:] == list(table())


def test_the_example_settings_are_settings() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    names = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert names <= settings_read()


def test_the_picture_of_the_states_shows_every_move() -> None:
    shown = set(re.findall(r"^    (\w+) --> (\w+)$", section("States"), re.M))
    assert shown == {(str(a), str(b)) for a, targets in MOVES.items() for b in targets}


def test_the_rights_table_lists_what_the_code_needs() -> None:
    shown = set(re.findall(r"^\| ([A-Z][\w.]+) \|", section("Rights"), re.M))
    assert shown == rights(ConsentMode.AUTONOMOUS)


def test_the_profiles_table_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| [^|]+ \| ([^|]*) \| ([^|]*) ?\|$", README, re.M)
    shown = {
        id: (tuple(re.findall(r"[\w.]+", roles)), tuple(re.findall(r"[\w.]+", scopes)))
        for id, roles, scopes in rows
    }
    assert shown == {each.id: (each.roles, each.scopes) for each in read_catalogue().values()}


def test_every_command_of_the_command_line_is_in_readme() -> None:
    commands = typer.main.get_command(main)
    assert isinstance(commands, typer.core.TyperGroup)
    shown = set(re.findall(r"`aad-setup ([a-z]+)", section("Commands")))
    assert set(commands.commands) == shown


def test_the_manifest_fits_slacks_published_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip("Slack's manifest schema is not beside this checkout")
    Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(manifest())


def test_the_manifest_asks_for_no_scope_that_is_not_explained() -> None:
    assert manifest()["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)


@pytest.mark.slow
def test_the_transcript_in_readme_is_what_the_demo_prints() -> None:
    asked = [sys.executable, "-m", "bot", "demo", "--plain"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=plain()).stdout
    found = re.search(r"<!-- transcript -->\n```text\n(.*?)```\n<!-- /transcript -->", README, re.S)
    assert found is not None
    assert same(found[1]) == same(told)


def same(transcript: str) -> list[str]:
    """Return the lines without what differs between two runs: ids, digests, times, progress."""
    text = re.sub(r"AAD-\w{4}", "AAD-7K3F", transcript)
    text = re.sub(r"plan [0-9a-f]{16}", "plan …", text)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DATE", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "GUID", text)
    text = re.sub(r"^( +)\w{3}8Q~\S+$", r"\1SECRET", text, flags=re.M)
    before, _, after = text.partition("the card keeps up")
    return (before + after.partition("▶ What the finished card")[2]).split()


def plain() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
