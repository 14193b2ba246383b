"""Words, typed wherever people type them, and sentences that are true only for some or a while."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.__main__ import main
from bot.domain.approval_requests import Quorum
from bot.domain.catalogue import read_catalogue
from bot.domain.forms import values_of
from bot.domain.people import Refusal
from bot.registrar.deliveries import Drawing
from handlers.listeners.commands import BY_BUTTON, SHOWN, SYNONYMS, parse
from handlers.listeners.errors import plain
from handlers.views import card
from handlers.views.values import sheet
from tests.support.command_story import MOMENT, deliver, in_thread
from tests.support.drift_story import report, settled
from tests.support.factories import ADA, BEN, NOON, registration, secret
from tests.support.failure_story import failed, refuses_grants
from tests.support.handover_story import ask_handover, confirm_handover
from tests.support.secret_lives import SecretLife
from tests.support.story import Story

DATED = re.compile(r"<!date\^\d+\^[^|]*\|\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?>")
"""A moment in the reader's own time zone, and in UTC where it cannot be shown so."""


async def whispered(story: Story, person: str, text: str, **where: Any) -> str:
    """Mention the bot; return what the person alone sees then, and nobody in the thread."""
    story.workspace.reload(person)
    asked = await story.workspace.mention(person, text, **where)
    await story.until(lambda: story.whispers(person))
    assert not story.workspace.replies(asked)
    return story.whispers(person)


async def answered(story: Story, person: str, text: str) -> str:
    """Write to the bot in direct messages and return its answer."""
    before = len(story.workspace.messages(person)) + 1  # what is written now, too
    await story.workspace.message_im(person, text)
    await story.until(lambda: len(story.workspace.messages(person)) > before)
    return story.workspace.text_of(story.workspace.messages(person)[-1])


@pytest.mark.slow
async def test_the_command_does_what_the_buttons_do_and_tells_the_history(story: Story) -> None:
    id = await story.ready("billing")
    told = await story.command("rosa", f"history {id}")
    lines = told.splitlines()
    assert lines[0] == f"History of {id}"
    assert lines[1].endswith("· asked for · @rosa")
    assert any(line.endswith("· approved · @ada") for line in lines)
    assert lines[-1].endswith("· ready")
    assert await story.command("ada", f"history {id}") == told
    refused = await story.command("ben", f"history {id}")
    assert refused == "Only the requester or an approver can read the history of this."
    values = await story.command("rosa", f"values {id.lower()}")
    assert "••••••••" in values
    assert "[Show the secret]" in values
    shown = await story.reveal()
    assert "••••••••" not in shown
    assert await story.command("ben", f"values {id}") == "Only the requester gets the values."
    checked = await story.command("rosa", f"check {id[4:]}")
    assert checked.startswith(f"{id} is being compared with the tenant.")


@pytest.mark.slow
async def test_retry_and_undo_by_command_and_undo_is_confirmed(story: Story) -> None:
    id, fault = await failed(story)
    refused = await story.command("ben", f"undo {id}")
    assert refused == "Only the requester or an approver can undo this."
    asked = await story.command("rosa", f"undo {id}", channel="random")
    assert asked.startswith(f"Undo {id}? The bot removes everything from Entra")
    assert "[Undo]" in asked
    assert f"{id} failed" in story.card()

    fault.times = 0
    retried = await story.command("ada", f"retry {id}")
    assert retried == f"{id} continues where it stopped. Its card shows the progress."
    await story.until(lambda: story.is_announced(id))
    # What was asked about when it had failed is judged anew when it is confirmed.
    await story.workspace.click("rosa", "undo_asked")
    assert f"{id} is already set up." in story.whispers("rosa")

    other, _ = await failed(story, "crm")
    story.workspace.reload("rosa")
    await story.command("rosa", f"undo {other}", channel="random")
    await story.workspace.click("rosa", "undo_asked")
    assert story.whispers("rosa") == f"{other} is being undone. Its card says when that is done."
    await story.until(lambda: f"{other} was undone" in story.card())


