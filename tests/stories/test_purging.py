"""Deleting for good what was undone or revoked: only by approvers, only what is ours, once."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.stage import Stage
from bot.playground.tenant.faults import Fault
from tests.conftest import Bot
from tests.stories.test_failures import failed
from tests.stories.test_requests_fit import somebody
from tests.stories.test_revoking import FOR_EVER, press, revoked
from tests.stories.test_talking import said
from tests.support.forged_clicks import forged_button
from tests.support.story import Scene

PURGED = "Deleted for good, as of"


async def asked(scene: Scene, id: str, *, by: str = "ada") -> None:
    """Ask for it by a word and confirm it."""
    scene.workspace.reload(by)
    answer = await said(scene, by, f"purge {id}")
    assert answer.startswith(f"Delete the application of {id} for good? Nobody can restore"), answer
    await scene.workspace.click(by, "purge_asked")
    assert f"{id} is being deleted for good." in scene.whispers(by)


async def undone(scene: Scene) -> str:
    id, fault = await failed(scene)
    fault.times = 0
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: f"{id} was undone" in scene.card())
    return id


def refuses(scene: Scene, method: str = "DELETE") -> Fault:
    return scene.tenant.faults.fail(
        method,
        "deletedItems",
        status=403,
        code="Authorization_RequestDenied",
        times=FOR_EVER,
    )


def bin_calls(scene: Scene, method: str) -> list[str]:
    return [each.path for each in scene.tenant.calls(method, "deletedItems")]


@pytest.mark.parametrize("over", [revoked, undone])
async def test_an_approver_deletes_for_good_what_is_over(scene: Scene, over: Any) -> None:
    id = await over(scene)
    ours = {each["id"] for each in scene.tenant.deleted}
    assert len(ours) == 2  # the application, and its service principal
    assert f"An approver can delete it for good: /aad-setup purge {id}" in scene.card()
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert scene.tenant.deleted == []
    assert {path.split("/")[-1] for path in bin_calls(scene, "DELETE")} == ours
    assert "Deleted applications" not in scene.card()
    assert PURGED in await said(scene, "ben", f"status {id}")
    told = await said(scene, "ada", f"history {id}")
    assert "· deletion for good asked for · @ada" in told
    assert told.splitlines()[-1].endswith("· deleted for good")


async def test_nobody_deletes_for_good_twice(scene: Scene) -> None:
    id = await revoked(scene)
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    calls = len(bin_calls(scene, ""))
    late = await said(scene, "grace", f"purge {id}")
    assert late.startswith(f"Too late: {id} was deleted for good already, as of 20")
    button = await forged_button(scene.workspace, "purge_asked", id)
    await scene.workspace.click("grace", "purge_asked", on=button)
    assert "was deleted for good already" in scene.whispers("grace")
    assert len(bin_calls(scene, "")) == calls


async def test_neither_the_requester_nor_anybody_else_deletes_for_good(scene: Scene) -> None:
    id = await revoked(scene)
    for person in ("rosa", "ben"):
        assert await said(scene, person, f"purge {id}") == (
            "Only an approver can delete this for good."
        )
    button = await forged_button(scene.workspace, "purge_asked", id)
    scene.workspace.reload("rosa")
    await scene.workspace.click("rosa", "purge_asked", on=button)
    assert scene.whispers("rosa") == "Only an approver can delete this for good."
    assert len(scene.tenant.deleted) == 2


async def test_what_is_in_use_has_to_be_revoked_first(scene: Scene) -> None:
    id = await scene.ready()
    assert await said(scene, "ada", f"purge {id}") == (
        f"{id} has not been deleted, and only what was can be deleted for good."
        f" /aad-setup revoke {id} comes first."
    )


async def test_a_refusal_of_entra_is_told_and_it_can_be_asked_for_again(scene: Scene) -> None:
    id = await revoked(scene)
    fault = refuses(scene)
    await asked(scene, id)
    await scene.until(lambda: "Delete for good: Entra refused: a right is missing" in scene.card())
    card = scene.card()
    assert f"{id} was revoked" in card
    assert "Request id " in card
    assert PURGED not in card
    assert len(scene.tenant.deleted) == 2
    fault.times = 0
    await asked(scene, id, by="grace")
    await scene.until(lambda: PURGED in scene.card())
    assert "Entra refused" not in scene.card()
    assert scene.tenant.deleted == []


async def test_half_of_it_is_gone_and_the_rest_follows(scene: Scene) -> None:
    id = await revoked(scene)
    [principal] = [each for each in scene.tenant.deleted if "uniqueName" not in each]
    fault = scene.tenant.faults.fail("DELETE", principal["id"], times=FOR_EVER)
    await asked(scene, id)
    await scene.until(lambda: "Delete for good: Microsoft's service had an outage" in scene.card())
    assert [each["id"] for each in scene.tenant.deleted] == [principal["id"]]
    fault.times = 0
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert scene.tenant.deleted == []


async def test_an_answer_that_was_lost_does_not_matter(scene: Scene) -> None:
    id = await revoked(scene)
    scene.tenant.faults.reset("DELETE", "deletedItems", times=2, when="after_effect")
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert scene.tenant.deleted == []


async def test_what_entra_has_deleted_for_good_by_itself_is_gone_already(scene: Scene) -> None:
    id = await revoked(scene)
    scene.clock.move(timedelta(days=31))
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert not bin_calls(scene, "DELETE")


async def test_what_somebody_has_restored_is_left_to_them(scene: Scene) -> None:
    id = await revoked(scene)
    [application] = [each for each in scene.tenant.deleted if "uniqueName" in each]
    path = f"/directory/deletedItems/{application['id']}"
    async with somebody(scene) as hand:
        assert (await hand.http.post(f"{path}/restore")).status_code == 200
    await asked(scene, id)
    await scene.until(lambda: "Somebody has restored the application in Entra" in scene.card())
    assert PURGED not in scene.card()
    assert len(scene.tenant.applications) == len(scene.tenant.deleted) == 1
    async with somebody(scene) as hand:
        assert (await hand.delete(f"/applications/{application['id']}")).status_code == 204
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())


async def test_what_carries_other_marks_is_left_alone(scene: Scene) -> None:
    """Somebody has restored it, made it their own and deleted it."""
    id = await revoked(scene)
    [application] = [each for each in scene.tenant.deleted if "uniqueName" in each]
    path = f"/applications/{application['id']}"
    async with somebody(scene) as hand:
        await hand.http.post(f"/directory/deletedItems/{application['id']}/restore")
        assert (await hand.patch(path, {"tags": ["mine"]})).status_code == 204
        assert (await hand.delete(path)).status_code == 204
    await asked(scene, id)
    await scene.until(lambda: "does not carry the registration's marks" in scene.card())
    assert not bin_calls(scene, "DELETE")
    assert len(scene.tenant.deleted) == 2


async def test_the_bin_is_asked_by_the_ids_that_entra_gave_and_by_no_name(scene: Scene) -> None:
    id = await revoked(scene, "billing")
    async with somebody(scene) as hand:
        twin = await hand.application("key-of-a-twin", displayName="billing")
        await hand.delete(f"/applications/{twin['id']}")
    before = len(scene.tenant.calls())
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert [each["id"] for each in scene.tenant.deleted] == [twin["id"]]
    asked_for = [each for each in scene.tenant.calls()[before:] if each.caller_app_id]
    assert all(each.path.split("/")[-2] == "deletedItems" for each in asked_for)


async def test_one_that_never_made_anything_has_nothing_to_delete(scene: Scene) -> None:
    fault = scene.tenant.faults.fail(
        "PATCH", "/applications", status=403, code="Authorization_RequestDenied", times=FOR_EVER
    )
    id = await scene.ask("billing")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: "[Undo]" in scene.card())
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: f"{id} was undone" in scene.card())
    fault.times = 0
    assert "Deleted applications" not in scene.card()
    assert await said(scene, "ada", f"purge {id}") == (
        f"{id} never made an application, so there is nothing to delete."
    )


async def test_an_application_whose_answer_was_lost_can_be_deleted_for_good_too(
    scene: Scene,
) -> None:
    faults = scene.tenant.faults
    faults.reset("PATCH", "/applications", times=99, when="after_effect")
    id = await scene.ask("billing")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    await scene.until(lambda: "[Undo]" in scene.card())
    faults.clear()
    await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
    await scene.until(lambda: f"{id} was undone" in scene.card())
    assert len(scene.tenant.deleted) == 1
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert scene.tenant.deleted == []


async def test_a_client_id_in_capitals_undoes_what_it_has_made(bot: Bot, stage: Stage) -> None:
    client_id = stage.tenant.administrator.client_id.upper()
    async with bot(ENTRA_CLIENT_ID=client_id):
        scene = Scene(stage)
        scene.tenant.faults.reset("PATCH", "/applications", times=99, when="after_effect")
        id = await scene.ask("billing")
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        await scene.until(lambda: "[Undo]" in scene.card())
        scene.tenant.faults.clear()
        await scene.workspace.click("ada", "Undo", on=scene.card_of(id))
        await scene.until(lambda: f"{id} was undone" in scene.card())
        assert scene.tenant.applications == []


async def test_an_application_that_lags_behind_its_deletion_is_waited_for(scene: Scene) -> None:
    """The replica that is asked has not yet put it into the bin."""
    id = await scene.ready()
    scene.tenant.faults.lag = 60.0
    await press(scene, id)
    await scene.until(lambda: f"{id} was revoked" in scene.card())
    await asked(scene, id)
    await scene.until(lambda: PURGED in scene.card())
    assert scene.tenant.deleted == []


async def test_a_failed_purge_does_not_come_again_by_itself(scene: Scene) -> None:
    id = await revoked(scene)
    refuses(scene)
    await asked(scene, id)
    await scene.until(lambda: "Delete for good: Entra refused" in scene.card())
    with closing(sqlite3.connect(scene.stage.folder / "aad-setup.db")) as database:
        assert database.execute("SELECT kind FROM dues").fetchall() == []
