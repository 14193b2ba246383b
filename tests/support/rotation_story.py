"""Rotations: what people do about another secret beside the one in use, and what they then see."""

import re
from typing import Any

from bot.playground.stage import Stage
from handlers.views import ids
from tests.support.forged_clicks import forged_click
from tests.support.secret_story import MARK
from tests.support.story import Story

Json = dict[str, Any]


async def in_use(story: Story, **values: Any) -> str:
    """Return the id of a registration whose secret was seen and is masked."""
    id = await story.ready(**values)
    await seen(story, id)
    return id


async def seen(story: Story, id: str) -> None:
    """Get the newest secret, look at it, hide it."""
    story.workspace.reload("rosa")
    await story.values(id)
    assert MARK in await story.reveal()
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
    await story.eventually(lambda: "masked for good" in story.workspace.text_of(story.notice(id)))


async def rotate(story: Story, id: str, *, by: str = "rosa") -> str:
    """Ask by the command, again if something is just at work; return what is answered."""
    for _ in range(20):
        said = str((await story.workspace.command(by, f"rotate {id}")).text)
        if "is being worked on" not in said:
            return said
    raise AssertionError(said)


async def asked(story: Story, id: str, *, by: str = "rosa") -> None:
    async def ask() -> None:
        assert "An approver has to confirm this" in await rotate(story, id, by=by)

    await story.new_request(ask(), "Confirm the rotation")


REQUESTS = {
    "rotation": ": (a|no|this request for a) new secret|: the rotation",
    "purge": "deletion for good|deleted for good|the purge",
}
"""How messages begin that ask approvers for something, or say what became of that."""


def request(story: Story, what: str = "rotation") -> Json:
    """Return the newest message that asks for this."""
    posted = story.workspace.messages("approvals")
    found = [each for each in posted if re.search(REQUESTS[what], each["text"])]
    return found[-1] if found else {"type": "message", "text": "", "blocks": []}


def drawn(story: Story, what: str = "rotation") -> str:
    """Return that message as people read it."""
    return story.workspace.text_of(request(story, what))


async def decide(story: Story, verb: str, what: str = "rotation", *, by: str) -> str:
    """Press a button of the request, and return what the person is told, if anything."""
    said, label = "", f"{verb} the {what}"
    await story.until(lambda: f"[{label}]" in drawn(story, what))
    for _ in range(20):
        said = await story.answer_to(by, label, on=request(story, what))
        if verb == "Deny" and not said:
            await story.workspace.submit(by, {"Reason": "Not now"})
            said = story.whispers(by)
        if "is being worked on" not in said:
            return said
    raise AssertionError(said)


async def confirm_late(story: Story, read: Json, *, by: str) -> str:
    """Press the button as it was when the message was read, and return what the person is told."""
    elements = [each for block in read["blocks"] for each in block.get("elements", ())]
    [value] = [each["value"] for each in elements if each.get("action_id") == ids.APPROVE]
    return await forged_click(story, by, ids.APPROVE, value)


async def rotated(story: Story, id: str) -> None:
    """Ask and confirm where one approval is enough; wait until the new secret waits."""
    await asked(story, id)
    await decide(story, "Confirm", by="ada")
    await announced(story, id)


async def announced(story: Story, id: str) -> None:
    """Wait until the new secret waits to be seen."""
    text = "has a new secret. It was tested: sign-in works."
    await story.until(lambda: text in story.direct("rosa"))
    assert text in story.workspace.text_of(story.notice(id))


def ends(story: Story) -> list[str]:
    application = story.tenant.applications_named("billing")[0]
    return [each["endDateTime"] for each in story.tenant.live_secrets(application["appId"])]


async def history(story: Story, id: str) -> str:
    """Return every page of a registration's history."""
    pages, number = [""], 0
    while number == 0 or " earlier: " in pages[-1]:
        number += 1
        pages.append(str((await story.workspace.command("ada", f"history {id} {number}")).text))
    return "\n".join(pages)


def three(stage: Stage) -> str:
    return ",".join(stage.workspace.people[name].id for name in ("ada", "grace", "ben"))


async def replaced(story: Story, id: str) -> None:
    """Wait until another secret waits to be seen in the place of one that is of no use."""
    await story.until(lambda: "was replaced by a newer one" in story.direct("rosa"))
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
