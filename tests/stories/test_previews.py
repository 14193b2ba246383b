"""The form, which loses nothing that was typed, and the plan as its approvers would see it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.domain.catalogue import Profile, read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Form
from bot.planning.plans import Preview
from bot.playground.stage import Stage
from bot.playground.tenant.faults import Hold
from handlers.listeners.preview import AT_ONCE, MOST_AN_HOUR, Look, PreviewMaker
from handlers.views import form as views
from handlers.views.form import filled_value, read_filled_value
from tests.support.factories import ROSA, form
from tests.support.running_bot import Bot
from tests.support.small_bot import client_of
from tests.support.story import Story

PROFILE = read_catalogue()["mimecast"]
FILLED = {"Application name": "billing", "Reason": "To sync"}
READING = "The tenant is being read"
LOOKS = r"/applications$"
"""What every preview asks of Graph: are there others of this name?"""


def front(story: Story, person: str = "rosa") -> str:
    """Return the modal in front as it is read."""
    return story.workspace.text_of(story.workspace.view_of(person) or {})


async def filled_in(story: Story, person: str = "rosa", **values: Any) -> None:
    await story.open_form(person)
    story.workspace.fill(person, {**FILLED, **values})


async def preview(story: Story, person: str = "rosa") -> str:
    """Press *Preview* and return what stands over the form once the tenant was read."""
    clicked = await story.workspace.click(person, "Preview")
    assert clicked.acked, clicked.error
    await story.until(lambda: READING not in front(story, person))
    return front(story, person)


async def previewing(story: Story) -> Hold:
    """Press *Preview* while Entra keeps its answer back."""
    held = story.tenant.faults.hold("GET", LOOKS)
    await story.workspace.click("rosa", "Preview")
    await held.reached.wait()
    return held


@pytest.mark.slow
async def test_the_plan_is_seen_before_anybody_is_asked(story: Story) -> None:
    await filled_in(story)
    seen = await preview(story)
    assert seen.startswith("Preview\n")
    assert "Directory.Read.All (application): reads the whole directory" in seen
    assert "until about" in seen
    assert "Nothing was changed or saved" in seen
    assert "[Ask for approval]" not in seen
    assert not story.workspace.messages("approvals")
    assert not story.workspace.messages("rosa")
    assert not story.tenant.applications
    assert (await story.command("rosa", "list mine")).startswith("You have no")

    await story.workspace.close_view("rosa")
    assert "Application name: billing" in front(story)
    assert not (await story.workspace.submit("rosa")).errors
    await story.until(lambda: story.workspace.messages("approvals"))
    words = plan_of(seen)
    assert len(words) > 8
    id = story.card().split()[0]
    assert words == plan_of(await story.details(id))
    assert not story.workspace.complaints


def plan_of(shown: str) -> list[str]:
    """Return the lines of a plan from what a card or a preview shows."""
    lines = shown.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("What would be created"))
    last = max(i for i, line in enumerate(lines) if line.startswith("⚠"))
    return lines[first : last + 1]


async def test_every_reason_against_it_is_said(story: Story) -> None:
    story.tenant.set_policy(secrets_banned=True)
    wrong = {"Application name": "", "Redirect URL": "http://example.com", "Reason": ""}
    await filled_in(story, **wrong)
    seen = await preview(story)
    assert "This plan won't work:" in seen
    for reason in ("Give the application a name.", "Say what this is for", "https", "secret"):
        assert reason in seen
    assert "as you filled it in: correct this there." in seen
    await story.workspace.close_view("rosa")
    assert "Redirect URL (optional): http://example.com" in front(story)


@pytest.mark.slow
async def test_what_would_keep_it_from_being_sent_is_said_beside_the_plan(story: Story) -> None:
    id = await story.ask("billing")
    await filled_in(story)
    seen = await preview(story)
    assert "What would be created" in seen
    assert "It cannot be sent now\n• " in seen
    assert f"with this name: {id}" in seen
    assert "as you filled it in: correct this first." in seen


async def test_only_who_may_ask_may_preview(story: Story) -> None:
    refused = await story.workspace.command("ben", "preview mimecast")
    assert refused.text.startswith("You can't request applications yet.")
    await story.workspace.command("rosa", "preview directory-read")
    assert "GroupMember.Read.All" in front(story)
    story.workspace.people["rosa"].is_restricted = True
    before = len(story.tenant.log)
    await story.workspace.click("rosa", "Preview")
    assert "Guest accounts can't use this bot." in front(story)
    assert len(story.tenant.log) == before


@pytest.mark.slow
async def test_so_many_in_an_hour_and_no_more(story: Story) -> None:
    await filled_in(story)
    for _ in range(MOST_AN_HOUR):
        assert "What would be created" in await preview(story)
        await story.workspace.close_view("rosa")
    before = len(story.tenant.log)
    await story.workspace.click("rosa", "Preview")
    assert f"You have had {MOST_AN_HOUR} previews within an hour" in front(story)
    assert len(story.tenant.log) == before
    await story.workspace.close_view("rosa")
    story.clock.move(timedelta(hours=1, seconds=1))
    assert "What would be created" in await preview(story)


async def test_one_at_a_time_and_whoever_closes_it_is_told_directly(story: Story) -> None:
    await filled_in(story)
    held = await previewing(story)
    assert READING in front(story)
    assert "press Preview again" in front(story)
    await story.workspace.close_view("rosa")
    await story.workspace.click("rosa", "Preview")
    assert "Your last preview is still being made." in front(story)
    held.release()
    await story.until(lambda: "What would be created" in story.direct("rosa"))
    assert story.direct("rosa").startswith("Preview: this is what an approver would see")
    assert "billing · Mimecast directory connector" in story.direct("rosa")
    await story.workspace.close_view("rosa")
    assert "What would be created" in await preview(story)


@pytest.mark.slow
async def test_whoever_closes_the_form_gets_it_back_as_it_was(story: Story) -> None:
    reason = "To sync\nthe “Büro” <b>&amp;"
    domains = "example.com, example.org"
    await filled_in(story, Reason=reason, **{"Email domains filter": domains})
    held = await previewing(story)
    while story.workspace.view_of("rosa"):
        await story.workspace.close_view("rosa")
    held.release()
    await story.until(lambda: "What would be created" in story.direct("rosa"))
    assert "Open the form brings back what you filled in." in story.direct("rosa")
    await story.workspace.click("rosa", "Open the form")
    assert "Application name: billing" in front(story)
    assert domains in front(story)
    assert not (await story.workspace.submit("rosa", {})).errors
    await story.until(lambda: story.workspace.messages("approvals"))
    assert "“Büro” <b>&amp;" in story.card()


@pytest.mark.parametrize("long", [False, True])
def test_a_button_holds_what_fits(long: bool) -> None:
    filled = replace(
        form(), reason="\u200d" * (400 if long else 20), options={"domains": ["example.com"]}
    )
    value = filled_value(filled)
    assert value.isprintable()
    assert len(value) <= 2000
    read = read_filled_value(value, read_catalogue())
    assert read == ((filled.profile, None) if long else (filled.profile, filled))


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "{}",
        '{"profile": 1, "name": ["x"], "reason": null, "secret_days": "9", "options": []}',
        '{"options": {"domains": "x", "unknown": true}, "redirect": {}}',
    ],
)
def test_an_invented_button_fills_in_nothing(value: str) -> None:
    nothing = Form(profile="", name="", reason="", secret_days=0)
    assert read_filled_value(value, read_catalogue()) == ("", nothing)


@pytest.mark.slow
async def test_when_entra_is_down_that_is_said_and_it_may_be_tried_again(story: Story) -> None:
    await filled_in(story)
    story.tenant.faults.unreachable = True
    seen = await preview(story)
    assert "The tenant could not be read" in seen
    assert "press Preview again later" in seen
    story.tenant.faults.unreachable = False
    await story.workspace.close_view("rosa")
    assert "What would be created" in await preview(story)


@pytest.mark.slow
async def test_a_bot_that_stops_meanwhile_has_said_what_to_do(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        await filled_in(story)
        held = await previewing(story)
    assert "If nothing has come by then, go back and press Preview again." in front(story)
    held.release()
    async with bot():
        await story.workspace.close_view("rosa")
        assert "What would be created" in await preview(story)


async def test_fields_of_another_profile_are_redrawn_before_they_count(story: Story) -> None:
    await filled_in(story)
    story.workspace.faults.fail("views.update", "hash_conflict", times=2)
    await story.workspace.choose("rosa", "Profile", "Directory reader (any vendor)")
    await story.workspace.click("rosa", "Preview")  # which another click has overtaken, too
    assert front(story).startswith("New Entra application")
    await story.workspace.click("rosa", "Preview")
    assert "The profile was changed while the form was being redrawn." in front(story)
    assert "GroupMember.Read.All" in await preview(story)


@asynccontextmanager
async def previews(story: Story, look: Look) -> AsyncIterator[PreviewMaker]:
    """Previews in the same workspace, of a tenant of our own."""
    async with client_of(story.workspace) as client:
        yield PreviewMaker(client=client, look=look, clock=story.clock, contact="#it-help")


def trigger(story: Story) -> str:
    """Return what Slack hands over with a click in Rosa's form."""
    view = story.workspace.view_of("rosa") or {}
    rosa = story.workspace.people["rosa"]
    return story.workspace._state.triggers.issue(rosa.id, view_id=view["id"])


