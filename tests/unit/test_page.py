"""The page knows what the simulated workspace and the bot know."""

import json
import re
from pathlib import Path

from bot.playground.page.workspace_items import commands
from bot.playground.workspace.blocks.mrkdwn import EMOJI
from handlers.listeners.command import help_text
from handlers.listeners.command_table import COMMANDS

SCRIPT = Path(__file__).parents[2] / "bot/playground/page/static/blocks/emoji.js"


def test_the_page_and_the_workspace_know_the_same_emoji() -> None:
    drawn = re.search(r"EMOJI = ({.*?}),?;", SCRIPT.read_text().replace(",\n}", "\n}"), re.DOTALL)
    assert drawn is not None
    assert json.loads(drawn[1]) == EMOJI


def test_the_composer_offers_the_commands_of_the_help() -> None:
    offered = [f"/aad-setup {each['usage']}".rstrip() for each in commands()]
    assert offered == re.findall(r"• `([^`]+)`", help_text(COMMANDS.values()))
