"""The preview of a form's plan, over the form or as a direct message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import Block

from bot.domain.registration import Form
from bot.planning.plans import Preview, plan_paragraphs
from bot.worker.loops import went_wrong
from handlers.views import ui
from handlers.views.form import filled_value
from handlers.views.ids import OPEN_FORM

TITLE = "Preview"
NOTHING_DONE = "Nothing was changed or saved, and no approver was asked."

SEND = "*Ask for approval* sends it. The plan is made again then."


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The result: in a sentence, in full, and the next step in the form."""

    sentence: str
    blocks: tuple[Block, ...]
    next: str


def waiting() -> ui.Json:
    """Return the view that stands over the form while the tenant is read."""
    blocks = [
        ui.section(
            "The tenant is being read; nothing is changed there. The plan comes in a few seconds,"
            " or in some minutes while Entra is slow."
        ),
        ui.context("If nothing has come by then, go back and press *Preview* again."),
    ]
    return ui.modal(TITLE, blocks, close="Back")


def modal(seen: Seen) -> ui.Json:
    """Return the view that replaces `waiting`."""
    back = f"{NOTHING_DONE} *Back* leads to the form as you filled it in: {seen.next}"
    return ui.modal(TITLE, [*seen.blocks, ui.context(back)], close="Back")


def message(seen: Seen, filled: Form) -> tuple[str, ui.Blocks]:
    """Return the same for a reader who has closed the view: text for notifications, and blocks.

    Its button opens the form as it was filled in.
    """
    open_it = ui.button("Open the form", OPEN_FORM, filled_value(filled), style="primary")
    foot = f"{NOTHING_DONE} *Open the form* brings back what you filled in."
    blocks = [ui.header(seen.sentence), *seen.blocks, ui.context(foot), *ui.actions([open_it])]
    return seen.sentence, ui.drawn(blocks)


def seen(found: Preview, *, in_the_way: Sequence[str]) -> Seen:
    """Return the plan in the words of the card, or every reason against it."""
    name = f"*{ui.escaped(found.form.name)}* · " if found.form.name else ""
    about = ui.section(f"{name}{found.profile.title}")
    if found.plan is None:
        reasons = ui.bullets((*found.reasons, *in_the_way))
        return Seen(
            sentence="Preview: this plan won't work",
            blocks=(about, ui.section(f"*This plan won't work:*\n{reasons}")),
            next="correct this there.",
        )
    return Seen(
        sentence="Preview: this is what an approver would see",
        blocks=(about, *_plan(found), *_obstacles(in_the_way)),
        next="correct this first." if in_the_way else SEND,
    )


def unread(sentence: str) -> Seen:
    """Return why the tenant could not be read."""
    return Seen(
        sentence="Preview: the tenant could not be read",
        blocks=(ui.section(f"*The tenant could not be read*\n{ui.escaped(sentence)}"),),
        next="press *Preview* again later.",
    )


def broken(bug: str, *, contact: str) -> Seen:
    """Return that the bot itself failed."""
    return Seen(
        sentence="Preview: something went wrong",
        blocks=(ui.section(went_wrong(bug, contact)),),
        next="what you typed is still there.",
    )


def _plan(found: Preview) -> Iterator[Block]:
    assert found.plan is not None
    words = plan_paragraphs(
        found.plan, found.profile, found.form, ui.SLACK_PEN, asked_at=found.made_at
    )
    yield from (ui.section(paragraph) for paragraph in words)


def _obstacles(in_the_way: Sequence[str]) -> Iterator[Block]:
    if in_the_way:
        yield ui.section(f":warning: *It cannot be sent now*\n{ui.bullets(in_the_way)}")
