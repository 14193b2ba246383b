"""Somebody writes to the database past the bot: what follows in Entra, and what the audit says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.playground.stage import Stage
from graph.plan import Plan
from tests.support.cli import Ended, typed
from tests.support.database import changed, read
from tests.support.forged_clicks import forged_button
from tests.support.purge_story import purge
from tests.support.removal_story import revoke
from tests.support.running_bot import Bot
from tests.support.story import Story

NOW = datetime(2026, 3, 1, tzinfo=UTC).isoformat(sep=" ")
POINT_AT = """
    UPDATE steps SET facts = (
        SELECT facts FROM steps AS other WHERE other.registration = ? AND other.name = steps.name
    ) WHERE registration = ? AND name IN ('application', 'service_principal')
"""
"""Lets a registration take the application of another for its own."""
FORGED = (
    "UPDATE registrations SET status = 'approved', deadline = NULL,"
    """ quorum = '{"needed": 1, "distinct_groups": false}'""",
    "INSERT INTO votes"
    " (request, team_id, user_id, name, verdict, digest, groups, at)"
    " SELECT id, team_id, 'U0FORGED', 'Ada', 'approve', digest, '[]', :now FROM registrations",
    "INSERT INTO runs (id, registration, kind, attempts, created_at)"
    " SELECT 'forged', id, 'register', 0, :now FROM registrations",
)


async def _execute(stage: Stage, *statements: str) -> None:
    for each in statements:
        await changed(stage, each.replace(":now", f"'{NOW}'"))


async def test_three_statements_do_not_make_an_application(story: Story) -> None:
    id = await story.ask()
    await _execute(story.stage, *FORGED)
    await story.until(lambda: f"{id} failed" in story.card() or "has failed" in story.card())
    assert not story.tenant.applications
    assert f"aad-setup audit verify {id}" in story.card()
    told = await _verify(story.stage)
    assert told.status == 1
    assert f"✖ {id}: the approvals are not those that history knows." in told.out


async def test_a_plan_put_in_the_place_of_the_one_shown_cannot_be_approved(story: Story) -> None:
    """The card still shows the plan that the bot has made: nobody has told it to redraw."""
    id = await story.ask()
    card = story.card_of(id)
    stored = json.loads(read(story.stage, "SELECT plan FROM registrations"))
    other = {**stored, "redirect": "https://eve.example"}
    put = "UPDATE registrations SET plan = ?, digest = ?"
    await changed(story.stage, put, json.dumps(other), Plan.from_json(other).digest)
    await story.workspace.click("ada", "Approve", on=card)
    assert "was changed by something else" in story.whispers("ada")
    assert f"{id} waits for approval" in story.card()


@pytest.mark.slow
async def test_the_audit_of_what_nobody_touched_is_well(stage: Stage, bot: Bot) -> None:
    async with bot():
        id = await Story(stage).ready()
        told = await _verify(stage)
        assert (told.status, told.err) == (0, "")
        assert "✔ Audit: registrations looked at, all as they were signed: 1." in told.out
    assert (await _verify(stage, id.lower())).status == 0
    unknown = await _verify(stage, "AAD-ZZZZ")
    assert (unknown.status, unknown.err) == (2, "There is no registration AAD-ZZZZ.\n")
    await _execute(stage, "UPDATE history SET user_id = 'U0EVE' WHERE what = 'approved'")
    assert f"✖ {id}: history entry 3 was changed." in (await _verify(stage, id)).out


@pytest.mark.slow
async def test_no_secret_is_made_for_an_application_of_another_registration(story: Story) -> None:
    other = await story.ready("payroll")
    id = await story.ready("billing")
    (payroll,) = story.tenant.applications_named("payroll")
    before = story.tenant.live_secrets(payroll["appId"])
    await changed(story.stage, POINT_AT, other, id)
    await _execute(story.stage, f"UPDATE secrets SET state = 'unknown' WHERE registration = '{id}'")
    forged = await forged_button(story.workspace, "renew", id)
    await story.click_when_idle("rosa", "renew", on=forged)
    await story.until(lambda: "has not made" in story.card())
    assert story.tenant.live_secrets(payroll["appId"]) == before


@pytest.mark.slow
async def test_an_application_of_another_registration_is_not_removed(story: Story) -> None:
    other = await story.ready("payroll")
    id = await story.ready("billing")
    await changed(story.stage, POINT_AT, other, id)
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: "has not made" in story.card())
    assert story.tenant.applications_named("payroll")


@pytest.mark.slow
async def test_a_new_secret_does_not_outlive_the_approval_that_history_knows(story: Story) -> None:
    id = await story.ready()
    (application,) = story.tenant.applications
    (first,) = story.tenant.live_secrets(application["appId"])
    forever = "expires_at = '2099-01-01 00:00:00'"
    await changed(story.stage, f"UPDATE secrets SET state = 'unknown', {forever}")
    story.clock.move(timedelta(days=30))
    forged = await forged_button(story.workspace, "renew", id)
    await story.click_when_idle("rosa", "renew", on=forged)
    await story.until(lambda: f"The secret of {id} was replaced" in story.direct("rosa"))
    (second,) = story.tenant.live_secrets(application["appId"])
    until = datetime.fromisoformat(first["endDateTime"]) + timedelta(hours=1)
    assert datetime.fromisoformat(second["endDateTime"]) <= until


RUN = (
    "INSERT INTO runs (id, registration, kind, subject, attempts, created_at)"
    " SELECT 'forged', id, '{}', {}, 0, :now FROM registrations"
)
FORGED_RUNS = {
    "a rotation that nobody confirmed": (
        "INSERT INTO approval_requests"
        " (id, registration, kind, asked_by, asked_at, digest, state, payload)"
        " SELECT 'forged', registration, 'rotation', asked_by, :now, digest, 'approved', '{}'"
        " FROM approval_requests",
        "INSERT INTO votes (request, team_id, user_id, name, verdict, digest, groups, at)"
        " SELECT 'forged', team_id, user_id, name, verdict, digest, groups, at FROM votes",
        RUN.format("rotate", "'forged'"),
    ),
    "the plan is the subject": (RUN.format("rotate", "id"),),
    "the plan is called a rotation": (
        "UPDATE approval_requests SET kind = 'rotation'",
        RUN.format("rotate", "id"),
    ),
    "an approval is carried out twice": (
        "UPDATE steps SET facts = NULL",
        "UPDATE registrations SET status = 'approved', key = 'another'",
        RUN.format("register", "NULL"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", FORGED_RUNS)
async def test_a_forged_run_makes_no_secret(story: Story, what: str) -> None:
    id = await story.ready()
    await _execute(story.stage, *FORGED_RUNS[what])
    tampered, refused = f"aad-setup audit verify {id}", "This was not approved"
    said: dict[str, Callable[[], bool]] = {
        "a rotation that nobody confirmed": lambda: tampered in story.workspace.picture(),
        "an approval is carried out twice": lambda: (
            "has failed" in story.card() or f"{id} failed" in story.card()
        ),
    }
    picture = story.workspace.picture
    await story.until(said.get(what, lambda: refused in picture() or tampered in picture()))
    (application,) = story.tenant.applications
    assert len(story.tenant.live_secrets(application["appId"])) == 1


async def _two_in_the_bin(story: Story) -> tuple[str, str]:
    """Return the ids of two registrations that were revoked; each has left two objects."""
    ids = await story.ready("payroll"), await story.ready("billing")
    for id in ids:
        await revoke(story, id)
    assert len(story.tenant.deleted) == 4
    return ids


FROM_OTHER = "(SELECT {0} FROM registrations WHERE id = '{2}') WHERE id = '{1}'"
TAKE = f"UPDATE registrations SET {{0}} = {FROM_OTHER}"


@pytest.mark.slow
async def test_what_another_registration_has_deleted_is_not_deleted_for_good(story: Story) -> None:
    other, id = await _two_in_the_bin(story)
    await _execute(
        story.stage,
        TAKE.format("deleted", id, other),
        f"UPDATE registrations SET deleted = json_remove(deleted, '$[1]') WHERE id = '{id}'",
    )
    await purge(story, id)
    await story.until(lambda: "does not carry the registration's marks" in story.card(id))
    assert len(story.tenant.deleted) == 4


@pytest.mark.slow
async def test_a_plan_of_another_registration_deletes_nothing_for_good(story: Story) -> None:
    other, id = await _two_in_the_bin(story)
    columns = ("deleted", "plan", "digest")
    await _execute(story.stage, *(TAKE.format(it, id, other) for it in columns))
    await purge(story, id)
    assert f"aad-setup audit verify {id}" in story.whispers("grace")
    assert len(story.tenant.deleted) == 4


@pytest.mark.slow
async def test_nothing_is_deleted_for_good_that_nobody_has_asked_for(story: Story) -> None:
    _, id = await _two_in_the_bin(story)
    await _execute(
        story.stage,
        "INSERT INTO runs (id, registration, kind, attempts, created_at)"
        f" VALUES ('forged', '{id}', 'purge', 0, :now)",
    )
    await story.until(lambda: f"aad-setup audit verify {id}" in story.card(id))
    assert len(story.tenant.deleted) == 4


async def _verify(stage: Stage, *arguments: str) -> Ended:
    return await typed("audit", "verify", *arguments, environ=stage.environ(), folder=stage.folder)
