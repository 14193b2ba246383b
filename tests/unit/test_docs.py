"""What the documents, the manifest and `.env.example` say is what the code does."""

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer.core
import typer.main
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from bot.__main__ import main
from bot.approval import RULES, Role
from bot.approval.rules import DECISIONS
from bot.domain.catalogue import read_catalogue
from bot.domain.registration import MOVES, Status
from bot.manifest import EVENTS, SCOPES, manifest
from bot.playground.workspace.methods import METHODS
from bot.settings.settings import Settings, SettingsError
from graph.rights import BOT_RIGHTS, ConsentMode, Right
from handlers.listeners.command import help_row, help_text
from handlers.listeners.command_table import COMMANDS
from handlers.views.request_words import WORDS
from handlers.views.ui import LONGEST_TEXT

ROOT = Path(__file__).parents[2]
SHOWN = [each for each in COMMANDS.values() if not each.is_hidden]
SUBCOMMANDS = {each.word for each in SHOWN if each.word}
DOCUMENTS = {path.name: path.read_text("utf-8") for path in sorted(ROOT.glob("*.md"))}
EVERYTHING = "\n".join(DOCUMENTS.values())
SCHEMA = ROOT.parent / "shared" / "reference" / "data" / "slack_manifest_schema.json"


def section(title: str) -> str:
    """Return the section under this heading, which only one document has."""
    heading = rf"^#+ {re.escape(title)}$(.*?)(?=^#+ |\Z)"
    [found] = re.findall(heading, EVERYTHING, re.M | re.S)
    return str(found)


