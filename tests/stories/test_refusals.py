"""Refusals: whoever may not, comes too late or asks for nonsense gets one clear sentence."""

from datetime import timedelta
from functools import partial
from itertools import product

import pytest
from structlog.testing import capture_logs

from handlers.views import ids
from tests.support.command_story import WITH_ID, in_thread
from tests.support.forged_clicks import forged_button, forged_click
from tests.support.story import UNKNOWN, Story

WRONG_FIELDS = {
    "Application name": "n" * 300,
    "Redirect URL": "http://example.com/cb",
    "Email domains filter": "example.com, not a domain",
}


ABOUT_ONE = (
    *(ids.APPROVE, ids.DENY, ids.WITHDRAW, ids.CANCEL, ids.AGAIN, ids.RETRY, ids.UNDO),
    *(ids.UNDO_ASKED, ids.REVOKE, ids.REVOKE_ASKED, ids.VALUES, ids.REVEAL, ids.MASK, ids.RENEW),
    *(ids.ROTATE, ids.RETIRE, ids.RETIRE_ASKED),
)
"""Buttons whose values begin with a registration's id."""


async def test_a_wrong_form_says_what_is_wrong_beside_each_field_and_keeps_it(story: Story) -> None:
    sent = await story.fill_and_send(**WRONG_FIELDS)
    assert sent.errors == {
        "Application name": "The name has 300 characters; 120 is the most.",
        "Redirect URL": "The redirect URL must start with https://; http:// is only for localhost.",
        "Email domains filter": "'not' is not a domain. Write it like example.com, separated by"
        " commas.",
    }
    form = story.workspace.text_of(sent.view or {})
    for typed in WRONG_FIELDS.values():
        assert typed in form

    right = {"Application name": "billing", "Redirect URL": "", "Email domains filter": "e.com"}
    mended = await story.workspace.submit("rosa", right)
    assert not mended.errors
    assert mended.view is None
    await story.until(lambda: story.workspace.messages("approvals"))
    assert "billing" in story.card()
    blank = await story.fill_and_send("  ", Reason="\n")
    assert blank.errors == {
        "Application name": "Give the application a name.",
        "Reason": "Say what this is for: the approver decides by it.",
    }


@pytest.mark.slow
async def test_a_form_that_arrives_twice_is_one_registration(story: Story) -> None:
    await story.ask("billing")
    await story.workspace.redeliver("interactive")
    listed = await story.workspace.command("rosa", "status")
    assert listed.text.count("AAD-") == 1
    assert len(story.workspace.messages("approvals")) == 1


async def test_nobody_asks_who_is_not_listed_and_the_guest_least_of_all(story: Story) -> None:
    refused = await story.workspace.command("ben", "")
    assert refused.text.startswith("You can't request applications yet.")
    guest = await story.workspace.command("gus", "")
    assert "Guest accounts can't use this bot." in guest.text
    assert story.workspace.view_of("ben") is None
    assert story.workspace.view_of("gus") is None


async def test_somebody_struck_off_while_the_form_was_open_cannot_send_it(story: Story) -> None:
    await story.open_form()
    story.workspace.people["rosa"].is_restricted = True
    sent = await story.workspace.submit("rosa", {"Application name": "x", "Reason": "y"})
    assert "Guest accounts" in sent.errors["Application name"]
    assert not story.tenant.applications


@pytest.mark.settings(REQUESTERS="*")
async def test_a_star_lets_every_member_ask_but_no_guest(story: Story) -> None:
    await story.ask("billing", by="ben")
    refused = await story.workspace.command("una", "")
    assert "Guest accounts" in refused.text


async def test_an_unknown_word_is_answered_with_the_nearest_and_help(story: Story) -> None:
    answer = await story.workspace.command("rosa", "staus")
    assert answer.text.startswith("I don't know “staus”. Did you mean /aad-setup status?")
    far = await story.workspace.command("rosa", "xyzzy")
    assert "Did you mean" not in far.text
    for each in (answer, far):
        assert each.text.endswith("/aad-setup help lists all commands.")
    helped = await story.workspace.command("ben", "-h")
    assert "/aad-setup status AAD-7K3F shows one" in helped.text
    assert "Only you see the answer" in helped.text


async def test_status_of_an_unknown_id_says_so_and_of_too_many_shows_help(story: Story) -> None:
    unknown = await story.workspace.command("rosa", "status AAD-0000")
    assert unknown.text.startswith("There is no registration AAD-0000.")
    many = await story.workspace.command("rosa", "status AAD-0000 AAD-1111")
    assert many.text.startswith("Which one? For example: /aad-setup status AAD-")
    none = await story.workspace.command("rosa", "status")
    assert none.text == "You have no registrations yet. /aad-setup opens the form."


