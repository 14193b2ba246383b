"""The main road: ask, approve, steps, values, reveal, mask, status; what cards show and offer."""

import re
from datetime import timedelta

import pytest

from handlers.views import ids
from tests.support.command_story import in_thread
from tests.support.home_story import opened, seen
from tests.support.rotation_story import in_use
from tests.support.story import Json, Story


async def test_from_the_form_to_the_masked_secret(story: Story) -> None:
    id = await story.ask("billing")
    assert "Directory.Read.All (application): reads the whole directory" in story.card()
    assert "Secret valid until: about 20" in story.card()

    await story.approve(id)
    application = story.tenant.applications_named("billing")[0]
    assert story.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}
    assert story.tenant.scopes_of(application["appId"]) == {"User.Read.All"}

    masked = await story.values(id)
    assert application["appId"] in masked
    assert "••••••••" in masked
    shown = await story.reveal()
    assert "••••••••" not in shown

    story.clock.move(timedelta(seconds=61))
    await story.until(lambda: "••••••••" in story.whispers("rosa"))
    assert "masked for good" in story.whispers("rosa")
    assert not story.workspace.complaints


async def test_the_final_card_says_who_approved_and_anybody_may_ask_for_it(story: Story) -> None:
    id = await story.ready()
    await story.until(lambda: f"{id} is ready" in story.card())
    assert "Approved by @ada" in story.card()
    assert "Sign-in tested. The app can read 50 users and 5 groups." in story.card()
    assert "8 of 8 steps done" in story.card()
    assert "[Approve]" not in story.card()
    answer = await in_thread(story, "ben", f"status {id.lower()}", channel="general")
    assert answer.startswith(f"{id} is ready · asked for by Rosa Marin")
    assert "billing" not in answer


@pytest.mark.slow
async def test_the_whole_road_takes_nine_calls_when_caches_are_warm(story: Story) -> None:
    await story.ready("first")
    before = len(story.tenant.log)
    await story.ready("second")
    calls = [call for call in story.tenant.log[before:] if call.kind in ("graph", "token")]
    made = [f"{call.method} {call.path.rsplit('/')[-1].split('(')[0]}" for call in calls]
    made[3:6] = sorted(made[3:6])  # the grants are made together
    assert made == [
        "GET applications",  # the preflight: is there one of the same name?
        "PATCH applications",
        "PATCH servicePrincipals",
        "POST appRoleAssignedTo",
        "POST appRoleAssignedTo",
        "POST oauth2PermissionGrants",
        "POST addPassword",
        "POST token",
        "POST $batch",
    ]


async def test_every_reader_of_a_card_can_read_the_whole_plan(story: Story) -> None:
    id = await story.ask("billing")
    whole = await story.details(id, by="ben")
    [digest] = re.findall(r"plan ([0-9a-f]{16})", story.card())
    for words in ("What would be created in", "The requester receives Description", digest):
        assert words in whole
    assert "Approve" not in whole


async def menu_of(story: Story, label: str) -> Json:
    """Choose an entry of the menu on Rosa's card; return the question that opens."""
    await story.until(lambda: "[… Rotate | Revoke]" in story.direct("rosa"))
    mine = story.workspace.messages("rosa")[0]
    await story.opens("rosa", lambda: story.workspace.click("rosa", label, on=mine))
    return story.workspace.view_of("rosa") or {}


@pytest.mark.slow
async def test_a_menu_of_several_actions_asks_before_it_carries_one_out(story: Story) -> None:
    id = await in_use(story)
    question = story.workspace.text_of(await menu_of(story, "Revoke"))
    assert f"Revoke: {id} (billing)" in question
    assert "The connector can no longer sign in" in question
    assert len(story.tenant.applications) == 1
    assert not (await story.workspace.submit("rosa", {})).errors
    await story.until(lambda: f"{id} was revoked" in story.card())
    assert not story.tenant.applications


@pytest.mark.slow
async def test_a_question_that_is_answered_too_late_says_so(story: Story) -> None:
    id = await in_use(story)
    await menu_of(story, "Rotate")
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: f"{id} was revoked" in story.card())
    sent = await story.workspace.submit("rosa", {})
    assert f"{id} was revoked, so there is nothing to rotate." in story.workspace.text_of(
        sent.view or {}
    )


@pytest.mark.slow
async def test_a_user_chooses_plain_cards_for_themselves(story: Story) -> None:
    workspace = story.workspace
    await opened(story, "rosa")
    await workspace.click("rosa", "Plain cards", on=workspace.home_of("rosa"))
    assert "your cards show steps as text" in seen(story, "rosa")
    held = story.tenant.faults.hold("POST", "addPassword")
    id = await story.ask("billing")
    await workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: "• Make the client secret: at work" in story.direct("rosa"))
    await story.until(lambda: "  ● Make the client secret" in story.card())
    status = str((await workspace.command("rosa", f"status {id}")).text)
    assert "• Make the client secret: at work" in status
    await workspace.click("rosa", ids.PLAIN, on=workspace.home_of("rosa"))
    status = str((await workspace.command("rosa", f"status {id}")).text)
    assert "● Make the client secret" in status
    held.release()
    await story.until(lambda: story.is_announced(id))
