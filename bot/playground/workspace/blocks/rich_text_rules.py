"""The rules of rich_text: docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from bot.playground.workspace.blocks.element_rules import ANY, ID
from bot.playground.workspace.blocks.grammar import (
    Check,
    flag,
    kinds,
    many,
    one_of,
    shape,
    string,
    whole,
)

STYLE = shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
STYLED: dict[str, Check] = {"style": STYLE}
LEAF = kinds(
    {
        "text": shape({"text": string(ANY)}, STYLED),
        "link": shape({"url": string(3000)}, {**STYLED, "text": string(ANY), "unsafe": flag}),
        "date": shape(
            {"timestamp": whole(0, 99_999_999_999), "format": string(ANY)},
            {**STYLED, "url": string(3000), "fallback": string(ANY), "timezone": string(100)},
        ),
        "emoji": shape({"name": string(100)}, {"unicode": string(100)}),
        "user": shape({"user_id": string(20)}, STYLED),
        "usergroup": shape({"usergroup_id": string(20)}, STYLED),
        "channel": shape({"channel_id": string(20)}, STYLED),
    }
)
RUN = {"elements": many(LEAF, 1000, 0)}
SECTION = shape(RUN)
RICH_TEXT = shape(
    {
        "elements": many(
            kinds(
                {
                    "rich_text_section": SECTION,
                    "rich_text_preformatted": shape(RUN, {"border": whole(0, 1)}),
                    "rich_text_quote": shape(RUN, {"border": whole(0, 1)}),
                    "rich_text_list": shape(
                        {
                            "style": one_of("bullet", "ordered"),
                            "elements": many(kinds({"rich_text_section": SECTION}), 100),
                        },
                        {"indent": whole(0, 8), "offset": whole(0, 1000), "border": whole(0, 1)},
                    ),
                }
            ),
            100,
        )
    },
    {"block_id": ID},
)
