"""Messages and views as plain text, the way a person would read them aloud.

Buttons are in brackets, fields are "Label: value", tasks carry a mark. Stories assert on this and
the demo prints it, so it says all that is on the screen and nothing that is not.
"""

from collections.abc import Callable, Iterable

from bot.playground.workspace.blocks import mrkdwn
from bot.playground.workspace.blocks.dates import When, unread
from bot.playground.workspace.blocks.mrkdwn import NameOf
from bot.playground.workspace.blocks.rich_text import rich_text
from bot.playground.workspace.fields import KINDS
from bot.playground.workspace.wire import Json

MARKS = {"complete": "✔", "in_progress": "●", "pending": "○", "error": "✖"}
RULE = "────────"
EMPTY = "____"


def text_of(item: Json, name_of: NameOf, when: When = unread) -> str:
    """Return a message, ephemeral or view as text."""
    page = Page(name_of, item.get("state", {}).get("values", {}), when)
    if "ts" in item:
        return page.blocks(item["blocks"]) if item.get("blocks") else page.mrkdwn(item["text"])
    lines = [*page.title(item), page.blocks(item["blocks"]), *page.footer(item)]
    return "\n".join(line for line in lines if line)


class Page:
    """One message or view being read; `values` is what has been typed into it."""

    def __init__(self, name_of: NameOf, values: Json, when: When) -> None:
        self._name_of = name_of
        self._when = when
        self._values = values
        self._kinds: dict[str, Callable[[Json], str]] = {
            "actions": self._row,
            "context": self._context,
            "divider": lambda block: RULE,
            "header": lambda block: self.text(block["text"]),
            "input": self._input,
            "plan": self._plan,
            "rich_text": lambda block: rich_text(block),
            "section": self._section,
        }

    def title(self, view: Json) -> Iterable[str]:
        if view["type"] == "modal":
            title = self.text(view["title"])
            yield from (title, "─" * len(title))

    def footer(self, view: Json) -> Iterable[str]:
        buttons = [view["submit"], view["close"]] if view["type"] == "modal" else []
        yield "  ".join(f"[{self.text(button)}]" for button in buttons if button)

    def blocks(self, blocks: Iterable[Json]) -> str:
        return "\n".join(self._kinds[block["type"]](block) for block in blocks)

    def mrkdwn(self, text: str) -> str:
        return mrkdwn.shown(text, self._name_of, self._when)

    def text(self, text: Json) -> str:
        if text["type"] == "mrkdwn":
            return self.mrkdwn(text["text"])
        return mrkdwn.plain(text["text"])

    def _section(self, block: Json) -> str:
        lines = [self.text(block["text"])] if "text" in block else []
        lines += [_labelled(self.text(field)) for field in block.get("fields", [])]
        if "accessory" in block:
            lines[-1] += f"  {self._element(block['accessory'], block)}"
        return "\n".join(lines)

    def _row(self, block: Json) -> str:
        return "  ".join(self._element(element, block) for element in block["elements"])

    def _context(self, block: Json) -> str:
        return " ".join(self.text(part) for part in block["elements"])

    def _input(self, block: Json) -> str:
        optional = " (optional)" if block.get("optional") else ""
        value = self._element(block["element"], block)
        lines = [f"{self.text(block['label'])}{optional}: {value}"]
        if "hint" in block:
            lines.append(f"  {self.text(block['hint'])}")
        return "\n".join(lines)

    def _plan(self, block: Json) -> str:
        tasks = (
            f"  {MARKS[task['status']]} {mrkdwn.plain(task['title'])}"
            for task in block.get("tasks", [])
        )
        return "\n".join([mrkdwn.plain(block["title"]), *tasks])

    def _element(self, element: Json, block: Json) -> str:
        match element["type"]:
            case "button":
                return f"[{self.text(element['text'])}]"
            case "overflow":
                texts = (self.text(option["text"]) for option in element["options"])
                return f"[… {' | '.join(texts)}]"
            case _:
                return self._field(element, block)

    def _field(self, element: Json, block: Json) -> str:
        slot = KINDS[element["type"]].slot
        state = self._values.get(block["block_id"], {}).get(element["action_id"], {})
        value = state.get(slot, element.get(KINDS[element["type"]].initial))
        if element["type"] == "checkboxes":
            return self._choices(element, value)
        if value:
            return self.text(value["text"]) if isinstance(value, dict) else str(value)
        placeholder = element.get("placeholder")
        return f"{EMPTY} ({self.text(placeholder)})" if placeholder else EMPTY

    def _choices(self, element: Json, chosen: list[Json] | None) -> str:
        picked = {option["value"] for option in chosen or []}
        marks = {True: "☑", False: "☐"}
        return "  ".join(
            f"{marks[option['value'] in picked]} {self.text(option['text'])}"
            for option in element["options"]
        )


def _labelled(field: str) -> str:
    """A field is written as label, line break, value."""
    label, break_, value = field.partition("\n")
    return f"{label.rstrip(':')}: {value}" if break_ else label
