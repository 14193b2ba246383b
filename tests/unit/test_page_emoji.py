"""The page draws the emoji that the simulated workspace knows."""

import json
import re
from pathlib import Path

from bot.playground.workspace.blocks.mrkdwn import EMOJI

SCRIPT = Path(__file__).parents[2] / "bot/playground/page/static/blocks/emoji.js"


def test_the_page_and_the_workspace_know_the_same_emoji() -> None:
    drawn = re.search(r"EMOJI = ({.*?}),?;", SCRIPT.read_text().replace(",\n}", "\n}"), re.DOTALL)
    assert drawn is not None
    assert json.loads(drawn[1]) == EMOJI
