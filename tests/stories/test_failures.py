"""When the tenant says no or is not there: a sentence, what to do, and nothing left behind."""

from datetime import timedelta
from typing import Any

import pytest

from bot.playground.tenant import AUTONOMOUS
from graph.step_context import SECRET_ATTEMPTS
from tests.support.failure_story import failed
from tests.support.removal_story import FOR_EVER
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow


async def test_a_refusal_of_graph_is_told_and_a_retry_goes_on_from_there(story: Story) -> None:
    id, fault = await failed(story)
    card = story.card()
    assert "Entra refused: a right is missing (insufficient privileges)." in card
    assert "to check its rights in Entra" in card
    assert "Request id " in card
    assert "or it will be undone automatically" in card
    assert "[Retry]  [Undo]" in card
    [application] = story.tenant.applications_named("billing")
    assert not story.tenant.live_secrets(application["appId"])
    assert "connector values" not in story.direct("rosa")

    fault.times = 0
    await story.workspace.click("ben", "Retry", on=story.card_of(id))
    assert story.whispers("ben") == "Only the requester or an approver can retry this."
    await story.press("rosa", "Retry")
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    await story.until(lambda: f"{id} is ready" in story.card())
    assert "8 of 8 steps done" in story.card()
    assert "Entra refused" not in story.card()
    assert len(story.tenant.applications) == len(story.tenant.service_principals) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "lacking"),
    [
        ("GET", "/organization$", {"value": []}, "organization of this tenant is missing"),
        ("POST", "/addPassword$", {"keyId": None}, "“keyId” is missing"),
        ("POST", r"/\$batch$", {"responses": []}, "is missing"),
    ],
)
async def test_an_answer_of_another_shape_is_told_with_step_and_request_id(
    story: Story, method: str, path: str, body: dict[str, Any], lacking: str
) -> None:
    story.tenant.faults.answer(method, path, body, times=FOR_EVER)
    await (story.fill_and_send() if path == "/organization$" else story.fails())
    await story.until(lambda: "failed" in story.direct("rosa"))
    told = story.direct("rosa")
    assert "another form than it documents" in told
    assert lacking in told
    assert "Request id " in told
    assert "on our side" not in told
    assert "bug" not in told.casefold()


async def test_a_secret_whose_answers_are_lost_ends_after_five_and_is_gone(story: Story) -> None:
    lost: Any = {"status": 503, "headers": {"Retry-After": "0"}, "when": "after_effect"}
    fault = story.tenant.faults.fail("POST", "addPassword", times=FOR_EVER, **lost)
    id = await story.ask("billing")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.eventually(lambda: f"{id} failed" in story.card())
    assert "answer was lost each time" in story.card()
    assert len(story.tenant.calls("POST", "addPassword")) == SECRET_ATTEMPTS
    await story.until(lambda: f"{id} failed" in story.direct("rosa"))
    fault.times = 0
    await story.press("rosa", "Retry")
    await story.eventually(lambda: f"{id} is ready" in story.card())
    story.clock.move(timedelta(hours=24, minutes=1))
    [application] = story.tenant.applications_named("billing")
    await story.eventually(lambda: len(story.tenant.live_secrets(application["appId"])) == 1)


async def test_a_failure_that_nobody_retries_is_undone_after_a_week(story: Story) -> None:
    id, _ = await failed(story)
    story.clock.move(timedelta(days=7, minutes=1))
    await story.eventually(lambda: f"{id} was undone" in story.card())
    assert not story.tenant.applications


async def test_an_undo_that_fails_says_so_and_comes_back(story: Story) -> None:
    id, _ = await failed(story)
    broken = story.tenant.faults.refuse("DELETE", "servicePrincipals")
    await story.workspace.click("ben", "Undo", on=story.card_of(id))
    assert story.whispers("ben") == "Only the requester or an approver can undo this."
    await story.workspace.click("grace", "Undo", on=story.card_of(id))
    await story.until(lambda: "Delete the service principal" in story.card())
    assert f"{id} failed" in story.card()
    assert story.tenant.applications
    broken.times = 0
    story.clock.move(timedelta(hours=1, minutes=1))
    await story.eventually(lambda: f"{id} was undone" in story.card())
    assert "Everything that this registration had created in Entra is removed." in story.card()
    assert "[Retry]" not in story.card()
    assert not story.tenant.applications
    assert not story.tenant.service_principals


