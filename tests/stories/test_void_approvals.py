"""Approvals of people who could not approve any more when the last one comes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.approval import Policy
from bot.domain.catalogue import Approval, read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from handlers.slack.ttl_cache import REMEMBERED
from tests.conftest import Bot
from tests.stories.test_reveals import live
from tests.support import rotation_story
from tests.support.factories import ADA, BEN, GRACE, ROSA, TEAM
from tests.support.registrar_env import Office, office, opened
from tests.support.story import Scene

LATER = timedelta(minutes=1)
GONE = replace(ADA, doubts=("is deactivated",))


@pytest.fixture
async def three(bot: Bot, stage: Stage) -> AsyncIterator[Scene]:
    """A scene in which two of Ada, Grace and Ben decide."""
    deciders = ",".join(stage.workspace.people[name].id for name in ("ada", "grace", "ben"))
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        yield Scene(stage)


@pytest.fixture
async def desk(database_url: str, clock: MovableClock) -> AsyncIterator[Office]:
    policy = Policy(
        team_id=TEAM,
        requesters=frozenset({ROSA.user_id}),
        approvers=frozenset({ADA.user_id, GRACE.user_id, BEN.user_id}),
        approvals_needed=2,
    )
    async with opened(database_url) as database:
        yield office(database, clock, policy=policy)


async def _approve(scene: Scene, id: str, by: str) -> Any:
    return await scene.workspace.click(by, "Approve", on=scene.card_of(id))


async def test_an_approval_of_somebody_who_has_left_since_no_longer_counts(three: Scene) -> None:
    scene = three
    id = await scene.ask()
    await _approve(scene, id, "ada")
    scene.workspace.deactivate("ada")
    await _approve(scene, id, "grace")
    lost = "The approval of @ada no longer counts: the account is deactivated"
    await scene.until(lambda: lost in scene.card())
    assert "1 of 2 approvals given" in scene.card()
    assert "Approved by @ada" not in scene.card()
    told = (await scene.workspace.command("grace", f"history {id}")).text
    assert "an approval no longer counts, of @ada (the account is deactivated)" in told
    assert not scene.tenant.applications
    await scene.approve(id, by="ben")
    assert "Approved by @grace" in scene.card()
    [made] = scene.tenant.applications
    assert scene.workspace.people["grace"].id in str(made)
    assert scene.workspace.people["ada"].id not in str(made)


async def test_an_approval_of_somebody_whom_slack_does_not_know_any_more_no_longer_counts(
    three: Scene,
) -> None:
    scene = three
    for is_hidden, said in ((False, "user_not_found"), (True, "user_not_visible")):
        id = await scene.ask(said)
        await _approve(scene, id, "ada")
        with _vanished(scene, "ada", is_hidden=is_hidden):
            await _approve(scene, id, "grace")
        assert scene.whispers("grace") == ""
        lost = "no longer counts: the account is not there any more"
        await scene.until(partial(_card_says, scene, lost))
        assert "1 of 2 approvals given" in scene.card()
        await scene.approve(id, by="ben")
        assert "Approved by @ada" not in scene.card()


def _card_says(scene: Scene, words: str) -> bool:
    return words in scene.card()


@contextmanager
def _vanished(scene: Scene, name: str, *, is_hidden: bool) -> Iterator[None]:
    """Let Slack hide an account from the bot, or not know it at all, while inside."""
    people, person = scene.workspace.people, scene.workspace.people[name]
    person.hidden = is_hidden
    if not is_hidden:
        del people._by_id[person.id]
    yield
    people._by_id[person.id] = person
    person.hidden = False


@pytest.mark.parametrize("code", ["account_inactive", "fatal_error", "user_not_found_yet"])
async def test_a_failed_look_up_is_no_clear_no(three: Scene, code: str) -> None:
    """`account_inactive` is about the bot's own token."""
    scene = three
    id = await scene.ask()
    await _approve(scene, id, "ada")
    await scene.until(lambda: "1 of 2 approvals given" in scene.card())
    scene.clock.move(LATER)
    held = scene.workspace.faults.hold("users.info")  # Grace's own
    clicking = asyncio.create_task(_approve(scene, id, "grace"))
    await held.reached.wait()
    scene.workspace.faults.fail("users.info", code)
    held.release()
    await clicking
    assert "who has approved before, still may, so nothing was done." in scene.whispers("grace")
    assert "1 of 2 approvals given" in scene.card()
    await scene.approve(id, by="grace")
    assert "no longer counts" not in scene.card()


