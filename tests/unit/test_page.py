"""The page knows what the simulated workspace and the bot know."""

import json
import re
from pathlib import Path

from bot.playground.page.workspace_items import commands
from bot.playground.workspace.blocks.mrkdwn import EMOJI
from handlers.listeners.command import help_text
from handlers.listeners.command_table import COMMANDS

STATIC = Path(__file__).parents[2] / "bot/playground/page/static"
SCRIPT = STATIC / "blocks/emoji.js"


def test_every_file_that_the_page_names_is_there_and_every_file_is_named() -> None:
    named = {STATIC / "index.html", *(STATIC / f"{name}.js" for name in _panes())}
    for file in STATIC.rglob("*.*"):
        text = file.read_text("utf-8")
        named |= {(file.parent / it).resolve() for it in re.findall(r'from "(\..+?)"', text)}
        named |= {STATIC / it for it in re.findall(r'(?:src|href)="\./static/(.+?)"', text)}
        for styles in re.findall(r"export const styles = (\[.+\])", text):
            named |= {STATIC / it for it in json.loads(styles)}
    assert named == set(STATIC.rglob("*.*"))


def _panes() -> list[str]:
    """Return the modules that app.js imports by name, so that a broken one stops no other."""
    panes = re.search(r"PANES = (\[.+\])", (STATIC / "app.js").read_text("utf-8"))
    assert panes is not None
    return list(json.loads(panes[1]))


def test_the_page_and_the_workspace_know_the_same_emoji() -> None:
    drawn = re.search(r"EMOJI = ({.*?}),?;", SCRIPT.read_text().replace(",\n}", "\n}"), re.DOTALL)
    assert drawn is not None
    assert json.loads(drawn[1]) == EMOJI


def test_the_composer_offers_the_commands_of_the_help() -> None:
    offered = [f"/aad-setup {each['usage']}".rstrip() for each in commands()]
    assert offered == re.findall(r"• `([^`]+)`", help_text(COMMANDS.values()))