async def test_a_secret_that_does_not_work_is_removed_and_a_retry_makes_one(story: Story) -> None:
    story.tenant.faults.refuse("POST", "batch")
    id = await story.fails()
    [application] = story.tenant.applications_named("billing")
    assert not story.tenant.live_secrets(application["appId"])
    assert "connector values" not in story.direct("rosa")

    story.tenant.faults.clear()
    story.tenant.faults.refuse("DELETE", "/applications")
    await story.workspace.click("ada", "Undo", on=story.card_of(id))
    await story.until(lambda: "Delete the application" in story.card())
    assert not story.tenant.service_principals
    story.tenant.faults.clear()
    await story.workspace.click("ada", "Retry", on=story.card_of(id))
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    [application] = story.tenant.applications_named("billing")
    assert story.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}


async def test_an_unreachable_tenant_is_told_of_before_and_after_the_approval(story: Story) -> None:
    story.tenant.faults.unreachable = True
    await story.fill_and_send()
    await story.until(lambda: "[Retry]" in story.direct("rosa"))
    told = story.direct("rosa")
    assert "Check the tenant: Microsoft's service did not answer" in told
    assert "Check the bot's network and Microsoft's service health, then retry." in told
    assert not story.workspace.messages("approvals")

    story.tenant.faults.unreachable = False
    await story.press("rosa", "Retry")
    await story.until(lambda: story.workspace.messages("approvals"))

    id = story.card().split()[0]
    story.tenant.faults.unreachable = True
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: f"{id} failed" in story.card())
    assert "Microsoft's service did not answer" in story.card()
    story.tenant.faults.unreachable = False
    await story.workspace.click("ada", "Retry", on=story.card_of(id))
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    assert len(story.tenant.applications) == 1


async def test_a_registration_that_was_never_planned_can_be_undone(story: Story) -> None:
    story.tenant.faults.unreachable = True
    await story.fill_and_send()
    await story.press("rosa", "Undo")
    await story.until(lambda: "was undone" in story.direct("rosa"))
    assert "bug" not in story.direct("rosa")


@pytest.mark.quick
async def test_missing_rights_are_all_named_before_anybody_is_asked(story: Story) -> None:
    lacking = ("AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
    story.tenant.deny(story.tenant.administrator, *lacking)
    story.clock.move(timedelta(hours=2))  # the bot's token of before still holds them
    await story.fill_and_send()
    corrected = "Press Ask again when this is corrected."  # on the card, which the news may precede
    await story.until(lambda: corrected in story.direct("rosa"))
    told = story.direct("rosa")
    assert "can't be created" in told
    assert (
        "• The bot's own application lacks rights in this tenant:"
        " AppRoleAssignment.ReadWrite.All, to grant application permissions, and take them back;"
        " DelegatedPermissionGrant.ReadWrite.All, to grant delegated permissions"
    ) in told
    assert not story.workspace.messages("approvals")
    story.tenant.allow(story.tenant.administrator, *AUTONOMOUS)


@pytest.mark.quick
async def test_a_tenant_that_bans_secrets_is_told_of_before_anybody_is_asked(story: Story) -> None:
    story.tenant.set_policy(secrets_banned=True)
    await story.fill_and_send()
    await story.until(lambda: "can't be created" in story.direct("rosa"))
    assert "does not allow client secrets for new applications" in story.direct("rosa")
    assert not story.workspace.messages("approvals")
    assert not story.tenant.applications


async def test_a_secret_lives_as_long_as_the_tenant_allows_and_cards_say_so(story: Story) -> None:
    story.tenant.set_policy(longest_secret=timedelta(days=100))
    id = await story.ask("billing", **{"Secret valid for": "730 days"})
    assert "Secret valid until: about 20" in story.card()
    assert "(99 days, the tenant's policy allows no longer)" in story.card()
    await story.approve(id)
    [application] = story.tenant.applications_named("billing")
    assert len(story.tenant.live_secrets(application["appId"])) == 1


async def test_a_policy_that_came_after_the_approval_fails_with_its_reason(story: Story) -> None:
    id = await story.ask("billing")
    story.tenant.set_policy(longest_secret=timedelta(days=30))
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: f"{id} failed" in story.card())
    assert "The tenant's policy does not allow a secret to live that long." in story.card()
    assert "Ask again with a shorter life for the secret." in story.card()


async def test_another_profile_goes_the_same_road_beside_its_double(story: Story) -> None:
    await story.ready("billing")
    reader = {"Profile": "Directory reader (any vendor)", "Secret valid for": "90 days"}
    id = await story.ask("billing", **reader)
    assert "The tenant already has an application of this name, left as it is" in story.card()
    await story.approve(id)
    values = await story.values(id)
    assert story.tenant.id in values
    assert "Secret expires" in values