async def test_status_shows_anybody_in_the_team_how_one_stands(story: Story) -> None:
    id = await story.ask("billing")
    shown = await story.workspace.command("ben", f"status {id.lower()}")
    assert shown.text.startswith(f"{id} waits for approval")
    assert "[" not in shown.text
    mine = await story.workspace.command("rosa", "status")
    assert f"{id} waits for approval · billing" in mine.text


async def test_a_mention_that_is_not_understood_is_answered(story: Story) -> None:
    reply = await in_thread(story, "ben", "satus AAD-7K3F")
    assert "Did you mean /aad-setup status?" in reply
    # An unknown id is told to the person alone.
    asked = await story.workspace.mention("ben", "status AAD-0000")
    await story.until(lambda: story.whispers("ben"))
    assert story.whispers("ben").startswith("There is no registration AAD-0000.")
    assert not story.workspace.replies(asked)


async def test_a_mention_that_slack_repeats_is_answered_once(story: Story) -> None:
    id = await story.ask("billing")
    asked = await story.workspace.mention("ben", f"status {id}")
    await story.until(lambda: story.workspace.replies(asked))
    await story.workspace.redeliver()
    assert len(story.workspace.replies(asked)) == 1


async def test_guests_and_people_from_outside_learn_nothing(story: Story) -> None:
    id = await story.ask("billing")
    for name in ("ext", "gus"):
        person = story.workspace.people[name]
        story.workspace.channels["partners"].members.add(person.id)
        asked = await story.workspace.mention(name, f"status {id}", channel="partners")
        await story.until(lambda name=name: story.whispers(name))
        assert "can't use this bot" in story.whispers(name)
        assert not story.workspace.replies(asked)
    answer = await story.workspace.command("gus", f"status {id}")
    assert "can't use this bot" in answer.text


async def test_guests_do_not_even_learn_which_ids_there_are(story: Story) -> None:
    known, invented = await story.ask("billing"), "AAD-ZZZZ"
    sentence = "Guest accounts can't use this bot."
    for word in WITH_ID:
        for id in (known, invented):
            answer = await story.workspace.command("gus", f"{word} {id} @ben")
            assert answer.text == sentence, (word, id)
    story.workspace.channels["general"].members.add(story.workspace.people["gus"].id)
    for button in ABOUT_ONE:
        for id in (known, invented):
            assert (await forged_click(story, "gus", button, id)) == sentence, (button, id)


@pytest.mark.settings(REQUESTERS="*")
async def test_only_approvers_approve_and_never_their_own(story: Story) -> None:
    id = await story.ask("billing", by="ada")
    card = story.card_of(id)
    for name, button in product(("ben", "ada"), ("Approve", "Deny")):
        await story.workspace.click(name, button, on=card)
    assert story.whispers("ben").splitlines() == [
        "Only an approver can approve this.",
        "Only an approver can deny this. If you asked for it, you can cancel it.",
    ]
    assert story.whispers("ada").splitlines() == [
        "You cannot approve your own registration. Another approver has to decide.",
        "You cannot deny your own registration. Another approver has to decide.",
    ]
    assert "waits for approval" in story.card()
    assert not story.tenant.applications


@pytest.mark.slow
async def test_an_approver_whose_account_has_changed_decides_nothing(story: Story) -> None:
    id = await story.ask("billing")
    for flag, words in (
        ("deleted", "is deactivated"),
        ("is_restricted", "Guest accounts"),
        ("is_ultra_restricted", "Guest accounts"),
        ("is_bot", "is a bot"),
        ("is_stranger", "is from outside"),
    ):
        setattr(story.workspace.people["ada"], flag, True)
        said = await story.answer_to("ada", "Approve", on=story.card_of(id))
        assert words in said
        assert said.endswith("can't use this bot.")
        setattr(story.workspace.people["ada"], flag, False)
    assert "waits for approval" in story.card()


async def test_an_approver_of_another_team_is_nobody(story: Story) -> None:
    id = await story.ask("billing")
    story.workspace.channels["approvals"].members.add(story.workspace.people["ext"].id)
    await story.workspace.click("ext", "Approve", on=story.card_of(id))
    assert "another Slack team" in story.whispers("ext")
    assert "waits for approval" in story.card()


@pytest.mark.slow
async def test_when_slack_does_not_say_who_it_is_nothing_is_done(story: Story) -> None:
    id = await story.ask("billing")
    await story.workspace.command("ada", f"status {id}")  # so that she is remembered
    faults = story.workspace.faults
    story.workspace.reload("ada")
    for trouble in (partial(faults.fail, error="user_not_found"), faults.breaks, faults.hold):
        trouble("users.info")
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert story.whispers("ada").splitlines() == [UNKNOWN] * 3
    assert "waits for approval" in story.card()
    await story.approve(id)


