"""What Slack shows and what it refuses."""

import pytest
from slack_sdk.models.blocks import HeaderBlock, PlanBlock, TaskCardBlock

from bot.playground.workspace.blocks.check import Surface, problems, too_large, view_problems
from bot.playground.workspace.wire import Json
from tests.support.blocks import actions, button, choice, modal, plain, row, section, text_input

TASK: Json = {"type": "task_card", "task_id": "1", "title": "Do", "status": "pending"}


DONE = TaskCardBlock(task_id="1", title="Register", status="complete")
LINKED: Json = {"text": plain("a"), "value": "a", "url": "https://example.com"}


def plan(*tasks: Json) -> Json:
    return {"type": "plan", "title": "Plan", "tasks": list(tasks)}


def menu(*words: str, **more: object) -> Json:
    return row(choice("static_select", *words, **more))


RIGHT: list[tuple[Surface, Json]] = [
    (Surface.MESSAGE, section("x" * 3000)),
    (Surface.MESSAGE, {"type": "section", "fields": [plain("x")] * 10}),
    (Surface.MESSAGE, actions("Approve", "Deny")),
    (Surface.MESSAGE, {"type": "context", "elements": [plain("x")]}),
    (Surface.MESSAGE, plan(TASK)),
    (Surface.MESSAGE, PlanBlock(title="Plan", tasks=[DONE.to_dict()]).to_dict()),
    (Surface.MESSAGE, menu("a", initial_option={"text": plain("a"), "value": "a"})),
    (Surface.MESSAGE, HeaderBlock(text="Title").to_dict()),
    (Surface.HOME, {**HeaderBlock(text="Title").to_dict(), "level": 4}),
    (Surface.MESSAGE, row(choice("overflow", options=[LINKED]))),
    (Surface.MODAL, text_input("Name")),
    (Surface.HOME, actions("Open")),
]

WRONG: list[tuple[str, Surface, Json]] = [
    ("unsupported type: bold", Surface.MESSAGE, {"type": "bold"}),
    ("unsupported type: None", Surface.MESSAGE, {}),
    ("unknown field: colour", Surface.MESSAGE, {"type": "divider", "colour": "red"}),
    ("missing required field: text", Surface.MESSAGE, {"type": "header"}),
    ("between 1 and 4", Surface.MESSAGE, {"type": "header", "text": plain("x"), "level": 5}),
    ("1 to 5 items, has 6", Surface.MESSAGE, row(choice("overflow", *"abcdef"))),
    ("unknown field: url", Surface.MESSAGE, menu(options=[LINKED])),
    ("less than 76", Surface.MESSAGE, row(button("x", accessibility_label="y" * 76))),
    ("unsupported type: mrkdwn", Surface.MESSAGE, {**section("x"), "type": "header"}),
    ("less than 3001", Surface.MESSAGE, section("x" * 3001)),
    ("more than 0", Surface.MESSAGE, section("")),
    ("must have one of text, fields", Surface.MESSAGE, {"type": "section"}),
    ("1 to 10 items", Surface.MESSAGE, {"type": "section", "fields": [plain("x")] * 11}),
    ("less than 76", Surface.MESSAGE, actions("x" * 76)),
    ("1 to 25 items", Surface.MESSAGE, actions()),
    ("action_id 'go' must be unique", Surface.MESSAGE, actions("Go", "Go")),
    ("one of primary, danger", Surface.MESSAGE, row(button("x", style="loud"))),
    ("1 to 100 items, has 0", Surface.MESSAGE, menu()),
    (
        "must be among the options",
        Surface.MESSAGE,
        menu("a", initial_option={"text": plain("b"), "value": "b"}),
    ),
    ("unsupported type: input", Surface.MESSAGE, text_input("Name")),
    ("unsupported type: task_card", Surface.MESSAGE, TASK),
    ("unsupported type: plan", Surface.MODAL, {"type": "plan", "title": "Plan"}),
    ("one of pending, in_progress", Surface.MESSAGE, plan({**TASK, "status": "completed"})),
    ("task_id '1' must be unique", Surface.MESSAGE, plan(TASK, TASK)),
    ("must be a boolean", Surface.MODAL, {**text_input("Name"), "optional": "yes"}),
    ("less than 2001", Surface.MESSAGE, row(button("x", value="y" * 2001))),
]


@pytest.mark.parametrize(("surface", "block"), RIGHT)
def test_a_right_block_has_no_problems(surface: Surface, block: Json) -> None:
    assert problems([block], surface) == []


@pytest.mark.parametrize(("found", "surface", "block"), WRONG)
def test_a_wrong_block_says_what_is_wrong(found: str, surface: Surface, block: Json) -> None:
    [problem] = problems([block], surface)
    assert found in problem
    assert "[json-pointer:/blocks" in problem


def test_some_things_only_show_across_blocks() -> None:
    twice = {"type": "divider", "block_id": "same"}
    assert "must be unique" in problems([twice, twice], Surface.MESSAGE)[0]
    bare = {"type": "plan", "title": "Plan"}
    assert "only one plan" in problems([bare, bare], Surface.MESSAGE)[0]
    assert "0 to 50 items" in problems([{"type": "divider"}] * 51, Surface.MESSAGE)[0]
    assert problems("text", Surface.MESSAGE)


@pytest.mark.parametrize(
    ("found", "view"),
    [
        ("must be an object", "text"),
        ("less than 25", modal(section("x"), title=plain("t" * 25))),
        ("less than 3001", modal(section("x"), private_metadata="m" * 3001)),
        ("unknown field: colour", modal(section("x"), colour="red")),
        ("must be one of modal", modal(section("x"), type="home")),
        ("unsupported type: plan", modal({"type": "plan", "title": "x"})),
    ],
)
def test_a_wrong_view_says_what_is_wrong(found: str, view: object) -> None:
    [problem] = view_problems(view, Surface.MODAL)
    assert found in problem


def test_inputs_need_something_to_submit_them() -> None:
    view = modal(text_input("Name"))
    del view["submit"]
    assert "missing required field: submit" in view_problems(view, Surface.MODAL)[0]


def test_a_home_has_no_title() -> None:
    home = {"type": "home", "blocks": [section("x")]}
    assert view_problems(home, Surface.HOME) == []
    assert view_problems({**home, "title": plain("x")}, Surface.HOME)


def test_a_view_can_be_too_large() -> None:
    assert too_large(modal(*[section("x" * 3000)] * 90))
    assert not too_large(modal(section("x")))
