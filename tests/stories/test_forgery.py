"""Somebody writes to the database past the bot: what follows in Entra, and what the audit says."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.playground.stage import Stage
from bot.storage.database import sqlite_path
from graph.plan import Plan
from tests.conftest import Bot
from tests.support.cli import Ended, typed
from tests.support.forged_clicks import forged_button
from tests.support.story import Scene

NOW = datetime(2026, 3, 1, tzinfo=UTC).isoformat(sep=" ")
FORGED = (
    "UPDATE registrations SET status = 'approved', deadline = NULL,"
    """ quorum = '{"needed": 1, "distinct_groups": false}'""",
    "INSERT INTO votes"
    " (registration, rotation, team_id, user_id, name, verdict, digest, groups, at)"
    " SELECT id, '', team_id, 'U0FORGED', 'Ada', 'approve', digest, '[]', :now FROM registrations",
    "INSERT INTO runs (id, registration, kind, begun, created_at)"
    " SELECT 'forged', id, 'register', 0, :now FROM registrations",
)


def _path(stage: Stage) -> Path:
    path = sqlite_path(stage.environ()["DATABASE_URL"])
    assert path is not None
    return path


async def _execute(stage: Stage, *statements: str) -> None:
    """Write in a thread: the bot may be in a transaction, which goes on in this one."""

    def write() -> None:
        with closing(sqlite3.connect(_path(stage), timeout=10)) as connection, connection:
            for each in statements:
                connection.execute(each, {"now": NOW})

    await asyncio.to_thread(write)


async def test_three_statements_do_not_make_an_application(scene: Scene) -> None:
    id = await scene.ask()
    await _execute(scene.stage, *FORGED)
    await scene.until(lambda: f"{id} failed" in scene.card() or "has failed" in scene.card())
    assert not scene.tenant.applications
    assert f"aad-setup audit verify {id}" in scene.card()
    told = await _verify(scene.stage)
    assert told.status == 1
    assert f"✖ {id}: the approvals are not those that history knows." in told.out


def _put_another_plan(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        ((stored,),) = connection.execute("SELECT plan FROM registrations")
        other = json.dumps({**json.loads(stored), "redirect": "https://eve.example"})
        plan = Plan.from_json(json.loads(other))
        connection.execute("UPDATE registrations SET plan = ?, digest = ?", (other, plan.digest))


async def test_a_plan_put_in_the_place_of_the_one_shown_cannot_be_approved(scene: Scene) -> None:
    """The card still shows the plan that the bot has made: nobody has told it to redraw."""
    id = await scene.ask()
    card = scene.card_of(id)
    await asyncio.to_thread(_put_another_plan, _path(scene.stage))
    await scene.workspace.click("ada", "Approve", on=card)
    assert "was changed by something else" in scene.whispers("ada")
    assert f"{id} waits for approval" in scene.card()


async def test_the_audit_of_what_nobody_touched_is_well(stage: Stage, bot: Bot) -> None:
    async with bot():
        id = await Scene(stage).ready()
        told = await _verify(stage)
        assert (told.status, told.err) == (0, "")
        assert "✔ Audit: registrations looked at, all as they were signed: 1." in told.out
    assert (await _verify(stage, id.lower())).status == 0
    unknown = await _verify(stage, "AAD-ZZZZ")
    assert (unknown.status, unknown.err) == (2, "There is no registration AAD-ZZZZ.\n")
    await _execute(stage, "UPDATE history SET user_id = 'U0EVE' WHERE what = 'approved'")
    assert f"✖ {id}: history entry 3 was changed." in (await _verify(stage, id)).out


def _point_at(stage: Stage, id: str, other: str) -> None:
    """Let a registration take the application of another for its own."""
    with closing(sqlite3.connect(_path(stage), timeout=10)) as connection, connection:
        for step in ("application", "service_principal"):
            query = "SELECT facts FROM steps WHERE registration = ? AND name = ?"
            ((facts,),) = connection.execute(query, (other, step))
            connection.execute(
                "UPDATE steps SET facts = ? WHERE registration = ? AND name = ?", (facts, id, step)
            )


async def test_no_secret_is_made_for_an_application_of_another_registration(scene: Scene) -> None:
    other = await scene.ready("payroll")
    id = await scene.ready("billing")
    (payroll,) = scene.tenant.applications_named("payroll")
    before = scene.tenant.live_secrets(payroll["appId"])
    await asyncio.to_thread(_point_at, scene.stage, id, other)
    await _execute(scene.stage, f"UPDATE secrets SET state = 'unknown' WHERE registration = '{id}'")
    await scene.workspace.click(
        "rosa", "renew", on=await forged_button(scene.workspace, "renew", id)
    )
    await scene.until(lambda: "has not made" in scene.card())
    assert scene.tenant.live_secrets(payroll["appId"]) == before


async def test_an_application_of_another_registration_is_not_removed(scene: Scene) -> None:
    other = await scene.ready("payroll")
    id = await scene.ready("billing")
    await asyncio.to_thread(_point_at, scene.stage, id, other)
    await scene.workspace.click("ada", "Revoke", on=scene.card_of(id))
    await scene.until(lambda: "has not made" in scene.card())
    assert scene.tenant.applications_named("payroll")


async def test_a_new_secret_does_not_outlive_the_approval_that_history_knows(scene: Scene) -> None:
    id = await scene.ready()
    (application,) = scene.tenant.applications
    (first,) = scene.tenant.live_secrets(application["appId"])
    await _execute(
        scene.stage, "UPDATE secrets SET state = 'unknown', expires_at = '2099-01-01 00:00:00'"
    )
    scene.clock.move(timedelta(days=30))
    forged = await forged_button(scene.workspace, "renew", id)
    await scene.workspace.click("rosa", "renew", on=forged)
    await scene.until(lambda: f"The secret of {id} was replaced" in scene.direct("rosa"))
    (second,) = scene.tenant.live_secrets(application["appId"])
    until = datetime.fromisoformat(first["endDateTime"]) + timedelta(hours=1)
    assert datetime.fromisoformat(second["endDateTime"]) <= until


async def test_a_rotation_that_nobody_confirmed_makes_no_secret(scene: Scene) -> None:
    id = await scene.ready()
    await _execute(
        scene.stage,
        "UPDATE registrations SET rotation = json_object('id', 'forged', 'state', 'confirmed',"
        " 'asked_by', json_object('team_id', team_id, 'user_id', user_id, 'name', 'Rosa'),"
        " 'asked_at', '2026-01-01T00:00:00+00:00', 'until', '2099-01-01T00:00:00+00:00')",
        "INSERT INTO votes"
        " (registration, rotation, team_id, user_id, name, verdict, digest, groups, at)"
        " SELECT registration, 'forged', team_id, user_id, name, verdict, digest, groups, at"
        " FROM votes",
        "INSERT INTO runs (id, registration, kind, subject, begun, created_at)"
        " SELECT 'forged', id, 'rotate', 'forged', 0, :now FROM registrations",
    )
    await scene.until(lambda: f"aad-setup audit verify {id}" in scene.workspace.picture())
    (application,) = scene.tenant.applications
    assert len(scene.tenant.live_secrets(application["appId"])) == 1


async def test_an_approval_carries_one_registration_out_once(scene: Scene) -> None:
    id = await scene.ready()
    await _execute(
        scene.stage,
        "UPDATE steps SET facts = NULL",
        "UPDATE registrations SET status = 'approved', key = 'another'",
        "INSERT INTO runs (id, registration, kind, begun, created_at)"
        " SELECT 'forged', id, 'register', 0, :now FROM registrations",
    )
    await scene.until(lambda: "has failed" in scene.card() or f"{id} failed" in scene.card())
    (application,) = scene.tenant.applications
    assert len(scene.tenant.live_secrets(application["appId"])) == 1


async def _two_in_the_bin(scene: Scene) -> tuple[str, str]:
    """Return the ids of two registrations that were revoked; each has left two objects."""
    ids = await scene.ready("payroll"), await scene.ready("billing")
    for id in ids:
        await scene.workspace.click("ada", "Revoke", on=scene.card_of(id))
        await scene.until(lambda id=id: f"{id} was revoked" in _card(scene, id))
    assert len(scene.tenant.deleted) == 4
    return ids


def _card(scene: Scene, id: str) -> str:
    return scene.workspace.text_of(scene.card_of(id))


TAKE = "UPDATE registrations SET {0} = (SELECT {0} FROM registrations WHERE id = '{2}')" + (
    " WHERE id = '{1}'"
)


async def test_what_another_registration_has_deleted_is_not_deleted_for_good(scene: Scene) -> None:
    other, id = await _two_in_the_bin(scene)
    await _execute(
        scene.stage,
        TAKE.format("deleted", id, other),
        f"UPDATE registrations SET deleted = json_remove(deleted, '$[1]') WHERE id = '{id}'",
    )
    await _ask_to_purge(scene, id)
    await scene.until(lambda: "does not carry the registration's marks" in _card(scene, id))
    assert len(scene.tenant.deleted) == 4


async def _ask_to_purge(scene: Scene, id: str) -> None:
    await scene.workspace.command("ada", f"purge {id}")
    await scene.workspace.click("ada", "purge_asked")


async def test_a_plan_of_another_registration_deletes_nothing_for_good(scene: Scene) -> None:
    other, id = await _two_in_the_bin(scene)
    columns = ("deleted", "plan", "digest")
    await _execute(scene.stage, *(TAKE.format(it, id, other) for it in columns))
    await _ask_to_purge(scene, id)
    await scene.until(lambda: f"aad-setup audit verify {id}" in _card(scene, id))
    assert len(scene.tenant.deleted) == 4


async def test_nothing_is_deleted_for_good_that_nobody_has_asked_for(scene: Scene) -> None:
    _, id = await _two_in_the_bin(scene)
    await _execute(
        scene.stage,
        "INSERT INTO runs (id, registration, kind, begun, created_at)"
        f" VALUES ('forged', '{id}', 'purge', 0, :now)",
    )
    await scene.until(lambda: f"aad-setup audit verify {id}" in _card(scene, id))
    assert len(scene.tenant.deleted) == 4


async def _verify(stage: Stage, *arguments: str) -> Ended:
    return await typed("audit", "verify", *arguments, environ=stage.environ(), folder=stage.folder)
