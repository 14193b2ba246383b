"""Approvals of people who could not approve any more when the last one comes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.storage.database import Database
from handlers.slack.users import REMEMBERED
from tests.support import rotation_story
from tests.support.factories import ADA, BEN, GRACE, GROUPS, ROSA, ids
from tests.support.marks import slow
from tests.support.registrar_env import RegistrarEnv, registrar_env, team_policy
from tests.support.running_bot import Bot
from tests.support.secret_story import live
from tests.support.story import Story

LATER = timedelta(minutes=1)
GONE = replace(ADA, doubts=("is deactivated",))


@pytest.fixture
async def three(bot: Bot, stage: Stage) -> AsyncIterator[Story]:
    """A story in which two of Ada, Grace and Ben decide."""
    deciders = ",".join(stage.workspace.people[name].id for name in ("ada", "grace", "ben"))
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        yield Story(stage)


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    return registrar_env(database, clock, approvers=ids(ADA, GRACE, BEN), approvals_needed=2)


async def _approve(story: Story, id: str, by: str) -> Any:
    return await story.workspace.click(by, "Approve", on=story.card_of(id))


@pytest.mark.slow
async def test_an_approval_of_somebody_who_has_left_since_no_longer_counts(three: Story) -> None:
    story = three
    id = await story.ask()
    await _approve(story, id, "ada")
    story.workspace.deactivate("ada")
    await _approve(story, id, "grace")
    lost = "The approval of @ada no longer counts: the account is deactivated"
    await story.until(lambda: lost in story.card())
    assert "1 of 2 approvals given" in story.card()
    assert "Approved by @ada" not in story.card()
    told = (await story.workspace.command("grace", f"history {id}")).text
    assert "an approval no longer counts, of @ada (the account is deactivated)" in told
    assert not story.tenant.applications
    await story.approve(id, by="ben")
    assert "Approved by @grace" in story.card()
    [made] = story.tenant.applications
    assert story.workspace.people["grace"].id in str(made)
    assert story.workspace.people["ada"].id not in str(made)


@pytest.mark.slow
async def test_an_approval_of_somebody_whom_slack_does_not_know_any_more_no_longer_counts(
    three: Story,
) -> None:
    story = three
    for is_hidden, said in ((False, "user_not_found"), (True, "user_not_visible")):
        id = await story.ask(said)
        await _approve(story, id, "ada")
        with _vanished(story, "ada", is_hidden=is_hidden):
            await _approve(story, id, "grace")
        assert story.whispers("grace") == ""
        lost = "no longer counts: the account is not there any more"
        await story.until(partial(_card_says, story, lost))
        assert "1 of 2 approvals given" in story.card()
        await story.approve(id, by="ben")
        assert "Approved by @ada" not in story.card()


def _card_says(story: Story, words: str) -> bool:
    return words in story.card()


@contextmanager
def _vanished(story: Story, name: str, *, is_hidden: bool) -> Iterator[None]:
    """Let Slack hide an account from the bot, or not know it at all, while inside."""
    people, person = story.workspace.people, story.workspace.people[name]
    person.hidden = is_hidden
    if not is_hidden:
        del people._by_id[person.id]
    yield
    people._by_id[person.id] = person
    person.hidden = False


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ["account_inactive", slow("fatal_error"), slow("user_not_found_yet")]
)
async def test_a_failed_look_up_is_no_clear_no(three: Story, code: str) -> None:
    """`account_inactive` is about the bot's own token."""
    story = three
    id = await story.ask()
    await _approve(story, id, "ada")
    await story.until(lambda: "1 of 2 approvals given" in story.card())
    story.clock.move(LATER)
    held = story.workspace.faults.hold("users.info")  # Grace's own
    clicking = asyncio.create_task(_approve(story, id, "grace"))
    await held.reached.wait()
    story.workspace.faults.fail("users.info", code)
    held.release()
    await clicking
    assert "who has approved before, still may, so nothing was done." in story.whispers("grace")
    assert "1 of 2 approvals given" in story.card()
    await story.approve(id, by="grace")
    assert "no longer counts" not in story.card()


