"""Previews: the plan as its approvers would see it, before anybody is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import Profile, read_catalogue
from bot.domain.people import Refusal
from bot.domain.registration import Form
from bot.planning.preview import Preview
from bot.playground.stage import Stage
from handlers.listeners.preview import AT_ONCE, MOST_AN_HOUR, Look, PreviewMaker
from handlers.views.form import filled_value, read_filled_value
from tests.conftest import Bot
from tests.support.factories import ROSA, form
from tests.support.story import Scene

PROFILE = read_catalogue()["mimecast"]
FILLED = {"Application name": "billing", "Reason": "To sync"}
READING = "The tenant is being read"
LOOKS = r"/applications$"
"""What every preview asks of Graph: are there others of this name?"""


def front(scene: Scene, person: str = "rosa") -> str:
    """Return the modal in front as it is read."""
    return scene.workspace.text_of(scene.workspace.view_of(person) or {})


async def filled_in(scene: Scene, person: str = "rosa", **values: Any) -> None:
    await scene.open_form(person)
    scene.workspace.fill(person, {**FILLED, **values})


async def preview(scene: Scene, person: str = "rosa") -> str:
    """Press *Preview* and return what stands over the form once the tenant was read."""
    clicked = await scene.workspace.click(person, "Preview")
    assert clicked.acked, clicked.error
    await scene.until(lambda: READING not in front(scene, person))
    return front(scene, person)


async def test_the_plan_is_seen_before_anybody_is_asked(scene: Scene) -> None:
    await filled_in(scene)
    seen = await preview(scene)
    assert seen.startswith("Preview\n")
    assert "Directory.Read.All (application): reads the whole directory" in seen
    assert "until about" in seen
    assert "Nothing was changed or kept, and nobody was asked." in seen
    assert "[Ask for approval]" not in seen
    assert not scene.workspace.messages("approvals")
    assert not scene.workspace.messages("rosa")
    assert not scene.tenant.applications
    assert (await scene.workspace.command("rosa", "list mine")).text.startswith("You have no")

    await scene.workspace.close_view("rosa")
    assert "Application name: billing" in front(scene)
    assert not (await scene.workspace.submit("rosa")).errors
    await scene.until(lambda: scene.workspace.messages("approvals"))
    words = plan_of(seen)
    assert len(words) > 8
    assert words == plan_of(scene.card())
    assert not scene.workspace.complaints


def plan_of(shown: str) -> list[str]:
    """Return the lines of a plan from what a card or a preview shows."""
    lines = shown.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("What would be created"))
    last = max(i for i, line in enumerate(lines) if line.startswith("⚠"))
    return lines[first : last + 1]


async def test_every_reason_against_it_is_said(scene: Scene) -> None:
    scene.tenant.set_policy(secrets_banned=True)
    await filled_in(
        scene, **{"Application name": "", "Redirect URL": "http://example.com", "Reason": ""}
    )
    seen = await preview(scene)
    assert "This cannot be made" in seen
    for reason in ("Give the application a name.", "Say what this is for", "https", "secret"):
        assert reason in seen
    assert "as you filled it in: put this right there." in seen
    await scene.workspace.close_view("rosa")
    assert "Redirect URL (optional): http://example.com" in front(scene)


async def test_what_would_keep_it_from_being_sent_is_said_beside_the_plan(scene: Scene) -> None:
    id = await scene.ask("billing")
    await filled_in(scene)
    seen = await preview(scene)
    assert "What would be created" in seen
    assert f"It cannot be sent now\n• {id} is the same: " in seen
    assert "as you filled it in: put this right first." in seen


async def test_only_who_may_ask_may_preview(scene: Scene) -> None:
    refused = await scene.workspace.command("ben", "preview mimecast")
    assert refused.text.startswith("You may not ask for applications.")
    await scene.workspace.command("rosa", "preview directory-read")
    assert "GroupMember.Read.All" in front(scene)
    scene.workspace.people["rosa"].is_restricted = True
    before = len(scene.tenant.log)
    await scene.workspace.click("rosa", "Preview")
    assert "is a guest's, so you cannot use this bot" in front(scene)
    assert len(scene.tenant.log) == before


async def test_so_many_in_an_hour_and_no_more(scene: Scene) -> None:
    await filled_in(scene)
    for _ in range(MOST_AN_HOUR):
        assert "What would be created" in await preview(scene)
        await scene.workspace.close_view("rosa")
    before = len(scene.tenant.log)
    await scene.workspace.click("rosa", "Preview")
    assert f"You have had {MOST_AN_HOUR} previews within an hour" in front(scene)
    assert len(scene.tenant.log) == before
    await scene.workspace.close_view("rosa")
    scene.clock.move(timedelta(hours=1, seconds=1))
    assert "What would be created" in await preview(scene)


async def test_one_at_a_time_and_whoever_closes_it_is_told_directly(scene: Scene) -> None:
    await filled_in(scene)
    held = scene.tenant.faults.hold("GET", LOOKS)
    await scene.workspace.click("rosa", "Preview")
    await held.reached.wait()
    assert READING in front(scene)
    assert "press Preview again" in front(scene)
    await scene.workspace.close_view("rosa")
    await scene.workspace.click("rosa", "Preview")
    assert "Your last preview is still being made." in front(scene)
    held.release()
    await scene.until(lambda: "What would be created" in scene.direct("rosa"))
    assert scene.direct("rosa").startswith("Preview: this is what an approver would see")
    assert "billing · Mimecast directory connector" in scene.direct("rosa")
    await scene.workspace.close_view("rosa")
    assert "What would be created" in await preview(scene)


async def test_whoever_closes_the_form_gets_it_back_as_it_was(scene: Scene) -> None:
    reason = "To sync\nthe “Büro” <b>&amp;"
    domains = "example.com, example.org"
    await filled_in(scene, Reason=reason, **{"Email domains filter": domains})
    held = scene.tenant.faults.hold("GET", LOOKS)
    await scene.workspace.click("rosa", "Preview")
    await held.reached.wait()
    while scene.workspace.view_of("rosa"):
        await scene.workspace.close_view("rosa")
    held.release()
    await scene.until(lambda: "What would be created" in scene.direct("rosa"))
    assert "Open the form brings back what you filled in." in scene.direct("rosa")
    await scene.workspace.click("rosa", "Open the form")
    assert "Application name: billing" in front(scene)
    assert domains in front(scene)
    assert not (await scene.workspace.submit("rosa", {})).errors
    await scene.until(lambda: scene.workspace.messages("approvals"))
    assert "“Büro” <b>&amp;" in scene.card()


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


async def test_when_entra_is_down_that_is_said_and_it_may_be_tried_again(scene: Scene) -> None:
    await filled_in(scene)
    scene.tenant.faults.unreachable = True
    seen = await preview(scene)
    assert "The tenant could not be read" in seen
    assert "press Preview again later" in seen
    scene.tenant.faults.unreachable = False
    await scene.workspace.close_view("rosa")
    assert "What would be created" in await preview(scene)


async def test_a_bot_that_stops_meanwhile_has_said_what_to_do(stage: Stage, bot: Bot) -> None:
    scene = Scene(stage)
    async with bot():
        await filled_in(scene)
        held = scene.tenant.faults.hold("GET", LOOKS)
        await scene.workspace.click("rosa", "Preview")
        await held.reached.wait()
    assert "If nothing has come by then, go back and press Preview again." in front(scene)
    held.release()
    async with bot():
        await scene.workspace.close_view("rosa")
        assert "What would be created" in await preview(scene)


async def test_fields_of_another_profile_are_redrawn_before_they_count(scene: Scene) -> None:
    await filled_in(scene)
    scene.workspace.faults.fail("views.update", "hash_conflict")
    await scene.workspace.choose("rosa", "Profile", "Directory reader (any vendor)")
    await scene.workspace.click("rosa", "Preview")
    assert "The profile was changed while the form was being redrawn." in front(scene)
    assert "GroupMember.Read.All" in await preview(scene)


@asynccontextmanager
async def previews(scene: Scene, look: Look) -> AsyncIterator[PreviewMaker]:
    """Previews in the same workspace, of a tenant of our own."""
    async with aiohttp.ClientSession() as session:
        workspace = scene.workspace
        client = AsyncWebClient(
            token=workspace.bot_token, base_url=workspace.api_url, session=session
        )
        yield PreviewMaker(client=client, look=look, clock=scene.clock)


def trigger(scene: Scene) -> str:
    """Return what Slack hands over with a click in Rosa's form."""
    view = scene.workspace.view_of("rosa") or {}
    rosa = scene.workspace.people["rosa"]
    return scene.workspace._state.triggers.issue(rosa.id, view_id=view["id"])