@pytest.mark.slow
async def test_lists_say_what_they_hold_and_how_many_more(story: Story) -> None:
    one = await story.ask("first")
    two = await story.ask("second")
    await story.approve(one)
    assert (await story.command("ben", "list")).splitlines()[0] == "Registrations in progress"
    assert one not in await story.command("ben", "list")
    assert f"{two} waits for approval · second · @rosa" in await story.command(
        "ada", "list waiting"
    )
    assert one in await story.command("rosa", "list mine")
    waiting = await story.command("ada", "list waiting")
    assert waiting.startswith("Registrations that wait for your decision")
    assert await story.command("ben", "list failed") == "No registration has failed."
    for days, line in (
        (0, "No secret has expired or expires within 30 days."),
        (340, f"{one} is ready · first · @rosa · secret expires"),
    ):
        story.clock.move(timedelta(days=days))
        assert line in await story.command("rosa", "list expiring")


@pytest.mark.slow
async def test_a_long_list_is_cut_and_says_how_many_more(story: Story) -> None:
    for number in range(12):
        assert not (await story.fill_and_send(f"wish {number}")).errors
    await story.until(lambda: len(story.workspace.messages("approvals")) == 12)
    for text in ("list", "list mine", "list all", "list public"):
        shown = (await story.workspace.command("rosa", text)).text.splitlines()
        assert len(shown) == 1 + 10 + 1
        more = text.removesuffix(" public") + " 2"
        assert shown[-1] == f"and 2 more: /aad-setup {more} shows the next."
        rest = (await story.command("rosa", more)).splitlines()
        assert len(rest) == 1 + 2
        assert not set(rest[1:]) & set(shown)
    none = await story.command("rosa", "list mine 3")
    assert none.splitlines()[-1].startswith("There is no such page: /aad-setup list mine shows")
    assert "Only the requester" in await story.command("ada", f"values {story.card().split()[0]}")


@pytest.mark.slow
async def test_what_is_said_in_public_is_the_least_and_changes_nothing(story: Story) -> None:
    id = await story.ask("billing")
    await _edited_messages_are_no_commands(story, id)
    for text in (f"status {id}", "list", "list mine", "list waiting"):
        shown = await story.workspace.command("rosa", f"{text} public", channel="random")
        assert shown.acked
        assert not shown.messages[0].get("is_ephemeral")
        assert f"{id} waits for approval" in shown.text
        assert "billing" not in shown.text
    refused = await story.command("rosa", f"history {id} public")
    assert refused.startswith("Only status and list can be public.")
    answer = await in_thread(story, "rosa", f"cancel {id}")
    assert answer == (
        f"In channels I only show status. Type /aad-setup cancel {id} and I do that for you."
    )
    assert "I open the form" in await in_thread(story, "rosa", "")
    assert "waits for approval" in story.card()
    await _cancelled_by_word(story, id)


async def _edited_messages_are_no_commands(story: Story, id: str) -> None:
    edited = {
        "type": "message",
        "subtype": "message_changed",
        "channel_type": "im",
        "channel": story.workspace.channel("rosa").id,
        "message": {"user": story.workspace.people["rosa"].id, "text": f"cancel {id}"},
        "event_ts": "1.0",
    }
    mentioned = {
        "type": "app_mention",
        "user": story.workspace.people["rosa"].id,
        "text": f"<@{story.workspace.bot_user_id}> status {id}",
        "edited": {"user": story.workspace.people["rosa"].id, "ts": "2.0"},
        "channel": story.workspace.channel("general").id,
        "ts": "1.0",
    }
    for event in (edited, mentioned, {**mentioned, "edited": None, "bot_id": "B0OTHER"}):
        assert await deliver(story, event)
    assert "waits for approval" in story.card()
    assert not story.workspace.messages("general")
    assert not story.whispers("rosa")


