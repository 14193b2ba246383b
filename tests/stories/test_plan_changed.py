"""What runs is what was approved: a plan, a digest or a profile that changed since is refused."""

import json
from hashlib import sha256
from typing import Any

import pytest
import sqlalchemy as sa

from bot.app import App
from tests.support.database import read
from tests.support.story import Story

OTHER_NAME = "json_replace(plan, '$.name', 'something else')"


class Intruder:
    """Somebody who can write the bot's database, and a story in which they do."""

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


@pytest.mark.parametrize("change", [f"plan = {OTHER_NAME}", f"digest = '{'0' * 64}'"])
async def test_what_was_changed_since_the_approval_is_not_run(
    intruder: Intruder, change: str
) -> None:
    id = await intruder.story.ask()
    await intruder.once_approved(change)
    await intruder.refused(id, "The stored plan is not the one approved.")


async def test_another_plan_with_its_digest_is_not_what_was_voted_on(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    other = {**await intruder.plan(), "name": "something else"}
    text = json.dumps(other).replace("'", "''")
    await intruder.once_approved(f"plan = '{text}', digest = '{digest_of(other)}'")
    await intruder.refused(id, "Another plan was approved than the stored one.")


async def test_a_plan_of_another_version_of_the_profile_does_not_run(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    older = {**await intruder.plan(), "profile_digest": "0" * 64}
    text, digest = json.dumps(older).replace("'", "''"), digest_of(older)
    await intruder.once_approved(
        f"plan = '{text}', digest = '{digest}'; UPDATE votes SET digest = '{digest}'"
    )
    await intruder.refused(id, "The profile has changed since the approval.")


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_an_approval_of_another_plan_does_not_count(intruder: Intruder) -> None:
    id = await intruder.story.ask()
    await intruder.story.vote(id)
    await intruder.put({**await intruder.plan(), "name": "something else"})
    await intruder.story.workspace.click("grace", "Approve", on=intruder.story.card_of(id))
    assert read(intruder.story.stage, "SELECT status FROM registrations") == "pending"
    assert not intruder.story.tenant.applications
