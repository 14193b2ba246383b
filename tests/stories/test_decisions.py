"""Decisions: who makes them and how many it takes; each has one winner; reminders, asking again."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.approval import Verb
from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import read_catalogue
from bot.domain.lifetimes import FIRST_REMINDER
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.playground.stage import Stage
from bot.storage.database import Database
from tests.support.factories import ADA, BEN, GRACE, GROUPS, ROSA, ids
from tests.support.forged_clicks import forged_click
from tests.support.registrar_env import registrar_env, team_policy
from tests.support.rotation_story import asked, decide, seen, three
from tests.support.running_bot import Bot
from tests.support.story import Story


async def test_denied_is_the_end_and_the_card_says_by_whom(story: Story) -> None:
    id = await story.ask("billing")
    assert not (await story.deny(id, by="grace", reason="Use the one of last year")).errors
    await story.until(lambda: f"{id} was denied" in story.card())
    assert "Denied by @grace" in story.card()
    assert "Use the one of last year" in story.card()
    assert "[Approve]" not in story.card()
    await story.until(lambda: f"{id} was denied" in story.direct("rosa"))
    denied = f"@grace denied {id} (billing): “Use the one of last year”.\n[Ask again]"
    await story.until(lambda: denied in story.direct("rosa"))
    unchanged = "Nothing was changed in Entra. Ask again opens the form as you filled it in."
    assert unchanged in story.direct("rosa")
    assert not story.tenant.applications


async def test_the_requester_takes_it_back_and_the_approver_comes_too_late(story: Story) -> None:
    id = await story.ask("billing")
    await story.until(lambda: "[Cancel]" in story.direct("rosa"))
    # Slack does not take updates, so the approver still sees the buttons.
    story.workspace.faults.breaks("chat.update", times=100)
    await story.workspace.click("rosa", "Cancel")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert story.whispers("ada") == f"{id} was cancelled, so there is nothing to approve."
    assert not story.tenant.applications


@pytest.mark.slow
async def test_a_card_that_still_shows_its_buttons_decides_nothing_twice(story: Story) -> None:
    id = await story.ask("billing")
    await story.until(lambda: "[Cancel]" in story.direct("rosa"))
    story.workspace.faults.breaks("chat.update", times=100)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    for button in ("Approve", "Deny"):
        await story.workspace.click("grace", button, on=story.card_of(id))
    await story.workspace.click("rosa", "Cancel")
    late = f"@ada already approved {id}."
    assert story.whispers("grace").splitlines() == [late, late]
    assert story.whispers("rosa") == late
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    assert len(story.tenant.applications) == 1


async def test_approve_and_deny_at_once_have_one_winner(story: Story) -> None:
    id = await story.ask("billing")
    card = story.card_of(id)
    await story.open_denial(id)
    _, denial = await asyncio.gather(
        story.workspace.click("ada", "Approve", on=card),
        story.workspace.submit("grace", {"Reason": "Not now"}),
    )
    won = "is ready" if denial.errors else "was denied"
    await story.until(lambda: f"{id} {won}" in story.card())
    said = story.whispers("ada") + str(denial.errors)
    assert said.count(" already ") == 1
    assert story.card().count("Approved by") + story.card().count("Denied by") == 1
    assert len(story.tenant.applications) == (won == "is ready")


@pytest.mark.slow
async def test_a_click_that_slack_repeats_is_one_vote(story: Story) -> None:
    id = await story.ask("billing")
    await story.approve(id)
    await story.workspace.redeliver("interactive")
    assert f"@ada already approved {id}." in story.whispers("ada")
    assert len(story.tenant.applications) == 1
    assert story.card().count("Approved by") == 1


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_two_approvals_are_two_people(story: Story) -> None:
    id = await story.ask("billing")
    await story.vote(id)
    assert "Approved by @ada" in story.card()
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert story.whispers("ada") == (
        f"You have approved {id} already. It needs another approver, too."
    )
    denied = await story.deny(id, by="ada")
    assert denied.errors == {
        "Reason": f"You have approved {id}. Withdraw that first, then deny it."
    }
    assert f"{id} waits for approval" in story.card()
    assert not story.tenant.applications

    await story.approve(id, by="grace")
    assert "Approved by @grace" in story.card()


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_one_denial_outweighs_an_approval(story: Story) -> None:
    id = await story.ask("billing")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.deny(id, by="grace")
    await story.until(lambda: f"{id} was denied" in story.card())
    assert "Approved by @ada" in story.card()
    assert "Denied by @grace" in story.card()


async def test_what_has_not_happened_yet_cannot_be_used(story: Story) -> None:
    id = await story.ask("billing")
    for button in ("retry", "undo", "values", "reveal", "renew"):
        assert (await forged_click(story, "rosa", button, id)).startswith(
            f"{id} waits for approval."
        )


LOOKALIKES = str.maketrans("∗∼∶ˍ", "*~:_")
"""What stands in the place of signs that Slack would take for markup."""


async def test_a_card_shows_the_very_name_and_address_that_are_made(story: Story) -> None:
    name, redirect = "_Mimecast_ a_b :lock: *b* ~c~ __", "https://example.com/_cb_/:key:/~d~"
    id = await story.ask(name, **{"Redirect URL": redirect}, Reason=":tada: _agreed_")
    card = story.card().translate(LOOKALIKES)
    assert f"\n{name}: approval needed\n" in card
    assert f"Redirect URL: {redirect}\n" in card
    assert ">:tada: _agreed_\n" in card
    whole = (await story.details(id)).translate(LOOKALIKES)
    assert f"• Application {name}, for accounts" in whole
    assert f"• Redirect URL: {redirect}\n" in whole
    await story.approve(id)
    [made] = story.tenant.applications
    assert made["displayName"] == name
    assert made["web"]["redirectUris"] == [redirect]


async def test_words_that_slack_would_obey_are_shown_as_they_were_typed(story: Story) -> None:
    name = "<!channel> *bold* `code` & <https://evil.example|Approve>"
    await story.ask(name, Reason="line one\n> line two <@U123>")
    raw = str(story.workspace.messages("approvals")[0]["blocks"])
    assert "<!channel>" not in raw
    assert "<https://evil" not in raw
    assert "<@U123>" not in raw
    assert "<!channel>" in story.card()


@pytest.mark.slow
async def test_members_of_an_approver_group_decide_and_nobody_else(bot: Bot, stage: Stage) -> None:
    group = stage.workspace.add_group("deciders", "ben")
    async with bot(APPROVERS="", APPROVER_GROUPS=group.id):
        story = Story(stage)
        id = await story.ask("billing")
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        assert story.whispers("ada") == "Only an approver can approve this."
        await story.approve(id, by="ben")
        assert "Approved by @ben" in story.card()


@pytest.mark.slow
async def test_a_group_is_remembered_for_five_minutes(bot: Bot, stage: Stage) -> None:
    group = stage.workspace.add_group("deciders", "ada")
    async with bot(APPROVERS=stage.workspace.people["grace"].id, APPROVER_GROUPS=group.id):
        story = Story(stage)
        other, id = await story.ask("crm"), await story.ask("billing")
        group.members.append(stage.workspace.people["ben"].id)
        await story.workspace.click("ben", "Approve", on=story.card_of(id))
        assert story.whispers("ben") == "Only an approver can approve this."
        story.clock.move(timedelta(minutes=6))
        group.unreadable = True
        assert (await story.answer_to("ben", "Approve", on=story.card_of(id))) == (
            "Slack did not say who belongs to the groups of approvers, so nothing was done."
            " Try again in a moment."
        )
        assert f"{id} waits for approval" in story.card()
        await story.approve(other, by="grace")  # who is named, and needs no group
        group.unreadable = False
        story.clock.move(timedelta(minutes=6))
        await story.approve(id, by="ben")


async def test_members_of_a_requester_group_ask(bot: Bot, stage: Stage) -> None:
    group = stage.workspace.add_group("askers", "ben")
    async with bot(REQUESTERS="", REQUESTER_GROUPS=group.id):
        story = Story(stage)
        assert "You can't request" in await story.command("rosa", "")
        await story.ask("billing", by="ben")


PLAIN = read_catalogue()["mimecast"]
STRICT = replace(PLAIN, approval=Quorum(needed=2, distinct_groups=True))
BY_GROUPS = team_policy(approvers=ids(ADA), approver_groups=GROUPS)
GROUPED = (
    *(replace(it, groups=frozenset({"S0ADMINS"})) for it in (ADA, GRACE)),
    replace(BEN, groups=frozenset({"S0SECURITY"})),
)


async def test_a_profile_may_ask_for_approvers_of_distinct_groups(
    database: Database, clock: MovableClock
) -> None:
    first, second, third = GROUPED
    env = registrar_env(database, clock, catalogue={"mimecast": STRICT}, policy=BY_GROUPS)
    id = await env.pending()
    for person in (first, second):
        await env.registrar.approval.approve(id, by=person)
        assert (await env.found(id)).status is Status.PENDING
    await env.registrar.approval.approve(id, by=third)
    assert (await env.found(id)).status is Status.APPROVED


@pytest.mark.parametrize(("plan", "now"), [(2, 1), (1, 2)])
async def test_a_rotation_takes_what_the_plan_took_or_what_one_takes_now(
    database: Database, clock: MovableClock, plan: int, now: int
) -> None:
    before = registrar_env(database, clock, approvals_needed=plan)
    id = await before.pending()
    for person in (ADA, GRACE)[:plan]:
        await before.registrar.approval.approve(id, by=person)
    await before.make_ready(id)
    await before.see(id)

    after = registrar_env(database, clock, approvals_needed=now)
    await after.registrar.requests.rotation(id, by=ROSA)
    rotation = await after.asked(id)
    await after.registrar.approval.approve(id, rotation.id, by=ADA)
    assert (await after.found(id)).waiting(RequestKind.ROTATION) is not None
    await after.registrar.approval.approve(id, rotation.id, by=GRACE)
    assert (await after.found(id)).waiting(RequestKind.ROTATION) is None


async def test_a_rotation_takes_distinct_groups_if_the_plan_did(
    database: Database, clock: MovableClock
) -> None:
    first, second, third = GROUPED
    before = registrar_env(database, clock, catalogue={"mimecast": STRICT}, policy=BY_GROUPS)
    id = await before.pending()
    for person in (first, third):
        await before.registrar.approval.approve(id, by=person)
    found = await before.found(id)
    after = registrar_env(database, clock, catalogue={"mimecast": PLAIN}, policy=BY_GROUPS)
    quorum = after.registrar.quorum(found)
    assert (quorum.needed, quorum.distinct_groups) == (2, True)
    gone = registrar_env(database, clock, catalogue={}, policy=BY_GROUPS)
    assert gone.registrar.quorum(found) == quorum
    assert second.key not in {vote.person.key for vote in found.approvals()}
    ungrouped = replace(BY_GROUPS, approver_groups=frozenset())
    with pytest.raises(Refusal, match="This takes 2 approvers of distinct groups"):
        ungrouped.check_reachable(Verb.ROTATE, quorum, found, ROSA)


@pytest.mark.slow
@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_an_approval_can_be_withdrawn_until_the_quorum_is_reached(story: Story) -> None:
    id = await story.ask("billing")
    assert "0 of 2 approvals given" in story.card()
    await story.vote(id)
    await story.until(lambda: f"@ada approved {id} (billing): 1 of 2" in story.direct("rosa"))
    await story.workspace.click("grace", "Withdraw my approval", on=story.card_of(id))
    assert story.whispers("grace") == (
        f"You have not approved {id}, so there is nothing to withdraw."
    )
    await story.workspace.click("ada", "Withdraw my approval", on=story.card_of(id))
    await story.until(lambda: "0 of 2 approvals given" in story.card())
    withdrew = f"@ada withdrew their approval of {id} (billing): 0 of 2"
    await story.until(lambda: withdrew in story.direct("rosa"))
    assert "Approved by @ada" not in story.card()

    await story.vote(id, by="grace")
    assert not story.tenant.applications
    await story.approve(id, by="ada")


@pytest.mark.slow
async def test_whoever_is_denied_reads_why_and_asks_again_with_the_same_form(story: Story) -> None:
    id = await story.ask("billing", **{"Email domains filter": "example.com"})
    denied = await story.deny(id, reason="  ")
    assert denied.errors == {"Reason": "Say why: the requester reads it and can ask again."}
    assert f"{id} waits for approval" in story.card()
    why = "Say which domains, please"
    assert not (await story.workspace.submit("grace", {"Reason": why})).errors
    await story.until(lambda: why in story.direct("rosa"))
    for person, reads in (("rosa", True), ("grace", True), ("ben", False)):
        await story.workspace.command(person, f"status {id}")
        assert (why in story.whispers(person)) is reads
    assert f"{id} was denied" in story.whispers("ben")
    assert "The requester and the approvers can read why." in story.whispers("ben")
    await story.ask_again()
    before = len(story.workspace.messages("approvals"))
    sent = await story.workspace.submit("rosa", {})  # nothing has to be typed again
    assert not sent.errors
    await story.until(lambda: len(story.workspace.messages("approvals")) > before)
    assert story.card().split()[0] != id
    for typed in ("billing", "To sync the directory"):
        assert typed in story.card()
    await story.approve(story.card().split()[0])


async def first_of_four(story: Story, words: str) -> str:
    """Let the growing intervals pass, and return the first of four reminders."""
    assert story.texts("approvals", words) == []
    for count in range(1, 5):
        story.clock.move(FIRST_REMINDER * 2 ** (count - 1) - timedelta(minutes=1))
        assert len(story.texts("approvals", words)) == count - 1
        story.clock.move(timedelta(minutes=2))
        await story.until(lambda count=count: len(story.texts("approvals", words)) == count)
    return story.texts("approvals", words)[0]


@pytest.mark.slow
@pytest.mark.settings(APPROVALS_NEEDED="2", APPROVAL_TTL="7d")
async def test_approvers_are_reminded_four_times_at_growing_intervals(story: Story) -> None:
    id = await story.ask("billing")
    await story.vote(id)
    words = f"{id} still waits for approval"
    first = await first_of_four(story, words)
    assert "@grace" in first
    assert "@ada" not in first  # has approved already
    assert "@rosa asked" in first
    story.clock.move(timedelta(days=2))
    await story.approve(id, by="grace")
    decided = f"{id}: the plan was approved"
    await story.until(lambda: len(story.texts("approvals", decided)) == 4)
    assert not story.texts("approvals", words)


@pytest.mark.slow
@pytest.mark.settings(APPROVALS_NEEDED="2", APPROVAL_TTL="7d", APPROVERS=three)
async def test_of_a_rotation_approvers_are_reminded_likewise(story: Story) -> None:
    id = await story.ask()
    await story.workspace.click("grace", "Approve", on=story.card_of(id))
    await story.approve(id, by="ben")
    await seen(story, id)
    story.clock.move(timedelta(days=1))
    await asked(story, id, by="ada")
    await decide(story, "Confirm", by="grace")
    words = f"A rotation of {id} still waits"
    first = await first_of_four(story, words)
    assert "@ben: the request above has Confirm the rotation" in first
    assert "@grace" not in first  # has confirmed it
    assert "@ada asked" in first
    assert "1 of 2 approvals given" in first
    story.clock.move(timedelta(days=2))
    await decide(story, "Deny", by="ben")
    await story.until(lambda: "the rotation was denied" in story.direct("rosa"))
    decided = 4 + 1  # the reminders, and the request itself
    await story.until(lambda: len(story.texts("approvals", "the rotation was denied")) == decided)
    assert not story.texts("approvals", words)


@pytest.mark.slow
async def test_nobody_is_reminded_of_what_is_decided(story: Story) -> None:
    id = await story.ask("billing")
    await story.deny(id)
    await story.until(lambda: f"{id} was denied" in story.card())
    story.clock.move(timedelta(hours=5))
    other = await story.ask("crm")
    await story.eventually(
        lambda: f"{other} still waits for approval" in str(story.workspace.picture())
    )
    assert f"{id} still waits" not in story.workspace.picture()