@pytest.mark.slow
async def test_an_approval_of_somebody_who_lost_the_role_no_longer_counts(
    bot: Bot, stage: Stage
) -> None:
    group = stage.workspace.add_group("deciders", "ben")
    async with bot(APPROVER_GROUPS=group.id, APPROVALS_NEEDED="2"):
        story = Story(stage)
        id = await story.ask()
        await _approve(story, id, "ben")
        group.members.clear()
        story.clock.move(REMEMBERED)
        await _approve(story, id, "ada")
        lost = "The approval of @ben no longer counts: no approver any more"
        await story.until(lambda: lost in story.card())
        await story.approve(id, by="grace")


@pytest.mark.slow
async def test_an_approver_struck_off_at_a_restart_has_approved_nothing(
    bot: Bot, stage: Stage
) -> None:
    story, people = Story(stage), stage.workspace.people
    async with bot(APPROVALS_NEEDED="2"):
        id = await story.ask()
        await _approve(story, id, "ada")
        await story.until(lambda: "1 of 2 approvals given" in story.card())
    deciders = f"{people['grace'].id},{people['ben'].id}"
    story.clock.move(LATER)
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        await _approve(story, id, "ada")
        assert story.whispers("ada") == "Only an approver can approve this."
        await _approve(story, id, "grace")
        lost = "The approval of @ada no longer counts: no approver any more"
        await story.until(lambda: lost in story.card())
        assert not story.tenant.applications
        await story.approve(id, by="ben")


@pytest.mark.slow
async def test_a_quorum_raised_at_a_restart_is_the_one_that_counts(bot: Bot, stage: Stage) -> None:
    story, people = Story(stage), stage.workspace.people
    deciders = ",".join(people[name].id for name in ("ada", "grace", "ben"))
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        id = await story.ask()
        await _approve(story, id, "ada")
        await story.until(lambda: "1 of 2 approvals given" in story.card())
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="3"):
        await _approve(story, id, "grace")
        await story.until(lambda: "2 of 3 approvals given" in story.card())
        assert not story.tenant.applications
        await story.approve(id, by="ben")


@pytest.mark.slow
async def test_while_slack_does_not_say_who_approved_before_nothing_is_decided(
    three: Story,
) -> None:
    story = three
    id = await story.ask()
    await _approve(story, id, "ada")
    await story.until(lambda: "1 of 2 approvals given" in story.card())
    story.clock.move(REMEMBERED)
    await story.workspace.command("grace", f"status {id}")
    story.workspace.faults.throttle("users.info", times=10_000)  # Grace is remembered, not Ada
    await _approve(story, id, "grace")
    assert story.whispers("grace").endswith(
        "who has approved before, still may, so nothing was done. Try again in a moment."
    )
    assert "1 of 2 approvals given" in story.card()
    story.workspace.faults.clear()
    await story.approve(id, by="grace")


@pytest.mark.slow
async def test_two_last_approvers_who_click_at_once_both_count(three: Story) -> None:
    id = await three.ask()
    await asyncio.gather(_approve(three, id, "ada"), _approve(three, id, "grace"))
    await three.until(lambda: three.is_announced(id))
    assert three.whispers("ada") == three.whispers("grace") == ""


async def test_only_before_the_last_approval_the_earlier_ones_are_looked_up(three: Story) -> None:
    id = await three.ask()
    looks = three.workspace.calls
    before = len(looks("users.info"))
    await _approve(three, id, "ada")
    assert len(looks("users.info")) == before + 1
    await _approve(three, id, "grace")
    assert len(looks("users.info")) >= before + 3


async def test_a_caller_that_has_looked_at_nobody_decides_nothing(env: RegistrarEnv) -> None:
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    env.clock.move(LATER)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await env.registrar.approval.approve(id, by=GRACE)
    assert [vote.person.key for vote in (await env.found(id)).approvals()] == [ADA.key]
    await env.registrar.approval.approve(id, by=GRACE, seen=[ADA])
    assert (await env.found(id)).status is Status.APPROVED


@pytest.mark.slow
async def test_whoever_is_an_approver_again_can_approve_again(env: RegistrarEnv) -> None:
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    await env.registrar.approval.approve(id, by=GRACE, seen=[GONE])
    assert (await env.found(id)).status is Status.PENDING
    assert (await env.asked(id, RequestKind.PLAN)).vote_of(ADA) is None
    env.clock.move(LATER)
    assert await env.registrar.approval.to_look_up(id, by=ADA) == (GRACE,)
    await env.registrar.approval.approve(id, by=ADA, seen=[GRACE])
    found = await env.found(id)
    assert found.status is Status.APPROVED
    assert {vote.person.key for vote in found.approvals()} == {ADA.key, GRACE.key}


