"""Checks what an app wants to show, as Slack does before it shows anything."""

import json
from collections import Counter
from collections.abc import Iterable

from bot.playground.workspace.blocks import walk
from bot.playground.workspace.blocks.block_rules import (
    BLOCKS,
    EVERYWHERE,
    MODAL,
    MOST_BLOCKS,
    SURFACES,
    VIEW,
    Surface,
)
from bot.playground.workspace.blocks.element_rules import plain
from bot.playground.workspace.blocks.grammar import Check, Spot, kinds, many, one_of, shape
from bot.playground.workspace.wire import Json

LARGEST_VIEW_BYTES = 250_000

__all__ = ["Surface", "problems", "too_large", "view_problems"]


def problems(blocks: object, surface: Surface) -> list[str]:
    """Return what is wrong with these blocks, one message each; nothing if they can be shown."""
    spot = Spot(path="")
    _blocks(surface)(blocks, spot.at("blocks"))
    return spot.found


def view_problems(view: object, surface: Surface) -> list[str]:
    """Return what is wrong with a view definition."""
    spot = Spot(path="/view")
    keys = {"type": one_of(surface.value), "blocks": _blocks(surface)}
    if surface is Surface.HOME:
        shape(keys, VIEW)(view, spot)
    else:
        shape({**keys, "title": plain(24)}, {**VIEW, **MODAL}, _inputs_need_submit)(view, spot)
    return spot.found


def too_large(view: Json) -> bool:
    return len(json.dumps(view).encode()) > LARGEST_VIEW_BYTES


def _blocks(surface: Surface) -> Check:
    here = [kind for kind in BLOCKS if surface in SURFACES.get(kind, EVERYWHERE)]
    each = many(kinds(BLOCKS, *here), MOST_BLOCKS[surface], 0)

    def check(value: object, spot: Spot) -> None:
        before = len(spot.found)
        each(value, spot)
        if len(spot.found) == before and isinstance(value, list):
            _together(value, spot)

    return check


def _together(blocks: list[Json], spot: Spot) -> None:
    """Check what only shows across blocks: ids, sums, kinds that exclude each other."""
    _unique((block.get("block_id") for block in blocks), "block_id", spot)
    for index, block in enumerate(blocks):
        ids = (element.get("action_id") for element in walk.elements_of(block))
        _unique(ids, "action_id", spot.at(index))
        _unique((task["task_id"] for task in block.get("tasks", [])), "task_id", spot.at(index))
    if sum(block["type"] == "plan" for block in blocks) > 1:
        spot.wrong("only one plan is allowed in a message")


def _unique(ids: Iterable[str | None], name: str, spot: Spot) -> None:
    for id, times in Counter(id for id in ids if id).items():
        if times > 1:
            spot.wrong(f"{name} {id!r} must be unique")


def _inputs_need_submit(view: Json, spot: Spot) -> None:
    if "submit" not in view and any(block["type"] == "input" for block in view["blocks"]):
        spot.wrong("missing required field: submit")
