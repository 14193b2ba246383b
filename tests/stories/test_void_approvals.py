"""Approvals of people who could not approve any more when the last one comes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.domain.approval_requests import ApprovalRequest, Quorum, RequestKind
from bot.domain.catalogue import read_catalogue
from bot.domain.people import Person, Refusal
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
from tests.support.rotation_story import three
from tests.support.running_bot import Bot
from tests.support.secret_story import live
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

LATER = timedelta(minutes=1)
GONE = replace(ADA, doubts=("is deactivated",))


@pytest.fixture
def settings(stage: Stage) -> dict[str, str]:
    """Two of Ada, Grace and Ben decide."""
    return {"APPROVERS": three(stage), "APPROVALS_NEEDED": "2"}


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    return registrar_env(database, clock, approvers=ids(ADA, GRACE, BEN), approvals_needed=2)


async def _approve(story: Story, id: str, by: str) -> Any:
    return await story.workspace.click(by, "Approve", on=story.card_of(id))


async def test_an_approval_of_somebody_who_has_left_since_no_longer_counts(story: Story) -> None:
    id = await story.ask()
    await _approve(story, id, "ada")
    story.workspace.deactivate("ada")
    await _approve(story, id, "grace")
    lost = "The approval of @ada no longer counts: the account is deactivated"
    await story.until(lambda: lost in story.card())
    assert "1 of 2 approvals given" in story.card()
    assert "Approved by @ada" not in story.card()
    told = await story.command("grace", f"history {id}")
    assert "an approval no longer counts, of @ada (the account is deactivated)" in told
    assert not story.tenant.applications
    await story.approve(id, by="ben")
    assert "Approved by @grace" in story.card()
    [made] = story.tenant.applications
    assert story.workspace.people["grace"].id in str(made)
    assert story.workspace.people["ada"].id not in str(made)


async def test_an_approval_of_whom_slack_no_longer_knows_counts_no_more(story: Story) -> None:
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


@pytest.mark.parametrize(
    "code", ["account_inactive", slow("fatal_error"), slow("user_not_found_yet")]
)
async def test_a_failed_look_up_is_no_clear_no(story: Story, code: str) -> None:
    """`account_inactive` is about the bot's own token."""
    id = await story.ask()
    await story.vote(id)
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


async def test_an_approval_of_who_lost_the_role_no_longer_counts(bot: Bot, stage: Stage) -> None:
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


async def test_who_is_struck_off_at_a_restart_has_approved_nothing(bot: Bot, stage: Stage) -> None:
    story, people = Story(stage), stage.workspace.people
    async with bot(APPROVALS_NEEDED="2"):
        id = await story.ask()
        await story.vote(id)
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


async def test_a_quorum_raised_at_a_restart_is_the_one_that_counts(bot: Bot, stage: Stage) -> None:
    story, deciders = Story(stage), three(stage)
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        id = await story.ask()
        await story.vote(id)
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="3"):
        await _approve(story, id, "grace")
        await story.until(lambda: "2 of 3 approvals given" in story.card())
        assert not story.tenant.applications
        await story.approve(id, by="ben")


async def test_while_slack_does_not_say_who_approved_nothing_is_decided(story: Story) -> None:
    id = await story.ask()
    await story.vote(id)
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


async def test_two_last_approvers_who_click_at_once_both_count(story: Story) -> None:
    id = await story.ask()
    await asyncio.gather(_approve(story, id, "ada"), _approve(story, id, "grace"))
    await story.until(lambda: story.is_announced(id))
    assert story.whispers("ada") == story.whispers("grace") == ""


async def test_only_before_the_last_approval_the_earlier_ones_are_looked_up(story: Story) -> None:
    id = await story.ask()
    looks = story.workspace.calls
    before = len(looks("users.info"))
    await _approve(story, id, "ada")
    assert len(looks("users.info")) == before + 1
    await _approve(story, id, "grace")
    assert len(looks("users.info")) >= before + 3


DECIDED = {
    RequestKind.PLAN: (Status.APPROVED, RunKind.REGISTER),
    RequestKind.ROTATION: (Status.READY, RunKind.ADD_SECRET),
}
of_each_kind = pytest.mark.parametrize("kind", DECIDED)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that waits for two approvals."""

    env: RegistrarEnv
    id: str
    request: ApprovalRequest

    async def approve(self, by: Person, *seen: Person) -> None:
        await self.env.registrar.approval.approve(self.id, self.request.id, by=by, seen=seen)

    async def counting(self) -> set[tuple[str, str]]:
        """Return whose approvals count."""
        found = await self.env.found(self.id)
        request = await self.env.asked(self.id, self.request.kind)
        return {vote.person.key for vote in found.counting(request)}

    async def is_decided(self) -> bool:
        """Whether what was asked for is at work."""
        found = await self.env.found(self.id)
        return (found.status, found.run) == DECIDED[self.request.kind]


async def _asked(env: RegistrarEnv, kind: RequestKind) -> Asked:
    id = await env.pending()
    if kind is RequestKind.ROTATION:
        for person in (ADA, GRACE):
            await env.registrar.approval.approve(id, by=person)
        await env.make_ready(id)
        await env.open(id)
        await env.registrar.requests.rotation(id, by=ROSA)
    return Asked(env=env, id=id, request=await env.asked(id, kind))


@pytest.mark.quick
@of_each_kind
async def test_a_caller_that_has_looked_at_nobody_decides_nothing(
    env: RegistrarEnv, kind: RequestKind
) -> None:
    asked = await _asked(env, kind)
    await asked.approve(ADA)
    env.clock.move(LATER)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await asked.approve(GRACE)
    assert await asked.counting() == {ADA.key}
    approval = env.registrar.approval
    assert await approval.to_look_up(asked.id, asked.request.id, by=GRACE) == (ADA,)
    await asked.approve(GRACE, ADA)
    assert await asked.is_decided()


@of_each_kind
async def test_whoever_is_an_approver_again_can_approve_again(
    env: RegistrarEnv, kind: RequestKind
) -> None:
    asked = await _asked(env, kind)
    await asked.approve(ADA)
    await asked.approve(GRACE, GONE)
    assert not await asked.is_decided()
    request = await env.asked(asked.id, kind)
    assert request.is_waiting
    assert request.vote_of(ADA) is None
    assert [it.person.key for it in request.votes if it.void] == [ADA.key]
    assert await asked.counting() == {GRACE.key}
    env.clock.move(LATER)
    approval = env.registrar.approval
    assert await approval.to_look_up(asked.id, asked.request.id, by=ADA) == (GRACE,)
    await asked.approve(ADA, GRACE)
    assert await asked.is_decided()
    assert await asked.counting() == {ADA.key, GRACE.key}
    of_the_plan = (await env.found(asked.id)).approvals()
    assert {vote.person.key for vote in of_the_plan} == {ADA.key, GRACE.key}
    assert kind is RequestKind.PLAN or (await env.run_of(asked.id)).subject == asked.request.id


@pytest.mark.quick
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


async def test_a_confirmation_of_somebody_who_has_left_since_no_longer_counts(story: Story) -> None:
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