async def test_a_bug_is_told_with_its_id_and_keeps_nobody_from_trying_again(scene: Scene) -> None:
    async def broken(form: Form, profile: Profile) -> Preview:
        raise KeyError(form.name)

    rosa = replace(ROSA, user_id=scene.workspace.people["rosa"].id)
    await filled_in(scene)
    async with previews(scene, broken) as mine:
        for _ in range(2):
            await mine.begin(form(), PROFILE, by=rosa, trigger_id=trigger(scene))
            await scene.until(lambda: "Tell whoever runs it: bug " in front(scene))
            await scene.workspace.close_view("rosa")


async def test_a_view_that_slack_does_not_open_counts_as_none_under_way(scene: Scene) -> None:
    async with previews(scene, never) as mine:
        await filled_in(scene)
        for _ in range(2):
            with pytest.raises(SlackApiError, match="invalid_trigger_id"):
                await mine.begin(form(), PROFILE, by=ROSA, trigger_id="none")


async def test_not_everybody_can_look_at_once(scene: Scene) -> None:
    async with previews(scene, never) as mine:
        for number in range(AT_ONCE):
            await filled_in(scene)
            someone = replace(ROSA, user_id=f"U{number}")
            await mine.begin(form(), PROFILE, by=someone, trigger_id=trigger(scene))
        with pytest.raises(Refusal, match="Many people are looking at previews just now"):
            await mine.begin(form(), PROFILE, by=ROSA, trigger_id="none")
        await mine.settle()


async def never(form: Form, profile: Profile) -> Preview:
    await asyncio.Event().wait()
    raise AssertionError
