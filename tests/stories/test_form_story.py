"""The form: it follows the profile chosen, and loses nothing that was typed."""

import json
from typing import Any

import pytest

from bot.domain.catalogue import read_catalogue
from handlers.views import form as views
from tests.support.factories import form
from tests.support.story import Story

TYPED = {
    "Application name": "billing",
    "Reason": "To sync",
    "Secret valid for": "180 days",
    "Redirect URL": "https://example.com/cb",
    "Acknowledge disabled accounts": ["Yes"],
    "Email domains filter": "example.com, other.org",
}
CATALOGUE = read_catalogue()


def shown(story: Story) -> str:
    return story.workspace.text_of(story.workspace.view_of("rosa") or {})


async def choose(story: Story, title: str) -> None:
    assert (await story.workspace.choose("rosa", "Profile", title)).acked


async def test_the_profile_decides_on_fields_and_permissions(story: Story) -> None:
    await story.open_form()
    assert "Directory.Read.All (application): reads the whole directory" in shown(story)
    await choose(story, CATALOGUE["directory-read"].title)
    assert "GroupMember.Read.All (application): " in shown(story)
    assert "Directory.Read.All" not in shown(story)
    assert "Email domains filter" not in shown(story)


async def test_what_was_typed_is_there_again_when_its_field_is(story: Story) -> None:
    await story.open_form()
    story.workspace.fill("rosa", TYPED)
    await choose(story, CATALOGUE["directory-read"].title)
    assert "Application name: billing" in shown(story)
    assert "Secret valid for: 180 days" in shown(story)
    story.workspace.fill("rosa", {"Application name": "invoices"})
    await choose(story, CATALOGUE["mimecast"].title)
    again = shown(story)
    for line in (
        "Application name: invoices",
        "Reason: To sync",
        "Secret valid for: 180 days",
        "Redirect URL (optional): https://example.com/cb",
        "Acknowledge disabled accounts (optional): ☑ Yes",
        "Email domains filter (optional): example.com, other.org",
    ):
        assert line in again
    sent = await story.workspace.submit("rosa")
    assert not sent.errors
    await story.until(lambda: story.workspace.messages("approvals"))
    assert "Redirect URL: https://example.com/cb" in story.card()


async def test_a_form_of_another_profile_is_redrawn_before_it_counts(story: Story) -> None:
    """Two choices in a row: Slack refuses the second redrawing, for the first has come between."""
    await story.open_form()
    story.workspace.fill("rosa", TYPED)
    story.workspace.faults.fail("views.update", "hash_conflict")
    await choose(story, CATALOGUE["directory-read"].title)
    assert "Email domains filter" in shown(story)
    sent = await story.workspace.submit("rosa")
    assert not sent.errors
    assert sent.error is None
    redrawn = shown(story)
    assert "The profile was changed while the form was being redrawn." in redrawn
    assert "GroupMember.Read.All" in redrawn
    assert "Application name: billing" in redrawn
    assert not story.workspace.messages("approvals")
    sent = await story.workspace.submit("rosa")
    assert sent.view is None
    await story.until(lambda: story.workspace.messages("approvals"))
    assert CATALOGUE["directory-read"].title in story.card()


async def test_a_choice_in_a_form_that_is_closed_is_no_trouble(story: Story) -> None:
    await story.open_form()
    story.workspace.faults.fail("views.update", "not_found")
    await choose(story, CATALOGUE["directory-read"].title)
    assert not story.whispers("rosa")


async def test_who_may_not_choose_any_more_is_told_over_the_form(story: Story) -> None:
    await story.open_form()
    story.workspace.fill("rosa", TYPED)
    story.workspace.people["rosa"].is_restricted = True
    await choose(story, CATALOGUE["directory-read"].title)
    assert "Guest accounts can't use this bot." in shown(story)
    await story.workspace.close_view("rosa")
    assert "Application name: billing" in shown(story)


@pytest.mark.parametrize(
    "kept",
    ["", "nonsense", "[]", "7", '{"options": {"domains": true, "unknown": 1}}', '{"redirect": ""}'],
)
def test_what_a_view_brings_back_is_taken_only_if_it_fits(kept: str) -> None:
    state: dict[str, Any] = {"values": {}}
    found = views.typed_so_far({"private_metadata": kept, "state": state}, CATALOGUE)
    assert found.options == {}
    assert found.redirect is None


def test_what_does_not_fit_into_a_view_is_not_kept() -> None:
    wish = form(options={"domains": ["example.com"] * 400})
    assert not views.form(CATALOGUE, CATALOGUE["directory-read"], wish).get("private_metadata")
    kept = views.form(CATALOGUE, CATALOGUE["directory-read"], form(redirect="https://e.com"))
    assert json.loads(kept["private_metadata"])["redirect"] == "https://e.com"
