"""An attacker writes to the database past the bot: what then runs, and what the audit says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy as sa

from bot.app import App
from bot.playground.stage import Stage
from graph.plan import Plan
from tests.support.cli import Ended, typed
from tests.support.database import changed, read
from tests.support.forged_clicks import forged_button
from tests.support.purge_story import purge
from tests.support.removal_story import revoke
from tests.support.running_bot import Bot
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

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


@pytest.mark.quick
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


async def test_an_application_of_another_registration_is_not_removed(story: Story) -> None:
    other = await story.ready("payroll")
    id = await story.ready("billing")
    await changed(story.stage, POINT_AT, other, id)
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: "has not made" in story.card())
    assert story.tenant.applications_named("payroll")


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


async def test_a_plan_of_another_registration_deletes_nothing_for_good(story: Story) -> None:
    other, id = await _two_in_the_bin(story)
    columns = ("deleted", "plan", "digest")
    await _execute(story.stage, *(TAKE.format(it, id, other) for it in columns))
    await purge(story, id)
    assert f"aad-setup audit verify {id}" in story.whispers("grace")
    assert len(story.tenant.deleted) == 4


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


OTHER_NAME = "json_replace(plan, '$.name', 'something else')"


class Intruder:
    """An attacker who can write the bot's database, and a story in which they do."""

    def __init__(self, app: App, story: Story) -> None:
        self.app, self.story = app, story

    async def sql(self, *statements: str, **values: Any) -> None:
        async with self.app.services.database.transaction() as tx:
            for statement in statements:
                await tx.execute(sa.text(statement), values)

    async def once_approved(self, change: str) -> None:
        """Make a change at the moment of the approval, before any run can begin."""
        await self.sql(
            "CREATE TRIGGER tampering AFTER INSERT ON votes BEGIN"
            f" UPDATE registrations SET {change}; END"
        )

    async def plan(self) -> dict[str, Any]:
        return dict(json.loads(read(self.story.stage, "SELECT plan FROM registrations")))

    async def put(self, plan: dict[str, Any]) -> None:
        """Put another plan, with its digest, in the place of the one stored."""
        put = "UPDATE registrations SET plan = :plan, digest = :digest"
        await self.sql(put, plan=json.dumps(plan), digest=digest_of(plan))

    async def refused(self, id: str, sentence: str) -> None:
        """Approve, and see the run refuse before it has asked the tenant for anything."""
        before = len(self.story.tenant.log)
        await self.story.workspace.click("ada", "Approve", on=self.story.card_of(id))
        await self.story.until(lambda: f"{id} failed" in self.story.card())
        card = self.story.card()
        assert f"Compare the plan: {sentence}" in card
        assert "Ask again with a new registration: what runs must be what was approved." in card
        assert len(self.story.tenant.log) == before
        assert not self.story.tenant.applications


def digest_of(plan: dict[str, Any]) -> str:
    return sha256(json.dumps(plan, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@pytest.fixture
def intruder(app: App, story: Story) -> Intruder:
    return Intruder(app, story)


@pytest.mark.quick
@pytest.mark.parametrize("change", [f"plan = {OTHER_NAME}", f"digest = '{'0' * 64}'"])
async def test_what_was_changed_since_approval_is_not_run(intruder: Intruder, change: str) -> None:
    id = await intruder.story.ask()
    await intruder.once_approved(change)
    await intruder.refused(id, "The stored plan is not the one approved.")


@pytest.mark.quick
async def test_another_plan_with_its_digest_is_not_what_was_voted_on(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    other = {**await intruder.plan(), "name": "something else"}
    text = json.dumps(other).replace("'", "''")
    await intruder.once_approved(f"plan = '{text}', digest = '{digest_of(other)}'")
    await intruder.refused(id, "Another plan was approved than the stored one.")


@pytest.mark.quick
async def test_a_plan_of_another_version_of_the_profile_does_not_run(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    older = {**await intruder.plan(), "profile_digest": "0" * 64}
    text, digest = json.dumps(older).replace("'", "''"), digest_of(older)
    await intruder.once_approved(
        f"plan = '{text}', digest = '{digest}'; UPDATE votes SET digest = '{digest}'"
    )
    await intruder.refused(id, "The profile has changed since the approval.")


@pytest.mark.quick
async def test_a_plan_of_another_version_of_the_profile_is_not_approved(intruder: Intruder) -> None:
    """How many approvals it takes stands in the profile: a vote counts under the plan's own."""
    id = await intruder.story.ask()
    older = {**await intruder.plan(), "profile_digest": "0" * 64}
    await intruder.put(older)
    await intruder.story.workspace.click("ada", "Approve", on=intruder.story.card_of(id))
    assert "has changed since the plan" in intruder.story.whispers("ada")
    await intruder.sql("UPDATE registrations SET form = json_replace(form, '$.profile', 'gone')")
    await intruder.story.workspace.click("ada", "Approve", on=intruder.story.card_of(id))
    assert "The connector gone of" in intruder.story.whispers("ada")
    assert f"{id} waits for approval" in intruder.story.card()


async def test_a_retry_does_not_run_a_plan_that_was_changed_meanwhile(intruder: Intruder) -> None:
    story = intruder.story
    fault = story.tenant.faults.refuse("POST", "appRoleAssignedTo")
    id = await story.fails()
    fault.times = 0
    await intruder.sql(f"UPDATE registrations SET plan = {OTHER_NAME}")
    await story.press("rosa", "Retry")
    await story.until(lambda: "The stored plan is not the one approved." in story.card())
    assert not story.tenant.applications_named("something else")
    assert f"{id} failed" in story.card()


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_an_approval_of_another_plan_does_not_count(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    await intruder.story.vote(id)
    await intruder.put({**await intruder.plan(), "name": "something else"})
    await intruder.story.workspace.click("grace", "Approve", on=intruder.story.card_of(id))
    assert read(intruder.story.stage, "SELECT status FROM registrations") == "pending"
    assert not intruder.story.tenant.applications
