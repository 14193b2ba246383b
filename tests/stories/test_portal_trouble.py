"""Consent mode `portal`, when something is not as it should be while a registration waits."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.app import App
from bot.domain.lifetimes import CONSENT_TTL
from bot.domain.people import Person
from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from tests.support.database import changed, read
from tests.support.drift_story import by_hand
from tests.support.marks import slow
from tests.support.portal_story import (
    SEE,
    UNHURRIED,
    app_id,
    called,
    calls,
    environ,
    looked,
    waiting,
)
from tests.support.running_bot import Bot
from tests.support.story import Story

pytestmark = pytest.mark.slow

WAITING = "waiting for consent"
STATUS = "SELECT status FROM registrations WHERE id = ?"
WAITED = "SELECT count(*) FROM history WHERE registration = ? AND what = 'consent awaited'"
MAIL_READ = "810c84a8-4a9e-49e6-bf7d-12d183f40d01"
GRAPH = "00000003-0000-0000-c000-000000000000"


@pytest.fixture
def settings(stage: Stage) -> dict[str, str]:
    return {**environ(stage, SEE), "REQUESTERS": "*"}


def no_secret(story: Story) -> bool:
    made = [each["appId"] for each in story.tenant.applications]
    return not any(story.tenant.live_secrets(id) for id in made)


async def test_what_the_next_consent_would_grant_beyond_the_plan_stops_it(story: Story) -> None:
    id = await waiting(story)
    async with by_hand(story) as hand:
        more = {"resourceAppId": GRAPH, "resourceAccess": [{"id": MAIL_READ, "type": "Role"}]}
        asked = hand.application["requiredResourceAccess"]
        await hand.change(requiredResourceAccess=[*asked, more][-1:])
    await looked(story, id, "failed")
    assert "now also asks for Mail.Read" in story.card(id)
    assert no_secret(story)


async def test_a_credential_that_somebody_adds_stops_it(story: Story) -> None:
    id = await waiting(story)
    async with by_hand(story) as hand:
        await hand.graph.post(f"/applications/{hand.application['id']}/addPassword", {})
    await looked(story, id, "failed")
    await story.until(lambda: "was changed in Entra" in called(story))


async def test_who_only_signs_in_does_not_stop_it(story: Story) -> None:
    id = await waiting(story)
    user = story.tenant.people.users[0]["id"]
    story.tenant.give(app_id(story), scopes=["openid", "User.Read"], user=user)
    story.tenant.give(app_id(story), roles=["User.Read.All"])
    await looked(story, id, "User.Read.All (application): ✅ granted")
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")


async def test_a_secret_is_made_only_after_a_fresh_look(story: Story, stage: Stage) -> None:
    """Consent that was withdrawn after a later step has failed is asked for again."""
    id = await waiting(story)
    fault = stage.tenant.faults.fail("POST", "addPassword", status=400, code="Refused", times=1000)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "failed")
    fault.times = 0
    story.tenant.withdraw(app_id(story), "Directory.Read.All")
    await story.click_when_idle("ada", "Retry", story.card_of(id))
    await looked(story, id, "waits for an administrator's consent")
    assert no_secret(story)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")


@pytest.mark.slow
@pytest.mark.settings(intervals=UNHURRIED)
async def test_a_forged_consent_is_looked_at(story: Story, stage: Stage) -> None:
    id = await waiting(story)
    await forge_consent(stage, id)
    await story.until(lambda: calls(story, id) == 2)
    await story.until(lambda: "waits for an administrator's consent" in story.card(id))
    assert no_secret(story)


async def forge_consent(stage: Stage, id: str) -> None:
    """Let a run go on as if an administrator had consented. It finds that none has."""
    forged = '{"granted_at": "2026-01-01T00:00:00+00:00"}'
    what = "facts = ?, ended_at = intended_at"
    await changed(
        stage, f"UPDATE steps SET {what} WHERE name LIKE 'role:%' OR name = 'scopes'", forged
    )
    columns = "id, registration, kind, attempts, created_at"
    run = "SELECT 'forged' || count(*), max(registration), kind, 0, max(created_at) FROM runs"
    await changed(stage, f"INSERT INTO runs ({columns}) {run} WHERE kind = 'register'")
    await changed(stage, "UPDATE registrations SET status = 'approved' WHERE id = ?", id)


@pytest.mark.settings(intervals=UNHURRIED)
async def test_a_wait_that_is_taken_up_again_ends_when_it_would_have(
    story: Story, stage: Stage
) -> None:
    id = await waiting(story)

    def left() -> timedelta:
        deadline = str(read(stage, "SELECT deadline FROM registrations WHERE id = ?", id))
        return datetime.fromisoformat(deadline).replace(tzinfo=UTC) - story.clock.now()

    assert timedelta(days=6, hours=23) < left() <= timedelta(days=7)
    for times, days in enumerate((4.0, 2.5), start=2):
        story.clock.move(timedelta(days=days))
        expected = max(left(), timedelta(days=1))
        await forge_consent(stage, id)
        await story.until(lambda: read(stage, WAITED, id) == times)  # noqa: B023 - in this turn
        assert abs(left() - expected) < timedelta(hours=1)


@pytest.mark.settings(intervals=UNHURRIED)
async def test_rows_that_cannot_be_read_are_given_up_a_day_after_the_deadline(
    story: Story, stage: Stage, app: App
) -> None:
    id = await waiting(story)
    await changed(stage, "UPDATE registrations SET plan = '{\"is\": 1}' WHERE id = ?", id)
    story.clock.move(CONSENT_TTL)
    await app.consent_watch.look()
    assert read(stage, STATUS, id) == WAITING
    story.clock.move(timedelta(days=1))
    await app.consent_watch.look()
    assert read(stage, STATUS, id) == "failed"
    code = "SELECT details FROM history WHERE registration = ? AND what = 'failed'"
    assert "ConsentUnseen" in read(stage, code, id)


@pytest.mark.settings(intervals=UNHURRIED)
async def test_a_forged_client_id_gets_no_link(story: Story, stage: Stage, app: App) -> None:
    id = await waiting(story)
    true = app_id(story)
    await changed(stage, "UPDATE steps SET facts = replace(facts, ?, ?)", true, true[::-1])
    rosa = stage.workspace.people["rosa"]
    person = Person(team_id=rosa.team_id, user_id=rosa.id)
    found = await app.registrar.queries.status(id, by=person)
    assert await app.registrar.deliveries.consent_page(found) == ""


@pytest.mark.parametrize("column", ["plan", slow("form")])
@pytest.mark.settings(intervals=UNHURRIED)
async def test_one_that_cannot_be_read_keeps_no_other_waiting(
    story: Story, stage: Stage, column: str, app: App
) -> None:
    broken = await waiting(story, name="broken")
    id = await waiting(story)
    await changed(stage, f"UPDATE registrations SET {column} = '{{}}' WHERE id = ?", broken)
    story.tenant.grant_admin_consent(app_id(story))
    story.clock.move(timedelta(minutes=1))
    await app.consent_watch.look()
    await story.until(lambda: "is ready" in story.card(id))


async def test_a_right_that_is_lost_meanwhile_is_said_and_ends_the_wait(
    bot: Bot, stage: Stage
) -> None:
    settings = environ(stage, SEE)
    async with bot(**settings):
        story = Story(stage)
        id = await waiting(story)
        own = settings["ENTRA_CLIENT_ID"], settings["ENTRA_CLIENT_SECRET"]
        stage.tenant.deny(Credential(client_id=own[0], client_secret=own[1]), SEE)
        story.clock.move(timedelta(hours=2))  # its token has ended
        await looked(story, id, "could not look: The bot may not see delegated grants")
        assert "withdrawn" not in story.card(id)
        await looked(story, id, "was undone", step=timedelta(days=7))


async def test_after_a_restore_a_rotation_takes_no_consent(bot: Bot, stage: Stage) -> None:
    settings = environ(stage, SEE)
    async with bot(**settings):
        story = Story(stage)
        id = await waiting(story)
        story.tenant.grant_admin_consent(app_id(story))
        await looked(story, id, "is ready")
        await story.until(lambda: story.is_announced(id))
        await story.revealed(id)
        await changed(
            stage, "UPDATE steps SET facts = NULL WHERE name LIKE 'role:%' OR name = 'scopes'"
        )
        story.clock.move(timedelta(minutes=2))
        await story.workspace.command("rosa", f"rotate {id}")
        await story.until(lambda: "[Confirm the rotation]" in called(story))
        await story.workspace.click("ada", "Confirm the rotation")
        await story.until(lambda: len(story.tenant.live_secrets(app_id(story))) == 2)
        await story.until(lambda: "is ready" in story.card(id))