async def test_an_approval_of_somebody_who_lost_the_role_no_longer_counts(
    bot: Bot, stage: Stage
) -> None:
    group = stage.workspace.add_group("deciders", "ben")
    async with bot(APPROVER_GROUPS=group.id, APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask()
        await _approve(scene, id, "ben")
        group.members.clear()
        scene.clock.move(REMEMBERED)
        await _approve(scene, id, "ada")
        lost = "The approval of @ben no longer counts: no approver any more"
        await scene.until(lambda: lost in scene.card())
        await scene.approve(id, by="grace")


async def test_an_approver_struck_off_at_a_restart_has_approved_nothing(
    bot: Bot, stage: Stage
) -> None:
    scene, people = Scene(stage), stage.workspace.people
    async with bot(APPROVALS_NEEDED="2"):
        id = await scene.ask()
        await _approve(scene, id, "ada")
        await scene.until(lambda: "1 of 2 approvals given" in scene.card())
    deciders = f"{people['grace'].id},{people['ben'].id}"
    scene.clock.move(LATER)
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        await _approve(scene, id, "ada")
        assert scene.whispers("ada") == "Only an approver can approve this."
        await _approve(scene, id, "grace")
        lost = "The approval of @ada no longer counts: no approver any more"
        await scene.until(lambda: lost in scene.card())
        assert not scene.tenant.applications
        await scene.approve(id, by="ben")


async def test_a_quorum_raised_at_a_restart_is_the_one_that_counts(bot: Bot, stage: Stage) -> None:
    scene, people = Scene(stage), stage.workspace.people
    deciders = ",".join(people[name].id for name in ("ada", "grace", "ben"))
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="2"):
        id = await scene.ask()
        await _approve(scene, id, "ada")
        await scene.until(lambda: "1 of 2 approvals given" in scene.card())
    async with bot(APPROVERS=deciders, APPROVALS_NEEDED="3"):
        await _approve(scene, id, "grace")
        await scene.until(lambda: "2 of 3 approvals given" in scene.card())
        assert not scene.tenant.applications
        await scene.approve(id, by="ben")


async def test_while_slack_does_not_say_who_approved_before_nothing_is_decided(
    three: Scene,
) -> None:
    scene = three
    id = await scene.ask()
    await _approve(scene, id, "ada")
    await scene.until(lambda: "1 of 2 approvals given" in scene.card())
    scene.clock.move(REMEMBERED)
    await scene.workspace.command("grace", f"status {id}")
    scene.workspace.faults.throttle("users.info", times=10_000)  # Grace is remembered, not Ada
    await _approve(scene, id, "grace")
    assert scene.whispers("grace").endswith(
        "who has approved before, still may, so nothing was done. Try again in a moment."
    )
    assert "1 of 2 approvals given" in scene.card()
    scene.workspace.faults.clear()
    await scene.approve(id, by="grace")


async def test_two_last_approvers_who_click_at_once_both_count(three: Scene) -> None:
    id = await three.ask()
    await asyncio.gather(_approve(three, id, "ada"), _approve(three, id, "grace"))
    await three.until(lambda: three.is_announced(id))
    assert three.whispers("ada") == three.whispers("grace") == ""


async def test_only_before_the_last_approval_the_earlier_ones_are_looked_up(three: Scene) -> None:
    id = await three.ask()
    looks = three.workspace.calls
    before = len(looks("users.info"))
    await _approve(three, id, "ada")
    assert len(looks("users.info")) == before + 1
    await _approve(three, id, "grace")
    assert len(looks("users.info")) >= before + 3


async def test_a_caller_that_has_looked_at_nobody_decides_nothing(
    desk: Office, clock: MovableClock
) -> None:
    id = await desk.pending()
    await desk.registrar.approve(id, by=ADA)
    clock.move(LATER)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await desk.registrar.approve(id, by=GRACE)
    assert [vote.person.key for vote in (await desk.found(id)).approvals()] == [ADA.key]
    await desk.registrar.approve(id, by=GRACE, seen=[ADA])
    assert (await desk.found(id)).status is Status.APPROVED


async def test_whoever_is_an_approver_again_can_approve_again(
    desk: Office, clock: MovableClock
) -> None:
    id = await desk.pending()
    await desk.registrar.approve(id, by=ADA)
    await desk.registrar.approve(id, by=GRACE, seen=[GONE])
    assert (await desk.found(id)).status is Status.PENDING
    assert (await desk.found(id)).vote_of(ADA) is None
    clock.move(LATER)
    assert await desk.registrar.earlier_approvers(id, by=ADA) == (GRACE,)
    await desk.registrar.approve(id, by=ADA, seen=[GRACE])
    found = await desk.found(id)
    assert found.status is Status.APPROVED
    assert {vote.person.key for vote in found.approvals()} == {ADA.key, GRACE.key}