async def test_a_bug_is_told_with_its_id_and_keeps_nobody_from_trying_again(story: Story) -> None:
    async def broken(form: Form, profile: Profile) -> Preview:
        raise KeyError(form.name)

    rosa = replace(ROSA, user_id=story.workspace.people["rosa"].id)
    await filled_in(story)
    async with previews(story, broken) as mine:
        for _ in range(2):
            await mine.begin(form(), PROFILE, by=rosa, trigger_id=trigger(story))
            await story.until(lambda: "Give #it-help this error ID: " in front(story))
            await story.workspace.close_view("rosa")


async def test_a_view_that_slack_does_not_open_counts_as_none_under_way(story: Story) -> None:
    async with previews(story, never) as mine:
        await filled_in(story)
        for _ in range(2):
            with pytest.raises(SlackApiError, match="invalid_trigger_id"):
                await mine.begin(form(), PROFILE, by=ROSA, trigger_id="none")


@pytest.mark.slow
async def test_not_everybody_can_look_at_once(story: Story) -> None:
    async with previews(story, never) as mine:
        for number in range(AT_ONCE):
            await filled_in(story)
            someone = replace(ROSA, user_id=f"U{number}")
            await mine.begin(form(), PROFILE, by=someone, trigger_id=trigger(story))
        with pytest.raises(Refusal, match="Many people are looking at previews just now"):
            await mine.begin(form(), PROFILE, by=ROSA, trigger_id="none")
        await mine.settle()


async def never(form: Form, profile: Profile) -> Preview:
    await asyncio.Event().wait()
    raise AssertionError


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


@pytest.mark.slow
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