@pytest.mark.parametrize(
    ("code", "said", "logged"),
    [
        (
            "internal_error",
            "Slack did not take the answer (internal_error). Try again in a moment.",
            {"event": "bug", "what": "listener", "code": "internal_error"},
        ),
        (
            "xoxb-1 is no token",  # not how Slack's words look
            "Slack did not take the answer. Try again in a moment.",
            {"event": "bug", "what": "listener"},
        ),
        (
            "expired_trigger_id",
            "That took too long, so Slack opened nothing. Do it again.",
            {"event": "too late to open a form", "what": "listener", "code": "expired_trigger_id"},
        ),
    ],
)
async def test_a_form_that_slack_does_not_open_is_told_and_logged_in_slack_s_word_for_it(
    story: Story, code: str, said: str, logged: dict[str, str]
) -> None:
    id = await story.ask()
    story.workspace.faults.fail("views.open", code, times=2)
    with capture_logs() as logs:
        answer = await story.workspace.command("rosa", "")
        await story.workspace.click("grace", "Deny", on=story.card_of(id))
    assert [answer.text, story.whispers("grace")] == [said, said]
    words = ("event", "what", "code")
    assert [{key: line[key] for key in words if key in line} for line in logs] == [logged, logged]
    assert "xoxb" not in str(logs)


async def test_a_view_that_comes_too_late_over_a_form_leaves_it_as_it_is(story: Story) -> None:
    await story.open_form()
    form = story.workspace.view_of("rosa")
    story.workspace.fill("rosa", {"Application name": "billing", "Reason": "To sync"})
    story.workspace.faults.fail("views.push", "expired_trigger_id", times=2)
    with capture_logs() as logs:
        assert (await story.workspace.click("rosa", "Preview")).acked
    assert form is not None
    assert (story.workspace.view_of("rosa") or {})["id"] == form["id"]
    assert {line["log_level"] for line in logs} - {"info"} == {"warning"}


@pytest.mark.slow
async def test_a_form_that_slack_opened_no_more_is_asked_for_again(story: Story) -> None:
    """By the people of these stories: a machine may stall longer than Slack waits."""
    story.workspace.faults.fail("views.open", "expired_trigger_id", times=2)
    id = await story.ask()
    story.workspace.faults.fail("views.open", "expired_trigger_id", times=2)
    assert not (await story.deny(id)).errors
    story.workspace.faults.fail("views.open", "expired_trigger_id", times=3)
    assert "took too long" in (await story.open_form()).text
    assert story.workspace.view_of("rosa") is None


@pytest.mark.slow
async def test_what_is_the_requesters_is_nobody_elses(story: Story) -> None:
    id = await story.ready("billing")
    for button in ("values", "reveal", "hide", "renew", "cancel"):
        stolen = await forged_button(story.workspace, button, id)
        for name in ("ben", "ada"):
            assert (await story.answer_to(name, button, on=stolen)).startswith("Only the requester")
            assert "8Q~" not in story.whispers(name)
    assert "Show the secret" in await story.values(id)


async def test_a_button_with_an_invented_id_does_nothing(story: Story) -> None:
    decide = ("approve", "deny", "cancel", "retry", "undo", "withdraw")
    back = ("revoke", "revoke_asked")
    for button in (*decide, *back, "values", "reveal", "renew", "rotate"):
        assert (await forged_click(story, "ada", button, "AAD-ZZZZ")).startswith(
            "There is no registration AAD-ZZZZ."
        )


@pytest.mark.slow
async def test_a_registration_that_nobody_decides_on_expires(story: Story) -> None:
    id = await story.ask("billing")
    card = story.card_of(id)
    story.clock.move(timedelta(hours=24, seconds=1))
    await story.until(lambda: f"{id} expired without a decision" in story.card())
    assert "[Approve]" not in story.card()
    assert "Nothing was changed in Entra. The requester can ask again." in story.card()
    done = "Nothing was changed in Entra. Ask again opens the form as you filled it in."
    await story.until(lambda: done in story.direct("rosa"))
    late = await forged_click(story, "grace", "approve", id)
    assert late.startswith(f"{id} has expired.")
    assert card["ts"] == story.card_of(id)["ts"]


@pytest.mark.parametrize("action", ids.REPLACED)
async def test_an_older_version_s_button_says_where_the_new_is(story: Story, action: str) -> None:
    id = await story.ask("billing")
    told = await forged_click(story, "ada", action, f"{id}:r1")
    assert "Press the one in the newest message." in told
