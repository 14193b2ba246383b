"""The rules of rich_text: docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from bot.playground.workspace.blocks.element_rules import ANY, ID
from bot.playground.workspace.blocks.grammar import flag, kinds, many, shape, string, whole

STYLE = shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
LEAF = kinds({"text": shape({"text": string(ANY)}, {"style": STYLE})})
RUN = {"elements": many(LEAF, 1000, 0)}
PART = kinds(
    {
        "rich_text_section": shape(RUN),
        "rich_text_preformatted": shape(RUN, {"border": whole(0, 1)}),
    }
)
RICH_TEXT = shape({"elements": many(PART, 100)}, {"block_id": ID})
