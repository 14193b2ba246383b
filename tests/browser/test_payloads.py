"""The page draws all that the bot sends, and nothing that Slack would refuse."""

import json
import os
from pathlib import Path
from typing import Any

from bot.playground.gallery.items import items
from bot.playground.workspace.blocks.check import Surface
from bot.playground.workspace.blocks.check import problems as slack_problems
from tests.browser.drawing import problems
from tests.browser.stories import told
from tests.browser.window import Window
from tests.support.payloads import SETTING, payloads

Json = dict[str, Any]


def text(words: str = "words") -> Json:
    return {"type": "mrkdwn", "text": words}


def plain(words: str = "words") -> Json:
    return {"type": "plain_text", "text": words}


def button(**changes: Any) -> Json:
    return {"type": "button", "text": plain(), "action_id": "press", **changes}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def task(**changes: Any) -> Json:
    return {"type": "task_card", "task_id": "1", "title": "Sign in", "status": "pending", **changes}


def plan(*tasks: Json) -> Json:
    return {"type": "plan", "title": "Steps", "tasks": list(tasks)}


def menu(**changes: Any) -> Json:
    options = [{"text": plain(), "value": "1"}]
    return {"type": "static_select", "action_id": "choose", "options": options, **changes}


ONE = {"text": plain(), "value": "1"}
REFUSED: dict[str, list[Any]] = {
    "an unknown block": [{"type": "image", "image_url": "https://example.com/a", "alt_text": "a"}],
    "an unknown element": [actions({"type": "datepicker", "action_id": "day"})],
    "an unknown key": [{"type": "divider", "colour": "red"}],
    "no block": ["words"],
    "an empty section": [{"type": "section"}],
    "an empty text": [{"type": "section", "text": text("")}],
    "a long text": [{"type": "section", "text": text("a" * 3001)}],
    "too many fields": [{"type": "section", "fields": [text()] * 11}],
    "a long field": [{"type": "section", "fields": [text("a" * 2001)]}],
    "markup in a header": [{"type": "header", "text": text()}],
    "a long header": [{"type": "header", "text": plain("a" * 151)}],
    "an empty context": [{"type": "context", "elements": []}],
    "a button in a context": [{"type": "context", "elements": [button()]}],
    "no buttons": [actions()],
    "too many buttons": [actions(*(button(action_id=f"{each}") for each in range(26)))],
    "the same action twice": [actions(button(), button())],
    "a long label": [actions(button(text=plain("a" * 76)))],
    "a long label for screen readers": [actions(button(accessibility_label="a" * 76))],
    "an unknown style": [actions(button(style="warning"))],
    "a question without an answer": [actions(button(confirm={"title": plain(), "text": plain()}))],
    "a long question": [
        actions(
            button(
                confirm={
                    "title": plain("a" * 101),
                    **{key: plain() for key in ("text", "confirm", "deny")},
                }
            )
        )
    ],
    "too many choices": [actions(menu(options=[ONE] * 101))],
    "a long choice": [actions(menu(options=[{"text": plain("a" * 76), "value": "1"}]))],
    "too many in an overflow menu": [
        actions({"type": "overflow", "action_id": "more", "options": [ONE] * 6})
    ],
    "two plans": [plan(task())] * 2,
    "an unknown status of a step": [plan(task(status="new"))],
    "the same step twice": [plan(task(), task())],
    "the same block twice": [{"type": "divider", "block_id": "a"}] * 2,
    "too many blocks": [{"type": "divider"}] * 101,
}


def kept() -> list[Json]:
    """Return what other stories have kept, if they were told to."""
    if SETTING not in os.environ:
        return []
    paths = sorted(Path(os.environ[SETTING]).glob("*.json"))
    assert paths, "The stories were to keep what they show, and kept nothing."
    return [json.loads(path.read_text("utf-8")) for path in paths]


async def test_all_that_the_stories_show_can_be_drawn(rosa: Window, tmp_path: Path) -> None:
    folder = tmp_path / "stories"  # beside the window's own bot, which has locked its database
    folder.mkdir()
    async with told(folder) as story:
        shown = list(dict(payloads(story.workspace)).values())
    assert len(shown) > 20
    shown += kept()
    found = await problems(rosa, shown)
    assert not found, {problem: shown[index] for index, problem in found.items()}


async def test_the_whole_gallery_can_be_drawn(rosa: Window) -> None:
    shown = [item.payload for item in items()]
    found = await problems(rosa, shown)
    assert not found, {problem: shown[index] for index, problem in found.items()}


async def test_what_slack_would_refuse_is_refused(rosa: Window) -> None:
    for name, blocks in REFUSED.items():
        assert slack_problems(blocks, Surface.MODAL), name
    found = await problems(rosa, [{"blocks": blocks} for blocks in REFUSED.values()])
    drawn = [name for index, name in enumerate(REFUSED) if index not in found]

    assert not drawn, drawn
    assert all("Slack would refuse this" in problem for problem in found.values()), found
