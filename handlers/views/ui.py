"""The parts of all views: escaped text, people, times, blocks, buttons."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    Option,
    OverflowMenuElement,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.views import View

from bot.domain.forms import JOINERS
from bot.domain.people import Person
from bot.domain.registration import Registration
from bot.planning.plans import Pen
from bot.storage.queries import ListLine
from handlers.views import ids

LONGEST_TEXT = 3000
"""docs.slack.dev/reference/block-kit/blocks/section-block"""

LONGEST_CONTEXT = 2000
"""docs.slack.dev/reference/block-kit/blocks/context-block"""

LONGEST_FIELD = 2000
"""docs.slack.dev/reference/block-kit/blocks/section-block"""

LONGEST_LABEL = 75
"""docs.slack.dev/reference/block-kit/block-elements/button-element"""

EMOJI = re.compile(r":(?=[\w+'-]+:)")
"""The beginning of an emoji's name, which Slack would replace by the emoji."""

KEPT = frozenset("\n\t" + JOINERS)
"""Unprintable characters that are kept: all others would break lines or reorder text."""

UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""One that is not inside a word: Slack would take it for emphasis and not show it."""

Json = dict[str, Any]
Blocks = list[Json]
Notice = tuple[str, Blocks]
"""A message: its text for notifications and screen readers, and its blocks."""


def escaped(text: str) -> str:
    """Return foreign text so that Slack shows it and interprets none of it.

    docs.slack.dev/messaging/formatting-message-text#escaping
    """
    plain = EMOJI.sub("∶", UNDERSCORE.sub("ˍ", _safe(_printable(text))))
    # Emphasis marks would run on into our own words.
    return plain.replace("*", "∗").replace("`", "'").replace("~", "∼")


def unmarked(text: str) -> str:
    """Return foreign text for Slack's plain text, which shows escapes letter by letter."""
    plain = " ".join(_printable(text).split()).replace("<", "‹").replace(">", "›")
    return EMOJI.sub("∶", plain)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each in KEPT else " " for each in text)


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def person(who: Person) -> str:
    return f"<@{who.user_id}>"


def named(registration: Registration) -> str:
    return f"*{registration.id}* ({escaped(registration.form.name)})"


def when(moment: datetime) -> str:
    """Return a moment that Slack shows in the reader's own time zone."""
    fallback = moment.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def over(spoken: str, text: str | None = None) -> Notice:
    """Return a message that asks for nothing any more, in small letters."""
    return spoken, drawn([context(text or f"{spoken}.")])


def day(moment: datetime) -> str:
    """Return a day, as it is where the reader is."""
    return f"<!date^{int(moment.timestamp())}^{{date_short}}|{moment.date().isoformat()}>"


SLACK_PEN = Pen(
    text=escaped,
    strong="*{}*".format,
    code="`{}`".format,
    warning=":warning: {}".format,
    day=day,
)
"""Writes a plan in Slack's markup."""


def lasting(time: timedelta) -> str:
    """Return a duration, rounded as people would say it."""
    seconds = max(1, round(time.total_seconds()))
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"


class LevelledHeader(HeaderBlock):
    """A header with its level for screen readers, which slack_sdk does not know yet."""

    @property
    def attributes(self) -> set[str]:  # type: ignore[override] # as in slack_sdk's own blocks
        return {*super().attributes, "level"}

    def __init__(self, *, text: str, level: int) -> None:
        super().__init__(text=text)
        self.level = level


def header(text: str, *, level: int = 1) -> HeaderBlock:
    """Return a headline of a level from 1 to 4."""
    return LevelledHeader(text=text[:150], level=level)


def section(text: str, *, accessory: ButtonElement | None = None) -> SectionBlock:
    return SectionBlock(text=mrkdwn(text), accessory=accessory)


def facts(values: Mapping[str, str]) -> SectionBlock:
    """Return labelled values in two columns."""
    fields = (f"*{label}*\n{value}" for label, value in values.items())
    return SectionBlock(fields=[mrkdwn(each, longest=LONGEST_FIELD) for each in fields])


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[mrkdwn(text, longest=LONGEST_CONTEXT)])


def mrkdwn(text: str, *, longest: int = LONGEST_TEXT) -> MarkdownTextObject:
    """Return text that Slack formats but does not search for names and addresses to link."""
    return MarkdownTextObject(text=clipped(text, longest=longest), verbatim=True)


