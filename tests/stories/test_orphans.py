"""Orphans: what carries our mark in the tenant and belongs to no registration.

`aad-setup doctor --orphans` names it. The scan removes, once a day, what is proven ours, and
reports the rest.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import structlog

from bot.app import App
from bot.doctor.findings import Finding, Mark
from bot.doctor.orphans import LOOK, RESTORE, find_orphans
from bot.playground.stage import Stage
from bot.storage import history
from tests.support.doctor_cli import call
from tests.support.failure_story import failed
from tests.support.graph_bot import Bot as Hand
from tests.support.graph_bot import bot_of, secret
from tests.support.removal_story import undo
from tests.support.running_bot import Bot
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

DAY = timedelta(hours=25)
ROWS = ("messages", "dues", "history", "approval_requests", "secrets", "steps", "runs")


@pytest.fixture
async def hand(stage: Stage) -> AsyncIterator[Hand]:
    """Somebody else's hand in the tenant, which may change every application."""
    who = stage.tenant.add_administrator(["Application.ReadWrite.All"])
    async with bot_of(stage.tenant, stage.clock, who) as hand:
        yield hand


@pytest.fixture
def settings(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url}


async def test_doctor_names_all_orphans_and_touches_none(
    stage: Stage, bot: Bot, hand: Hand
) -> None:
    story = Story(stage)
    async with bot():
        kept, lost = await story.ready("billing"), await story.ready("payroll")
    told = await call(stage, "--orphans")
    assert (told.status, told.wrong) == (0, []), told.text
    assert "✔ No orphans: applications of this installation looked at: 2." in told.text

    _forget(stage, lost)
    (payroll,) = stage.tenant.applications_named("payroll")
    (billing,) = stage.tenant.applications_named("billing")
    stray = await secret(hand, billing, f"Mimecast Key · {kept} · 0123456789abcdef")
    by_hand = await secret(hand, billing, "by hand")
    theirs = await _planted(hand, ["aad-setup", f"aad-setup:{kept}", f"aad-setup:other:{kept}"])
    before = len(stage.tenant.log)

    told = await call(stage, "--orphans")
    assert told.status == 1
    of_payroll, of_billing = sorted(told.wrong)
    assert f"Application “payroll” ({payroll['appId']}) of {lost}: no registration" in of_payroll
    assert "delete it there if it is unused" in of_payroll
    assert f"Secret {stray} of application “billing”" in of_billing
    assert "A running bot removes it automatically within a day." in of_billing
    assert by_hand not in told.text
    assert theirs["appId"] not in told.text
    assert told.doubts == ["⚠ Left out, because other installations of this program made them: 1."]
    assert _asked(stage, before) == {"GET"}
    assert len(stage.tenant.applications) == 3


async def test_the_doctor_says_how_long_a_deleted_application_can_be_restored(
    stage: Stage, bot: Bot, hand: Hand
) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready("billing")
    (billing,) = stage.tenant.applications
    theirs = await _planted(hand, ["aad-setup", f"aad-setup:{id}", f"aad-setup:elsewhere:{id}"])
    for each in (billing, theirs):
        await hand.graph.send("DELETE", f"/applications/{each['id']}")
    (line,) = await _said(stage, Mark.WRONG)
    start = f"Deleted application “billing” ({billing['appId']}) of {id}: Entra purges it"
    assert line.sentence.startswith(f"{start} in 30 days, on ")
    assert line.advice == RESTORE
    stage.clock.move(timedelta(days=28, hours=23))
    assert f"{start} in 1 day, on " in (await _said(stage, Mark.WRONG))[0].sentence
    stage.clock.move(timedelta(hours=20))
    assert f"{start} within a day, on " in (await _said(stage, Mark.WRONG))[0].sentence

    _forget(stage, id)  # then nobody misses it, and it still counts towards the quota
    assert await _said(stage, Mark.WRONG) == []
    told = await _said(stage, Mark.WELL)
    assert [each.sentence.split(":")[0] for each in told] == ["No orphans", start.split(":")[0]]


