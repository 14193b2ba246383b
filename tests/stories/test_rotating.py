"""Rotating: a new secret beside the one in use, confirmed by approvers, and no outage."""

import asyncio
import copy
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.lifetimes import PREVIOUS_SECRET
from bot.domain.registration import Status
from bot.playground.workspace import NeverHappened
from handlers.views import ids
from handlers.views import requests as views
from handlers.views.buttons import retire_buttons
from handlers.views.outcome import previous
from tests.support.database import read
from tests.support.factories import NOON, registration, secret
from tests.support.factories import asked as asked_of
from tests.support.handover_story import confirm_handover
from tests.support.home_story import opened, part
from tests.support.home_story import seen as at_home
from tests.support.rotation_story import (
    announced,
    asked,
    confirm_late,
    decide,
    drawn,
    ends,
    history,
    in_use,
    replaced,
    request,
    rotate,
    rotated,
    seen,
    three,
)
from tests.support.secret_lives import SecretLife
from tests.support.secret_story import live, make_a_new_one
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

Json = dict[str, Any]


@pytest.mark.quick
async def test_a_secret_in_use_is_followed_by_another_without_an_outage(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    story.clock.move(timedelta(days=340))
    await asked(story, id)
    await story.until(lambda: "A new secret was asked for by @rosa" in story.card(id))
    assert live(story) == [old]
    assert await decide(story, "Confirm", by="ada") == ""
    await announced(story, id)
    assert len(live(story)) == 2
    await story.until(lambda: "Rotation confirmed by @ada" in drawn(story))

    notice = story.workspace.text_of(story.notice(id))
    assert "[Get the values]" in notice
    assert "The previous secret works until the new one was seen" in notice
    await story.until(lambda: "A newer secret of" in story.direct("rosa"))
    story.clock.move(timedelta(days=3))  # the grace has not begun
    await seen(story, id)
    assert "The previous secret is removed as of 20" in story.workspace.text_of(story.notice(id))
    await story.until(lambda: "The previous secret is removed as of 20" in story.card(id))
    await story.check(id, by="ada")
    await story.eventually(lambda: f"{id} matches what was approved" in story.direct("ada"))
    story.clock.move(PREVIOUS_SECRET - timedelta(hours=3))
    assert old in live(story)
    story.clock.move(timedelta(hours=3))
    await story.eventually(lambda: old not in live(story))
    [new] = live(story)
    assert new != old
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))
    await story.until(lambda: "previous secret" not in story.card(id))
    told = await history(story, id)
    for what in (
        "new secret beside the one in use asked for",
        "rotation confirmed",
        "new secret made beside the one in use",
        "previous secret removed from Entra",
    ):
        assert what in told
    story.clock.move(timedelta(days=2))  # nor does any sweep or check find fault with it
    assert live(story) == [new]
    assert "differ" not in story.direct("rosa")
    assert "fits no registration" not in await history(story, id)


async def test_a_new_secret_lives_as_long_as_the_plan_said_from_its_making(story: Story) -> None:
    id = await in_use(story, **{"Secret valid for": "90 days"})
    story.clock.move(timedelta(days=80))
    before = story.clock.now()
    await rotated(story, id)
    last = (before + timedelta(days=90)).date().isoformat()
    assert max(ends(story))[:10] == last
    await story.until(lambda: f"The secret expires: {last}" in story.card(id))
    listed = await story.workspace.command("ada", "list expiring")
    assert id not in str(listed.text)


