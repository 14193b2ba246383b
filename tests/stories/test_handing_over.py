"""Handing over: somebody leaves, somebody else becomes the requester, an approver confirms it."""

import asyncio
import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.stage import Stage
from tests.support.handover_story import ask_handover, confirm_handover
from tests.support.marks import slow
from tests.support.rotation_story import in_use, three
from tests.support.running_bot import Bot
from tests.support.secret_story import live
from tests.support.story import Story, updates

pytestmark = pytest.mark.mostly_slow


@pytest.fixture
def settings() -> dict[str, str]:
    """Everybody may ask."""
    return {"REQUESTERS": "*"}


CONFIRM = "[Confirm the handover]"


async def handed_over(story: Story, id: str, to: str) -> None:
    """Let Ada ask for it, and Grace confirm it."""
    await ask_handover(story, id, to)
    await confirm_handover(story, by="grace")


@pytest.mark.quick
async def test_the_heir_gets_the_values_and_the_old_requester_no_longer(story: Story) -> None:
    id = await story.ready()
    assert "An approver has to confirm this" in await ask_handover(story, id, "ben", by="rosa")
    await story.until(lambda: CONFIRM in story.workspace.picture())
    # Until it is confirmed nothing changes.
    assert "your connector values" not in story.direct("ben")
    assert "Show the secret" in await story.values(id)
    await confirm_handover(story, by="grace")
    await story.until(lambda: f"{id}: your connector values" in story.direct("ben"))
    await story.until(lambda: f"@ben is the requester of {id} now." in story.direct("rosa"))
    await story.until(lambda: "[Get the values]" not in story.direct("rosa"))
    for message in story.workspace.messages("ben"):
        if "[Get the values]" in story.workspace.text_of(message):
            await story.workspace.click("ben", "Get the values", on=message)
    assert "Show the secret" in story.whispers("ben")

    # A direct message asks like the command.
    await story.workspace.message_im("ada", f"handover {id} @rosa")
    await story.until(lambda: "An approver has to confirm this" in story.direct("ada"))
    # The request of before has the button, too, until it is drawn anew.
    await story.until(lambda: "over from @ben to @rosa" in story.workspace.picture())
    await confirm_handover(story, by="grace")
    await story.until(lambda: f"@rosa is the requester of {id} now." in story.direct("ben"))


async def test_a_secret_that_was_seen_is_said_to_be_known_to_who_has_seen_it(story: Story) -> None:
    id = await in_use(story)
    known = (
        "The secret was shown to @rosa, and works until its new requester presses Make a new one"
    )
    await ask_handover(story, id, "ben")
    await story.until(lambda: known in story.workspace.picture())
    await confirm_handover(story, by="grace")
    told = "or if it was shown before this was handed over to you"
    await story.until(lambda: told in story.direct("ben"))
    before = live(story)
    await story.workspace.click("ben", "Make a new one")
    await story.eventually(lambda: live(story) and not {*before} & {*live(story)})


async def test_not_everybody_can_be_given_it_or_give_it(story: Story) -> None:
    faults = story.workspace.faults
    id = await story.ask()
    for to, by, said in (
        ("rosa", "ada", "'s already."),
        ("gus", "ada", "can't request applications, so can't take"),
        ("ben", "ben", "Only the requester or an approver can hand this over."),
    ):
        assert said in await ask_handover(story, id, to, by=by)
    # An heir of whom Slack says nothing may be named again.
    story.clock.move(timedelta(hours=1))  # what it said before is forgotten
    held = faults.hold("users.info")  # Ada's own
    asking = asyncio.create_task(ask_handover(story, id, "ben"))
    await held.reached.wait()
    faults.fail("users.info", "fatal_error")
    held.release()
    assert (await asking).startswith("Slack did not say who that is, so nothing was done.")
    # An heir whom Slack does not know is told apart from who asks.
    story.workspace.people["gus"].hidden = True
    said = await ask_handover(story, id, "gus")
    assert said.startswith("Slack does not show this account")


