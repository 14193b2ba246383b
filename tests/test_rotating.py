"""Rotating: a new secret beside the one in use, confirmed by approvers, and no outage."""

import asyncio
import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.stage import Stage
from bot.playground.workspace import NeverHappened
from bot.quorum import Quorum
from bot.registrar.showing import GRACE
from bot.registration import Rotation, SecretState, Status
from handlers.views import ids
from handlers.views import rotation as views
from tests.conftest import Bot
from tests.pieces import NOON, ROSA, registration, secret
from tests.scene import Scene
from tests.slack import forged_button
from tests.test_home import opened, part
from tests.test_home import seen as at_home
from tests.test_reveals import MARK, live
from tests.waiting import eventually, make_a_new_one

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
    return str((await scene.workspace.command("ada", f"history {id}")).text)


async def test_whoever_has_changed_over_removes_the_old_secret_at_once(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    said = str((await scene.workspace.command("rosa", f"retire {id}")).text)
    assert f"{id} has no previous secret." in said
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    said = str((await scene.workspace.command("ada", f"retire {id}")).text)
    assert f"The new secret of {id} was not seen yet" in said
    assert "[Remove the previous secret]" not in scene.direct("rosa")
    await seen(scene, id)
    said = str((await scene.workspace.command("ben", f"retire {id}")).text)
    assert said == "Only the requester or an approver can remove the previous secret."
    await scene.until(
        lambda: "[Remove the previous secret]" in scene.workspace.text_of(scene.notice(id))
    )
    await scene.until(lambda: "[Remove the previous secret]" in card(scene, id))
    await scene.workspace.click("rosa", "Remove the previous secret", on=scene.notice(id))
    await eventually(scene, lambda: old not in live(scene))
    assert len(live(scene)) == 1
    await scene.until(lambda: "the previous secret is removed from Entra" in scene.direct("rosa"))
    await scene.until(lambda: "previous secret" not in card(scene, id))
    assert "[Remove the previous secret]" not in card(scene, id)
    scene.clock.move(GRACE * 2)  # what would have removed it then finds nothing
    await eventually(scene, lambda: not _is_to_retire(scene))
    await asked(scene, id)
    told = await history(scene, id)
    for what in ("removal of the previous secret asked for", "previous secret removed from Entra"):
        assert told.count(what) == 1
    assert scene.direct("rosa").count("the previous secret is removed from Entra") == 1


def _is_to_retire(scene: Scene) -> bool:
    """Whether a removal of a previous secret is still due, or at work."""
    with closing(sqlite3.connect(scene.stage.folder / "aad-setup.db")) as database:
        due = "SELECT count(*) FROM dues WHERE kind = 'retire'"
        owed = "SELECT count(*) FROM runs WHERE kind = 'retire' AND ended_at IS NULL"
        return any(database.execute(query).fetchone() != (0,) for query in (due, owed))


async def test_the_old_secret_that_somebody_had_removed_goes_though_a_newer_one_is_made(
    scene: Scene,
) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    await seen(scene, id)
    held = scene.tenant.faults.hold("POST", "/addPassword")
    await make_a_new_one(scene, id)
    async with asyncio.timeout(15):
        await held.reached.wait()
    scene.workspace.reload("ada")
    await scene.workspace.command("ada", f"retire {id}")
    question = scene.workspace.ephemerals("ada")[-1]
    await scene.workspace.click("ada", "Remove the previous secret", on=question)
    assert f"The previous secret of {id} is being removed." in scene.whispers("ada")
    held.release()
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await eventually(scene, lambda: old not in live(scene))
    assert len(live(scene)) == 1
    await scene.until(lambda: "the previous secret is removed from Entra" in scene.direct("rosa"))


async def test_the_word_removes_the_old_secret_once_it_is_confirmed(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    await seen(scene, id)
    scene.workspace.reload("grace")
    answer = await scene.workspace.command("grace", f"retire {id}")
    assert f"Remove the previous secret of {id} now?" in str(answer.text)
    assert old in live(scene)
    question = scene.workspace.ephemerals("grace")[-1]
    await scene.workspace.click("grace", "Remove the previous secret", on=question)
    assert f"The previous secret of {id} is being removed." in scene.whispers("grace")
    await eventually(scene, lambda: old not in live(scene))


async def test_a_secret_in_use_is_followed_by_another_without_an_outage(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    scene.clock.move(timedelta(days=340))
    await asked(scene, id)
    assert "A new secret was asked for by @rosa" in card(scene, id)
    assert live(scene) == [old]
    assert await decide(scene, "Confirm", by="ada") == ""
    await announced(scene, id)
    assert len(live(scene)) == 2
    assert "Rotation confirmed by @ada" in scene.workspace.text_of(request(scene))

    notice = scene.workspace.text_of(scene.notice(id))
    assert "[Get the values]" in notice
    assert "The previous secret works until the new one was seen" in notice
    assert "A newer secret of" in scene.direct("rosa")
    scene.clock.move(timedelta(days=3))  # the grace has not begun
    await seen(scene, id)
    assert "The previous secret is removed as of 20" in scene.workspace.text_of(scene.notice(id))
    await scene.until(lambda: "The previous secret is removed as of 20" in card(scene, id))
    await scene.check(id, by="ada")
    await eventually(scene, lambda: f"{id} is as it was approved" in scene.direct("ada"))
    scene.clock.move(GRACE - timedelta(hours=3))
    assert old in live(scene)
    scene.clock.move(timedelta(hours=3))
    await eventually(scene, lambda: old not in live(scene))
    [new] = live(scene)
    assert new != old
    await scene.until(lambda: "the previous secret is removed from Entra" in scene.direct("rosa"))
    await scene.until(lambda: "previous secret" not in card(scene, id))
    told = await history(scene, id)
    for what in (
        "new secret beside the one in use asked for",
        "rotation confirmed",
        "new secret made beside the one in use",
        "previous secret removed from Entra",
    ):
        assert what in told
    scene.clock.move(timedelta(days=2))  # nor does any sweep or check find fault with it
    assert live(scene) == [new]
    assert "differ" not in scene.direct("rosa")
    assert "fits no registration" not in await history(scene, id)


async def test_a_new_secret_lives_as_long_as_the_plan_said_from_when_it_was_made(
    scene: Scene,
) -> None:
    id = await in_use(scene, **{"The secret works for": "90 days"})
    scene.clock.move(timedelta(days=80))
    before = scene.clock.now()
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    last = (before + timedelta(days=90)).date().isoformat()
    assert max(ends(scene))[:10] == last
    await scene.until(lambda: f"The secret expires {last}" in card(scene, id))
    listed = await scene.workspace.command("ada", "list expiring")
    assert id not in str(listed.text)


async def test_an_expired_secret_is_rotated_and_removed_at_once(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    scene.clock.move(timedelta(days=400))
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    await seen(scene, id)
    await eventually(scene, lambda: len(live(scene)) == 1)
    assert live(scene) != [old]


async def test_a_quorum_of_two_is_two_people_who_did_not_ask(bot: Bot, stage: Stage) -> None:
    async with bot(APPROVALS_NEEDED="2", REQUESTERS="*", APPROVERS=three(stage), APPROVAL_TTL="7d"):
        scene = Scene(stage)
        id = await scene.ask()
        await scene.workspace.click("grace", "Approve", on=scene.card_of(id))
        await scene.approve(id, by="ada")
        await seen(scene, id)
        await asked(scene, id, by="ada")
        await scene.until(lambda: "an approver has asked for a new secret" in scene.direct("rosa"))
        assert "You asked for this yourself." in await decide(scene, "Confirm", by="ada")
        assert await decide(scene, "Confirm", by="grace") == ""
        await scene.until(
            lambda: "1 of 2 approvals given" in scene.workspace.text_of(request(scene))
        )
        await scene.until(lambda: "1 of 2 approvals given" in card(scene, id))
        assert "You have confirmed this" in await decide(scene, "Confirm", by="grace")
        assert len(live(scene)) == 1
        assert "Only an approver" not in await decide(scene, "Confirm", by="ben")
        await announced(scene, id)
        assert len(live(scene)) == 2


def three(stage: Stage) -> str:
    return ",".join(stage.workspace.people[name].id for name in ("ada", "grace", "ben"))


async def test_whoever_is_the_requester_confirms_nothing_even_as_approver(
    bot: Bot, stage: Stage
) -> None:
    async with bot(REQUESTERS="*"):
        scene = Scene(stage)
        id = await scene.ask(by="ada")
        await scene.workspace.click("grace", "Approve", on=scene.card_of(id))
        await scene.until(lambda: f"{id}: your connector values" in scene.direct("ada"))
        ready = next(
            m
            for m in scene.workspace.messages("ada")
            if "[Get the values]" in scene.workspace.text_of(m)
        )
        await scene.workspace.click("ada", "Get the values", on=ready)
        await scene.reveal(by="ada")
        await asked(scene, id, by="ada")
        for what in ("Confirm", "Deny"):
            said = await decide(scene, what, by="ada")
            assert f"You cannot {what.lower()} a rotation of your own registration." in said
            assert f"Only an approver can {what.lower()} a rotation." in await decide(
                scene, what, by="ben"
            )
        assert len(live(scene)) == 1


async def test_a_denied_rotation_changes_nothing_and_can_be_asked_again(scene: Scene) -> None:
    id = await in_use(scene)
    before = live(scene)
    await asked(scene, id)
    assert "was asked for already" in await rotate(scene, id)
    read = copy.deepcopy(request(scene))
    assert await decide(scene, "Deny", by="grace") == ""
    await scene.until(lambda: "the rotation was denied" in scene.direct("rosa"))
    await scene.until(lambda: "the rotation was denied" in scene.workspace.text_of(request(scene)))
    assert "was denied already" in await confirm_late(scene, read, by="ada")
    await asked(scene, id)
    assert "read the newest one" in await confirm_late(scene, read, by="ada")
    assert live(scene) == before
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)


async def test_the_requester_takes_a_rotation_back_by_the_word_or_the_button(
    scene: Scene,
) -> None:
    id = await in_use(scene)
    before = live(scene)
    await asked(scene, id)
    read = copy.deepcopy(request(scene))
    said = str((await scene.workspace.command("ada", f"cancel {id}")).text)
    assert "Only the requester or whoever asked for the rotation can cancel it." in said
    said = str((await scene.workspace.command("rosa", f"cancel {id}")).text)
    assert said == f"The rotation of {id} is cancelled. The secret in use works as before."
    await scene.until(
        lambda: "the rotation was cancelled" in scene.workspace.text_of(request(scene))
    )
    assert "was cancelled already" in await confirm_late(scene, read, by="ada")
    await asked(scene, id)
    assert "[Cancel the rotation]" not in scene.workspace.text_of(request(scene))
    mine = scene.workspace.messages("rosa")[0]
    await scene.until(lambda: "[Cancel the rotation]" in scene.direct("rosa"))
    await scene.workspace.click("rosa", "Cancel the rotation", on=mine)
    await scene.until(lambda: "[Rotate]" in scene.direct("rosa"))
    assert "no longer asked for" not in scene.direct("rosa")
    assert "Too late" in str((await scene.workspace.command("rosa", f"cancel {id}")).text)
    assert live(scene) == before
    assert "rotation cancelled" in await history(scene, id)


async def test_an_approver_who_asked_takes_that_back_and_others_cannot(scene: Scene) -> None:
    id = await in_use(scene)
    await asked(scene, id, by="ada")
    assert "[Cancel the rotation]" in scene.workspace.text_of(request(scene))
    await scene.workspace.click("grace", "Cancel the rotation", on=request(scene))
    assert "Only the requester or whoever asked" in scene.whispers("grace")
    await scene.workspace.click("ada", "Cancel the rotation", on=request(scene))
    await scene.until(lambda: "the new secret is no longer asked for" in scene.direct("rosa"))
    assert len(live(scene)) == 1


async def test_a_rotation_that_nobody_decides_on_is_withdrawn(scene: Scene) -> None:
    id = await in_use(scene)
    await asked(scene, id)
    read = copy.deepcopy(request(scene))
    scene.clock.move(timedelta(hours=25))
    await eventually(
        scene, lambda: "nobody decided on the rotation in time" in scene.direct("rosa")
    )
    await scene.until(lambda: "the rotation expired" in scene.workspace.text_of(request(scene)))
    assert "was withdrawn already" in await confirm_late(scene, read, by="ada")
    assert len(live(scene)) == 1
    await asked(scene, id)


async def test_a_new_secret_that_nobody_came_for_is_removed_and_the_old_one_lives(
    scene: Scene,
) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    first_end = card(scene, id).split("The secret expires ")[1][:10]
    scene.clock.move(timedelta(days=100))
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    assert "waits unseen" in await rotate(scene, id)
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: len(live(scene)) == 1)
    assert live(scene) == [old]
    await scene.until(lambda: "nobody came for the new secret in time" in scene.direct("rosa"))
    assert "The one before works as it did." in scene.direct("rosa")
    await scene.until(lambda: f"The secret expires {first_end}" in card(scene, id))
    scene.clock.move(GRACE * 2)
    await asked(scene, id)
    assert live(scene) == [old]


async def test_a_rotation_that_fails_keeps_the_old_secret_and_says_why(scene: Scene) -> None:
    id = await in_use(scene)
    before = live(scene)
    broken = scene.tenant.faults.fail(
        "POST", "batch", status=403, code="Authorization_RequestDenied", times=10_000
    )
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await scene.until(lambda: "no new secret could be made" in scene.direct("rosa"))
    assert "The secret in use works as before." in scene.direct("rosa")
    assert f"/aad-setup rotate {id} asks again." in scene.direct("rosa")
    assert f"{id} is ready" in card(scene, id)
    await scene.until(
        lambda: "no new secret could be made" in scene.workspace.text_of(request(scene))
    )
    assert live(scene) == before

    broken.times = 0
    await asked(scene, id)
    await decide(scene, "Confirm", by="grace")
    await announced(scene, id)
    assert "could be made" not in card(scene, id)
    assert len(live(scene)) == 2


async def test_a_new_secret_whose_showing_is_in_doubt_is_made_anew_beside_the_old_one(
    scene: Scene,
) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    scene.workspace.reload("rosa")
    await scene.values(id)
    scene.workspace.faults.lose("response_url")
    await scene.reveal()
    await scene.until(lambda: "Nobody can tell" in scene.workspace.text_of(scene.notice(id)))
    assert "which takes no approval" in await rotate(scene, id)
    doubtful = scene.notice(id)
    scene.workspace.reload("rosa")
    await scene.workspace.click("rosa", "Make a new one", on=doubtful)
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    assert old in live(scene)
    assert len(live(scene)) == 2
    await seen(scene, id)
    scene.clock.move(GRACE)
    await eventually(scene, lambda: old not in live(scene))
    assert len(live(scene)) == 1


async def test_a_lost_new_secret_keeps_the_old_one_until_the_next_was_seen(scene: Scene) -> None:
    """The grace begins anew: else the old one would go while its follower waits unseen."""
    id = await in_use(scene)
    [old] = live(scene)
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    await seen(scene, id)
    assert "was rotated lately" in await rotate(scene, id)
    scene.clock.move(GRACE - timedelta(hours=2))
    scene.workspace.reload("rosa")
    await scene.workspace.click("rosa", "Make a new one", on=scene.notice(id))
    await scene.until(lambda: "was replaced by a newer one" in scene.direct("rosa"))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    notice = scene.workspace.text_of(scene.notice(id))
    assert "The previous secret works until the new one was seen" in notice
    scene.clock.move(timedelta(days=2))
    await seen(scene, id)
    assert old in live(scene)
    scene.clock.move(GRACE)
    await eventually(scene, lambda: live(scene) != [] and old not in live(scene))


async def test_a_handover_withdraws_the_rotation_and_its_votes(bot: Bot, stage: Stage) -> None:
    async with bot(APPROVALS_NEEDED="2", REQUESTERS="*", APPROVERS=three(stage)):
        scene = Scene(stage)
        scene.workspace.add_person("dan", "Dan Cole")
        id = await scene.ask()
        await scene.workspace.click("grace", "Approve", on=scene.card_of(id))
        await scene.approve(id, by="ben")
        await seen(scene, id)
        await asked(scene, id)
        read = copy.deepcopy(request(scene))
        await decide(scene, "Confirm", by="ada")
        said = str((await scene.workspace.command("rosa", f"handover {id} @ada")).text)
        assert f"has voted on {id}, so cannot take it over." in said
        await scene.workspace.command("rosa", f"handover {id} @dan")
        await scene.until(lambda: "[Confirm the handover]" in scene.workspace.picture())
        offer = next(
            m
            for m in scene.workspace.messages("approvals")
            if "[Confirm the handover]" in scene.workspace.text_of(m)
        )
        await scene.workspace.click("grace", "Confirm the handover", on=offer)
        await scene.until(lambda: f"@dan is the requester of {id} now." in scene.direct("rosa"))
        assert "was withdrawn already" in await confirm_late(scene, read, by="grace")
        await asked(scene, id, by="dan")
        await decide(scene, "Confirm", by="grace")
        await scene.until(
            lambda: "1 of 2 approvals given" in scene.workspace.text_of(request(scene))
        )
        assert len(live(scene)) == 1


async def test_what_is_about_to_expire_is_rotated_at_home(scene: Scene) -> None:
    id = await in_use(scene)
    scene.clock.move(timedelta(days=340))
    await opened(scene, "ada")
    await eventually(
        scene, lambda: "[Rotate]" in part(at_home(scene, "ada"), "Secrets about to expire (1)")
    )
    assert "asks for a new one beside the one in use" in str(
        (await scene.workspace.command("ada", "list expiring")).text
    )
    await press_at_home(
        scene,
        "ada",
        "Rotate",
        until=lambda: "rotation waits" in part(at_home(scene, "ada"), "Secrets about"),
    )
    assert "[Rotate]" not in part(at_home(scene, "ada"), "Secrets about")
    home = await opened(scene, "grace")
    assert "[Confirm the rotation]" in part(home, "Waiting for you (1)")
    await press_at_home(
        scene,
        "grace",
        "Confirm the rotation",
        until=lambda: "Nothing waits for you." in at_home(scene, "grace"),
    )
    await announced(scene, id)


async def press_at_home(
    scene: Scene, person: str, button: str, *, until: Callable[[], object]
) -> None:
    """Press it, and again if a check is just at work, as the refusal says."""
    for _ in range(20):
        if f"[{button}]" not in await opened(scene, person):
            continue
        await scene.workspace.click(person, button, on=scene.workspace.home_of(person))
        try:
            await scene.until(
                lambda: until() or "is being worked on" in at_home(scene, person), timeout=5
            )
        except NeverHappened:
            continue
        if until():
            return
    raise AssertionError(at_home(scene, person))


async def test_a_button_asks_on_the_requesters_card(scene: Scene) -> None:
    id = await in_use(scene)
    mine = scene.workspace.messages("rosa")[0]
    await scene.until(lambda: "[Rotate]" in scene.direct("rosa"))
    await scene.workspace.click("rosa", "Rotate", on=mine)
    await scene.until(lambda: "[Confirm the rotation]" in scene.workspace.text_of(request(scene)))
    await scene.until(lambda: "[Rotate]" not in scene.direct("rosa"))
    waiting = str((await scene.workspace.command("grace", "list waiting")).text)
    assert id in waiting
    assert "a rotation waits for approval" in waiting


@pytest.mark.parametrize("by", ["ben", "gus"])
async def test_bystanders_ask_for_no_rotation(scene: Scene, by: str) -> None:
    id = await in_use(scene)
    assert "rotation" in await rotate(scene, id, by=by) or by == "gus"
    assert request(scene)["text"] == ""


async def test_an_old_secret_that_entra_does_not_remove_at_once_goes_later(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    await asked(scene, id)
    await decide(scene, "Confirm", by="ada")
    await announced(scene, id)
    await seen(scene, id)
    broken = scene.tenant.faults.fail(
        "POST", "removePassword", status=403, code="Authorization_RequestDenied", times=10_000
    )
    scene.clock.move(GRACE)
    await eventually(scene, lambda: _was_refused(scene))
    assert old in live(scene)
    assert "is removed from Entra" not in scene.direct("rosa")
    await eventually(scene, lambda: _says_that_it_goes(card(scene, id)))
    await eventually(scene, lambda: _says_that_it_goes(scene.workspace.text_of(scene.notice(id))))
    broken.times = 0
    await eventually(scene, lambda: old not in live(scene), step=timedelta(minutes=20))
    await scene.until(lambda: "the previous secret is removed from Entra" in scene.direct("rosa"))


def _says_that_it_goes(drawn: str) -> bool:
    is_said = "The previous secret is being removed from Entra." in drawn
    return is_said and "Remove the previous secret" not in drawn


def _was_refused(scene: Scene) -> bool:
    return any("removePassword" in entry.path and entry.status == 403 for entry in scene.tenant.log)


def test_a_previous_secret_is_said_to_go_as_of_its_date_be_it_past_or_not() -> None:
    older = replace(secret(SecretState.MASKED), id="s0", made_at=NOON - timedelta(days=1))
    ready = registration(secret=secret(SecretState.MASKED))
    for its, words, has_button in (
        (older, "works until the new one was seen", False),
        (replace(older, retires_at=NOON), "is removed as of", True),
        (replace(older, retires_at=NOON, removal_began=True), "is being removed from Entra", False),
    ):
        both = replace(ready, other_secrets=(its,))
        assert words in views.previous(both)
        assert bool(views.retire_buttons(both)) is has_button


def test_a_request_is_over_as_soon_as_the_registration_is_no_longer_ready() -> None:
    wish = Rotation(id="r1", asked_by=ROSA, asked_at=NOON, until=NOON + timedelta(hours=24))
    ready = replace(registration(), rotation=wish)
    assert ready.asked_rotation is wish
    assert ids.CONFIRM_ROTATION in str(views.request(ready, Quorum(needed=1), rotation="r1"))
    for other, asked_for in ((replace(ready, status=Status.FAILED), "r1"), (ready, "r0")):
        drawn = str(views.request(other, Quorum(needed=1), rotation=asked_for))
        assert "this request for a new secret is over." in drawn
        assert ids.CONFIRM_ROTATION not in drawn
    assert replace(ready, status=Status.FAILED).asked_rotation is None
