"""Small words for all views: escaping, people, times, buttons."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    SectionBlock,
)

from bot.registration import Person

Json = dict[str, Any]
Blocks = list[Json]


def escaped(text: str) -> str:
    """Return somebody's text so that Slack shows it and obeys none of it.

    docs.slack.dev/messaging/formatting-message-text#escaping
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Emphasis marks would run on into our own words.
    return plain.replace("*", "∗").replace("`", "'").replace("~", "∼")


def person(who: Person) -> str:
    return f"<@{who.user_id}>"


def when(moment: datetime) -> str:
    """Return a moment that Slack shows in the reader's own time zone."""
    fallback = moment.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def header(text: str) -> HeaderBlock:
    return HeaderBlock(text=text[:150])


def section(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text))


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=text)])


def button(
    text: str,
    action: str,
    value: str,
    *,
    style: Literal["primary", "danger"] | None = None,
    confirm: str | None = None,
) -> ButtonElement:
    asked = None
    if confirm is not None:
        asked = ConfirmObject(title=text, text=confirm, confirm=text, deny="Not now")
    return ButtonElement(text=text, action_id=action, value=value, style=style, confirm=asked)


def actions(buttons: Sequence[ButtonElement]) -> list[Block]:
    """Return a row of buttons; Slack refuses an empty one."""
    return [ActionsBlock(elements=list(buttons))] if buttons else []


def drawn(blocks: Sequence[Block]) -> Blocks:
    """Return blocks as Slack takes them; slack_sdk checks lengths and counts here."""
    return [dict(block.to_dict()) for block in blocks]
