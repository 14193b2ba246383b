"""rich_text blocks as plain text: docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from bot.playground.workspace.wire import Json


def rich_text(block: Json) -> str:
    return "\n".join(_part(part) for part in block["elements"])


def _part(part: Json) -> str:
    text = "".join(str(leaf["text"]) for leaf in part["elements"])
    if part["type"] == "rich_text_preformatted":
        return "\n".join(f"  {line}" for line in text.splitlines())
    return text
