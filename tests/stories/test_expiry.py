"""A secret in use is about to expire, or has: who is told, when, and what they can do."""

from datetime import timedelta
from functools import partial

import pytest

from bot.domain.events import Subject
from bot.domain.people import Refusal
from bot.domain.secrets import Stage
from bot.storage import history, timers
from bot.storage.message_queue import stale
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind
from tests.support.factories import ADA, ROSA
from tests.support.registrar_env import RegistrarEnv
from tests.support.rotation_story import (
    announced,
    asked,
    decide,
    in_use,
    request,
    rotated,
    seen,
)
from tests.support.story import Story
from tests.support.waiting import eventually

DAY = timedelta(days=1)
URL = "https://hooks.slack.com/actions/x"


def told(story: Story, place: str, words: str = "secret of billing expire") -> list[str]:
    """Return the reminders that stand there."""
    texts = map(story.workspace.text_of, story.workspace.messages(place))
    return [text for text in texts if words in text]


def has_been_told(story: Story, count: int) -> bool:
    return len(told(story, "rosa")) == count


async def test_the_requester_is_told_three_times_before_and_once_when_it_has_expired(
    story: Story,
) -> None:
    id = await in_use(story)
    for days, count in ((336, 1), (23, 2), (5.5, 3), (1, 4)):
        assert len(told(story, "rosa")) == count - 1
        story.clock.move(timedelta(days=days))
        await eventually(story, partial(has_been_told, story, count))
    first, *_, last = told(story, "rosa")
    assert f"{id}: the secret of billing expires 20" in first
    assert "After that the connector can no longer sign in with it." in first
    assert "[Rotate]" in first
    assert "[Revoke]" in first
    assert f"{id}: the secret of billing expired 20" in last
    await story.until(lambda: len(told(story, "approvals")) == 2)
    channel = told(story, "approvals")
    assert ["expires 20" in each for each in channel] == [True, False]
    assert "@rosa is told, too." in channel[0]
    story.clock.move(timedelta(days=90))
    await story.ask("crm")
    assert len(told(story, "rosa")) == 4
    assert len(told(story, "approvals")) == 2
    assert "told that the secret has expired" in str(
        (await story.workspace.command("ada", f"history {id}")).text
    )


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
    await workspace.open_home("rosa")
    await story.until(lambda: f"{id}: secret expired" in home(story, "rosa"))
    assert "expired 20" in home(story, "rosa").partition("Secrets about to expire")[2]
    sheet = str((await workspace.command("rosa", f"values {id}")).text)
    assert f"{id}: The secret expired 20" in sheet

    await rotated(story, id)
    await seen(story, id)
    await story.until(lambda: story.card(id).startswith(f"{id} is ready"))


def home(story: Story, name: str) -> str:
    return story.workspace.text_of(story.workspace.home_of(name) or {"blocks": []})


@pytest.mark.slow
async def test_the_reminder_rotates_and_then_there_are_none_of_the_old_secret(story: Story) -> None:
    id = await in_use(story)
    story.clock.move(timedelta(days=336))
    await eventually(story, lambda: told(story, "rosa"))
    reminder = next(
        each
        for each in story.workspace.messages("rosa")
        if "billing expires" in story.workspace.text_of(each)
    )
    for _ in range(20):  # a check may be at work
        story.workspace.reload("rosa")
        await story.workspace.click("rosa", "Rotate", on=reminder)
        if "is being worked on" not in story.whispers("rosa"):
            break
    await story.until(lambda: "[Confirm the rotation]" in story.workspace.text_of(request(story)))
    await decide(story, "Confirm", by="ada")
    await announced(story, id)
    await seen(story, id)
    story.clock.move(timedelta(days=60))
    await story.ask("crm")
    assert len(told(story, "rosa")) == 1
    story.clock.move(timedelta(days=365 - 60 - 29))
    await eventually(story, lambda: len(told(story, "rosa")) == 2)  # of the new one


@pytest.mark.slow
async def test_nobody_is_reminded_while_a_rotation_waits_but_when_it_was_in_vain(
    story: Story,
) -> None:
    id = await in_use(story)
    story.clock.move(timedelta(days=335) - timedelta(hours=2))
    await asked(story, id)
    story.clock.move(timedelta(hours=4))
    await story.ask("crm")
    assert told(story, "rosa") == []
    story.clock.move(timedelta(hours=22))
    await eventually(
        story, lambda: "no approver decided on the rotation in time" in story.direct("rosa")
    )
    await eventually(story, lambda: told(story, "rosa"), step=timedelta(hours=1))
    assert len(told(story, "rosa")) == 1


@pytest.mark.slow
async def test_if_the_requester_has_left_the_approvers_are_told_in_their_place(
    story: Story,
) -> None:
    id = await in_use(story)
    story.workspace.deactivate("rosa")
    story.clock.move(timedelta(days=336))
    await eventually(story, lambda: told(story, "approvals"))
    [text] = told(story, "approvals")
    assert "The account of @rosa, the requester, is deactivated or gone" in text
    assert f"/aad-setup handover {id} @person" in text
    story.clock.move(timedelta(days=23))
    await eventually(story, lambda: len(told(story, "approvals")) == 2)
    await story.workspace.command("ada", f"status {id}")
    assert len(told(story, "approvals")) == 2
    assert told(story, "rosa") == []


async def _rotated(registrar_env: RegistrarEnv, id: str) -> None:
    await registrar_env.registrar.requests.rotation(id, by=ROSA)
    rotation = await registrar_env.asked(id)
    await registrar_env.registrar.approval.approve(id, rotation.id, by=ADA)
    await registrar_env.hand_over(id)


