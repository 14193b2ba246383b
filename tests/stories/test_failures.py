"""When the tenant says no or is not there: a sentence, what to do, and nothing left behind."""

from datetime import timedelta
from typing import Any

import pytest

from bot.playground.tenant import AUTONOMOUS
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.faults import Fault
from graph.steps import SECRET_ATTEMPTS
from tests.support.story import Scene
from tests.support.waiting import eventually

FOR_EVER = 10_000


async def send_form(scene: Scene, name: str = "billing", **values: str) -> None:
    """Fill in the form and send it, without waiting for a card that may never come."""
    await scene.open_form()
    answers = {"Application name": name, "Reason": "To sync", **values}
    sent = await scene.workspace.submit("rosa", answers)
    assert not sent.errors


def refuses_grants(scene: Scene) -> Fault:
    return scene.tenant.faults.fail(
        "POST",
        "appRoleAssignedTo",
        status=403,
        code="Authorization_RequestDenied",
        message="Insufficient privileges to complete the operation.",
        times=FOR_EVER,
    )


async def failed(scene: Scene, name: str = "billing") -> tuple[str, Fault]:
    """Ask and approve while the tenant refuses to grant; return the id and the fault."""
    fault = refuses_grants(scene)
    id = await scene.ask(name)
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    await scene.until(lambda: f"{id} failed" in scene.direct("rosa"))
    return id, fault


async def test_a_refusal_of_graph_is_told_with_advice_and_request_id(scene: Scene) -> None:
    await failed(scene)
    card = scene.card()
    assert "Entra refused: a right is missing (insufficient privileges)." in card
    assert "Grant the bot's own application the rights that the README lists" in card
    assert "Request id " in card
    assert "Unless somebody retries, it is undone by itself" in card
    assert "[Retry]  [Undo]" in card
    [application] = scene.tenant.applications_named("billing")
    assert not scene.tenant.live_secrets(application["appId"])
    assert "connector values" not in scene.direct("rosa")


def answers_oddly(scene: Scene, method: str, path: str, body: dict[str, Any]) -> Fault:
    fault = Fault(
        method=method,
        path=path,
        answer=Answer(status=200, body=body),
        times=FOR_EVER,
        when="before_effect",
    )
    scene.tenant.faults.failures.append(fault)
    return fault


@pytest.mark.parametrize(
    ("method", "path", "body", "lacking"),
    [
        ("GET", "/organization$", {"value": []}, "organization of this tenant is missing"),
        ("POST", "/addPassword$", {"keyId": None}, "“keyId” is missing"),
        ("POST", r"/\$batch$", {"responses": []}, "is missing"),
    ],
)
async def test_an_answer_of_another_shape_is_told_with_step_and_request_id(
    scene: Scene, method: str, path: str, body: dict[str, Any], lacking: str
) -> None:
    answers_oddly(scene, method, path, body)
    if path == "/organization$":
        await send_form(scene)
    else:
        id = await scene.ask("billing")
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: "failed" in scene.direct("rosa"))
    told = scene.direct("rosa")
    assert "another form than it documents" in told
    assert lacking in told
    assert "Request id " in told
    assert "on our side" not in told
    assert "bug" not in told.casefold()


async def test_a_secret_whose_answers_are_lost_ends_after_five_and_leaves_none(
    scene: Scene,
) -> None:
    fault = scene.tenant.faults.fail(
        "POST",
        "addPassword",
        status=503,
        headers={"Retry-After": "0"},
        when="after_effect",
        times=FOR_EVER,
    )
    id = await scene.ask("billing")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await eventually(scene, lambda: f"{id} failed" in scene.card())
    assert "answer was lost each time" in scene.card()
    assert len(scene.tenant.calls("POST", "addPassword")) == SECRET_ATTEMPTS
    await scene.until(lambda: f"{id} failed" in scene.direct("rosa"))
    fault.times = 0
    await scene.workspace.click("rosa", "Retry")
    await eventually(scene, lambda: f"{id} is ready" in scene.card())
    scene.clock.move(timedelta(hours=24, minutes=1))
    [application] = scene.tenant.applications_named("billing")
    await eventually(scene, lambda: len(scene.tenant.live_secrets(application["appId"])) == 1)