async def _cancelled_by_word(story: Story, id: str) -> None:
    """What it says it did, the card says, too."""
    assert await story.command("ben", f"cancel {id}") == (
        "Only the requester or the person who asked for this can cancel it."
    )
    done = await story.command("rosa", f"cancel {id}")
    assert done == f"{id} is cancelled. Nothing was changed in Entra."
    await story.until(lambda: f"{id} was cancelled" in story.card())
    again = await story.command("rosa", f"cancel {id}")
    assert again == f"{id} was cancelled, so there is nothing to cancel."


@pytest.mark.slow
@pytest.mark.parametrize("where", ["random", "two people"])
async def test_it_works_where_the_bot_is_no_member(story: Story, where: str) -> None:
    people = story.workspace.people
    channel: Any = where
    if where == "two people":
        channel = story.workspace.channels.im(people["rosa"].id, people["ben"].id)
    await story.open_form("rosa", "mimecast", channel=channel)
    sent = await story.workspace.submit("rosa", {"Application name": "billing", "Reason": "sync"})
    assert not sent.errors
    await story.until(lambda: story.workspace.messages("approvals"))
    id = story.card().split()[0]
    await story.approve(id)
    for text in (f"status {id}", "list", f"history {id}", "help", "nonsense", f"undo {id}"):
        assert await story.command("rosa", text, channel=channel)
    await story.command("rosa", f"values {id}", channel=channel)
    assert "••••••••" not in await story.reveal()
    assert not story.workspace.complaints
    posted = [entry.sent["channel"] for entry in story.workspace.calls("chat.postMessage")]
    assert story.workspace.channel(channel).id not in posted


async def test_the_form_opens_for_the_profile_that_is_named(story: Story) -> None:
    await story.command("rosa", "directory-read")
    form = story.workspace.text_of(story.workspace.view_of("rosa") or {})
    assert "GroupMember.Read.All (application): " in form
    assert "Email domains filter" not in form
    near = await story.command("rosa", "directory-raed")
    assert "Did you mean /aad-setup directory-read?" in near


@pytest.mark.slow
async def test_a_channel_reads_the_least_and_the_person_the_rest(story: Story) -> None:
    id = await story.ready("billing")
    other = await story.ask("second")
    listed = await in_thread(story, "ben", "list")
    assert f"{other} waits for approval" in listed
    assert "second" not in listed
    assert "rosa" not in listed
    helped = await in_thread(story, "ben", "help")
    assert "history AAD-7K3F" in helped
    assert "Only you see the answer" not in helped

    told = await whispered(story, "rosa", f"history {id}")
    assert "approved · @ada" in told
    assert told.endswith("Only you can see this.")
    assert "[Show the secret]" in await whispered(story, "rosa", f"values {id}")
    assert "billing" in await whispered(story, "ben", f"details {id}")
    refused = await whispered(story, "ben", f"values {id}")
    assert refused == "Only the requester gets the values."
    await _guests_and_outsiders_learn_nothing(story, id)


async def _guests_and_outsiders_learn_nothing(story: Story, id: str) -> None:
    # `help` says the same to everybody, so nobody is looked up for it.
    for text in (f"status {id}", "list", f"history {id}", "list public"):
        refused = await story.workspace.command("gus", text)
        assert "Guest accounts can't use this bot." in refused.text
        told = await whispered(story, "ext", text.removesuffix(" public"), channel="partners")
        assert "can't use this bot" in told
    assert await answered(story, "gus", "help") == "Guest accounts can't use this bot."
    for text in ("values", "nonsense"):  # a hint on usage would come first
        refused = await story.workspace.command("gus", text)
        assert refused.text == "Guest accounts can't use this bot."