def anchors(text: str) -> set[str]:
    """Return what a link may name behind `#`: each heading, as GitHub writes it."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def links() -> Iterator[tuple[str, str, str]]:
    """Yield each link within this repository: the document it is in, the file, the heading."""
    for name, text in DOCUMENTS.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, heading = target.partition("#")
            if "://" not in target:
                yield name, file or name, heading


def test_every_link_leads_somewhere() -> None:
    assert list(links())
    for document, file, heading in links():
        assert (ROOT / file).exists(), (document, file)
        assert not heading or heading in anchors(DOCUMENTS[file]), (document, file, heading)


def test_every_picture_is_there() -> None:
    shown = re.findall(r'(?:src|srcset)="([^"]+)"', EVERYTHING)
    assert shown
    assert [each for each in shown if not (ROOT / each).is_file()] == []


def test_readme_is_short_and_leads_to_every_document() -> None:
    assert len(DOCUMENTS["README.md"].encode()) <= 10_000
    led_to = {file for document, file, _ in links() if document == "README.md"}
    assert set(DOCUMENTS) <= led_to | {"README.md"}


def settings_read() -> set[str]:
    """Return the names that reading the settings looks up."""

    seen: set[str] = set()

    class Noting(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override] # strings only
            seen.add(name)
            return default

    with pytest.raises(SettingsError):
        Settings.read(Noting())
    return {name.upper() for name in seen}  # a proxy's name has two spellings


def test_the_settings_table_lists_exactly_what_is_read() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.M)) == settings_read()


def table() -> Iterator[tuple[str, str, str]]:
    """Yield each verb, who may use it, and in which states, as the documents say it."""
    for verb in ("preview", "ask"):  # judged before there is a registration
        yield verb, "anyone who may ask", "not there yet"
    for each, rule in RULES.items():
        states = "a request waits" if each in DECISIONS else listed(rule.states, Status)
        yield each, listed(rule.roles, Role), states


def listed(some: frozenset[Role] | frozenset[Status], every: Iterable[Role | Status]) -> str:
    everything = list(every)
    if len(some) == len(everything):
        return "anybody in the team" if Role.REQUESTER in some else "any"
    return ", ".join(each for each in everything if each in some)


def policy_rows() -> list[tuple[str, str, str, str]]:
    """Return the table of who may do what: verb, roles, states, and how it is done."""
    cells = r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$"
    return re.findall(cells, section("Who may do what"), re.M)[1:]


def test_the_policy_is_the_one_that_is_enforced() -> None:
    assert [row[:3] for row in policy_rows()] == list(table())


def test_what_is_said_to_do_a_verb_is_there() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "handlers").rglob("*.py")]
    labels = set(re.findall(r'\b_?button\(\s*"([^"]+)"', "\n".join(texts)))
    labels |= {label for words in WORDS.values() for label in words.labels}
    how = " ".join(how for *_, how in policy_rows())
    assert set(re.findall(r"`(\w+)`", how)) <= SUBCOMMANDS
    assert set(re.findall(r"\*([^*]+)\*", how)) <= labels


PLACE = r"`((?:bot|handlers|graph|tests)/[\w./-]*)`"


def test_every_file_that_a_document_names_is_there() -> None:
    places = re.findall(PLACE, EVERYTHING)
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_every_name_that_is_said_to_be_in_a_file_is_there() -> None:
    """Such as `file.py`: `name`, `other`."""
    said = re.findall(PLACE + r": ((?:`[^`]+`(?:, )?)+)", section("Where to change"))
    assert len(said) >= 10
    for place, names in said:
        text = (ROOT / place).read_text("utf-8")
        for name in re.findall(r"`([^`]+)`", names):
            assert re.search(rf"\b{re.escape(name)}\b", text), (place, name)


def test_every_setting_that_a_document_names_is_one() -> None:
    guides = [text for name, text in DOCUMENTS.items() if name != "CHANGELOG.md"]
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)[=`]", "\n".join(guides)))
    in_code = set(re.findall(r"`([A-Z_]+)`", DOCUMENTS["ARCHITECTURE.md"]))
    of_tests = {"TEST_DATABASE_URL", "PYTEST_DEBUG_TEMPROOT", "BOLT_JS", "AZURE_CLI", "AXE_CORE"}
    assert named - in_code - of_tests - {"POSTGRES_PASSWORD"} <= settings_read()


def test_the_example_settings_are_settings() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    names = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert names <= settings_read()


def test_compose_sets_what_the_bot_reads() -> None:
    services = parsed("compose.yaml")["services"]
    bot, database, demo = (services[name] for name in ("bot", "database", "demo"))
    assert set(bot["environment"]) <= settings_read()
    environ = {
        name: value.replace("${POSTGRES_PASSWORD:-}", "pw")
        for name, value in bot["environment"].items()
    }
    with pytest.raises(SettingsError) as raised:
        Settings.read({**environ, "POSTGRES_PASSWORD": "pw"})  # which `.env` holds for compose
    assert not [it for it in raised.value.problems if re.search("^(DATABASE|PORT|POSTGRES)", it)]
    url = sa.make_url(environ["DATABASE_URL"])
    assert url.host == "database"
    assert url.username == database["environment"]["POSTGRES_USER"]
    assert url.database == database["environment"]["POSTGRES_DB"]
    assert bot["depends_on"]["database"]["condition"] == "service_healthy"
    assert "healthcheck" in database
    assert [each["path"] for each in bot["env_file"]] == [".env"]
    assert (demo["profiles"], demo["command"]) == (["demo"], ["demo", "--story"])
    assert "env_file" not in demo


def test_the_hooks_before_a_commit_are_the_commands_of_contributing_and_of_the_ci() -> None:
    [repo] = parsed(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    entries = [hook["entry"] for hook in repo["hooks"]]
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.search(r"Before each commit.*:\n\n((?: {4}.+\n)+)", text)
    assert found is not None
    assert [line.strip() for line in found[1].splitlines()] == entries
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    checks = re.findall(r"^\.venv/bin/((?:ruff|mypy).*)$", script, re.M)
    assert [check.replace(" --check", "") for check in checks] == entries


def test_the_workflow_runs_the_ci_script_and_the_image() -> None:
    jobs = parsed(".github/workflows/ci.yml")["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    [ci] = [step for step in steps if ".ci/run" in step.get("run", "")]
    assert (ci["run"], ci["env"]) == ("bash .ci/run", {"CI": "true"})
    commands = [step["run"] for step in steps if "run" in step]
    image = parsed("compose.yaml")["services"]["bot"]["image"]
    assert "docker compose build bot" in commands
    assert f"docker run --rm {image} --version" in commands


def test_a_bug_report_asks_for_the_bug_s_id_and_for_no_secret() -> None:
    body = parsed(".github/ISSUE_TEMPLATE/bug_report.yml")["body"]
    assert "Never paste secrets" in body[0]["attributes"]["value"]
    assert "bug_id" in [each.get("id") for each in body]
    [promise] = [each for each in body if each.get("id") == "no_secrets"]
    assert all(option["required"] for option in promise["attributes"]["options"])


def parsed(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_the_picture_of_the_states_shows_every_move() -> None:
    shown = set(re.findall(r"^    (\w+) --> (\w+)$", section("States"), re.M))
    moves = ((a, b) for a, targets in MOVES.items() for b in targets)
    assert shown == {(a.replace(" ", "_"), b.replace(" ", "_")) for a, b in moves}


def test_the_rights_table_is_the_one_that_the_code_uses() -> None:
    heading, *rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (.+) \|$", section("Rights"), re.M)
    modes = heading[2].replace("`", "").split(" | ")
    assert modes == list(ConsentMode)
    shown = [
        (name, why, dict(zip(modes, cells.split(" | "), strict=True))) for name, why, cells in rows
    ]
    assert shown == [
        (right.name, right.needed_to, {mode: needed(right, mode) for mode in ConsentMode})
        for right in BOT_RIGHTS
    ]


def needed(right: Right, mode: ConsentMode) -> str:
    if mode not in right.modes:
        return "no"
    if right.is_only_for_scopes:
        return "delegated"
    return "optional" if right.is_helpful else "yes"


def test_the_profiles_table_is_the_catalogue() -> None:
    cells = r"^\| `([\w-]+)` \| [^|]+ \| ([^|]*) \| ([^|]*) ?\|$"
    rows = re.findall(cells, section("Profiles"), re.M)
    shown = {
        id: (tuple(re.findall(r"[\w.]+", roles)), tuple(re.findall(r"[\w.]+", scopes)))
        for id, roles, scopes in rows
    }
    assert shown == {each.id: (each.roles, each.scopes) for each in read_catalogue().values()}


def test_every_command_of_the_command_line_is_in_the_documents() -> None:
    commands = typer.main.get_command(main)
    assert isinstance(commands, typer.core.TyperGroup)
    shown = set(re.findall(r"`aad-setup ([a-z][a-z-]*)", section("Commands")))
    assert set(commands.commands) == shown
    assert set(re.findall(r"`aad-setup\s+([a-z][a-z-]*)", EVERYTHING)) <= shown


URL = "https://bot.example.com/slack/events"


@pytest.mark.parametrize("url", [None, URL], ids=["socket", "http"])
def test_the_manifest_fits_slacks_published_schema(url: str | None) -> None:
    if not SCHEMA.exists():
        pytest.skip("Slack's manifest schema is not beside this checkout")
    Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(manifest(url))


def test_in_http_mode_slack_posts_everything_to_one_address() -> None:
    socket, http = manifest(), manifest(URL)
    assert "example.com" not in json.dumps(socket)
    assert socket["settings"]["socket_mode_enabled"]
    assert not http["settings"]["socket_mode_enabled"]
    assert http["settings"]["event_subscriptions"]["request_url"] == URL
    assert http["settings"]["interactivity"]["request_url"] == URL
    assert {it["url"] for it in http["features"]["slash_commands"]} == {URL}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://bot.example.com", URL),
        ("https://bot.example.com/", URL),
        (URL, URL),
        ("https://example.com:8443/bot", "https://example.com:8443/bot/slack/events"),
    ],
)
def test_the_path_is_added_to_the_address_unless_it_is_there(address: str, url: str) -> None:
    told = CliRunner().invoke(main, ["manifest", "--http", address])
    assert told.exit_code == 0
    assert json.loads(told.stdout) == manifest(url)


@pytest.mark.parametrize(
    "address",
    [
        *("http://bot.example.com", "bot.example.com", "https://"),
        *("https://me:pw@bot.example.com", "https://bot.example.com/?a=b"),
        *("https://bot.example.com/#a", "https://bot.example.com:port", "https://[broken"),
    ],
)
def test_an_address_that_slack_cannot_post_to_is_refused(address: str) -> None:
    told = CliRunner().invoke(main, ["manifest", "--http", address])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert told.stderr == (
        "--http must be the bot's public address, such as https://bot.example.com.\n"
    )


NOT_BY_METHOD = {
    "commands": "features.slash_commands",
    "app_mentions:read": "the event app_mention",
    "im:history": "the event message.im",
    "im:write": "chat.postMessage to a person's id opens the direct message",
    "channels:read": "conversations.info of a public channel",
    "groups:read": "conversations.info of a private channel",
}
"""Scopes that no method has to itself."""


def test_the_scopes_are_exactly_those_that_the_code_uses() -> None:
    """By what each method asks for, as the simulated workspace enforces it."""
    files = [ROOT / "bot" / "checks.py", *sorted((ROOT / "handlers").rglob("*.py"))]
    called = {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    methods = {name.replace(".", "_"): method.scope for name, method in METHODS.items()}
    of_the_app = {"connections:write"}  # the app-level token's, which no manifest asks for
    asked = {scope for name, scope in methods.items() if scope and name in called} - of_the_app
    assert {"bots_info", "conversations_info", "chat_postMessage", "views_open"} <= called
    assert asked | set(NOT_BY_METHOD) == set(SCOPES)
    assert EVENTS == ("app_home_opened", "app_mention", "message.im")
    assert manifest()["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)


def test_the_table_of_commands_is_the_one_that_is_carried_out() -> None:
    shown = re.findall(r"^\| (`/aad-setup[^|]*) \| (.+) \|$", section("Commands"), re.M)
    assert shown == [help_row(each) for each in SHOWN]
    assert len(help_text(SHOWN)) <= LONGEST_TEXT
    named = set(re.findall(r"`[/@]aad-setup ([\w-]+)", EVERYTHING))
    assert named <= {*SUBCOMMANDS, *read_catalogue()}


def test_the_manifest_hints_at_commands_that_change_nothing() -> None:
    [slash] = manifest()["features"]["slash_commands"]
    words = re.findall(r"[\w-]+(?= id|[ \]])", slash["usage_hint"].replace(" id", ""))
    assert words[0] == "profile"
    assert set(words[1:]) == {"status", "details", "list", "values", "history", "help"}
    assert {"list", "values id", "help"} <= set(slash["usage_hint"].strip("[]").split(" | "))


def test_the_changelog_is_grouped_and_has_this_version() -> None:
    text = DOCUMENTS["CHANGELOG.md"]
    releases = re.findall(r"^## (.+)$", text, re.M)
    assert releases[0] == "Unreleased"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert releases[1].startswith(f"{version} - ")
    groups = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= groups