async def test_the_doctor_names_a_service_principal_that_has_lost_its_application(
    stage: Stage, bot: Bot, hand: Hand
) -> None:
    story = Story(stage)
    async with bot():
        id, kept = await story.ready("billing"), await story.ready("payroll")
    (billing,) = stage.tenant.applications_named("billing")
    (principal,) = [
        each for each in stage.tenant.service_principals if each["appId"] == billing["appId"]
    ]
    await hand.graph.send("DELETE", f"/applications/{billing['id']}")
    await hand.graph.send("DELETE", f"/directory/deletedItems/{billing['id']}")
    await hand.graph.send("POST", f"/directory/deletedItems/{principal['id']}/restore")
    # What the bot has written may still be on its way to a replica.
    assert await _said(stage, Mark.WRONG) == []
    stage.clock.move(timedelta(minutes=16))
    before = len(stage.tenant.log)
    (line,) = await _said(stage, Mark.WRONG)
    assert line.sentence == (
        f"Service principal “billing” ({billing['appId']}) of {id}: its application is gone."
    )
    assert line.advice == LOOK
    assert kept not in line.sentence
    assert _asked(stage, before) == {"GET"}
    _forget(stage, id)
    assert len(await _said(stage, Mark.WRONG)) == 1


@pytest.mark.quick
async def test_without_a_database_nobody_can_say_what_is_an_orphan(stage: Stage) -> None:
    told = await call(stage, "--orphans")
    assert told.status == 1
    assert told.wrong == [
        "✖ Database: empty or from another version. Start the bot once, or check DATABASE_URL."
    ]


async def test_a_tenant_that_refuses_is_no_tenant_without_orphans(stage: Stage, bot: Bot) -> None:
    async with bot():
        pass
    told = await call(stage, "--orphans", ENTRA_CLIENT_SECRET="wrong")
    assert told.status == 1
    assert "✖ Entra: The bot itself could not sign in." in told.text


async def test_a_stray_secret_is_swept_within_a_day(stage: Stage, app: App, hand: Hand) -> None:
    story = Story(stage)
    id = await story.ready()
    await _at_rest(story, app, id)
    (application,) = stage.tenant.applications
    (ours,) = stage.tenant.live_secrets(application["appId"])
    await secret(hand, application, f"Mimecast Key · {id} · 0123456789abcdef")
    by_hand = await secret(hand, application, "by hand")

    stage.clock.move(DAY)
    await app.orphan_scan.look()
    # Nothing on the card changes by it, so nothing happens in Slack that could be waited for.
    await story.eventually(lambda: len(_keys(stage, application)) == 2)
    assert _keys(stage, application) == {ours["keyId"], by_hand}


async def test_an_application_that_an_undo_came_too_early_for_goes(stage: Stage, app: App) -> None:
    """The answer was lost, and Entra did not know the application yet when it was looked for."""
    story, faults = Story(stage), stage.tenant.faults
    faults.lag = timedelta(hours=12).total_seconds()
    faults.reset("PATCH", "/applications", times=99, when="after_effect")
    id = await story.fails()
    await undo(story, id)
    assert len(stage.tenant.applications) == 1
    faults.lag = 0.0

    stage.clock.move(DAY)
    await app.orphan_scan.look()
    await story.until(lambda: not stage.tenant.applications)
    await story.until(lambda: f"{id} was undone" in story.card())


async def test_an_application_that_somebody_has_restored_is_left_to_them(
    stage: Stage, app: App, hand: Hand
) -> None:
    story = Story(stage)
    id, _ = await failed(story)
    await undo(story, id, by="grace")
    (left,) = [each for each in stage.tenant.deleted if "uniqueName" in each]
    await hand.graph.send("POST", f"/directory/deletedItems/{left['id']}/restore")

    stage.clock.move(DAY)
    await app.orphan_scan.look()
    (told,) = [each for each in await _history(app, id) if each.what == "orphan"]
    assert told.details["why"] == "it was removed, and then restored in Entra"
    assert len(stage.tenant.applications) == 1


