"""A secret that nobody picks up: the requester is reminded, and all are told of its removal."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.storage import secret_notices, timers
from bot.storage.message_queue import stale
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind
from handlers.views.notices import unread, unread_removed
from tests.support.factories import ADA, ROSA, registration, secret
from tests.support.registrar_env import RegistrarEnv
from tests.support.rotation_story import history, in_use, rotated
from tests.support.secret_lives import SecretLife
from tests.support.secret_story import MARK, live
from tests.support.story import Story
from tests.support.waiting import eventually, make_a_new_one

DAY = timedelta(days=1)
GONE = ": the secret of billing wasn't picked up within 7 days"
WAITS = "hasn't been picked up yet"


def said(story: Story, place: str, words: str) -> list[str]:
    """Return the messages with these words that stand there."""
    texts = map(story.workspace.text_of, story.workspace.messages(place))
    return [text for text in texts if words in text]


def is_said(story: Story, place: str, words: str, count: int) -> bool:
    return len(said(story, place, words)) == count


async def removed(story: Story, place: str) -> str:
    """Wait for the message about a removal, and return it."""
    await story.until(lambda: said(story, place, GONE))
    [text] = said(story, place, GONE)
    return text


@pytest.mark.slow
async def test_the_requester_is_reminded_three_times_and_all_are_told_of_the_removal(
    story: Story,
) -> None:
    id = await story.ready()
    for days, count in ((1, 1), (2, 2), (3, 3)):
        assert is_said(story, "rosa", WAITS, count - 1)
        story.clock.move(timedelta(days=days, minutes=1))
        await eventually(story, partial(is_said, story, "rosa", WAITS, count))
    assert "[Get the values]" in said(story, "rosa", WAITS)[0]
    assert "or it will be deleted from Entra" in said(story, "rosa", WAITS)[0]
    assert not said(story, "approvals", WAITS)

    story.clock.move(DAY)
    await eventually(story, lambda: not live(story))
    assert "[Make a new one]" in await removed(story, "rosa")
    told = await removed(story, "approvals")
    assert "@rosa is told, too." in told
    assert "[Revoke]" in told
    assert is_said(story, "rosa", WAITS, 3)
    assert "that secret was removed from Entra" in await history(story, id)

    await make_a_new_one(story, id)
    await story.until(lambda: len(live(story)) == 1)
    assert is_said(story, "rosa", GONE, 1)


@pytest.mark.slow
async def test_the_reminder_leads_to_the_secret_and_nothing_follows_it(story: Story) -> None:
    await story.ready()
    story.clock.move(DAY)
    await eventually(story, lambda: said(story, "rosa", WAITS))
    text_of = story.workspace.text_of
    reminder = next(it for it in story.workspace.messages("rosa") if WAITS in text_of(it))
    await story.workspace.click("rosa", "Get the values", on=reminder)
    assert MARK in await story.reveal()
    for _ in range(7):
        story.clock.move(DAY)
        await story.ask(f"crm {story.clock.now():%d}")
        story.clock.move(timedelta(hours=1))
    assert is_said(story, "rosa", WAITS, 1)
    assert not said(story, "rosa", GONE)
    assert not said(story, "approvals", GONE)
    assert len(live(story)) == 1


@pytest.mark.slow
async def test_nobody_is_told_of_a_removal_before_entra_has_let_the_secret_go(story: Story) -> None:
    id = await story.ready()
    outage = story.tenant.faults.fail("POST", "/removePassword", times=10_000)
    story.clock.move(timedelta(days=7))
    waits = "so it is being deleted from Entra"
    await eventually(story, lambda: waits in story.workspace.text_of(story.notice(id)))
    story.clock.move(timedelta(minutes=30))
    await story.workspace.command("rosa", f"status {id}")
    assert len(live(story)) == 1
    assert not said(story, "rosa", GONE)
    assert not said(story, "approvals", GONE)

    outage.times = 0
    await eventually(story, lambda: not live(story), step=timedelta(minutes=10))
    await removed(story, "rosa")
    await removed(story, "approvals")
    story.clock.move(timedelta(hours=25))  # further sweeps find nothing to tell
    await story.ask("crm")
    assert is_said(story, "rosa", GONE, 1)
    assert is_said(story, "approvals", GONE, 1)


@pytest.mark.slow
async def test_of_an_unread_rotation_the_requester_is_told_once_that_the_old_secret_works(
    story: Story,
) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    story.clock.move(timedelta(days=7, minutes=1))
    await eventually(story, lambda: live(story) == [old])
    told = await removed(story, "rosa")
    assert "The previous secret keeps working." in told
    assert "[Rotate]" in told
    assert "The previous secret keeps working." in await removed(story, "approvals")


@pytest.mark.slow
async def test_if_the_requester_has_left_the_approvers_are_told_alone(story: Story) -> None:
    id = await story.ready()
    story.workspace.deactivate("rosa")
    story.clock.move(timedelta(days=7, minutes=1))
    await eventually(story, lambda: not live(story))
    told = await removed(story, "approvals")
    assert "The account of @rosa, the requester, is deactivated or gone" in told
    assert f"/aad-setup handover {id} @person" in told
    assert not said(story, "rosa", GONE)
    assert not said(story, "rosa", WAITS)


# What storage owes, without Slack and without Entra.


async def _announced(registrar_env: RegistrarEnv) -> str:
    id = await registrar_env.approved()
    await registrar_env.hand_over(id)
    return id


async def _owed(registrar_env: RegistrarEnv, *kinds: MessageKind) -> list[str]:
    async with registrar_env.database.reading() as tx:
        now = registrar_env.clock.now()
        found = await stale(tx, now, drawn_before=now, limit=9999)
    return sorted(each.message.audience for each in found if each.message.kind in kinds)


async def _planned(registrar_env: RegistrarEnv, id: str) -> list[str | None]:
    async with registrar_env.database.reading() as tx:
        return [each.text for each in await timers.subjects(tx, id, TimerKind.REMIND_UNREAD)]


@pytest.mark.slow
async def test_a_bot_that_was_down_for_days_reminds_once(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv],
) -> None:
    one, other = registrar_envs
    id = await _announced(one)
    one.clock.move(timedelta(days=4))
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert await _owed(one, MessageKind.UNSEEN) == [ROSA.user_id]
    assert len(await _planned(one, id)) == 1
    one.clock.move(timedelta(days=4))  # past the removal, too
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert await _owed(one, MessageKind.UNSEEN) == [ROSA.user_id]
    assert await _planned(one, id) == []


async def test_what_is_revoked_is_reminded_of_no_more(env: RegistrarEnv) -> None:
    id = await _announced(env)
    await env.registrar.revocation.revoke(id, by=ADA)
    assert await _planned(env, id) == []


@pytest.mark.slow
async def test_a_secret_that_was_never_announced_is_removed_without_a_word(
    env: RegistrarEnv,
) -> None:
    id = await _announced(env)
    async with env.database.transaction() as tx:
        await secret_notices.tell_removed(tx, id, ["another"], env.clock.now())
    assert await _owed(env, MessageKind.UNREAD, MessageKind.UNREAD_NEWS) == []


# What people read when it has moved on before they do.


def _lost(status: Status = Status.READY, run: RunKind | None = None) -> Registration:
    gone = secret(SecretLife.REMOVED)
    return replace(registration(status, secret=gone), run=run)


def test_whoever_reads_late_is_offered_nothing_that_is_over() -> None:
    assert "Make a new one" in str(unread_removed(_lost(), "s1"))
    assert "Make a new one" in str(unread_removed(_lost(run=RunKind.REMOVE_UNREAD), "s1"))
    for it, about in ((_lost(), "older"), (_lost(run=RunKind.REPLACE_SECRET), "s1")):
        assert "Make a new one" not in str(unread_removed(it, about))
    assert "Make a new one" not in str(unread_removed(_lost(Status.REVOKED), "s1"))
    assert "Revoke" not in str(unread_removed(_lost(Status.REVOKED), "s1", also=""))
    assert "Get the values" not in str(unread(_lost(), "s1"))
