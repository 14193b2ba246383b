"""Consent mode `portal`: an administrator consents in the Entra admin centre, not the bot."""

import asyncio
from datetime import timedelta

import jwt
import pytest

from bot.app import App
from bot.domain.lifetimes import CONSENT_TTL
from bot.playground.stage import Stage
from bot.playground.tenant.tenant import PORTAL
from bot.worker.consent_watch import ConsentWatch
from tests.support.drift_story import by_hand
from tests.support.portal_story import (
    SEE,
    UNHURRIED,
    WAITS,
    app_id,
    batches,
    called,
    calls,
    environ,
    looked,
    waiting,
)
from tests.support.running_bot import Bot
from tests.support.story import Story
from tests.support.waiting import eventually

GRANTING = {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"}
DIRECTORY = {"Profile": "Directory reader (any vendor)"}


@pytest.fixture
def settings(stage: Stage) -> dict[str, str]:
    return {**environ(stage, SEE), "REQUESTERS": "*"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "rights",
    [
        pytest.param((SEE,), id="all scopes seen"),
        pytest.param((), id="four rights", marks=pytest.mark.slow),
    ],
)
async def test_from_the_form_to_the_mask(bot: Bot, stage: Stage, rights: tuple[str, ...]) -> None:
    settings = environ(stage, *rights)
    async with bot(**settings) as running:
        story = Story(stage)
        id = await waiting(story, **({} if rights else DIRECTORY))
        await story.until(lambda: "needs admin consent" in called(story))
        links = str(story.workspace.messages("approvals")[-1]["blocks"])
        assert f"{stage.tenant.id}/#view/" in links
        assert f"CallAnAPI/appId/{app_id(story)}|" in links
        assert story.tenant.live_secrets(app_id(story)) == []
        story.tenant.grant_admin_consent(app_id(story))
        await looked(story, id, "is ready")
        await story.until(lambda: story.is_announced(id))
        shown = await story.revealed(id)
        assert any(secret in shown for secret in story.tenant.minted)
        await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
        assert not any(secret in story.whispers("rosa") for secret in story.tenant.minted)
        token = await running.services.tenant.tokens.token()
    held = jwt.decode(token.access, options={"verify_signature": False})["roles"]
    assert set(held) == {*PORTAL, *rights}
    assert not GRANTING & set(held)
    own = [each for each in story.tenant.log if each.caller_app_id == settings["ENTRA_CLIENT_ID"]]
    assert {each.status for each in own} <= {200, 201, 204}


async def test_a_profile_with_delegated_permissions_takes_the_right_to_see_them(
    bot: Bot, stage: Stage
) -> None:
    async with bot(**environ(stage)):
        story = Story(stage)
        await story.fill_and_send()
        await story.until(lambda: "can't be created" in story.direct("rosa"))
        assert SEE in story.direct("rosa")


@pytest.mark.slow
async def test_each_grant_is_ticked_as_it_comes_and_one_that_vanished_is_named(
    story: Story,
) -> None:
    id = await waiting(story)
    story.tenant.give(app_id(story), roles=["User.Read.All"])
    await looked(story, id, "User.Read.All (application): ✅ granted")
    assert "Directory.Read.All (application): not granted yet" in story.card(id)
    story.tenant.withdraw(app_id(story), "User.Read.All")
    await looked(story, id, "revoked in Entra: User.Read.All")
    assert "User.Read.All (application): not granted yet" in story.card(id)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")


@pytest.mark.slow
async def test_what_was_not_approved_stops_it_and_alarms_the_approvers(story: Story) -> None:
    id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    story.tenant.give(app_id(story), roles=["Mail.Read"])
    await looked(story, id, "failed")
    assert "Mail.Read" in story.card(id)
    await story.until(lambda: "was changed in Entra" in called(story))
    assert story.tenant.live_secrets(app_id(story)) == []
    story.tenant.withdraw(app_id(story), "Mail.Read")
    await story.click_when_idle("ada", "Retry", story.card_of(id))
    await looked(story, id, "is ready")


@pytest.mark.slow
async def test_without_consent_in_a_week_it_fails_after_three_reminders(story: Story) -> None:
    id, began = await waiting(story), story.clock.now()
    for count, days in enumerate((0, 1, 3, 6), start=1):
        story.clock.move(began + timedelta(days=days) - story.clock.now())
        await story.until(lambda: calls(story, id) >= count)  # noqa: B023 - awaited in this turn
        assert calls(story, id) == count
    await looked(story, id, "was undone", step=CONSENT_TTL)
    late = "No administrator has consented within 7 days"
    await story.until(
        lambda: late in story.direct("rosa") and "[Ask again]" in story.direct("rosa")
    )
    assert story.tenant.applications == []
    await story.until(lambda: "no longer waits" in called(story))


@pytest.mark.slow
@pytest.mark.settings(intervals=UNHURRIED)
async def test_it_looks_once_a_minute_at_most_and_less_often_later(story: Story, app: App) -> None:
    await waiting(story)

    async def in_an_hour() -> int:
        before = batches(story)
        for _ in range(120):
            story.clock.move(timedelta(seconds=30))
            await app.consent_watch.look()
        return batches(story) - before

    assert await in_an_hour() in range(15, 30)
    story.clock.move(timedelta(hours=4))
    await app.consent_watch.look()
    assert await in_an_hour() == 4


@pytest.mark.slow
@pytest.mark.settings(intervals=UNHURRIED)
async def test_many_that_wait_are_looked_at_in_few_calls(story: Story, app: App) -> None:
    for number in range(7):
        await waiting(story, name=f"app {number}")
    before = batches(story)
    story.clock.move(timedelta(minutes=2))
    await app.consent_watch.look()  # which wakes the loop for the rest
    await eventually(story, lambda: batches(story) - before >= 2, step=timedelta(0))
    await app.consent_watch.look()
    assert batches(story) - before == 2


@pytest.mark.slow
async def test_revoking_while_it_waits_removes_everything(story: Story) -> None:
    id = await waiting(story)
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: "was revoked" in story.card(id))
    assert story.tenant.applications == []


