"""rich_text blocks as plain text: docs.slack.dev/reference/block-kit/blocks/rich-text-block."""

from bot.playground.workspace.blocks import mrkdwn
from bot.playground.workspace.blocks.dates import When, nobody
from bot.playground.workspace.blocks.mrkdwn import NameOf
from bot.playground.workspace.wire import Json


def rich_text(block: Json, name_of: NameOf, when: When = nobody) -> str:
    return "\n".join(_part(part, name_of, when) for part in block["elements"])


def _part(part: Json, name_of: NameOf, when: When = nobody) -> str:
    match part["type"]:
        case "rich_text_list":
            return "\n".join(f"• {_part(item, name_of, when)}" for item in part["elements"])
        case "rich_text_quote":
            return f"> {_run(part, name_of, when)}"
        case "rich_text_preformatted":
            return "\n".join(f"  {line}" for line in _run(part, name_of, when).splitlines())
        case _:
            return _run(part, name_of, when)


def _run(part: Json, name_of: NameOf, when: When = nobody) -> str:
    return "".join(_leaf(leaf, name_of, when) for leaf in part["elements"])


def _leaf(leaf: Json, name_of: NameOf, when: When = nobody) -> str:
    match leaf["type"]:
        case "link":
            return str(leaf.get("text") or leaf["url"])
        case "user":
            return "@" + name_of(leaf["user_id"])
        case "usergroup":
            return "@" + name_of(leaf["usergroup_id"])
        case "channel":
            return "#" + name_of(leaf["channel_id"])
        case "date":
            words = when(str(leaf["timestamp"]), leaf["format"])
            return words or str(leaf.get("fallback") or leaf["format"])
        case "emoji":
            return mrkdwn.plain(f":{leaf['name']}:")
        case _:
            return str(leaf.get("text", ""))