async def test_whoever_changed_groups_since_speaks_for_the_group_of_now(
    database: Database, clock: MovableClock
) -> None:
    strict = replace(read_catalogue()["mimecast"], approval=Quorum(needed=2, distinct_groups=True))
    policy = team_policy(approvers=frozenset(), approver_groups=GROUPS)
    admin = replace(ADA, groups=frozenset({"S0ADMINS"}))
    moved = replace(ADA, groups=frozenset({"S0SECURITY"}))
    security = replace(GRACE, groups=frozenset({"S0SECURITY"}))
    env = registrar_env(database, clock, policy=policy, catalogue={"mimecast": strict})
    id = await env.pending()
    await env.registrar.approval.approve(id, by=admin)
    await env.registrar.approval.approve(id, by=security, seen=[moved])
    found = await env.found(id)
    assert found.status is Status.PENDING
    assert {vote.groups for vote in found.approvals()} == {("S0SECURITY",)}
    unread = replace(ADA, unread=policy.approver_groups)
    with pytest.raises(Refusal, match="did not say who belongs to the groups"):
        await env.registrar.approval.approve(
            id, by=replace(BEN, groups=frozenset({"S0ADMINS"})), seen=[unread, security]
        )


@pytest.mark.slow
async def test_a_confirmation_of_somebody_who_has_left_since_no_longer_counts(three: Story) -> None:
    story = three
    id = await story.ask()
    await _approve(story, id, "ada")
    await story.approve(id, by="grace")
    await rotation_story.seen(story, id)
    await rotation_story.asked(story, id)
    before = live(story)
    await rotation_story.decide(story, "Confirm", by="ada")
    story.workspace.deactivate("ada")
    await rotation_story.decide(story, "Confirm", by="grace")
    lost = "The approval of @ada no longer counts: the account is deactivated"
    await story.until(lambda: lost in rotation_story.drawn(story))
    said = rotation_story.drawn(story)
    assert "1 of 2 approvals given" in said
    assert "Rotation confirmed by @ada" not in said
    assert "Approved by @ada" in story.card(id)  # of the plan
    assert live(story) == before
    await rotation_story.decide(story, "Confirm", by="ben")
    await rotation_story.announced(story, id)
    assert len(live(story)) == 2


async def test_whoever_has_looked_at_nobody_confirms_nothing(env: RegistrarEnv) -> None:
    id, rotation = await _asked_to_rotate(env)
    await env.registrar.approval.approve(id, rotation, by=ADA)
    env.clock.move(LATER)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await env.registrar.approval.approve(id, rotation, by=GRACE)
    found = await env.found(id)
    assert [vote.person.key for vote in found.counting(await env.asked(id))] == [ADA.key]
    assert await env.registrar.approval.to_look_up(id, rotation, by=GRACE) == (ADA,)
    await env.registrar.approval.approve(id, rotation, by=GRACE, seen=[ADA])
    assert (await env.run_of(id)).kind is RunKind.ADD_SECRET


@pytest.mark.slow
async def test_whoever_is_an_approver_again_can_confirm_again(env: RegistrarEnv) -> None:
    id, rotation = await _asked_to_rotate(env)
    await env.registrar.approval.approve(id, rotation, by=ADA)
    await env.registrar.approval.approve(id, rotation, by=GRACE, seen=[GONE])
    found = await env.found(id)
    assert found.waiting(RequestKind.ROTATION) is not None
    assert [vote.person.key for vote in found.counting(await env.asked(id))] == [GRACE.key]
    assert [it.person.key for it in (await env.asked(id)).votes if it.void] == [ADA.key]
    env.clock.move(LATER)
    await env.registrar.approval.approve(id, rotation, by=ADA, seen=[GRACE])
    found = await env.found(id)
    assert {vote.person.key for vote in found.counting(await env.asked(id))} == {ADA.key, GRACE.key}
    assert {vote.person.key for vote in found.approvals()} == {ADA.key, GRACE.key}  # of the plan
    assert (await env.run_of(id)).subject == rotation


async def _asked_to_rotate(env: RegistrarEnv) -> tuple[str, str]:
    """Return a registration whose secret was seen, and its rotation that nobody confirmed yet."""
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    await env.registrar.approval.approve(id, by=GRACE)
    await env.make_ready(id)
    await env.open(id)
    await env.registrar.requests.rotation(id, by=ROSA)
    asked = await env.asked(id)
    return id, asked.id
