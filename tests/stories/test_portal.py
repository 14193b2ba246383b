"""Consent mode `portal`: an administrator consents in the Entra admin centre, not the bot."""

import asyncio
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from bot.app import App
from bot.domain.lifetimes import CONSENT_TTL
from bot.domain.people import Person
from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from bot.playground.tenant.tenant import PORTAL
from bot.storage import registrations
from bot.worker.consent_watch import ConsentWatch
from tests.support.database import changed, read
from tests.support.drift_story import by_hand
from tests.support.handover_story import ask_handover, confirm_handover
from tests.support.marks import slow
from tests.support.portal_story import (
    SEE,
    UNHURRIED,
    WAITS,
    app_id,
    batches,
    called,
    calls,
    consented,
    environ,
    looked,
    waiting,
)
from tests.support.removal_story import revoke
from tests.support.running_bot import Bot
from tests.support.statements import heard
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

GRANTING = {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"}
DIRECTORY = {"Profile": "Directory reader (any vendor)"}


@pytest.fixture
def settings(stage: Stage) -> dict[str, str]:
    return {**environ(stage, SEE), "REQUESTERS": "*"}


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


@pytest.mark.quick
async def test_delegated_permissions_take_the_right_to_see_them(bot: Bot, stage: Stage) -> None:
    story = Story(stage)
    async with bot(**environ(stage)):
        await story.fill_and_send()
        await story.until(lambda: "can't be created" in story.direct("rosa"))
        assert SEE in story.direct("rosa")


async def test_each_grant_is_ticked_as_it_comes_and_one_that_goes_is_named(story: Story) -> None:
    id = await waiting(story)
    story.tenant.give(app_id(story), roles=["User.Read.All"])
    await looked(story, id, "User.Read.All (application): ✅ granted")
    assert "Directory.Read.All (application): not granted yet" in story.card(id)
    story.tenant.withdraw(app_id(story), "User.Read.All")
    await looked(story, id, "revoked in Entra: User.Read.All")
    assert "User.Read.All (application): not granted yet" in story.card(id)
    await consented(story, id)


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


@pytest.mark.settings(intervals=UNHURRIED)
async def test_many_that_wait_are_looked_at_in_few_calls(story: Story, app: App) -> None:
    for number in range(7):
        await waiting(story, name=f"app {number}")
    before = batches(story)
    story.clock.move(timedelta(minutes=2))
    await app.consent_watch.look()  # which wakes the loop for the rest
    await story.eventually(lambda: batches(story) - before >= 2, step=timedelta(0))
    await app.consent_watch.look()
    assert batches(story) - before == 2


@pytest.mark.settings(intervals=UNHURRIED)
async def test_what_waits_is_read_again_only_once_it_has_changed(story: Story, app: App) -> None:
    id = await waiting(story)

    async def reads_it() -> bool:
        story.clock.move(timedelta(minutes=2))
        before = batches(story)
        with heard(by=asyncio.current_task()) as statements:
            await app.consent_watch.look()
        assert batches(story) == before + 1
        return any("FROM secrets" in each for each in statements)

    assert await reads_it()
    assert not await reads_it()
    assert not await reads_it()
    await app.services.database.write(registrations.bump_version, id)
    assert await reads_it()
    assert not await reads_it()


async def test_revoking_while_it_waits_removes_everything(story: Story) -> None:
    await revoke(story, await waiting(story))
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


@pytest.mark.settings(intervals=UNHURRIED)
async def test_an_outage_is_waited_for_whatever_the_deadline(story: Story, app: App) -> None:
    id = await waiting(story)
    story.tenant.grant_admin_consent(app_id(story))
    story.clock.move(CONSENT_TTL)
    story.tenant.faults.fail("POST", "batch", status=403)
    await app.consent_watch.look()
    assert WAITS in story.card(id)
    story.tenant.faults.clear()
    story.clock.move(timedelta(minutes=1))
    await app.consent_watch.look()
    await story.until(lambda: "is ready" in story.card(id))


@pytest.mark.settings(intervals=UNHURRIED)
async def test_an_application_that_was_deleted_is_not_waited_for(story: Story, app: App) -> None:
    await waiting(story)
    async with by_hand(story) as hand:
        await hand.delete(f"/applications/{story.tenant.applications[-1]['id']}")
    for _ in range(20):
        story.clock.move(timedelta(minutes=1))
        await app.consent_watch.look()
    await story.until(lambda: "was deleted in Entra" in story.direct("rosa"))


async def test_grants_that_replicate_slowly_are_awaited_and_their_loss_told(story: Story) -> None:
    story.tenant.faults.lag = story.tenant.faults.role_lag = 5
    id = await waiting(story)
    await consented(story, id)
    story.tenant.withdraw(app_id(story), "Directory.Read.All")
    story.clock.move(timedelta(hours=1))
    await story.check(id)
    await story.until(lambda: "No longer granted: Directory.Read.All" in story.direct("rosa"))


async def test_a_handover_while_it_waits_changes_who_gets_the_values(story: Story) -> None:
    id = await waiting(story)
    story.workspace.add_person("hedy", "Hedy")
    await ask_handover(story, id, "hedy", by="rosa")
    await confirm_handover(story, by="ada")
    await consented(story, id)
    await story.until(lambda: f"{id}: your connector values" in story.direct("hedy"))


WAITING = "waiting for consent"
STATUS = "SELECT status FROM registrations WHERE id = ?"
WAITED = "SELECT count(*) FROM history WHERE registration = ? AND what = 'consent awaited'"
MAIL_READ = "810c84a8-4a9e-49e6-bf7d-12d183f40d01"
GRAPH = "00000003-0000-0000-c000-000000000000"


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
    await consented(story, id)


async def test_a_secret_is_made_only_after_a_fresh_look(story: Story) -> None:
    """Consent that was withdrawn after a later step has failed is asked for again."""
    id = await waiting(story)
    fault = story.tenant.faults.fail("POST", "addPassword", status=400, code="Refused", times=1000)
    story.tenant.grant_admin_consent(app_id(story))
    await looked(story, id, "failed")
    fault.times = 0
    story.tenant.withdraw(app_id(story), "Directory.Read.All")
    await story.click_when_idle("ada", "Retry", story.card_of(id))
    await looked(story, id, "waits for an administrator's consent")
    assert no_secret(story)
    await consented(story, id)


@pytest.mark.settings(intervals=UNHURRIED)
async def test_a_forged_consent_is_looked_at(story: Story) -> None:
    id = await waiting(story)
    await forge_consent(story.stage, id)
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
async def test_a_wait_that_is_taken_up_again_ends_when_it_would_have(story: Story) -> None:
    id = await waiting(story)

    def left() -> timedelta:
        deadline = str(read(story.stage, "SELECT deadline FROM registrations WHERE id = ?", id))
        return datetime.fromisoformat(deadline).replace(tzinfo=UTC) - story.clock.now()

    assert timedelta(days=6, hours=23) < left() <= timedelta(days=7)
    for times, days in enumerate((4.0, 2.5), start=2):
        story.clock.move(timedelta(days=days))
        expected = max(left(), timedelta(days=1))
        await forge_consent(story.stage, id)
        await story.until(lambda: read(story.stage, WAITED, id) == times)  # noqa: B023 - in this turn
        assert abs(left() - expected) < timedelta(hours=1)


@pytest.mark.settings(intervals=UNHURRIED)
@pytest.mark.parametrize("looks", [0, 1])
async def test_rows_that_cannot_be_read_are_given_up_a_day_after_the_deadline(
    story: Story, app: App, looks: int
) -> None:
    id = await waiting(story)
    story.clock.move(CONSENT_TTL - timedelta(hours=1))
    for _ in range(looks):  # after which it is remembered, for no reminder follows
        await app.scheduler.look()
        await app.consent_watch.look()
    await changed(story.stage, "UPDATE registrations SET plan = '{\"is\": 1}' WHERE id = ?", id)
    story.clock.move(timedelta(hours=1))
    await app.consent_watch.look()
    assert read(story.stage, STATUS, id) == WAITING
    for _ in range(2):
        story.clock.move(timedelta(days=1))
        await app.consent_watch.look()
    assert read(story.stage, STATUS, id) == "failed"
    code = "SELECT details FROM history WHERE registration = ? AND what = 'failed'"
    assert "ConsentUnseen" in read(story.stage, code, id)


@pytest.mark.settings(intervals=UNHURRIED)
async def test_a_forged_client_id_gets_no_link(story: Story, app: App) -> None:
    id = await waiting(story)
    true = app_id(story)
    await changed(story.stage, "UPDATE steps SET facts = replace(facts, ?, ?)", true, true[::-1])
    rosa = story.workspace.people["rosa"]
    person = Person(team_id=rosa.team_id, user_id=rosa.id)
    found = await app.registrar.queries.status(id, by=person)
    drawing = await app.registrar.deliveries.drawing(found, reader=rosa.id)
    assert drawing.consent_page == ""


@pytest.mark.parametrize("column", ["plan", slow("form")])
@pytest.mark.settings(intervals=UNHURRIED)
async def test_one_that_cannot_be_read_keeps_no_other_waiting(
    story: Story, column: str, app: App
) -> None:
    broken = await waiting(story, name="broken")
    id = await waiting(story)
    await changed(story.stage, f"UPDATE registrations SET {column} = '{{}}' WHERE id = ?", broken)
    story.tenant.grant_admin_consent(app_id(story))
    story.clock.move(timedelta(minutes=1))
    await app.consent_watch.look()
    await story.until(lambda: "is ready" in story.card(id))


async def test_a_right_that_is_lost_is_said_and_ends_the_wait(bot: Bot, stage: Stage) -> None:
    settings = environ(stage, SEE)
    async with bot(**settings):
        story = Story(stage)
        id = await waiting(story)
        own = settings["ENTRA_CLIENT_ID"], settings["ENTRA_CLIENT_SECRET"]
        story.tenant.deny(Credential(client_id=own[0], client_secret=own[1]), SEE)
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