@pytest.mark.slow
async def test_a_greeting_is_answered_with_the_first_steps(story: Story) -> None:
    id = await story.ask("billing")
    await story.workspace.message_im("rosa", "hello!")
    await story.until(lambda: "[New application]  [My registrations]" in story.direct("rosa"))
    await story.workspace.click("rosa", "My registrations")
    assert f"{id} waits for approval" in story.whispers("rosa")
    await story.workspace.click("rosa", "Help")
    assert "/aad-setup status AAD-7K3F shows one" in story.whispers("rosa")
    await story.opens("rosa", lambda: story.workspace.click("rosa", "New application"))
    assert "New application" not in await story.command("ben", "hi")
    assert (await in_thread(story, "ben", "hey")).startswith("Hi! I register Entra apps")


async def test_nobodys_bot_is_answered(story: Story) -> None:
    asked = await story.workspace.mention("builder", "help")
    await story.workspace.message_im("builder", "help")
    await in_thread(story, "ben", "help")
    assert not story.workspace.replies(asked)
    assert not story.whispers("builder")
    assert len(story.workspace.messages("builder")) == 1


@pytest.mark.slow
async def test_a_direct_message_is_answered_like_the_command(story: Story) -> None:
    await story.workspace.message_im("rosa", "mimecast")
    await story.workspace.until(lambda: "[Open the form]" in story.direct("rosa"))
    await story.opens("rosa", lambda: story.workspace.click("rosa", "Open the form"))
    sent = await story.workspace.submit("rosa", {"Application name": "billing", "Reason": "sync"})
    assert not sent.errors
    await story.until(lambda: story.workspace.messages("approvals"))
    id = story.card().split()[0]
    assert f"{id} waits for approval · billing" in await answered(story, "rosa", "status")
    assert "Did you mean /aad-setup status?" in await answered(story, "rosa", "staus")
    assert "opens the form" in await answered(story, "ben", "help")
    assert (await answered(story, "ben", "")).startswith("You can't request applications yet.")
    await story.approve(id)
    before = len(story.workspace.messages("rosa"))
    await story.workspace.message_im("rosa", f"values {id}")
    await story.until(lambda: "[Show the secret]" in story.whispers("rosa"))
    assert len(story.workspace.messages("rosa")) == before + 1  # her own words
    assert "••••••••" not in await story.reveal()


@pytest.mark.slow
@pytest.mark.settings(PLAIN_CARDS="true")
async def test_what_a_plain_card_says_is_said_without_plan_blocks(story: Story) -> None:
    held = story.tenant.faults.hold("POST", "addPassword")
    id = await story.ask("billing")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: "• Make the client secret: at work" in story.card())
    assert "• Register the application: done" in story.card()
    held.release()
    await story.until(lambda: f"{id} is ready" in story.card())
    await story.until(lambda: "8 of 8 steps done in" in story.card())
    posted = [it for it in story.workspace.log if it.what in ("chat.postMessage", "chat.update")]
    assert posted
    assert "task_card" not in str([entry.sent for entry in posted])


@pytest.mark.slow
async def test_every_message_says_aloud_how_it_stands(story: Story) -> None:
    id = await story.ready("billing")
    denied = await story.ask("second")
    await story.deny(denied)
    await story.until(lambda: f"{denied} was denied" in story.direct("rosa"))
    refuses_grants(story)
    broken = await story.ask("third")
    await story.workspace.click("ada", "Approve", on=story.card_of(broken))
    await story.until(lambda: f"{broken} failed" in story.card())
    await story.until(lambda: f"{broken} failed" in story.direct("rosa"))
    names = {id: "billing", denied: "second", broken: "third"}
    sent = [
        entry.sent
        for entry in story.workspace.log
        if entry.what in ("chat.postMessage", "chat.update", "chat.postEphemeral")
    ]
    assert len(sent) > 10
    for body in sent:
        [about, *_] = re.findall(r"AAD-\w{4}", body["text"])
        assert names[about] in body["text"]
        title = next((it for it in body["blocks"] if it["type"] == "header"), None)
        headline = title["text"]["text"] if title else body["blocks"][0]["text"]["text"]
        said = re.sub(r"^<@\w+> ", "", headline)  # the text writes the name out
        # The headline of a card is the name, which is in the text, and how it stands.
        assert said.strip("*").split("*")[0].partition(": ")[0] in body["text"], body["text"]
        assert "<@" not in body["text"]
        assert not MOMENT.search(DATED.sub("", str(body))), body
    aloud = {body["text"] for body in sent}
    third = "Rosa Marin asked for the application third, Mimecast directory connector."
    assert any(text.startswith(f"{broken} failed. {third} Entra refused") for text in aloud)


