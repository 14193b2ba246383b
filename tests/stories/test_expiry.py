"""A secret waits unread, is about to expire, or has: who is told, when, and what they can do."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.events import Subject
from bot.domain.people import Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import Stage
from bot.storage import secret_notices, timers
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind
from handlers.views.notices import unread, unread_removed
from tests.support.concurrency import RegistrarEnvs
from tests.support.factories import ADA, ROSA, registration, secret
from tests.support.home_story import opened
from tests.support.home_story import seen as seen_at_home
from tests.support.registrar_env import ANSWER_TO, RegistrarEnv
from tests.support.rotation_story import (
    announced,
    asked,
    decide,
    drawn,
    history,
    in_use,
    rotated,
    seen,
)
from tests.support.secret_lives import SecretLife
from tests.support.secret_story import MARK, live, make_a_new_one
from tests.support.story import Story

DAY = timedelta(days=1)
EXPIRY = TimerKind.TELL_EXPIRY
OF_EXPIRY = (MessageKind.EXPIRY, MessageKind.EXPIRY_NEWS)
LEFT = (MessageKind.LEFT, MessageKind.EXPIRY)
EXPIRES = "secret of billing expire"


def is_told(story: Story, place: str, words: str, count: int) -> bool:
    return len(story.texts(place, words)) == count


async def _announced(env: RegistrarEnv) -> str:
    id = await env.approved()
    await env.hand_over(id)
    return id


@pytest.mark.slow
async def test_the_requester_is_told_thrice_before_and_once_when_it_is_over(story: Story) -> None:
    id = await in_use(story)
    for days, count in ((336, 1), (23, 2), (5.5, 3), (1, 4)):
        assert len(story.texts("rosa", EXPIRES)) == count - 1
        story.clock.move(timedelta(days=days))
        await story.eventually(partial(is_told, story, "rosa", EXPIRES, count))
    first, *_, last = story.texts("rosa", EXPIRES)
    assert f"{id}: the secret of billing expires 20" in first
    assert "After that the connector can no longer sign in with it." in first
    assert "[Rotate]" in first
    assert "[Revoke]" in first
    assert f"{id}: the secret of billing expired 20" in last
    await story.until(lambda: len(story.texts("approvals", EXPIRES)) == 2)
    channel = story.texts("approvals", EXPIRES)
    assert ["expires 20" in each for each in channel] == [True, False]
    assert "@rosa is told, too." in channel[0]
    story.clock.move(timedelta(days=90))
    await story.ask("crm")
    assert len(story.texts("rosa", EXPIRES)) == 4
    assert len(story.texts("approvals", EXPIRES)) == 2
    assert "told that the secret has expired" in await story.command("ada", f"history {id}")


@pytest.mark.slow
async def test_a_secret_in_use_that_has_expired_is_said_to_have_in_every_view(story: Story) -> None:
    id = await in_use(story)
    workspace = story.workspace
    story.clock.move(timedelta(days=366))
    await story.until(lambda: story.card(id).startswith(f"{id}: secret expired"))
    assert "can no longer sign in" in story.card(id)
    assert "is ready" not in story.card(id)
    await story.until(lambda: f"{id}: secret expired" in story.direct("rosa"))
    for words in ("status", f"status {id}", "list all", "list ready", "list expiring"):
        shown = str((await workspace.command("rosa", words)).text)
        assert f"{id}: secret expired" in shown, words
        assert "is ready" not in shown
    await opened(story, "rosa")
    await story.until(lambda: f"{id}: secret expired" in seen_at_home(story, "rosa"))
    assert "expired 20" in seen_at_home(story, "rosa").partition("Secrets about to expire")[2]
    sheet = str((await workspace.command("rosa", f"values {id}")).text)
    assert f"{id}: The secret expired 20" in sheet

    await rotated(story, id)
    await seen(story, id)
    await story.until(lambda: story.card(id).startswith(f"{id} is ready"))


@pytest.mark.slow
async def test_the_reminder_rotates_and_then_there_are_none_of_the_old_secret(story: Story) -> None:
    id = await in_use(story)
    story.clock.move(timedelta(days=336))
    await story.eventually(lambda: story.texts("rosa", EXPIRES))
    [reminder] = story.posted("rosa", EXPIRES)
    await story.click_when_idle("rosa", "Rotate", reminder)
    await story.until(lambda: "[Confirm the rotation]" in drawn(story))
    await decide(story, "Confirm", by="ada")
    await announced(story, id)
    await seen(story, id)
    story.clock.move(timedelta(days=60))
    await story.ask("crm")
    assert len(story.texts("rosa", EXPIRES)) == 1
    story.clock.move(timedelta(days=365 - 60 - 29))
    await story.eventually(lambda: len(story.texts("rosa", EXPIRES)) == 2)  # of the new one


@pytest.mark.slow
async def test_nobody_is_reminded_while_a_rotation_waits_but_after_it_failed(story: Story) -> None:
    id = await in_use(story)
    story.clock.move(timedelta(days=335) - timedelta(hours=2))
    await asked(story, id)
    story.clock.move(timedelta(hours=4))
    await story.ask("crm")
    assert story.texts("rosa", EXPIRES) == []
    story.clock.move(timedelta(hours=22))
    await story.eventually(
        lambda: "no approver decided on the rotation in time" in story.direct("rosa")
    )
    await story.eventually(lambda: story.texts("rosa", EXPIRES), step=timedelta(hours=1))
    assert len(story.texts("rosa", EXPIRES)) == 1


@pytest.mark.slow
async def test_if_the_requester_has_left_the_approvers_are_told_instead(story: Story) -> None:
    id = await in_use(story)
    story.workspace.deactivate("rosa")
    story.clock.move(timedelta(days=336))
    await story.eventually(lambda: story.texts("approvals", EXPIRES))
    [text] = story.texts("approvals", EXPIRES)
    assert "The account of @rosa, the requester, is deactivated or gone" in text
    assert f"/aad-setup handover {id} @person" in text
    story.clock.move(timedelta(days=23))
    await story.eventually(lambda: len(story.texts("approvals", EXPIRES)) == 2)
    await story.workspace.command("ada", f"status {id}")
    assert len(story.texts("approvals", EXPIRES)) == 2
    assert story.texts("rosa", EXPIRES) == []


async def _rotated(env: RegistrarEnv, id: str) -> None:
    await env.registrar.requests.rotation(id, by=ROSA)
    rotation = await env.asked(id)
    await env.registrar.approval.approve(id, rotation.id, by=ADA)
    await env.hand_over(id)


async def _ten_days_pass(env: RegistrarEnv, id: str) -> None:
    """Let the scheduler look each day, and end what it begins."""
    for _ in range(10):
        env.clock.move(DAY)
        await env.scheduler().look()
        if (await env.found(id)).run is not None:
            await env.end_run(id)


async def test_a_bot_that_was_down_for_a_month_reminds_once(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    id = await one.in_use()
    in_use = (await one.found(id)).secret_in_use
    assert in_use is not None
    one.clock.move(timedelta(days=364, hours=12))
    for each in (one, other) * 2:
        await each.scheduler().look()
    latest = f"{in_use.id}:{Stage.DAY:d}"
    assert await one.owed(*OF_EXPIRY) == [("C0APPROVE", latest), (ROSA.user_id, latest)]
    assert await one.planned(id, EXPIRY) == [f"{in_use.id}:{Stage.OVER:d}"]
    one.clock.move(timedelta(days=30))
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert len(await one.owed(*OF_EXPIRY)) == 4
    assert await one.planned(id, EXPIRY) == []
    whats = await one.told(id)
    assert whats.count("secret expires") == whats.count("secret expired") == 1


async def test_a_new_secret_takes_the_reminders_over_when_it_was_seen(env: RegistrarEnv) -> None:
    id = await env.in_use()
    [before] = await env.planned(id, EXPIRY)
    env.clock.move(timedelta(days=331))
    await _rotated(env, id)
    assert await env.planned(id, EXPIRY) == [before]
    env.clock.move(timedelta(days=6))  # past the day on which it would have been told
    await env.scheduler().look()
    assert await env.owed(*OF_EXPIRY) == []  # the new env waits unseen
    await env.see(id)
    found = await env.found(id)
    assert found.secret is not None
    assert found.secret_in_use == found.secret
    assert await env.planned(id, EXPIRY) == [f"{found.secret.id}:{Stage.MONTH:d}"]


async def test_a_new_secret_that_nobody_came_for_gives_reminders_back(env: RegistrarEnv) -> None:
    id = await env.in_use()
    old = await env.newest_secret(id)
    env.clock.move(timedelta(days=331))
    await _rotated(env, id)
    await _ten_days_pass(env, id)
    assert await env.owed(*OF_EXPIRY) == [(ROSA.user_id, f"{old.id}:{Stage.MONTH:d}")]


@pytest.mark.slow
async def test_if_all_that_followed_is_lost_the_first_secret_is_in_use(env: RegistrarEnv) -> None:
    """It ends long before those that followed it would have."""
    id = await env.in_use()
    first = await env.newest_secret(id)
    env.clock.move(timedelta(days=300))
    await _rotated(env, id)
    await env.see(id)
    await env.replace(id)
    await _ten_days_pass(env, id)
    assert await env.planned(id, EXPIRY) == [f"{first.id}:{Stage.MONTH:d}"]
    with pytest.raises(Refusal, match="was not picked up in time"):
        await env.registrar.requests.rotation(id, by=ROSA)


async def test_what_nobody_was_told_before_an_upgrade_is_told_once(env: RegistrarEnv) -> None:
    id = await env.in_use()
    used = await env.newest_secret(id)
    env.clock.move(timedelta(days=360))
    async with env.database.transaction() as tx:
        await timers.cancel(tx, id, TimerKind.TELL_EXPIRY)
        subject = Subject(secret="-", stage=Stage.MONTH)
        await timers.add(tx, id, TimerKind.TELL_EXPIRY, env.clock.now(), subject)
    for _ in range(3):
        await env.scheduler().look()
    week = f"{used.id}:{Stage.WEEK:d}"
    assert await env.owed(*OF_EXPIRY) == sorted([(ROSA.user_id, week), ("C0APPROVE", week)])
    assert await env.planned(id, EXPIRY) == [f"{used.id}:{Stage.DAY:d}"]


@pytest.mark.parametrize(
    ("make", "kind"), [(RegistrarEnv.in_use, EXPIRY), (_announced, TimerKind.REMIND_UNREAD)]
)
async def test_what_is_revoked_is_reminded_of_no_more(
    env: RegistrarEnv, make: Callable[[RegistrarEnv], Awaitable[str]], kind: TimerKind
) -> None:
    id = await make(env)
    assert await env.planned(id, kind)
    await env.registrar.revocation.revoke(id, by=ADA)
    assert await env.planned(id, kind) == []


async def test_a_mask_that_comes_after_the_revocation_plans_no_reminder(env: RegistrarEnv) -> None:
    id = await env.ready()
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=ANSWER_TO)
    await env.registrar.revocation.revoke(id, by=ADA)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.secrets.masked(id, look.secret)
    assert await env.planned(id, EXPIRY) == []


async def test_a_secret_that_may_have_been_seen_may_be_in_use(env: RegistrarEnv) -> None:
    id = await env.ready()
    assert await env.planned(id, EXPIRY) == []
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=ANSWER_TO)
    await env.registrar.secrets.lost(id, look.secret, by=ROSA)
    assert await env.planned(id, EXPIRY) == [f"{look.secret}:{Stage.MONTH:d}"]


GONE = ": the secret of billing wasn't picked up within 7 days"
WAITS = "hasn't been picked up yet"


async def removed(story: Story, place: str) -> str:
    """Wait for the message about a removal, and return it."""
    await story.until(lambda: story.texts(place, GONE))
    [text] = story.texts(place, GONE)
    return text


@pytest.mark.slow
async def test_the_requester_is_reminded_thrice_and_all_hear_of_the_removal(story: Story) -> None:
    id = await story.ready()
    for days, count in ((1, 1), (2, 2), (3, 3)):
        assert is_told(story, "rosa", WAITS, count - 1)
        story.clock.move(timedelta(days=days, minutes=1))
        await story.eventually(partial(is_told, story, "rosa", WAITS, count))
    assert "[Get the values]" in story.texts("rosa", WAITS)[0]
    assert "or it will be deleted from Entra" in story.texts("rosa", WAITS)[0]
    assert not story.texts("approvals", WAITS)

    story.clock.move(DAY)
    await story.eventually(lambda: not live(story))
    assert "[Make a new one]" in await removed(story, "rosa")
    told = await removed(story, "approvals")
    assert "@rosa is told, too." in told
    assert "[Revoke]" in told
    assert is_told(story, "rosa", WAITS, 3)
    assert "that secret was removed from Entra" in await history(story, id)

    await make_a_new_one(story, id)
    await story.until(lambda: len(live(story)) == 1)
    assert is_told(story, "rosa", GONE, 1)


@pytest.mark.slow
async def test_the_reminder_leads_to_the_secret_and_nothing_follows_it(story: Story) -> None:
    await story.ready()
    story.clock.move(DAY)
    await story.eventually(lambda: story.texts("rosa", WAITS))
    [reminder] = story.posted("rosa", WAITS)
    await story.workspace.click("rosa", "Get the values", on=reminder)
    assert MARK in await story.reveal()
    for _ in range(7):
        story.clock.move(DAY)
        await story.ask(f"crm {story.clock.now():%d}")
        story.clock.move(timedelta(hours=1))
    assert is_told(story, "rosa", WAITS, 1)
    assert not story.texts("rosa", GONE)
    assert not story.texts("approvals", GONE)
    assert len(live(story)) == 1


@pytest.mark.slow
async def test_nobody_is_told_of_a_removal_before_entra_has_let_the_secret_go(story: Story) -> None:
    id = await story.ready()
    outage = story.tenant.faults.fail("POST", "/removePassword", times=10_000)
    story.clock.move(timedelta(days=7))
    waits = "so it is being deleted from Entra"
    await story.eventually(lambda: waits in story.workspace.text_of(story.notice(id)))
    story.clock.move(timedelta(minutes=30))
    await story.workspace.command("rosa", f"status {id}")
    assert len(live(story)) == 1
    assert not story.texts("rosa", GONE)
    assert not story.texts("approvals", GONE)

    outage.times = 0
    await story.eventually(lambda: not live(story), step=timedelta(minutes=10))
    await removed(story, "rosa")
    await removed(story, "approvals")
    story.clock.move(timedelta(hours=25))  # further sweeps find nothing to tell
    await story.ask("crm")
    assert is_told(story, "rosa", GONE, 1)
    assert is_told(story, "approvals", GONE, 1)


@pytest.mark.slow
async def test_of_an_unread_rotation_is_told_once_that_the_old_secret_works(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: live(story) == [old])
    told = await removed(story, "rosa")
    assert "The previous secret keeps working." in told
    assert "[Rotate]" in told
    assert "The previous secret keeps working." in await removed(story, "approvals")


@pytest.mark.slow
async def test_if_the_requester_has_left_the_approvers_are_told_alone(story: Story) -> None:
    id = await story.ready()
    story.workspace.deactivate("rosa")
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: not live(story))
    told = await removed(story, "approvals")
    assert "The account of @rosa, the requester, is deactivated or gone" in told
    assert f"/aad-setup handover {id} @person" in told
    assert not story.texts("rosa", GONE)
    assert not story.texts("rosa", WAITS)


# What storage owes, without Slack and without Entra.


@pytest.mark.slow
async def test_a_bot_that_was_down_for_days_reminds_once(registrar_envs: RegistrarEnvs) -> None:
    one, other = registrar_envs
    id = await _announced(one)
    one.clock.move(timedelta(days=4))
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert [to for to, _ in await one.owed(MessageKind.UNSEEN)] == [ROSA.user_id]
    assert len(await one.planned(id, TimerKind.REMIND_UNREAD)) == 1
    one.clock.move(timedelta(days=4))  # past the removal, too
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert [to for to, _ in await one.owed(MessageKind.UNSEEN)] == [ROSA.user_id]
    assert await one.planned(id, TimerKind.REMIND_UNREAD) == []


@pytest.mark.slow
async def test_a_secret_that_was_never_announced_goes_without_a_word(env: RegistrarEnv) -> None:
    id = await _announced(env)
    await env.database.write(secret_notices.tell_removed, id, ["another"], env.clock.now())
    assert await env.owed(MessageKind.UNREAD, MessageKind.UNREAD_NEWS) == []


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


async def _told(env: RegistrarEnv, id: str) -> tuple[list[MessageKind], int]:
    """Return whom the approvers are told of, and how often history says that somebody left."""
    about = [kind for kind in LEFT for _ in await env.owed(kind)]
    return about, (await env.told(id)).count("requester left")


async def test_that_values_were_sent_to_nobody_is_told_once_of_each_message(
    registrar_envs: RegistrarEnvs,
) -> None:
    one, other = registrar_envs
    id = await one.ready()
    for each in (one, other):  # which carries on after a crash
        await each.registrar.deliveries.requester_left(id, who=ROSA.user_id, message="m1")
    assert await _told(one, id) == ([MessageKind.LEFT], 1)
    await one.registrar.deliveries.requester_left(
        id, who=ROSA.user_id, message="m2"
    )  # of another secret
    assert await _told(one, id) == ([MessageKind.LEFT, MessageKind.LEFT], 2)


@pytest.mark.parametrize("stage", [Stage.DAY, Stage.OVER])
async def test_that_nobody_heard_of_an_expiry_is_told_once(
    registrar_envs: RegistrarEnvs, stage: Stage
) -> None:
    one, other = registrar_envs
    id = await one.ready()
    expiry = Subject(secret="s1", stage=stage)
    for each in (one, other):
        await each.registrar.deliveries.requester_left(
            id, who=ROSA.user_id, message="m1", expiry=expiry
        )
    assert await _told(one, id) == ([MessageKind.EXPIRY], 1)


async def test_nothing_is_told_of_somebody_who_is_not_the_requester(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.registrar.deliveries.requester_left(id, who="U0BEFORE", message="m1")
    expiry = Subject(secret="s1", stage=Stage.DAY)
    await env.registrar.deliveries.requester_left(id, who="U0BEFORE", message="m1", expiry=expiry)
    assert await _told(env, id) == ([], 0)
