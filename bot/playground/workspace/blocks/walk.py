"""Finding one's way in blocks: the interactive elements in them, and ids for those without."""

from collections.abc import Iterable, Iterator

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import Json, copied


def named(blocks: Iterable[Json], ids: Ids) -> list[Json]:
    """Return a copy in which every block and element has an id, as Slack gives them."""
    copies = copied(list(blocks))
    for block in copies:
        block.setdefault("block_id", ids.new("", 5).lower())
        for element in elements_of(block):
            element.setdefault("action_id", ids.new("", 5).lower())
    return copies


def elements_of(block: Json) -> list[Json]:
    """Return the interactive elements of a block."""
    match block.get("type"):
        case "actions":
            return list(block["elements"])
        case "input":
            return [block["element"]]
        case "section" if "accessory" in block:
            return [block["accessory"]]
        case _:
            return []


def elements(blocks: Iterable[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield each interactive element with its block."""
    for block in blocks:
        for element in elements_of(block):
            yield block, element


def label_of(element: Json) -> str:
    """Return what is written on a button (or stands in an empty select)."""
    return str((element.get("text") or element.get("placeholder") or {}).get("text", ""))