async def test_an_expired_secret_is_rotated_and_removed_at_once(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    story.clock.move(timedelta(days=400))
    await rotated(story, id)
    await seen(story, id)
    await story.eventually(lambda: len(live(story)) == 1)
    assert live(story) != [old]


@pytest.mark.settings(APPROVALS_NEEDED="2", REQUESTERS="*", APPROVERS=three, APPROVAL_TTL="7d")
async def test_a_quorum_of_two_is_two_people_who_did_not_ask(story: Story) -> None:
    id = await story.ask()
    await story.vote(id, by="grace")
    await story.approve(id, by="ada")
    await seen(story, id)
    await asked(story, id, by="ada")
    await story.until(lambda: "an approver has asked for a new secret" in story.direct("rosa"))
    assert "You asked for this yourself." in await decide(story, "Confirm", by="ada")
    assert await decide(story, "Confirm", by="grace") == ""
    await story.until(lambda: "1 of 2 approvals given" in drawn(story))
    await story.until(lambda: "1 of 2 approvals given" in story.card(id))
    assert "You have approved" in await decide(story, "Confirm", by="grace")
    assert len(live(story)) == 1
    assert "Only an approver" not in await decide(story, "Confirm", by="ben")
    await announced(story, id)
    assert len(live(story)) == 2


@pytest.mark.settings(REQUESTERS="*")
async def test_whoever_is_the_requester_confirms_nothing_even_as_approver(story: Story) -> None:
    id = await story.ask(by="ada")
    await story.workspace.click("grace", "Approve", on=story.card_of(id))
    await story.until(lambda: f"{id}: your connector values" in story.direct("ada"))
    await story.press("ada", "Get the values")
    await story.reveal(by="ada")
    await asked(story, id, by="ada")
    for what, verb in (("Confirm", "approve"), ("Deny", "deny")):
        told = await decide(story, what, by="ada")
        assert f"You cannot {verb} your own registration." in told
        assert f"Only an approver can {verb} this." in await decide(story, what, by="ben")
    assert len(live(story)) == 1


async def test_what_is_not_carried_out_changes_nothing_and_can_be_asked_again(story: Story) -> None:
    id = await in_use(story)
    before = live(story)
    for bystander in ("ben", "gus"):
        assert "rotation" in await rotate(story, id, by=bystander) or bystander == "gus"
        assert request(story)["text"] == ""
    for way in (_taken_back_by_the_word, _taken_back_by_the_button, _taken_back_by_who_asked):
        await way(story, id)
        assert live(story) == before
    await _denied(story, id)
    assert live(story) == before
    story.clock.move(timedelta(hours=25))  # as many requests as a day allows were made
    await asked(story, id)
    read = copy.deepcopy(request(story))
    story.clock.move(timedelta(hours=25))  # and nobody decides
    await story.eventually(
        lambda: "no approver decided on the rotation in time" in story.direct("rosa")
    )
    await story.until(lambda: "the rotation expired" in drawn(story))
    assert "was expired already" in await confirm_late(story, read, by="ada")
    assert live(story) == before
    await rotated(story, id)


async def _taken_back_by_the_word(story: Story, id: str) -> None:
    await asked(story, id)
    read = copy.deepcopy(request(story))
    refused = await story.command("ada", f"cancel {id}")
    assert "Only the requester or the person who asked for this can cancel it." in refused
    done = await story.command("rosa", f"cancel {id}")
    assert done == f"The rotation of {id} is cancelled. The current secret keeps working."
    await story.until(lambda: "the rotation was cancelled" in drawn(story))
    await story.until(lambda: "[… Rotate" in story.direct("rosa"))
    assert "was cancelled already" in await confirm_late(story, read, by="ada")


async def _taken_back_by_the_button(story: Story, id: str) -> None:
    """The requester's card asks, too."""
    mine = story.workspace.messages("rosa")[0]
    await story.confirm("rosa", "Rotate", on=mine)
    await story.until(lambda: "[Confirm the rotation]" in drawn(story))
    await story.until(lambda: "[… Rotate" not in story.direct("rosa"))
    waiting = await story.command("grace", "list waiting")
    assert id in waiting
    assert "a rotation waits for approval" in waiting
    assert "[Cancel the rotation]" not in drawn(story)
    await story.until(lambda: "[Cancel the rotation]" in story.direct("rosa"))
    mine = story.workspace.messages("rosa")[0]
    await story.workspace.click("rosa", "Cancel the rotation", on=mine)
    await story.until(lambda: "[… Rotate" in story.direct("rosa"))
    assert "the rotation was cancelled" not in story.direct("rosa")
    assert "already approved" in await story.command("rosa", f"cancel {id}")
    assert "rotation cancelled" in await history(story, id)


async def _taken_back_by_who_asked(story: Story, id: str) -> None:
    await asked(story, id, by="ada")
    assert "[Cancel the rotation]" in drawn(story)
    await story.workspace.click("grace", "Cancel the rotation", on=request(story))
    assert "Only the requester or the person who asked" in story.whispers("grace")
    await story.workspace.click("ada", "Cancel the rotation", on=request(story))
    await story.until(lambda: "the rotation was cancelled" in story.direct("rosa"))


async def _denied(story: Story, id: str) -> None:
    await asked(story, id)
    assert "was asked for already" in await rotate(story, id)
    read = copy.deepcopy(request(story))
    assert await decide(story, "Deny", by="grace") == ""
    await story.until(lambda: "the rotation was denied" in story.direct("rosa"))
    await story.until(lambda: "the rotation was denied" in drawn(story))
    assert "was denied already" in await confirm_late(story, read, by="ada")
    await asked(story, id)
    assert "read the newest one" in await confirm_late(story, read, by="ada")
    await story.workspace.command("rosa", f"cancel {id}")


async def test_a_new_secret_that_nobody_came_for_goes_and_the_old_one_lives(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    first_end = story.card(id).split("The secret expires: ")[1][:10]
    story.clock.move(timedelta(days=100))
    await rotated(story, id)
    assert "waits unseen" in await rotate(story, id)
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: len(live(story)) == 1)
    assert live(story) == [old]
    await story.until(lambda: "The previous secret keeps working." in story.direct("rosa"))
    await story.until(lambda: f"The secret expires: {first_end}" in story.card(id))
    story.clock.move(PREVIOUS_SECRET * 2)
    await asked(story, id)
    assert live(story) == [old]


async def test_a_rotation_that_fails_keeps_the_old_secret_and_says_why(story: Story) -> None:
    id = await in_use(story)
    before = live(story)
    broken = story.tenant.faults.refuse("POST", "batch")
    await asked(story, id)
    await decide(story, "Confirm", by="ada")
    await story.until(lambda: "no new secret could be made" in story.direct("rosa"))
    assert "The current secret keeps working." in story.direct("rosa")
    assert f"/aad-setup rotate {id} asks again." in story.direct("rosa")
    assert f"{id} is ready" in story.card(id)
    await story.until(lambda: "no new secret could be made" in drawn(story))
    assert live(story) == before

    broken.times = 0
    await rotated(story, id)
    assert "could be made" not in story.card(id)
    assert len(live(story)) == 2


async def test_a_new_secret_in_doubt_is_made_anew_beside_the_old_one(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    story.workspace.reload("rosa")
    await story.values(id)
    story.workspace.faults.lose("response_url")
    await story.reveal()
    await story.until(lambda: "It is unknown whether" in story.workspace.text_of(story.notice(id)))
    assert "which takes no approval" in await rotate(story, id)
    doubtful = story.notice(id)
    story.workspace.reload("rosa")
    await story.workspace.click("rosa", "Make a new one", on=doubtful)
    await replaced(story, id)
    assert old in live(story)
    assert len(live(story)) == 2
    await seen(story, id)
    story.clock.move(PREVIOUS_SECRET)
    await story.eventually(lambda: old not in live(story))
    assert len(live(story)) == 1


async def test_a_lost_new_secret_keeps_the_old_one_until_the_next_was_seen(story: Story) -> None:
    """The grace begins anew: else the old one would go while its follower waits unseen."""
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    await seen(story, id)
    assert "was rotated lately" in await rotate(story, id)
    story.clock.move(PREVIOUS_SECRET - timedelta(hours=2))
    story.workspace.reload("rosa")
    await story.workspace.click("rosa", "Make a new one", on=story.notice(id))
    await replaced(story, id)
    notice = story.workspace.text_of(story.notice(id))
    assert "The previous secret works until the new one was seen" in notice
    story.clock.move(timedelta(days=2))
    await seen(story, id)
    assert old in live(story)
    story.clock.move(PREVIOUS_SECRET)
    await story.eventually(lambda: live(story) != [] and old not in live(story))


@pytest.mark.settings(APPROVALS_NEEDED="2", REQUESTERS="*", APPROVERS=three)
async def test_a_handover_withdraws_the_rotation_and_its_votes(story: Story) -> None:
    story.workspace.add_person("dan", "Dan Cole")
    id = await story.ask()
    await story.vote(id, by="grace")
    await story.approve(id, by="ben")
    await seen(story, id)
    await asked(story, id)
    read = copy.deepcopy(request(story))
    await decide(story, "Confirm", by="ada")
    told = await story.command("rosa", f"handover {id} @ada")
    assert f"has voted on {id}, so cannot take it over." in told
    await story.workspace.command("rosa", f"handover {id} @dan")
    await confirm_handover(story, by="grace")
    await story.until(lambda: f"@dan is the requester of {id} now." in story.direct("rosa"))
    assert "was withdrawn already" in await confirm_late(story, read, by="grace")
    await story.until(lambda: "[Confirm the rotation]" not in drawn(story))
    await asked(story, id, by="dan")
    await decide(story, "Confirm", by="grace")
    await story.until(lambda: "1 of 2 approvals given" in drawn(story))
    assert len(live(story)) == 1


async def test_what_is_about_to_expire_is_rotated_at_home(story: Story) -> None:
    id = await in_use(story)
    story.clock.move(timedelta(days=340))
    await opened(story, "ada")
    title = "Secrets about to expire, or expired (1)"
    await story.eventually(lambda: "[Rotate]" in part(at_home(story, "ada"), title))
    expiring = await story.command("ada", "list expiring")
    assert "asks for a new one beside the one in use" in expiring
    await press_at_home(story, "ada", "Rotate", until="rotation waits")
    assert "[Rotate]" not in part(at_home(story, "ada"), "Secrets about")
    home = await opened(story, "grace")
    assert "[Confirm the rotation]" in part(home, "Waiting for you (1)")
    await press_at_home(story, "grace", "Confirm the rotation", until="Nothing waits for you.")
    await announced(story, id)


async def press_at_home(story: Story, person: str, button: str, *, until: str) -> None:
    """Press it, and again if a check is just at work, as the refusal says."""
    said = (until, "is being worked on")
    for _ in range(20):
        if f"[{button}]" not in await opened(story, person):
            continue
        await story.workspace.click(person, button, on=story.workspace.home_of(person))
        with suppress(NeverHappened):
            await story.until(lambda: any(it in at_home(story, person) for it in said), timeout=5)
        if until in at_home(story, person):
            return
    raise AssertionError(at_home(story, person))


@pytest.mark.quick
def test_a_request_is_over_as_soon_as_the_registration_is_no_longer_ready() -> None:
    wish = asked_of()
    ready = replace(registration(), requests=(wish,))
    assert ready.waiting(RequestKind.ROTATION) is wish
    assert ids.APPROVE in str(views.request(ready, Quorum(needed=1), id="r1"))
    for other, asked_for in ((replace(ready, status=Status.FAILED), "r1"), (ready, "r0")):
        drawn = str(views.request(other, Quorum(needed=1), id=asked_for))
        assert "this request" in drawn
        assert " is over." in drawn
        assert ids.APPROVE not in drawn
    assert replace(ready, status=Status.FAILED).waiting(RequestKind.ROTATION) is None


async def test_whoever_has_changed_over_removes_the_old_secret_at_once(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    assert f"{id} has no previous secret." in await story.command("rosa", f"retire {id}")
    await rotated(story, id)
    assert f"The new secret of {id} was not seen yet" in await story.command("ada", f"retire {id}")
    assert "Remove the previous secret" not in story.direct("rosa")
    await seen(story, id)
    refused = await story.command("ben", f"retire {id}")
    assert refused == "Only the requester or an approver can remove the previous secret."
    button = "[Remove the previous secret]"
    await story.until(lambda: button in story.workspace.text_of(story.notice(id)))
    await story.until(lambda: "Remove the previous secret" in story.card(id))
    await story.workspace.click("rosa", "Remove the previous secret", on=story.notice(id))
    await story.eventually(lambda: old not in live(story))
    assert len(live(story)) == 1
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))
    await story.until(lambda: "previous secret" not in story.card(id))
    assert "Remove the previous secret" not in story.card(id)
    story.clock.move(PREVIOUS_SECRET * 2)  # what would have removed it then finds nothing
    await story.eventually(lambda: not read(story.stage, RETIRING))
    await asked(story, id)
    told = await history(story, id)
    for what in ("removal of the previous secret asked for", "previous secret removed from Entra"):
        assert told.count(what) == 1
    assert story.direct("rosa").count("the previous secret is removed from Entra") == 1


RETIRING = """
    SELECT count(*) FROM (SELECT kind FROM dues WHERE kind = 'retire' UNION ALL
    SELECT kind FROM runs WHERE kind = 'retire' AND ended_at IS NULL)
"""
"""How many removals of a previous secret are still due, or at work."""


async def changed_over(story: Story) -> tuple[str, str]:
    """Return the id of one whose second secret was seen, and the key id of its first."""
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    await seen(story, id)
    return id, old


async def retire(story: Story, id: str, *, by: str) -> None:
    """Type the word, and confirm it."""
    before = live(story)
    story.workspace.reload(by)
    assert f"Remove the previous secret of {id} now?" in await story.command(by, f"retire {id}")
    assert live(story) == before
    question = story.workspace.ephemerals(by)[-1]
    await story.workspace.click(by, "Remove the previous secret", on=question)
    assert f"The previous secret of {id} is being removed." in story.whispers(by)


async def test_an_old_secret_that_was_to_go_goes_though_a_newer_one_is_made(story: Story) -> None:
    id, old = await changed_over(story)
    held = story.tenant.faults.hold("POST", "/addPassword")
    await make_a_new_one(story, id)
    async with asyncio.timeout(60):
        await held.reached.wait()
    await retire(story, id, by="ada")
    held.release()
    await story.until(lambda: "was replaced by a newer one" in story.direct("rosa"))
    await story.eventually(lambda: old not in live(story))
    assert len(live(story)) == 1
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))