async def test_retry_goes_on_where_it_stopped(scene: Scene) -> None:
    id, fault = await failed(scene)
    fault.times = 0
    await scene.workspace.click("ben", "Retry", on=scene.card_of(id))
    assert scene.whispers("ben") == "Only the requester or an approver can retry this."
    await scene.workspace.click("rosa", "Retry")
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    await scene.until(lambda: f"{id} is ready" in scene.card())
    assert "8 of 8 steps done" in scene.card()
    assert "Entra refused" not in scene.card()
    assert len(scene.tenant.applications) == len(scene.tenant.service_principals) == 1


async def test_undo_removes_what_was_made(scene: Scene) -> None:
    id, _ = await failed(scene)
    await scene.workspace.click("ben", "Undo", on=scene.card_of(id))
    assert scene.whispers("ben") == "Only the requester or an approver can undo this."
    await scene.workspace.click("grace", "Undo", on=scene.card_of(id))
    await scene.until(lambda: f"{id} was undone" in scene.card())
    assert "Everything this registration had made in Entra is removed." in scene.card()
    assert "[Retry]" not in scene.card()
    assert not scene.tenant.applications
    assert not scene.tenant.service_principals


async def test_a_failure_that_nobody_retries_is_undone_after_a_week(scene: Scene) -> None:
    id, _ = await failed(scene)
    scene.clock.move(timedelta(days=7, minutes=1))
    await eventually(scene, lambda: f"{id} was undone" in scene.card())
    assert not scene.tenant.applications


@pytest.mark.slow
async def test_an_undo_that_fails_says_so_and_comes_back(scene: Scene) -> None:
    id, _ = await failed(scene)
    broken = scene.tenant.faults.fail(
        "DELETE",
        "servicePrincipals",
        status=403,
        code="Authorization_RequestDenied",
        times=FOR_EVER,
    )
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: "Take back “Add it to the tenant" in scene.card())
    assert f"{id} failed" in scene.card()
    assert scene.tenant.applications
    broken.times = 0
    scene.clock.move(timedelta(hours=1, minutes=1))
    await eventually(scene, lambda: f"{id} was undone" in scene.card())
    assert not scene.tenant.applications


@pytest.mark.slow
async def test_a_retry_after_half_an_undo_makes_again_what_was_removed(scene: Scene) -> None:
    scene.tenant.faults.fail(
        "POST", "batch", status=403, code="Authorization_RequestDenied", times=1_000
    )
    id = await scene.ask("billing")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    scene.tenant.faults.clear()
    scene.tenant.faults.fail(
        "DELETE", "/applications", status=403, code="Authorization_RequestDenied", times=FOR_EVER
    )
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: "Take back “Register the application”" in scene.card())
    assert not scene.tenant.service_principals
    scene.tenant.faults.clear()
    await scene.workspace.click("ada", "Retry", on=scene.card_of(id))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    [application] = scene.tenant.applications_named("billing")
    assert scene.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}


async def test_a_secret_that_does_not_work_is_removed_when_the_run_fails(scene: Scene) -> None:
    scene.tenant.faults.fail(
        "POST", "batch", status=403, code="Authorization_RequestDenied", times=FOR_EVER
    )
    id = await scene.ask("billing")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    [application] = scene.tenant.applications_named("billing")
    assert not scene.tenant.live_secrets(application["appId"])
    assert "connector values" not in scene.direct("rosa")


@pytest.mark.slow
async def test_a_tenant_that_cannot_be_reached_fails_the_check_and_can_be_retried(
    scene: Scene,
) -> None:
    scene.tenant.faults.unreachable = True
    await send_form(scene)
    await scene.until(lambda: "[Retry]" in scene.direct("rosa"))
    told = scene.direct("rosa")
    assert "Check the tenant: Microsoft's service did not answer" in told
    assert "Check the bot's network and Microsoft's service health, then retry." in told
    assert not scene.workspace.messages("approvals")

    scene.tenant.faults.unreachable = False
    await scene.workspace.click("rosa", "Retry")
    await scene.until(lambda: scene.workspace.messages("approvals"))
    await scene.approve(scene.card().split()[0])