@pytest.mark.slow
async def test_what_a_channel_reads_mentions_nobody_and_makes_no_links(story: Story) -> None:
    id = await story.ask("see https://evil.example/x")
    asked = await story.workspace.mention("ben", f"status {id}", channel="general")
    await story.until(lambda: story.workspace.replies(asked))
    shown = await story.workspace.command("ben", f"status {id} public", channel="random")
    for answer in (*story.workspace.replies(asked), *shown.messages):
        assert "<@" not in str(answer)
        assert "asked for by Rosa" in answer["text"]
    await answered(story, "rosa", "list mine")
    await answered(story, "rosa", "no such word")
    posts = [it.sent for it in story.workspace.calls("chat.postMessage")]
    assert all(it["unfurl_links"] is it["unfurl_media"] is False for it in posts)
    sections = [it for post in posts for it in post["blocks"] if it["type"] == "section"]
    texts = [text for it in sections for text in (it.get("text"), *it.get("fields", ())) if text]
    assert all(it.get("verbatim") for it in texts)


@pytest.mark.slow
async def test_a_status_says_when_it_was_asked_and_when_it_expires(story: Story) -> None:
    id = await story.ask()
    last = (await story.command("ben", f"status {id}")).splitlines()[-1]
    asked, expires = last.split(" · ")
    assert asked.startswith("asked ")
    assert expires.startswith("expires ")
    assert MOMENT.search(asked)
    assert MOMENT.search(expires)
    await story.approve(id)
    assert (await story.command("ben", f"status {id}")).splitlines()[-1] == asked


def test_a_secret_that_was_shown_is_not_said_to_be_on_the_screen() -> None:
    """It is shown for a moment longer in storage than it is on the screen."""
    shown = registration(secret=secret(SecretLife.SHOWN))
    drawn = str(sheet(values_of(shown, read_catalogue()["mimecast"])))
    assert "It is masked after one minute" in drawn
    assert "on your screen" not in drawn


@pytest.mark.parametrize("state", SecretLife)
def test_a_card_says_that_a_secret_works_only_while_it_does(state: SecretLife) -> None:
    profile, ready = read_catalogue()["mimecast"], registration(secret=secret(state))
    shown = str(card.progress(ready, Drawing(profile=profile, quorum=Quorum(needed=1))))
    gone = state in (SecretLife.CLOSED, SecretLife.REMOVED, SecretLife.REPLACED)
    assert ("Sign-in tested." in shown) is not gone
    assert ("The secret expires" in shown) is not gone
    assert ("the connector cannot sign in until you press" in shown) is gone


@pytest.mark.parametrize("state", [SecretLife.CLOSED, SecretLife.REMOVED])
def test_a_card_says_that_an_older_secret_works_beside_an_unread_one(state: SecretLife) -> None:
    profile, older = read_catalogue()["mimecast"], secret(SecretLife.MASKED)
    newer = replace(secret(state), id="s3", made_at=NOON + timedelta(days=100))
    both = replace(registration(secret=newer), other_secrets=(older,))
    shown = str(card.progress(both, Drawing(profile=profile, quorum=Quorum(needed=1))))
    assert "previous one is still in use: you press *Make a new one*" in shown
    assert "Sign-in tested." not in shown
    assert "The secret expires" in shown
    goes = replace(both, other_secrets=(replace(older, remove_at=NOON),))
    shown = str(card.progress(goes, Drawing(profile=profile, quorum=Quorum(needed=1))))
    assert "the connector cannot sign in until you press" in shown