async def test_what_is_not_proven_ours_is_reported_and_left_alone(
    stage: Stage, app: App, hand: Hand, database_url: str
) -> None:
    story = Story(stage)
    id = await story.ready()
    await _at_rest(story, app, id)
    (ours,) = stage.tenant.applications
    odd = "AAD-\0\x1b[2J"  # no database takes it, and it hides no other orphan
    copied, unknown, strange, _ = [
        await _planted(hand, ours["tags"]),  # copied from an application of this registration
        await _planted(hand, [tag.replace(id, "AAD-ZZZZ") for tag in ours["tags"]]),
        await _planted(hand, [tag.replace(id, odd) for tag in ours["tags"]]),
        await _planted(hand, ["aad-setup", f"aad-setup:{id}", f"aad-setup:elsewhere:{id}"]),
    ]
    await secret(hand, copied, f"Mimecast Key · {id} · 0123456789abcdef")
    before = len(stage.tenant.log)

    stage.clock.move(DAY)
    with structlog.testing.capture_logs() as logged:
        await app.orphan_scan.look()
    reported = {
        each["application"]: each["registration"]
        for each in logged
        if each["event"] == "orphan found"
    }
    assert reported.keys() == {copied["appId"], unknown["appId"], strange["appId"]}
    assert (reported[copied["appId"]], reported[unknown["appId"]]) == (id, "AAD-ZZZZ")

    stage.clock.move(DAY)
    await app.orphan_scan.look()
    assert len(stage.tenant.applications) == 5
    asked = [each for each in stage.tenant.log[before:] if each.kind == "graph"]
    assert not [each for each in asked if each.method == "DELETE" or "remove" in each.path]
    (told,) = [each for each in await _history(app, id) if each.what == "orphan"]
    assert told.details == {
        "application": copied["appId"],
        "why": "it does not carry the registration's key",
    }
    by_doctor = await call(stage, "--orphans", DATABASE_URL=database_url)
    assert [it for it in (strange, copied) if it["appId"] not in "".join(by_doctor.wrong)] == []


@pytest.mark.quick
async def test_the_tenant_is_searched_daily_or_an_hour_after_failure(
    stage: Stage, app: App
) -> None:
    await app.orphan_scan.look()
    assert _searches(stage) == 0  # the first one comes a day after the installation
    stage.clock.move(DAY)
    await app.orphan_scan.look()
    await app.orphan_scan.look()
    stage.clock.move(timedelta(hours=20))
    await app.orphan_scan.look()
    assert _searches(stage) == 1
    stage.clock.move(timedelta(hours=5))
    await app.orphan_scan.look()
    assert _searches(stage) == 2

    fault = stage.tenant.faults.refuse("GET", "/applications", times=100)
    stage.clock.move(DAY)
    await app.orphan_scan.look()
    fault.times = 0
    failures = _searches(stage)
    await app.orphan_scan.look()
    assert _searches(stage) == failures
    stage.clock.move(timedelta(hours=1, minutes=1))
    await app.orphan_scan.look()
    assert _searches(stage) == failures + 1


async def _said(stage: Stage, mark: Mark, **changes: str) -> list[Finding]:
    looking = find_orphans(stage.environ(**changes), stage.clock)
    return [each async for each in looking if each.mark is mark]


def _asked(stage: Stage, before: int) -> set[str]:
    """Return the methods of the calls of Graph since there were so many."""
    return {each.method for each in stage.tenant.log[before:] if each.kind == "graph"}


def _forget(stage: Stage, id: str) -> None:
    """Delete a registration as only somebody with a hand in the database can."""
    of_it = "SELECT id FROM approval_requests WHERE registration = ?"
    with closing(sqlite3.connect(stage.folder / "aad-setup.db")) as database, database:
        database.execute(f"DELETE FROM votes WHERE request IN ({of_it})", (id,))
        for table in ROWS:
            database.execute(f"DELETE FROM {table} WHERE registration = ?", (id,))
        database.execute("DELETE FROM registrations WHERE id = ?", (id,))


async def _planted(hand: Hand, tags: list[str]) -> dict[str, Any]:
    body = {"displayName": "planted", "signInAudience": "AzureADMyOrg", "tags": tags}
    return (await hand.graph.send("POST", "/applications", body=body)).body


async def _at_rest(story: Story, app: App, id: str) -> None:
    """Let both sweeps after the run go by, and the day's first search."""
    for wanted in (1, 2):
        story.clock.move(DAY)
        for _ in range(100):
            await app.scheduler.look()
            swept = [each for each in await _history(app, id) if each.what == "swept"]
            if len(swept) >= wanted:
                break
    await app.orphan_scan.look()


async def _history(app: App, id: str) -> list[history.Entry]:
    return list(await app.services.database.read(history.read, id))


def _keys(stage: Stage, application: dict[str, Any]) -> set[str]:
    return {each["keyId"] for each in stage.tenant.live_secrets(application["appId"])}


def _searches(stage: Stage) -> int:
    return sum("tags" in call.query.get("$filter", "") for call in stage.tenant.calls("GET"))