def clipped(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return the text, cut if Slack would refuse the whole message for it: between two lines, or
    between two words where the lines are long.
    """
    if len(text) <= longest:
        return text
    room = longest - len("\n… and 9999 more lines")
    at = text.rfind("\n", 0, room + 1)
    if at >= longest // 2:
        left = text.count("\n", at)
        return f"{text[:at]}\n… and {left} more line{'' if left == 1 else 's'}"
    kept = text[: longest - 2]
    at = max(kept.rfind(" "), kept.rfind("\n"))
    # Without any gap, at least no escape such as &amp; may be cut in two.
    kept = kept[:at] if at > 0 else kept[: max(kept.rfind("&"), longest // 2)]
    # Nor a token that Slack shows as a time or a name.
    token = kept.rfind("<")
    return (kept[:token] if token > kept.rfind(">") else kept) + " …"


def short(text: str, longest: int) -> str:
    """Return foreign text escaped, cut to at most that length after escaping."""
    whole = escaped(text)
    if len(whole) <= longest:
        return whole
    # Not character by character: an error of Entra's may be long, and a Home has many of them.
    too_long = bisect_left(range(len(text)), longest, key=lambda end: len(escaped(text[:end])))
    return f"{escaped(text[: max(too_long - 1, 0)].rstrip())}…"


def code(text: str) -> str:
    """Return foreign text as code, character by character."""
    return "`" + _safe(text).replace("`", "'") + "`"


def about(it: Registration | ListLine) -> str:
    """Return the id and name by which a label of a button names a registration."""
    return f"{it.id}, {it.form.name if isinstance(it, Registration) else it.name}"


def button(
    text: str,
    action: str,
    value: str,
    *,
    about: str = "",
    style: Literal["primary", "danger"] | None = None,
    confirm: str | None = None,
) -> ButtonElement:
    """Return a button. Screen readers say what it is `about`, too: many buttons read the same."""
    label = f"{text}: {unmarked(about)}"[:LONGEST_LABEL] if about else None
    asked = None
    if confirm is not None:
        # As plain text: names of people stand in it.
        words = PlainTextObject(text=clipped(confirm, longest=ConfirmObject.text_max_length))
        asked = ConfirmObject(title=text, text=words, confirm=text, deny="Not now")
    return ButtonElement(
        text=text,
        action_id=action,
        value=value,
        style=style,
        confirm=asked,
        accessibility_label=label,
    )


Element = ButtonElement | OverflowMenuElement


def menu(buttons: Sequence[ButtonElement]) -> list[Element]:
    """Return buttons that are rarely needed as an overflow menu.

    Slack asks for confirmation of a whole menu in the same words, so only a single entry has its
    own dialog. Of several, `MORE` opens the question as a modal.
    """
    if not buttons:
        return []
    if len(buttons) == 1:
        [only] = buttons
        entries = [Option(text=only.text, value=only.value or "")]
        confirm = only.confirm
        return [OverflowMenuElement(action_id=only.action_id, options=entries, confirm=confirm)]
    entries = [Option(text=it.text, value=f"{it.action_id} {it.value}") for it in buttons]
    return [OverflowMenuElement(action_id=ids.MORE, options=entries)]


def actions(elements: Sequence[Element]) -> list[Block]:
    """Return a row of buttons and menus; Slack refuses an empty one."""
    return [ActionsBlock(elements=list(elements))] if elements else []


def notice(
    text: str, *below: Block, spoken: str | None = None, buttons: Sequence[Element] = ()
) -> Notice:
    """Return a message of a few sentences, with blocks and buttons below. It is spoken as it is
    written, unless other words are given for that.
    """
    return spoken or aloud(text), drawn([section(text), *below, *actions(buttons)])


def aloud(text: str, *people: Person) -> str:
    """Return text as notifications and screen readers say it: names of these people are written
    out, because a mention would call them.
    """
    for each in people:
        text = text.replace(person(each), escaped(each.name))
    return text.replace("*", "")


def bullets(texts: Iterable[str]) -> str:
    """Return foreign texts as a list."""
    return "\n".join(f"• {escaped(each)}" for each in texts)


def quoted(text: str) -> str:
    """Return foreign text as a quotation, line by line."""
    return "\n".join(f">{escaped(line)}" for line in text.splitlines() or [""])


def said(text: str) -> Blocks:
    """Return text alone as blocks: of bare text Slack would make every address a link."""
    return drawn([section(text)])


def drawn(blocks: Sequence[Block]) -> Blocks:
    """Return blocks as Slack takes them; slack_sdk checks lengths and counts here."""
    return [dict(block.to_dict()) for block in blocks]


def sentence_home(sentence: str) -> Json:
    """Return the Home of a user who may not see anything."""
    return {"type": "home", "blocks": said(sentence)}


def modal(title: str, blocks: Sequence[Block], *, close: str, **sent: Any) -> Json:
    """Return a modal; `sent` are the fields of one that can be submitted, as slack_sdk has them."""
    view = View(type="modal", title=title, close=close, blocks=blocks, **sent)
    return dict(view.to_dict())


def sentence_modal(sentence: str) -> Json:
    """Return a modal to lay over a form, which stays below as it is."""
    return modal("That did not work", [section(sentence)], close="Back")
