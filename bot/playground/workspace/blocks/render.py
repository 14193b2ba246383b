"""Messages and views as plain text, the way a person would read them aloud.

Buttons are in brackets, fields are "Label: value", tasks carry a mark. Stories assert on this and
the demo prints it, so it says all that is on the screen and nothing that is not.
"""

from collections.abc import Callable, Iterable

from bot.playground.workspace.blocks import mrkdwn
from bot.playground.workspace.blocks.dates import When, nobody
from bot.playground.workspace.blocks.mrkdwn import NameOf
from bot.playground.workspace.blocks.rich_text import rich_text
from bot.playground.workspace.fields import KINDS, options_of
from bot.playground.workspace.wire import Json

MARKS = {"complete": "✔", "in_progress": "●", "pending": "○", "error": "✖"}
LEVELS = {"warning": "⚠ ", "error": "✖ ", "success": "✔ "}
RULE = "────────"
EMPTY = "____"


def text_of(item: Json, name_of: NameOf, when: When = nobody) -> str:
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
            "alert": self._alert,
            "context": self._context,
            "divider": lambda block: RULE,
            "header": lambda block: self.text(block["text"]),
            "image": lambda block: f"(image: {block['alt_text']})",
            "input": self._input,
            "markdown": lambda block: str(block["text"]),
            "plan": self._plan,
            "rich_text": lambda block: rich_text(block, name_of, when),
            "section": self._section,
            "table": self._table,
            "task_card": self._task,
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
        return " ".join(
            f"({part['alt_text']})" if part["type"] == "image" else self.text(part)
            for part in block["elements"]
        )

    def _alert(self, block: Json) -> str:
        return LEVELS.get(block.get("level", "default"), "") + self.text(block["text"])

    def _input(self, block: Json) -> str:
        optional = " (optional)" if block.get("optional") else ""
        value = self._element(block["element"], block)
        lines = [f"{self.text(block['label'])}{optional}: {value}"]
        if "hint" in block:
            lines.append(f"  {self.text(block['hint'])}")
        return "\n".join(lines)

    def _plan(self, block: Json) -> str:
        tasks = (self._task(task) for task in block.get("tasks", []))
        indented = (f"  {line}" for task in tasks for line in task.splitlines())
        return "\n".join([mrkdwn.plain(block["title"]), *indented])

    def _task(self, block: Json) -> str:
        lines = [f"{MARKS[block['status']]} {mrkdwn.plain(block['title'])}"]
        for key in ("details", "output"):
            if key in block:
                said = rich_text(block[key], self._name_of, self._when)
                lines += [f"    {line}" for line in said.splitlines()]
        return "\n".join(lines)

    def _table(self, block: Json) -> str:
        return "\n".join(" | ".join(self._cell(cell) for cell in row) for row in block["rows"])

    def _cell(self, cell: Json) -> str:
        if cell["type"] == "rich_text":
            return rich_text(cell, self._name_of, self._when)
        return str(cell.get("text", cell.get("value", "")))

    def _element(self, element: Json, block: Json) -> str:
        match element["type"]:
            case "button":
                return f"[{self.text(element['text'])}]"
            case "image":
                return f"(image: {element['alt_text']})"
            case "overflow":
                texts = (self.text(option["text"]) for option in element["options"])
                return f"[… {' | '.join(texts)}]"
            case kind if kind in KINDS:
                return self._field(element, block)
            case kind:
                return f"[{kind}]"

    def _field(self, element: Json, block: Json) -> str:
        slot = KINDS[element["type"]].slot
        state = self._values.get(block["block_id"], {}).get(element["action_id"], {})
        value = state.get(slot, element.get(KINDS[element["type"]].initial))
        if element["type"] in ("checkboxes", "radio_buttons"):
            return self._choices(element, value)
        if value:
            return self._value(value)
        placeholder = element.get("placeholder")
        return f"{EMPTY} ({self.text(placeholder)})" if placeholder else EMPTY

    def _choices(self, element: Json, chosen: Json | list[Json] | None) -> str:
        chosen = [chosen] if isinstance(chosen, dict) else chosen or []
        picked = {option["value"] for option in chosen}
        marks = {True: "☑", False: "☐"}
        return "  ".join(
            f"{marks[option['value'] in picked]} {self.text(option['text'])}"
            for option in options_of(element)
        )

    def _value(self, value: object) -> str:
        match value:
            case {"text": dict(text)}:
                return self.text(text)
            case list(values):
                return ", ".join(self._value(one) for one in values)
            case str(id) if (name := self._name_of(id)) != id:
                return name
            case _:
                return str(value)


def _labelled(field: str) -> str:
    """A field is written as label, line break, value."""
    label, break_, value = field.partition("\n")
    return f"{label.rstrip(':')}: {value}" if break_ else label
