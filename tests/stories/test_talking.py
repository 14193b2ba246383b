"""Words, typed wherever people type them: commands, mentions, direct messages."""

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.support.command_story import MOMENT, deliver, in_thread, said
from tests.support.failure_story import failed, refuses_grants
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
    told = await said(story, "rosa", f"history {id}")
    lines = told.splitlines()
    assert lines[0] == f"History of {id}"
    assert lines[1].endswith("· asked for · @rosa")
    assert any(line.endswith("· approved · @ada") for line in lines)
    assert lines[-1].endswith("· ready")
    assert await said(story, "ada", f"history {id}") == told
    refused = await said(story, "ben", f"history {id}")
    assert refused == "Only the requester or an approver can read the history of this."
    values = await said(story, "rosa", f"values {id.lower()}")
    assert "••••••••" in values
    assert "[Show the secret]" in values
    shown = await story.reveal()
    assert "••••••••" not in shown
    assert await said(story, "ben", f"values {id}") == "Only the requester gets the values."
    checked = await said(story, "rosa", f"check {id[4:]}")
    assert checked.startswith(f"{id} is being compared with the tenant.")


@pytest.mark.slow
async def test_retry_and_undo_by_command_and_undo_is_confirmed(story: Story) -> None:
    id, fault = await failed(story)
    refused = await said(story, "ben", f"undo {id}")
    assert refused == "Only the requester or an approver can undo this."
    asked = await said(story, "rosa", f"undo {id}", channel="random")
    assert asked.startswith(f"Undo {id}? The bot removes everything from Entra")
    assert "[Undo]" in asked
    assert f"{id} failed" in story.card()

    fault.times = 0
    retried = await said(story, "ada", f"retry {id}")
    assert retried == f"{id} continues where it stopped. Its card shows the progress."
    await story.until(lambda: story.is_announced(id))
    # What was asked about when it had failed is judged anew when it is confirmed.
    await story.workspace.click("rosa", "undo_asked")
    assert f"{id} is already set up." in story.whispers("rosa")

    other, _ = await failed(story, "crm")
    story.workspace.reload("rosa")
    await said(story, "rosa", f"undo {other}", channel="random")
    await story.workspace.click("rosa", "undo_asked")
    assert story.whispers("rosa") == f"{other} is being undone. Its card says when that is done."
    await story.until(lambda: f"{other} was undone" in story.card())


@pytest.mark.slow
async def test_lists_say_what_they_hold_and_how_many_more(story: Story) -> None:
    one = await story.ask("first")
    two = await story.ask("second")
    await story.approve(one)
    assert (await said(story, "ben", "list")).splitlines()[0] == "Registrations in progress"
    assert one not in await said(story, "ben", "list")
    assert f"{two} waits for approval · second · @rosa" in await said(story, "ada", "list waiting")
    assert one in await said(story, "rosa", "list mine")
    waiting = await said(story, "ada", "list waiting")
    assert waiting.startswith("Registrations that wait for your decision")
    assert await said(story, "ben", "list failed") == "No registration has failed."
    for days, line in (
        (0, "No secret has expired or expires within 30 days."),
        (340, f"{one} is ready · first · @rosa · secret expires"),
    ):
        story.clock.move(timedelta(days=days))
        assert line in await said(story, "rosa", "list expiring")


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
        rest = (await story.workspace.command("rosa", more)).text.splitlines()
        assert len(rest) == 1 + 2
        assert not set(rest[1:]) & set(shown)
    none = await said(story, "rosa", "list mine 3")
    assert none.splitlines()[-1].startswith("There is no such page: /aad-setup list mine shows")
    assert "Only the requester" in await said(story, "ada", f"values {story.card().split()[0]}")


async def test_what_is_said_in_public_is_the_least_and_changes_nothing(story: Story) -> None:
    id = await story.ask("billing")
    await _edited_messages_are_no_commands(story, id)
    for text in (f"status {id}", "list", "list mine", "list waiting"):
        shown = await story.workspace.command("rosa", f"{text} public", channel="random")
        assert shown.acked
        assert not shown.messages[0].get("is_ephemeral")
        assert f"{id} waits for approval" in shown.text
        assert "billing" not in shown.text
    refused = await said(story, "rosa", f"history {id} public")
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
    assert await said(story, "ben", f"cancel {id}") == (
        "Only the requester or the person who asked for this can cancel it."
    )
    done = await said(story, "rosa", f"cancel {id}")
    assert done == f"{id} is cancelled. Nothing was changed in Entra."
    await story.until(lambda: f"{id} was cancelled" in story.card())
    again = await said(story, "rosa", f"cancel {id}")
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
        assert await said(story, "rosa", text, channel=channel)
    await said(story, "rosa", f"values {id}", channel=channel)
    assert "••••••••" not in await story.reveal()
    assert not story.workspace.complaints
    posted = [entry.sent["channel"] for entry in story.workspace.calls("chat.postMessage")]
    assert story.workspace.channel(channel).id not in posted


async def test_the_form_opens_for_the_profile_that_is_named(story: Story) -> None:
    await said(story, "rosa", "directory-read")
    form = story.workspace.text_of(story.workspace.view_of("rosa") or {})
    assert "GroupMember.Read.All (application): " in form
    assert "Email domains filter" not in form
    near = await said(story, "rosa", "directory-raed")
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


async def test_a_greeting_is_answered_with_the_first_steps(story: Story) -> None:
    id = await story.ask("billing")
    await story.workspace.message_im("rosa", "hello!")
    await story.until(lambda: "[New application]  [My registrations]" in story.direct("rosa"))
    await story.workspace.click("rosa", "My registrations")
    assert f"{id} waits for approval" in story.whispers("rosa")
    await story.workspace.click("rosa", "Help")
    assert "/aad-setup status AAD-7K3F shows one" in story.whispers("rosa")
    await story.opens("rosa", lambda: story.workspace.click("rosa", "New application"))
    assert "New application" not in await said(story, "ben", "hi")
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