async def test_a_request_that_was_deleted_is_posted_anew_while_it_waits(story: Story) -> None:
    id = await story.ask()
    await ask_handover(story, id, "ben")
    await story.until(lambda: story.workspace.picture().count(CONFIRM) == 1)
    story.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    await ask_handover(story, id, "grace")
    await story.until(lambda: story.workspace.picture().count(CONFIRM) == 2)
    story.workspace.faults.clear()
    await confirm_handover(story, by="ada")
    await story.until(lambda: "now belongs to @grace" in story.card())


async def test_the_request_of_an_earlier_handover_is_not_posted_anew_beside_the_one_that_waits(
    stage: Stage, bot: Bot
) -> None:
    story = Story(stage)
    async with bot(REQUESTERS="*"):
        id = await story.ready()
        await ask_handover(story, id, "ben")
        await confirm_handover(story, by="grace")
        decided = f"@grace confirmed: {id} (billing) now belongs to @ben (requested by @ada)."
        await story.until(lambda: decided in story.workspace.picture())
        yours = f"You now own {id} (billing), handed over from @rosa."
        await story.until(lambda: yours in story.direct("ben"))
    earlier = story.workspace.messages("approvals")[-1]
    before = updates(story, earlier)
    story.workspace.faults.fail("chat.update", "message_not_found", times=1000)
    async with bot(REQUESTERS="*"):  # a bot that has drawn nothing yet leaves no update out
        await ask_handover(story, id, "rosa")  # which makes the earlier request stale, too
        await story.until(lambda: updates(story, earlier) > before)
        await story.until(lambda: CONFIRM in story.card())
        story.workspace.faults.clear()
        await story.ask("crm")
    asked = [
        it for it in story.workspace.messages("approvals") if "another requester" in it["text"]
    ]
    assert len(asked) == 1


async def test_nobody_confirms_what_comes_to_them_or_goes_from_them(story: Story) -> None:
    id = await story.ask()
    await ask_handover(story, id, "grace")
    await confirm_handover(story, by="grace")
    assert story.whispers("grace") == (
        f"You are to take {id} over. Another approver has to confirm it."
    )
    await confirm_handover(story, by="ben")
    assert story.whispers("ben") == "Only an approver can approve this."
    await confirm_handover(story, by="ada")
    await story.until(lambda: id in story.direct("grace"))
    # Who is the requester now does not decide on it.
    assert "You cannot approve your own registration" in await story.answer_to(
        "grace", "Approve", on=story.card_of(id)
    )


async def test_whoever_has_handed_it_over_does_not_decide_on_it(story: Story) -> None:
    id = await story.ask(by="ada")
    await handed_over(story, id, "ben")
    await story.until(lambda: id in story.direct("ben"))
    for verb in ("Approve", "Deny"):
        assert "You asked for this before it was handed over" in await story.answer_to(
            "ada", verb, on=story.card_of(id)
        )
    assert "No registration waits for your decision." in await story.command("ada", "list waiting")
    assert id in await story.command("grace", "list waiting")
    assert not story.tenant.applications


async def test_a_confirmation_is_for_the_heir_that_was_read(story: Story) -> None:
    id = await story.ready()
    await ask_handover(story, id, "ben", by="rosa")
    await story.until(lambda: CONFIRM in story.workspace.picture())
    read = copy.deepcopy(story.workspace.messages("approvals")[-1])
    await ask_handover(story, id, "grace", by="rosa")
    await story.workspace.click("ada", "Confirm the handover", on=read)
    assert "read the newest one." in story.whispers("ada")
    assert "your connector values" not in story.direct("grace")
    assert "was asked for already" in await ask_handover(story, id, "grace", by="rosa")

    def asked() -> list[Any]:
        return [m for m in story.workspace.messages("approvals") if "wants to hand" in str(m)]

    await story.until(lambda: len(asked()) == 1)  # however often somebody asks


