"""Rotations: what people do about another secret beside the one in use, and what they then see."""

from typing import Any

from bot.playground.stage import Stage
from handlers.views import ids
from tests.stories.test_reveals import MARK
from tests.support.forged_clicks import forged_button
from tests.support.story import Scene
from tests.support.waiting import eventually

Json = dict[str, Any]


async def in_use(scene: Scene, **values: Any) -> str:
    """Return the id of a registration whose secret was seen and is masked."""
    id = await scene.ready(**values)
    await seen(scene, id)
    return id


async def seen(scene: Scene, id: str) -> None:
    """Get the newest secret, look at it, hide it."""
    scene.workspace.reload("rosa")
    await scene.values(id)
    assert MARK in await scene.reveal()
    await scene.workspace.click("rosa", "Hide", on=scene.workspace.ephemerals("rosa")[-1])
    await eventually(scene, lambda: "masked for good" in scene.workspace.text_of(scene.notice(id)))


async def rotate(scene: Scene, id: str, *, by: str = "rosa") -> str:
    """Ask by the command, again if something is just at work; return what is answered."""
    for _ in range(20):
        said = str((await scene.workspace.command(by, f"rotate {id}")).text)
        if "is being worked on" not in said:
            return said
    raise AssertionError(said)


async def asked(scene: Scene, id: str, *, by: str = "rosa") -> None:
    assert "An approver has to confirm this" in await rotate(scene, id, by=by)
    await scene.until(lambda: "[Confirm the rotation]" in scene.workspace.text_of(request(scene)))


def request(scene: Scene) -> Json:
    """Return the newest message that asks for a rotation."""
    found = [
        each
        for each in scene.workspace.messages("approvals")
        if each["text"].endswith("a new secret is asked for")
    ]
    return found[-1] if found else {"type": "message", "text": "", "blocks": []}


async def decide(scene: Scene, what: str, *, by: str) -> str:
    """Press a button of the request, and return what the person is told, if anything."""
    said = ""
    for _ in range(20):
        scene.workspace.reload(by)
        await scene.workspace.click(by, f"{what} the rotation", on=request(scene))
        said = scene.whispers(by)
        if "is being worked on" not in said:
            return said
    raise AssertionError(said)


async def confirm_late(scene: Scene, read: Json, *, by: str) -> str:
    """Press the button as it was when the message was read, and return what the person is told."""
    [value] = [
        element["value"]
        for block in read["blocks"]
        for element in block.get("elements", ())
        if element.get("action_id") == ids.CONFIRM_ROTATION
    ]
    forged = await forged_button(scene.workspace, ids.CONFIRM_ROTATION, value)
    scene.workspace.reload(by)
    await scene.workspace.click(by, ids.CONFIRM_ROTATION, on=forged)
    return scene.whispers(by)


async def rotated(scene: Scene, id: str) -> None:
    """Ask and confirm where one approval is enough; wait until the new secret waits."""
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)


async def announced(scene: Scene, id: str) -> None:
    """Wait until the new secret waits to be seen."""
    text = "has a new secret: it was tried and signs in."
    await scene.until(lambda: text in scene.direct("rosa"))
    assert text in scene.workspace.text_of(scene.notice(id))


def ends(scene: Scene) -> list[str]:
    application = scene.tenant.applications_named("billing")[0]
    return [each["endDateTime"] for each in scene.tenant.live_secrets(application["appId"])]


def card(scene: Scene, id: str) -> str:
    """Return the registration's card in the approval channel; requests stand below it."""
    return scene.workspace.text_of(scene.card_of(id))


async def history(scene: Scene, id: str) -> str:
    """Return every page of a registration's history."""
    pages, number = [""], 0
    while number == 0 or " earlier: " in pages[-1]:
        number += 1
        pages.append(str((await scene.workspace.command("ada", f"history {id} {number}")).text))
    return "\n".join(pages)


def three(stage: Stage) -> str:
    return ",".join(stage.workspace.people[name].id for name in ("ada", "grace", "ben"))