async def test_whoever_changed_groups_since_speaks_for_the_group_of_now(
    database_url: str, clock: MovableClock
) -> None:
    strict = replace(
        read_catalogue()["mimecast"], approval=Approval(needed=2, distinct_groups=True)
    )
    policy = Policy(
        team_id=TEAM,
        requesters=frozenset({ROSA.user_id}),
        approvers=frozenset(),
        approvals_needed=1,
        approver_groups=frozenset({"S0ADMINS", "S0SECURITY"}),
    )
    admin = replace(ADA, groups=frozenset({"S0ADMINS"}))
    moved = replace(ADA, groups=frozenset({"S0SECURITY"}))
    security = replace(GRACE, groups=frozenset({"S0SECURITY"}))
    async with opened(database_url) as database:
        desk = office(database, clock, policy=policy, catalogue={"mimecast": strict})
        id = await desk.pending()
        await desk.registrar.approve(id, by=admin)
        await desk.registrar.approve(id, by=security, seen=[moved])
        found = await desk.found(id)
        assert found.status is Status.PENDING
        assert {vote.groups for vote in found.approvals()} == {("S0SECURITY",)}
        unread = replace(ADA, unread=policy.approver_groups)
        with pytest.raises(Refusal, match="did not say who belongs to the groups"):
            await desk.registrar.approve(
                id, by=replace(BEN, groups=frozenset({"S0ADMINS"})), seen=[unread, security]
            )


async def test_a_confirmation_of_somebody_who_has_left_since_no_longer_counts(
    three: Scene,
) -> None:
    scene = three
    id = await scene.ask()
    await _approve(scene, id, "ada")
    await scene.approve(id, by="grace")
    await rotation_story.seen(scene, id)
    await rotation_story.asked(scene, id)
    before = live(scene)
    await rotation_story.decide(scene, "Confirm", by="ada")
    scene.workspace.deactivate("ada")
    await rotation_story.decide(scene, "Confirm", by="grace")
    lost = "The approval of @ada no longer counts: the account is deactivated"
    await scene.until(lambda: lost in scene.workspace.text_of(rotation_story.request(scene)))
    said = scene.workspace.text_of(rotation_story.request(scene))
    assert "1 of 2 approvals given" in said
    assert "Rotation confirmed by @ada" not in said
    assert "Approved by @ada" in scene.workspace.text_of(scene.card_of(id))  # of the plan
    assert live(scene) == before
    await rotation_story.decide(scene, "Confirm", by="ben")
    await rotation_story.announced(scene, id)
    assert len(live(scene)) == 2


async def test_whoever_has_looked_at_nobody_confirms_nothing(
    desk: Office, clock: MovableClock
) -> None:
    id, rotation = await _asked_to_rotate(desk)
    await desk.registrar.confirm_rotation(id, rotation, by=ADA)
    clock.move(LATER)
    with pytest.raises(Refusal, match=f"whether <@{ADA.user_id}>, who has approved before"):
        await desk.registrar.confirm_rotation(id, rotation, by=GRACE)
    found = await desk.found(id)
    assert [vote.person.key for vote in found.confirmations()] == [ADA.key]
    assert await desk.registrar.earlier_confirmers(id, rotation, by=GRACE) == (ADA,)
    await desk.registrar.confirm_rotation(id, rotation, by=GRACE, seen=[ADA])
    assert (await desk.run_of(id)).kind is RunKind.ADD_SECRET


async def test_whoever_is_an_approver_again_can_confirm_again(
    desk: Office, clock: MovableClock
) -> None:
    id, rotation = await _asked_to_rotate(desk)
    await desk.registrar.confirm_rotation(id, rotation, by=ADA)
    await desk.registrar.confirm_rotation(id, rotation, by=GRACE, seen=[GONE])
    found = await desk.found(id)
    assert found.asked_rotation is not None
    assert [vote.person.key for vote in found.confirmations()] == [GRACE.key]
    assert [vote.person.key for vote in found.lost_confirmations()] == [ADA.key]
    clock.move(LATER)
    await desk.registrar.confirm_rotation(id, rotation, by=ADA, seen=[GRACE])
    found = await desk.found(id)
    assert {vote.person.key for vote in found.confirmations()} == {ADA.key, GRACE.key}
    assert {vote.person.key for vote in found.approvals()} == {ADA.key, GRACE.key}  # of the plan
    assert (await desk.run_of(id)).subject == rotation


async def _asked_to_rotate(desk: Office) -> tuple[str, str]:
    """Return a registration whose secret was seen, and its rotation that nobody confirmed yet."""
    id = await desk.pending()
    await desk.registrar.approve(id, by=ADA)
    await desk.registrar.approve(id, by=GRACE)
    await desk.make_ready(id)
    look = await desk.registrar.reveal(id, by=ROSA, answer_to="https://hooks.slack.com/x")
    await desk.registrar.shown(id, look.secret, by=ROSA)
    await desk.registrar.rotate(id, by=ROSA)
    asked = (await desk.found(id)).asked_rotation
    assert asked is not None
    return id, asked.id