async def test_an_heir_is_judged_again_when_it_is_confirmed(story: Story) -> None:
    id = await story.ready()
    await ask_handover(story, id, "ben")
    story.workspace.deactivate("ben")
    await confirm_handover(story, by="grace")
    assert "can't request applications, so can't take" in story.whispers("grace")
    assert "your connector values" not in story.direct("ben")


async def test_the_heir_s_name_is_text_and_nothing_else(story: Story) -> None:
    name = "<!channel> *<https://evil.example|Ben>*\n\u202e " + "&" * 90
    story.workspace.people["ben"].real_name = name
    id = await story.ready()
    await handed_over(story, id, "ben")
    await story.until(lambda: f"{id}: your connector values" in story.direct("ben"))

    def texts() -> str:
        return "\n".join(each["text"] for each in story.workspace.messages("approvals"))

    await story.until(lambda: f"{id} now belongs to &lt;!channel&gt;" in texts())
    assert "<!channel>" not in texts()
    for shown in (story.workspace.messages("approvals"), story.workspace.messages("ben")):
        # It would turn our own words around.
        assert "\u202e" not in json.dumps(shown, ensure_ascii=False)


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_what_takes_two_approvers_is_not_given_away_by_one(story: Story) -> None:
    id = await story.ask()
    await ask_handover(story, id, "ben", by="ada")
    await confirm_handover(story, by="ada")
    assert "Another has to confirm it." in story.whispers("ada")
    assert id not in story.direct("ben")
    await confirm_handover(story, by="grace")
    await story.until(lambda: id in story.direct("ben"))


@pytest.mark.settings(APPROVERS=three, APPROVALS_NEEDED="2")
async def test_whoever_has_voted_cannot_become_the_requester(story: Story) -> None:
    id = await story.ask()
    await story.vote(id)
    said = await ask_handover(story, id, "ada", by="grace")
    assert f"has voted on {id}, so cannot take it over." in said


@pytest.mark.parametrize("how", ["deactivated", slow("hidden")])
async def test_values_are_sent_to_nobody_whose_account_is_gone(story: Story, how: str) -> None:
    id = await story.ask()
    _leave(story, how)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    gone = f"{id} is ready, and its requester's account is deactivated or gone"
    await story.until(lambda: gone in story.workspace.picture())
    assert "your connector values" not in story.direct("rosa")
    await ask_handover(story, id, "ben")
    await confirm_handover(story, by="ada")
    await story.until(lambda: f"{id}: your connector values" in story.direct("ben"))


def _leave(story: Story, how: str) -> None:
    """Let Rosa leave: some accounts Slack calls deactivated, others it no longer shows."""
    if how == "hidden":
        story.workspace.people["rosa"].hidden = True
    else:
        story.workspace.deactivate("rosa")


async def test_what_was_owed_to_the_old_requester_is_no_news_of_the_new_one(story: Story) -> None:
    id = await story.ask()
    await ask_handover(story, id, "ben")
    await story.until(lambda: CONFIRM in story.workspace.picture())
    story.workspace.faults.fail("chat.postMessage", "channel_not_found", times=1000)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.eventually(lambda: _tried(story, "rosa"))  # her values, in vain
    await confirm_handover(story, by="grace")
    await story.until(lambda: f"@ben is the requester of {id} now." in story.direct("rosa"))
    story.workspace.deactivate("rosa")
    looked = _looked_up(story, "rosa")
    story.workspace.faults.clear()
    await story.eventually(lambda: f"{id}: your connector values" in story.direct("ben"))
    await story.eventually(lambda: _looked_up(story, "rosa") > looked)
    await story.ask("crm", by="ben")
    assert "deactivated" not in story.workspace.picture()
    told = await story.workspace.command("ada", f"history {id}")
    assert "deactivated" not in str(told.text)


def _tried(story: Story, person: str) -> bool:
    id = story.workspace.people[person].id
    posts = story.workspace.calls("chat.postMessage")
    return any(each.answer.get("error") and each.sent.get("channel") == id for each in posts)


def _looked_up(story: Story, person: str) -> int:
    id = story.workspace.people[person].id
    return sum(each.sent.get("user") == id for each in story.workspace.calls("users.info"))