@pytest.mark.settings(intervals=UNHURRIED)
async def test_look_now_brings_the_look_forward(story: Story, app: App) -> None:
    id = await waiting(story)
    story.clock.move(timedelta(hours=5))
    await app.consent_watch.look()
    story.tenant.grant_admin_consent(app_id(story))
    await story.workspace.click("ada", "Look now", on=story.card_of(id))
    assert "within a minute" in story.whispers("ada")
    story.clock.move(timedelta(minutes=1))
    await app.consent_watch.look()
    await story.until(lambda: "is ready" in story.card(id))


@pytest.mark.slow
async def test_a_bot_that_was_stopped_meanwhile_goes_on(bot: Bot, stage: Stage) -> None:
    settings, story = environ(stage, SEE), Story(stage)
    async with bot(**settings):
        id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    async with bot(**settings):
        await looked(story, id, "is ready")


@pytest.mark.settings(intervals=UNHURRIED)
async def test_of_two_processes_one_looks(story: Story, app: App) -> None:
    await waiting(story)
    before = batches(story)
    story.clock.move(timedelta(minutes=2))
    other = ConsentWatch(app.services, every=3600)
    await asyncio.gather(app.consent_watch.look(), other.look())
    assert batches(story) - before == 1


@pytest.mark.slow
@pytest.mark.settings(intervals=UNHURRIED)
async def test_an_outage_is_waited_for_whatever_the_deadline_says(
    story: Story, stage: Stage, app: App
) -> None:
    id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    story.clock.move(CONSENT_TTL)
    stage.tenant.faults.fail("POST", "batch", status=403)
    await app.consent_watch.look()
    assert WAITS in story.card(id)
    stage.tenant.faults.clear()
    story.clock.move(timedelta(minutes=1))
    await app.consent_watch.look()
    await story.until(lambda: "is ready" in story.card(id))


@pytest.mark.slow
@pytest.mark.settings(intervals=UNHURRIED)
async def test_an_application_that_is_deleted_meanwhile_is_not_waited_for(
    story: Story, app: App
) -> None:
    await waiting(story)
    async with by_hand(story) as hand:
        await hand.delete(f"/applications/{story.tenant.applications[-1]['id']}")
    for _ in range(20):
        story.clock.move(timedelta(minutes=1))
        await app.consent_watch.look()
    await story.until(lambda: "was deleted in Entra" in story.direct("rosa"))


@pytest.mark.slow
async def test_grants_that_replicate_slowly_are_waited_for(story: Story) -> None:
    story.tenant.faults.lag = 5
    story.tenant.faults.role_lag = 5
    id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")


@pytest.mark.slow
async def test_consent_that_is_withdrawn_later_is_told(story: Story) -> None:
    id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")
    story.tenant.withdraw(app_id(story), "Directory.Read.All")
    story.clock.move(timedelta(hours=1))
    await story.check(id)
    await story.until(lambda: "No longer granted: Directory.Read.All" in story.direct("rosa"))


@pytest.mark.slow
async def test_a_handover_while_it_waits_changes_who_gets_the_values(story: Story) -> None:
    id = await waiting(story)
    story.workspace.add_person("hedy", "Hedy")
    asking = story.workspace.command("rosa", f"handover {id} @hedy")
    asked = await story.new_request(asking, "Confirm the handover")
    await story.workspace.click("ada", "Confirm the handover", on=asked)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "is ready")
    await story.until(lambda: f"{id}: your connector values" in story.direct("hedy"))