async def _ten_days_pass(registrar_env: RegistrarEnv, id: str) -> None:
    """Let the scheduler look each day, and end what it begins."""
    for _ in range(10):
        registrar_env.clock.move(DAY)
        await registrar_env.scheduler().look()
        if (await registrar_env.found(id)).run is not None:
            await registrar_env.end_run(id)


async def _planned(registrar_env: RegistrarEnv, id: str) -> list[str | None]:
    async with registrar_env.database.reading() as tx:
        return [each.text for each in await timers.subjects(tx, id, TimerKind.TELL_EXPIRY)]


async def _owed(registrar_env: RegistrarEnv) -> list[tuple[str, str | None]]:
    """Return the place and the subject of each message about an expiry."""
    async with registrar_env.database.reading() as tx:
        now = registrar_env.clock.now()
        found = await stale(tx, now, drawn_before=now, limit=9999)
    kinds = (MessageKind.EXPIRY, MessageKind.EXPIRY_NEWS)
    return sorted(
        (each.message.audience, each.message.subject.text)
        for each in found
        if each.message.kind in kinds
    )


async def test_a_bot_that_was_down_for_a_month_reminds_once(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv],
) -> None:
    one, other = registrar_envs
    id = await one.in_use()
    in_use = (await one.found(id)).secret_in_use
    assert in_use is not None
    one.clock.move(timedelta(days=364, hours=12))
    for each in (one, other) * 2:
        await each.scheduler().look()
    latest = f"{in_use.id}:{Stage.DAY:d}"
    assert await _owed(one) == [("C0APPROVE", latest), (ROSA.user_id, latest)]
    assert await _planned(one, id) == [f"{in_use.id}:{Stage.OVER:d}"]
    one.clock.move(timedelta(days=30))
    for each in (one, other) * 2:
        await each.scheduler().look()
    assert len(await _owed(one)) == 4
    assert await _planned(one, id) == []
    async with one.database.reading() as tx:
        whats = [entry.what for entry in await history.read(tx, id)]
    assert whats.count("secret expires") == whats.count("secret expired") == 1


async def test_a_new_secret_takes_the_reminders_over_when_it_was_seen(env: RegistrarEnv) -> None:
    id = await env.in_use()
    [before] = await _planned(env, id)
    env.clock.move(timedelta(days=331))
    await _rotated(env, id)
    assert await _planned(env, id) == [before]
    env.clock.move(timedelta(days=6))  # past the day on which it would have been told
    await env.scheduler().look()
    assert await _owed(env) == []  # the new env waits unseen
    await env.see(id)
    found = await env.found(id)
    assert found.secret is not None
    assert found.secret_in_use == found.secret
    assert await _planned(env, id) == [f"{found.secret.id}:{Stage.MONTH:d}"]


async def test_a_new_secret_that_nobody_came_for_gives_the_reminders_back(
    env: RegistrarEnv,
) -> None:
    id = await env.in_use()
    old = (await env.found(id)).secret
    assert old is not None
    env.clock.move(timedelta(days=331))
    await _rotated(env, id)
    await _ten_days_pass(env, id)
    assert await _owed(env) == [(ROSA.user_id, f"{old.id}:{Stage.MONTH:d}")]


@pytest.mark.slow
async def test_if_all_that_followed_is_lost_the_first_secret_is_in_use_again(
    env: RegistrarEnv,
) -> None:
    """It ends long before those that followed it would have."""
    id = await env.in_use()
    first = (await env.found(id)).secret
    assert first is not None
    env.clock.move(timedelta(days=300))
    await _rotated(env, id)
    await env.see(id)
    await env.replace(id)
    await _ten_days_pass(env, id)
    assert await _planned(env, id) == [f"{first.id}:{Stage.MONTH:d}"]
    with pytest.raises(Refusal, match="was not picked up in time"):
        await env.registrar.requests.rotation(id, by=ROSA)


async def test_what_nobody_was_told_before_an_upgrade_is_told_at_once_and_once(
    env: RegistrarEnv,
) -> None:
    id = await env.in_use()
    used = (await env.found(id)).secret
    assert used is not None
    env.clock.move(timedelta(days=360))
    async with env.database.transaction() as tx:
        await timers.cancel(tx, id, TimerKind.TELL_EXPIRY)
        subject = Subject(secret="-", stage=Stage.MONTH)
        await timers.add(tx, id, TimerKind.TELL_EXPIRY, env.clock.now(), subject)
    for _ in range(3):
        await env.scheduler().look()
    week = f"{used.id}:{Stage.WEEK:d}"
    assert await _owed(env) == sorted([(ROSA.user_id, week), ("C0APPROVE", week)])
    assert await _planned(env, id) == [f"{used.id}:{Stage.DAY:d}"]


async def test_what_is_revoked_is_reminded_of_no_more(env: RegistrarEnv) -> None:
    id = await env.in_use()
    await env.registrar.revocation.revoke(id, by=ROSA)
    assert await _planned(env, id) == []


async def test_a_mask_that_comes_after_the_revocation_plans_no_reminder(env: RegistrarEnv) -> None:
    id = await env.ready()
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.revocation.revoke(id, by=ADA)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.secrets.masked(id, look.secret)
    assert await _planned(env, id) == []


async def test_a_secret_of_which_nobody_knows_whether_it_was_seen_may_be_in_use(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    assert await _planned(env, id) == []
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.lost(id, look.secret, by=ROSA)
    assert await _planned(env, id) == [f"{look.secret}:{Stage.MONTH:d}"]
