"""Rotating: a new secret beside the one in use, confirmed by approvers, and no outage."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.approval.quorum import Quorum
from bot.domain.approval_requests import Rotation
from bot.domain.registration import Status
from bot.playground.stage import Stage
from bot.playground.workspace import NeverHappened
from bot.registrar.secrets import GRACE
from handlers.views import ids
from handlers.views import rotation as views
from tests.conftest import Bot
from tests.stories.test_home import opened, part
from tests.stories.test_home import seen as at_home
from tests.stories.test_reveals import live
from tests.support.factories import NOON, ROSA, registration
from tests.support.rotation_story import (
    announced,
    asked,
    card,
    confirm_late,
    decide,
    ends,
    history,
    in_use,
    request,
    rotate,
    rotated,
    seen,
    three,
)
from tests.support.story import Scene
from tests.support.waiting import eventually

Json = dict[str, Any]


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
    await scene.until(lambda: "A newer secret of" in scene.direct("rosa"))
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
    await rotated(scene, id)
    last = (before + timedelta(days=90)).date().isoformat()
    assert max(ends(scene))[:10] == last
    await scene.until(lambda: f"The secret expires {last}" in card(scene, id))
    listed = await scene.workspace.command("ada", "list expiring")
    assert id not in str(listed.text)


async def test_an_expired_secret_is_rotated_and_removed_at_once(scene: Scene) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    scene.clock.move(timedelta(days=400))
    await rotated(scene, id)
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
    await scene.until(lambda: "[Rotate]" in scene.direct("rosa"))
    assert "was cancelled already" in await confirm_late(scene, read, by="ada")
    await asked(scene, id)
    assert "[Cancel the rotation]" not in scene.workspace.text_of(request(scene))
    await scene.until(lambda: "[Cancel the rotation]" in scene.direct("rosa"))
    mine = scene.workspace.messages("rosa")[0]
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
    await rotated(scene, id)
    assert "waits unseen" in await rotate(scene, id)
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: len(live(scene)) == 1)
    assert live(scene) == [old]
    await scene.until(lambda: "The previous secret keeps working." in scene.direct("rosa"))
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
    await rotated(scene, id)
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
    await rotated(scene, id)
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
        scene,
        lambda: (
            "[Rotate]" in part(at_home(scene, "ada"), "Secrets about to expire, or expired (1)")
        ),
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