@pytest.mark.slow
async def test_a_form_names_people_where_slack_shows_no_mentions(story: Story) -> None:
    id = await story.ask()
    await story.open_denial(id)
    await story.approve(id)
    late = await story.workspace.submit("grace", {"Reason": "Not now"})
    name = story.workspace.people["ada"].real_name
    assert late.errors == {"Reason": f"{name} already approved {id}."}


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("<@U0ADA> and <@U0BEN|ben> did it", "Ada Lovelace and Ben Okafor did it"),
        ("<@U0STRANGE> did it", "another user did it"),
        ("*Retry* it with `/aad-setup`", "Retry it with /aad-setup"),
    ],
)
def test_what_is_shown_letter_by_letter_has_no_markup(sentence: str, shown: str) -> None:
    assert plain(sentence, [ADA, BEN]) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("thanks, that was quick", "I don't know “thanks”. /aad-setup help lists all commands."),
        (
            "staus AAD-7K3F",
            "I don't know “staus”. Did you mean /aad-setup status?"
            " /aad-setup help lists all commands.",
        ),
    ],
)
async def test_a_thread_gets_one_line_for_what_is_no_word(
    story: Story, text: str, line: str
) -> None:
    assert await in_thread(story, "ben", text) == line


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("approve AAD-7K3F", "Use the *Approve* and *Deny* buttons"),
        ("Renew AAD-7K3F", "I don't know “Renew”. Did you mean `/aad-setup rotate`?"),
        ("delete", "I don't know “delete”. Did you mean `/aad-setup revoke`?"),
    ],
)
def test_words_for_what_has_another_name_here_lead_to_it(text: str, answer: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(text, read_catalogue())
    assert str(refused.value).startswith(answer)


def test_every_other_name_stands_for_a_word_that_is_there() -> None:
    assert set(SYNONYMS.values()) <= set(SHOWN)
    assert not {*SYNONYMS, *BY_BUTTON} & set(SHOWN)


@pytest.mark.slow
@pytest.mark.settings(REQUESTERS="*")
async def test_what_a_check_has_found_is_kept_from_who_has_handed_it_over(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.command("rosa", f"check {id}")
    await held.reached.wait()
    await ask_handover(story, id, "ben")
    await confirm_handover(story, by="grace")
    held.release()
    kept = f"{id} was compared with the tenant as you asked. It is no longer yours,"
    await story.until(lambda: kept in story.direct("rosa"))
    assert not report(story, id)


@pytest.mark.slow
async def test_what_a_check_has_found_waits_until_slack_says_who_reads_it(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.command("ada", f"check {id}")
    await held.reached.wait()
    story.workspace.faults.breaks("users.info")
    held.release()
    await story.eventually(lambda: report(story, id, "ada"), step=timedelta(seconds=10))
    assert "matches what was approved" in report(story, id, "ada")


@pytest.mark.slow
async def test_what_a_check_has_found_is_kept_from_who_is_no_longer_there(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await story.command("ada", f"check {id}")
    await held.reached.wait()
    story.workspace.people["ada"].hidden = True
    held.release()
    await story.until(lambda: "It is no longer yours" in story.direct("ada"))
    assert not report(story, id, "ada")


def test_the_command_line_says_its_version_and_the_profiles() -> None:
    told = CliRunner().invoke(main, ["--version"])
    assert told.output.startswith("aad-setup ")
    helped = CliRunner().invoke(main, ["plan", "--help"], env={"COLUMNS": "200"})
    for profile in read_catalogue():
        assert profile in helped.output


@pytest.mark.parametrize("command", ["", "demo", "plan", "doctor", "tenant", "workspace"])
def test_an_option_that_takes_no_value_is_not_shown_with_one(command: str) -> None:
    asked = [*command.split(), "--help"]
    told = CliRunner().invoke(main, asked, env={"COLUMNS": "200"}).output
    lines = [line for line in told.splitlines() if "--" in line and "--help" not in line]
    assert lines
    assert not any("<bool>" in line for line in lines)