async def test_a_registration_that_was_never_planned_can_be_undone(scene: Scene) -> None:
    scene.tenant.faults.unreachable = True
    await send_form(scene)
    await scene.until(lambda: "[Undo]" in scene.direct("rosa"))
    await scene.workspace.click("rosa", "Undo")
    await scene.until(lambda: "was undone" in scene.direct("rosa"))
    assert "bug" not in scene.direct("rosa")


async def test_a_tenant_that_goes_away_in_the_middle_is_retried_and_then_told(scene: Scene) -> None:
    id = await scene.ask("billing")
    scene.tenant.faults.unreachable = True
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    assert "Microsoft's service did not answer" in scene.card()
    scene.tenant.faults.unreachable = False
    await scene.workspace.click("ada", "Retry", on=scene.card_of(id))
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    assert len(scene.tenant.applications) == 1


async def test_missing_rights_are_all_named_before_anybody_is_asked(scene: Scene) -> None:
    scene.tenant.deny(
        scene.tenant.administrator,
        "AppRoleAssignment.ReadWrite.All",
        "DelegatedPermissionGrant.ReadWrite.All",
    )
    scene.clock.move(timedelta(hours=2))  # the bot's token of before still holds them
    await send_form(scene)
    await scene.until(lambda: "cannot be made" in scene.direct("rosa"))
    told = scene.direct("rosa")
    assert (
        "• The bot's own application lacks rights in this tenant:"
        " AppRoleAssignment.ReadWrite.All, DelegatedPermissionGrant.ReadWrite.All."
    ) in told
    assert "Press Ask again when this is put right." in told
    assert not scene.workspace.messages("approvals")
    scene.tenant.allow(scene.tenant.administrator, *AUTONOMOUS)


async def test_a_tenant_that_bans_secrets_is_told_of_before_anybody_is_asked(scene: Scene) -> None:
    scene.tenant.set_policy(secrets_banned=True)
    await send_form(scene)
    await scene.until(lambda: "cannot be made" in scene.direct("rosa"))
    assert "does not allow client secrets for new applications" in scene.direct("rosa")
    assert not scene.workspace.messages("approvals")
    assert not scene.tenant.applications


async def test_a_secret_lives_no_longer_than_the_tenant_allows_and_the_card_says_so(
    scene: Scene,
) -> None:
    scene.tenant.set_policy(longest_secret=timedelta(days=100))
    id = await scene.ask("billing", **{"The secret works for": "730 days"})
    assert "for 99 days, until about" in scene.card()
    assert "(the tenant's policy allows no longer)" in scene.card()
    await scene.approve(id)
    [application] = scene.tenant.applications_named("billing")
    assert len(scene.tenant.live_secrets(application["appId"])) == 1


async def test_a_policy_that_came_after_the_approval_fails_with_its_reason(scene: Scene) -> None:
    id = await scene.ask("billing")
    scene.tenant.set_policy(longest_secret=timedelta(days=30))
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: f"{id} failed" in scene.card())
    assert "The tenant's policy does not allow a secret to live that long." in scene.card()
    assert "Ask again with a shorter life for the secret." in scene.card()


@pytest.mark.parametrize("profile", ["Directory reader (any vendor)"])
async def test_another_profile_goes_the_same_road(scene: Scene, profile: str) -> None:
    id = await scene.ask("crm", Profile=profile, **{"The secret works for": "90 days"})
    await scene.approve(id)
    values = await scene.values(id)
    assert scene.tenant.id in values
    assert "Secret expires" in values


@pytest.mark.slow
async def test_an_application_of_the_same_name_is_left_alone_and_named(scene: Scene) -> None:
    await scene.ready("billing")
    await scene.ask("billing", Profile="Directory reader (any vendor)")
    assert "The tenant already has an application of this name, left as it is" in scene.card()
