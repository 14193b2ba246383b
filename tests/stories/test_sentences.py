"""Sentences that are true only for some, for a while, or where Slack shows them as they are."""

from dataclasses import replace
from datetime import timedelta

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
from tests.support.command_story import MOMENT, in_thread, said
from tests.support.drift_story import report, settled
from tests.support.factories import ADA, BEN, NOON, registration, secret
from tests.support.handover_story import ask_handover, confirm_handover
from tests.support.secret_lives import SecretLife
from tests.support.story import Story
from tests.support.waiting import eventually


async def test_a_status_says_when_it_was_asked_and_when_it_expires(story: Story) -> None:
    id = await story.ask()
    last = (await said(story, "ben", f"status {id}")).splitlines()[-1]
    asked, expires = last.split(" · ")
    assert asked.startswith("asked ")
    assert expires.startswith("expires ")
    assert MOMENT.search(asked)
    assert MOMENT.search(expires)
    await story.approve(id)
    assert (await said(story, "ben", f"status {id}")).splitlines()[-1] == asked


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
async def test_a_thread_gets_a_line_for_a_word_that_is_none(
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
    await said(story, "rosa", f"check {id}")
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
    await said(story, "ada", f"check {id}")
    await held.reached.wait()
    story.workspace.faults.breaks("users.info")
    held.release()
    await eventually(story, lambda: report(story, id, "ada"), step=timedelta(seconds=10))
    assert "matches what was approved" in report(story, id, "ada")


@pytest.mark.slow
async def test_what_a_check_has_found_is_kept_from_who_is_no_longer_there(story: Story) -> None:
    id = await settled(story)
    held = story.tenant.faults.hold("POST", r"\$batch")
    await said(story, "ada", f"check {id}")
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
