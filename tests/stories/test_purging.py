"""Deleting for good what was undone or revoked: only by approvers, only what is ours, once."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.database import read
from tests.support.drift_story import somebody
from tests.support.failure_story import failed
from tests.support.marks import slow
from tests.support.purge_story import purge
from tests.support.removal_story import FOR_EVER, PURGED, revoke, revoked, undo
from tests.support.rotation_story import decide, drawn, three
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow


async def undone(story: Story) -> str:
    id, fault = await failed(story)
    fault.times = 0
    await undo(story, id)
    return id


async def purged(story: Story, id: str) -> None:
    await purge(story, id)
    await story.until(lambda: PURGED in story.card(id))


def bin_calls(story: Story, method: str) -> list[str]:
    return [each.path for each in story.tenant.calls(method, "deletedItems")]


@pytest.mark.quick
@pytest.mark.parametrize("over", [revoked, slow(undone)])
async def test_an_approver_deletes_for_good_what_is_over_and_once(story: Story, over: Any) -> None:
    id = await over(story)
    ours = {each["id"] for each in story.tenant.deleted}
    assert len(ours) == 2  # the application, and its service principal
    assert f"Approvers can delete it for good: /aad-setup purge {id}" in story.card(id)
    await purged(story, id)
    assert story.tenant.deleted == []
    assert {path.split("/")[-1] for path in bin_calls(story, "DELETE")} == ours
    assert "Deleted applications" not in story.card(id)
    assert PURGED in await story.command("ben", f"status {id}")
    told = await story.command("ada", f"history {id}")
    assert "· deletion for good asked for · @ada" in told
    assert told.splitlines()[-1].endswith("· deleted for good")
    calls = len(bin_calls(story, ""))
    late = await story.command("grace", f"purge {id}")
    assert late.startswith(f"{id} was already deleted permanently, on 20")
    assert len(bin_calls(story, "")) == calls


async def test_only_approvers_delete_for_good_and_only_what_is_revoked(story: Story) -> None:
    id = await story.ready()
    refused = await story.command("ada", f"purge {id}")
    assert refused.startswith(f"Revoke {id} first (/aad-setup revoke {id})")
    await revoke(story, id)
    for person in ("rosa", "ben"):
        assert await story.command(person, f"purge {id}") == (
            "Only an approver can ask to delete this for good."
        )
    assert len(story.tenant.deleted) == 2


async def test_a_refusal_of_entra_is_told_and_it_comes_again_if_asked_for(story: Story) -> None:
    id = await revoked(story)
    fault = story.tenant.faults.refuse("DELETE", "deletedItems")
    await purge(story, id)
    refused = "Delete for good: Entra refused: a right is missing"
    await story.until(lambda: refused in story.card(id))
    assert read(story.stage, "SELECT kind FROM dues") is None
    shown = story.card(id)
    assert f"{id} was revoked" in shown
    assert "Request id " in shown
    assert PURGED not in shown
    assert len(story.tenant.deleted) == 2
    fault.times = 0
    await purge(story, id, by="grace")
    await story.until(lambda: PURGED in story.card(id))
    assert "Entra refused" not in story.card(id)
    assert story.tenant.deleted == []


async def test_half_of_it_is_gone_and_the_rest_follows(story: Story) -> None:
    id = await revoked(story)
    [principal] = [each for each in story.tenant.deleted if "uniqueName" not in each]
    fault = story.tenant.faults.fail("DELETE", principal["id"], times=FOR_EVER)
    await purge(story, id)
    outage = "Delete for good: Microsoft's service had an outage"
    await story.until(lambda: outage in story.card(id))
    assert [each["id"] for each in story.tenant.deleted] == [principal["id"]]
    fault.times = 0
    await purged(story, id)
    assert story.tenant.deleted == []


async def test_an_answer_that_was_lost_does_not_matter(story: Story) -> None:
    id = await revoked(story)
    story.tenant.faults.reset("DELETE", "deletedItems", times=2, when="after_effect")
    await purged(story, id)
    assert story.tenant.deleted == []


async def test_what_entra_has_deleted_for_good_by_itself_is_gone_already(story: Story) -> None:
    id = await revoked(story)
    story.clock.move(timedelta(days=31))
    await purged(story, id)
    assert not bin_calls(story, "DELETE")


async def test_what_somebody_has_restored_is_left_to_them(story: Story) -> None:
    id = await revoked(story)
    [application] = [each for each in story.tenant.deleted if "uniqueName" in each]
    path = f"/directory/deletedItems/{application['id']}"
    async with somebody(story) as hand:
        assert (await hand.http.post(f"{path}/restore")).status_code == 200
    await purge(story, id)
    await story.until(lambda: "The application was restored in Entra" in story.card(id))
    assert PURGED not in story.card(id)
    assert len(story.tenant.applications) == len(story.tenant.deleted) == 1
    async with somebody(story) as hand:
        assert (await hand.delete(f"/applications/{application['id']}")).status_code == 204
    await purged(story, id)


async def test_what_carries_other_marks_is_left_alone(story: Story) -> None:
    """Somebody has restored it, made it their own and deleted it."""
    id = await revoked(story)
    [application] = [each for each in story.tenant.deleted if "uniqueName" in each]
    path = f"/applications/{application['id']}"
    async with somebody(story) as hand:
        await hand.http.post(f"/directory/deletedItems/{application['id']}/restore")
        assert (await hand.patch(path, {"tags": ["mine"]})).status_code == 204
        assert (await hand.delete(path)).status_code == 204
    await purge(story, id)
    await story.until(lambda: "does not carry the registration's marks" in story.card(id))
    assert not bin_calls(story, "DELETE")
    assert len(story.tenant.deleted) == 2


async def test_the_bin_is_asked_by_the_ids_that_entra_gave_and_by_no_name(story: Story) -> None:
    id = await revoked(story, "billing")
    async with somebody(story) as hand:
        twin = await hand.application("key-of-a-twin", displayName="billing")
        await hand.delete(f"/applications/{twin['id']}")
    before = len(story.tenant.calls())
    await purged(story, id)
    assert [each["id"] for each in story.tenant.deleted] == [twin["id"]]
    asked_for = [each for each in story.tenant.calls()[before:] if each.caller_app_id]
    assert all(each.path.split("/")[-2] == "deletedItems" for each in asked_for)


async def test_one_that_never_made_anything_has_nothing_to_delete(story: Story) -> None:
    fault = story.tenant.faults.refuse("PATCH", "/applications")
    id = await story.fails()
    await undo(story, id)
    fault.times = 0
    assert "Deleted applications" not in story.card(id)
    assert await story.command("ada", f"purge {id}") == (
        f"{id} never made an application, so there is nothing to delete."
    )


async def undone_without_an_answer(story: Story) -> str:
    """Return the id of one that was undone after the answer of its application was lost."""
    story.tenant.faults.reset("PATCH", "/applications", times=99, when="after_effect")
    id = await story.fails()
    story.tenant.faults.clear()
    await undo(story, id)
    assert story.tenant.applications == []
    return id


async def test_an_application_whose_answer_was_lost_is_deleted_for_good_too(story: Story) -> None:
    id = await undone_without_an_answer(story)
    assert len(story.tenant.deleted) == 1
    await purged(story, id)
    assert story.tenant.deleted == []


@pytest.mark.settings(ENTRA_CLIENT_ID=lambda stage: stage.tenant.administrator.client_id.upper())
async def test_a_client_id_in_capitals_undoes_what_it_has_made(story: Story) -> None:
    await undone_without_an_answer(story)


async def test_an_application_that_lags_behind_its_deletion_is_waited_for(story: Story) -> None:
    """The replica that is asked has not yet put it into the bin."""
    id = await story.ready()
    story.tenant.faults.lag = 60.0
    await revoke(story, id)
    await purged(story, id)
    assert story.tenant.deleted == []


@pytest.mark.parametrize(
    ("end", "told", "shown"),
    [
        ("Deny", "Not now", "the purge was denied"),
        ("Cancel", "the purge was cancelled", "the purge was cancelled"),
        ("", "no approver decided on the purge in time", "the purge expired"),
    ],
)
async def test_a_purge_that_is_not_approved_deletes_nothing(
    story: Story, end: str, told: str, shown: str
) -> None:
    id = await revoked(story)
    assert "An approver has to confirm this" in await story.command("ada", f"purge {id}")
    assert "You asked for this yourself." in await decide(story, "Confirm", "purge", by="ada")
    if end:
        by = "grace" if end == "Deny" else "ada"
        assert await decide(story, end, "purge", by=by) == ""
    else:
        story.clock.move(timedelta(hours=25))
    await story.eventually(lambda: told in story.direct("rosa"))
    if end:
        assert shown in story.direct("rosa")
    await story.until(lambda: shown in drawn(story, "purge"))
    assert len(story.tenant.deleted) == 2
    assert not bin_calls(story, "DELETE")


@pytest.mark.settings(APPROVALS_NEEDED="2", APPROVERS=three)
async def test_a_purge_takes_as_many_approvals_as_the_plan_did(story: Story) -> None:
    id = await story.ask()
    await story.workspace.click("grace", "Approve", on=story.card_of(id))
    await story.approve(id, by="ada")
    await revoke(story, id)
    assert "An approver has to confirm this" in await story.command("ada", f"purge {id}")
    assert await decide(story, "Confirm", "purge", by="grace") == ""
    await story.until(lambda: "1 of 2 approvals given" in drawn(story, "purge"))
    assert len(story.tenant.deleted) == 2
    assert await decide(story, "Confirm", "purge", by="ben") == ""
    await story.until(lambda: PURGED in story.card(id))


@pytest.mark.settings(APPROVERS=lambda stage: stage.workspace.people["ada"].id)
async def test_where_one_person_decides_alone_nothing_is_deleted_for_good(story: Story) -> None:
    id = await revoked(story)
    assert "add another to APPROVERS" in await story.command("ada", f"purge {id}")
    assert len(story.tenant.deleted) == 2
