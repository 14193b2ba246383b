"""A secret that nobody picks up: the requester is reminded, and all are told of its removal."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.playground.clock import MovableClock
from bot.runs.provisioning import Provisioning
from bot.storage import timers, unread_notices
from bot.storage.messages import MessageKind, stale
from bot.storage.timers import TimerKind
from handlers.views import unread_secret as views
from tests.stories.test_reveals import MARK, live
from tests.support.factories import ADA, ROSA, registration, secret
from tests.support.registrar_env import Office, two_offices
from tests.support.rotation_story import history, in_use, rotated
from tests.support.story import Scene
from tests.support.waiting import eventually, make_a_new_one

DAY = timedelta(days=1)
GONE = "wasn't picked up within 7 days, so it was deleted from Entra"
WAITS = "hasn't been picked up yet"


def said(scene: Scene, place: str, words: str) -> list[str]:
    """Return the messages with these words that stand there."""
    texts = map(scene.workspace.text_of, scene.workspace.messages(place))
    return [text for text in texts if words in text]


def is_said(scene: Scene, place: str, words: str, count: int) -> bool:
    return len(said(scene, place, words)) == count


async def removed(scene: Scene, place: str) -> str:
    """Wait for the message about a removal, and return it."""
    await scene.until(lambda: said(scene, place, GONE))
    [text] = said(scene, place, GONE)
    return text


async def test_the_requester_is_reminded_three_times_and_all_are_told_of_the_removal(
    scene: Scene,
) -> None:
    id = await scene.ready()
    for days, count in ((1, 1), (2, 2), (3, 3)):
        assert is_said(scene, "rosa", WAITS, count - 1)
        scene.clock.move(timedelta(days=days, minutes=1))
        await eventually(scene, partial(is_said, scene, "rosa", WAITS, count))
    assert "[Get the values]" in said(scene, "rosa", WAITS)[0]
    assert "or it will be deleted from Entra" in said(scene, "rosa", WAITS)[0]
    assert not said(scene, "approvals", WAITS)

    scene.clock.move(DAY)
    await eventually(scene, lambda: not live(scene))
    assert "[Make a new one]" in await removed(scene, "rosa")
    told = await removed(scene, "approvals")
    assert "@rosa is told, too." in told
    assert "[Revoke]" in told
    assert is_said(scene, "rosa", WAITS, 3)
    assert "that secret was removed from Entra" in await history(scene, id)

    await make_a_new_one(scene, id)
    await scene.until(lambda: len(live(scene)) == 1)
    assert is_said(scene, "rosa", GONE, 1)


async def test_the_reminder_leads_to_the_secret_and_nothing_follows_it(scene: Scene) -> None:
    await scene.ready()
    scene.clock.move(DAY)
    await eventually(scene, lambda: said(scene, "rosa", WAITS))
    text_of = scene.workspace.text_of
    reminder = next(it for it in scene.workspace.messages("rosa") if WAITS in text_of(it))
    await scene.workspace.click("rosa", "Get the values", on=reminder)
    assert MARK in await scene.reveal()
    for _ in range(7):
        scene.clock.move(DAY)
        await scene.ask(f"crm {scene.clock.now():%d}")
        scene.clock.move(timedelta(hours=1))
    assert is_said(scene, "rosa", WAITS, 1)
    assert not said(scene, "rosa", GONE)
    assert not said(scene, "approvals", GONE)
    assert len(live(scene)) == 1


async def test_nobody_is_told_of_a_removal_before_entra_has_let_the_secret_go(
    scene: Scene,
) -> None:
    id = await scene.ready()
    outage = scene.tenant.faults.fail("POST", "/removePassword", times=10_000)
    scene.clock.move(timedelta(days=7))
    waits = "It can no longer be shown, and is being removed"
    await eventually(scene, lambda: waits in scene.workspace.text_of(scene.notice(id)))
    scene.clock.move(timedelta(minutes=30))
    await scene.workspace.command("rosa", f"status {id}")
    assert len(live(scene)) == 1
    assert not said(scene, "rosa", GONE)
    assert not said(scene, "approvals", GONE)

    outage.times = 0
    await eventually(scene, lambda: not live(scene), step=timedelta(minutes=10))
    await removed(scene, "rosa")
    await removed(scene, "approvals")
    scene.clock.move(timedelta(hours=25))  # further sweeps find nothing to tell
    await scene.ask("crm")
    assert is_said(scene, "rosa", GONE, 1)
    assert is_said(scene, "approvals", GONE, 1)


async def test_of_an_unread_rotation_the_requester_is_told_once_that_the_old_secret_works(
    scene: Scene,
) -> None:
    id = await in_use(scene)
    [old] = live(scene)
    await rotated(scene, id)
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: live(scene) == [old])
    told = await removed(scene, "rosa")
    assert "The previous secret keeps working." in told
    assert "[Rotate]" in told
    assert "The previous secret keeps working." in await removed(scene, "approvals")


async def test_if_the_requester_has_left_the_approvers_are_told_alone(scene: Scene) -> None:
    id = await scene.ready()
    scene.workspace.deactivate("rosa")
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: not live(scene))
    told = await removed(scene, "approvals")
    assert "The account of @rosa, its requester, is deactivated or gone" in told
    assert f"/aad-setup handover {id} @person" in told
    assert not said(scene, "rosa", GONE)
    assert not said(scene, "rosa", WAITS)


# What storage owes, without Slack and without Entra.


@pytest.fixture
async def offices(database_url: str, clock: MovableClock) -> AsyncIterator[tuple[Office, Office]]:
    async with two_offices(database_url, clock) as both:
        yield both


async def _announced(office: Office) -> str:
    id = await office.approved()
    run = await office.run_of(id)
    await office.seal(id, run)
    await Provisioning(office.parts())._finish(run.id)
    return id


async def _owed(office: Office, *kinds: MessageKind) -> list[str]:
    async with office.database.reading() as tx:
        now = office.clock.now()
        found = await stale(tx, now, drawn_before=now, limit=9999)
    return sorted(each.message.audience for each in found if each.message.kind in kinds)


async def _planned(office: Office, id: str) -> list[str | None]:
    async with office.database.reading() as tx:
        return list(await timers.subjects(tx, id, TimerKind.REMIND_UNREAD))


async def test_a_bot_that_was_down_for_days_reminds_once(offices: tuple[Office, Office]) -> None:
    one, other = offices
    id = await _announced(one)
    one.clock.move(timedelta(days=4))
    for each in (one, other) * 2:
        await each.keeper().look()
    assert await _owed(one, MessageKind.UNSEEN) == [ROSA.user_id]
    assert len(await _planned(one, id)) == 1
    one.clock.move(timedelta(days=4))  # past the removal, too
    for each in (one, other) * 2:
        await each.keeper().look()
    assert await _owed(one, MessageKind.UNSEEN) == [ROSA.user_id]
    assert await _planned(one, id) == []


async def test_what_is_revoked_is_reminded_of_no_more(offices: tuple[Office, Office]) -> None:
    one, _ = offices
    id = await _announced(one)
    await one.registrar.revoke(id, by=ADA)
    assert await _planned(one, id) == []


async def test_a_secret_that_was_never_announced_is_removed_without_a_word(
    offices: tuple[Office, Office],
) -> None:
    one, _ = offices
    id = await _announced(one)
    async with one.database.transaction() as tx:
        await unread_notices.tell_removed(
            tx, id, ["another"], one.clock.now(), approval_channel="C0APPROVE"
        )
    assert await _owed(one, MessageKind.UNREAD, MessageKind.UNREAD_NEWS) == []


# What people read when it has moved on before they do.


def _lost(status: Status = Status.READY, run: RunKind | None = None) -> Registration:
    gone = secret(SecretState.REMOVED)
    return replace(registration(status, secret=gone), run=run)


def test_whoever_reads_late_is_offered_nothing_that_is_over() -> None:
    assert "Make a new one" in str(views.removed(_lost(), "s1"))
    assert "Make a new one" in str(views.removed(_lost(run=RunKind.REMOVE_UNREAD), "s1"))
    for it, about in ((_lost(), "older"), (_lost(run=RunKind.REPLACE_SECRET), "s1")):
        assert "Make a new one" not in str(views.removed(it, about))
    assert "Make a new one" not in str(views.removed(_lost(Status.REVOKED), "s1"))
    assert "Revoke" not in str(views.for_approvers(_lost(Status.REVOKED), "s1", has_left=False))
    assert "Get the values" not in str(views.reminder(_lost(), "s1"))