async def test_the_word_removes_the_old_secret_once_it_is_confirmed(story: Story) -> None:
    id, old = await changed_over(story)
    await retire(story, id, by="grace")
    await story.eventually(lambda: old not in live(story))


async def test_an_old_secret_that_entra_does_not_remove_at_once_goes_later(story: Story) -> None:
    id, old = await changed_over(story)
    broken = story.tenant.faults.refuse("POST", "removePassword")
    story.clock.move(PREVIOUS_SECRET)
    await story.eventually(lambda: _was_refused(story))
    assert old in live(story)
    assert "is removed from Entra" not in story.direct("rosa")
    await story.eventually(lambda: _says_that_it_goes(story.card(id)))
    await story.eventually(lambda: _says_that_it_goes(story.workspace.text_of(story.notice(id))))
    broken.times = 0
    await story.eventually(lambda: old not in live(story), step=timedelta(minutes=20))
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))


def _says_that_it_goes(drawn: str) -> bool:
    is_said = "The previous secret is being removed from Entra." in drawn
    return is_said and "Remove the previous secret" not in drawn


def _was_refused(story: Story) -> bool:
    return any("removePassword" in entry.path and entry.status == 403 for entry in story.tenant.log)


@pytest.mark.quick
def test_a_previous_secret_is_said_to_go_as_of_its_date_be_it_past_or_not() -> None:
    older = replace(secret(SecretLife.MASKED), id="s0", made_at=NOON - timedelta(days=1))
    ready = registration(secret=secret(SecretLife.MASKED))
    for its, words, has_button in (
        (older, "works until the new one was seen", False),
        (replace(older, remove_at=NOON), "is removed as of", True),
        (replace(older, remove_at=NOON, removal_began=True), "is being removed from Entra", False),
    ):
        both = replace(ready, other_secrets=(its,))
        assert words in previous(both)
        assert bool(retire_buttons(both)) is has_button
