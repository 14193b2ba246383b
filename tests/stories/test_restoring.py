"""Restoring an older copy of the database: nothing acts before it was compared with the tenant."""

import asyncio
import shutil
import sqlite3
import stat
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from bot.app import App
from bot.domain.registration import Registration, Status
from bot.playground.stage import Stage
from bot.restore import database_copy
from bot.restore.database_copy import CannotRestore
from bot.storage import audit, history, installation, registrations
from bot.storage.database import AlreadyRunning, opened
from bot.storage.history import Entry
from bot.storage.vault import Vault
from tests.support.cli import typed
from tests.support.running_bot import Bot
from tests.support.secret_lives import SecretLife, life_of
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

WEEK = timedelta(days=7, hours=1)


def database(stage: Stage) -> Path:
    return stage.folder / "aad-setup.db"


def copied(stage: Stage, name: str = "copy.db") -> Path:
    """Back the database up as OPERATIONS.md says, while the bot runs."""
    copy = stage.folder / name
    with closing(sqlite3.connect(database(stage))) as source, closing(sqlite3.connect(copy)) as to:
        source.backup(to)
    return copy


async def put_back(stage: Stage, copy: Path, url: str = "") -> Path | None:
    vault, url = Vault([stage.vault_key]), url or stage.environ()["DATABASE_URL"]
    return await database_copy.put_in_place(url, copy, vault=vault, now=stage.clock.now())


async def found(app: App, id: str) -> Registration:
    registration = await app.services.database.read(registrations.get, id)
    assert registration is not None
    return registration


async def check_audit(app: App, id: str) -> None:
    """See that a restore leaves nothing that looks as if somebody else had written it."""
    assert await app.services.database.read(audit.findings, id) == []


async def told(app: App, id: str) -> list[Entry]:
    told = await app.services.database.read(history.read, id)
    return [entry for entry in told if entry.what == "restored"]


async def check_in_doubt(app: App, id: str) -> None:
    """See that nobody knows whether the secret was seen."""
    secret = (await found(app, id)).secret
    assert secret is not None
    assert life_of(secret) is SecretLife.UNKNOWN


def announced(story: Story) -> str:
    """Return the message that tells the approvers of the restore."""
    (text,) = story.texts("approvals", "An older copy of the bot's database")
    return text


async def test_a_secret_that_was_seen_after_the_copy_is_neither_shown_nor_removed(
    stage: Stage, bot: Bot
) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        copy = copied(stage)
        assert "masked after one minute" in await story.revealed(id)
    await put_back(stage, copy)
    async with bot() as app:
        await check_in_doubt(app, id)
        await story.until(lambda: f"{id} (billing): the bot's database" in story.direct("rosa"))
        assert "[Make a new one]" in story.direct("rosa")
        assert id in announced(story)
        assert "seen since" in announced(story)
        assert len(await told(app, id)) == 1
        await check_audit(app, id)
        assert "[Show the secret]" not in await story.values(id)
        assert "has a new secret" not in story.direct("rosa")
        stage.clock.move(WEEK)
        await app.scheduler.look()
        (application,) = stage.tenant.applications
        assert len(stage.tenant.live_secrets(application["appId"])) == 1
        # The requester can have another in its place.
        notice = story.posted("rosa", "database")[-1]
        await story.workspace.click("rosa", "Make a new one", on=notice)
        await story.until(lambda: len(stage.tenant.minted) == 2)
    assert not story.workspace.complaints


async def test_pending_in_the_copy_and_ready_in_entra_is_ready(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot(APPROVALS_NEEDED="2"):
        id = await story.ask()
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        copy = copied(stage)
        await story.approve(id, by="grace")
    await put_back(stage, copy)
    async with bot(APPROVALS_NEEDED="2") as app:
        registration = await found(app, id)
        assert registration.status is Status.READY
        assert registration.approvals() == ()  # one of two is no approval
        await check_audit(app, id)
        await check_in_doubt(app, id)
        await story.until(lambda: "Rotate |" in story.direct("rosa"))
        assert "ready now. The copy does not say who approved" in announced(story)
        (application,) = stage.tenant.applications
        await story.until(lambda: "Compared with the tenant" in story.direct("rosa"))
        # A new secret takes approvers; the lost approvals stand in nobody's way.
        await story.workspace.command("rosa", f"rotate {id}")
        await story.until(lambda: story.posted("approvals", "[Confirm the rotation]"))
        for who in ("ada", "grace"):
            await story.workspace.click(who, "Confirm the rotation")
        await story.until(lambda: len(stage.tenant.live_secrets(application["appId"])) == 2)
        await story.until(lambda: story.is_announced(id))
    assert not story.workspace.complaints


async def test_nothing_acts_before_the_tenant_has_answered_and_what_was_made_since_stays(
    stage: Stage, bot: Bot
) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ask()
        copy = copied(stage)
        await story.approve(id)
    await put_back(stage, copy)
    fault = stage.tenant.faults.refuse("GET", "/applications")
    before = len(stage.tenant.log)
    async with AsyncExitStack() as stack:
        start = asyncio.ensure_future(stack.enter_async_context(bot()))
        await story.eventually(lambda: len(stage.tenant.log) > before + 5)
        assert not start.done()
        assert story.workspace.connections == 0  # nobody can press anything
        asked = stage.tenant.log[before:]
        assert {each.method for each in asked if each.kind == "graph"} == {"GET"}
        fault.times = 0
        app = await start
        assert (await found(app, id)).status is Status.READY

        (application,) = stage.tenant.applications
        for _ in range(3):
            stage.clock.move(WEEK)
            await app.scheduler.look()
            await app.orphan_scan.look()
        await story.until(lambda: f"{id} is ready" in story.card(id))
        assert (await found(app, id)).status is Status.READY
        assert len(stage.tenant.live_secrets(application["appId"])) == 1


async def test_what_was_revoked_since_the_copy_is_revoked(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        copy = copied(stage)
        await story.workspace.click("ada", "Revoke", on=story.card_of(id))
        await story.until(lambda: not stage.tenant.applications)
        await story.until(lambda: f"{id} was revoked" in story.card())
    await put_back(stage, copy)
    async with bot() as app:
        registration = await found(app, id)
        assert registration.status is Status.REVOKED
        assert registration.deleted  # so that it can be deleted for good
        await check_audit(app, id)
        assert "No longer in Entra" in announced(story)
        await story.until(lambda: f"{id} was revoked" in story.card(id))
        await story.until(lambda: "counts as revoked" in story.direct("rosa"))


async def test_an_application_that_the_copy_does_not_know_is_listed_and_left_alone(
    stage: Stage, bot: Bot
) -> None:
    story = Story(stage)
    async with bot():
        kept = await story.ready("billing")
        await story.revealed(kept)
        await story.workspace.click("rosa", "Mask now")
        await story.until(lambda: "masked for good" in story.whispers("rosa"))
        copy = copied(stage)
        lost = await story.ready("payroll")
    await put_back(stage, copy)
    with structlog.testing.capture_logs() as logged:
        async with bot() as app:
            (payroll,) = stage.tenant.applications_named("payroll")
            assert payroll["appId"] in announced(story)
            assert lost in announced(story)
            assert (await found(app, kept)).status is Status.READY
            assert await told(app, kept) == []  # nothing of it is in doubt
            stage.clock.move(timedelta(hours=25))
            await app.orphan_scan.look()
    assert len(stage.tenant.applications) == 2
    assert "removal of an orphan begins" not in {each["event"] for each in logged}


async def test_an_open_approval_has_to_be_given_again(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot(APPROVALS_NEEDED="2"):
        id = await story.ask()
        card = story.card_of(id)
        await story.workspace.click("ada", "Approve", on=card)
        copy = copied(stage)
        await story.until(lambda: "[Withdraw my approval]" in story.card())
        await story.workspace.click("ada", "Withdraw my approval", on=card)
    await put_back(stage, copy)
    async with bot(APPROVALS_NEEDED="2") as app:
        registration = await found(app, id)
        assert (registration.status, registration.approvals()) == (Status.PENDING, ())
        await check_audit(app, id)
        assert "given again" in announced(story)
        await story.workspace.click("grace", "Approve", on=card)
        assert (await found(app, id)).status is Status.PENDING
        await story.approve(id)


async def test_a_run_that_was_at_work_goes_on_only_by_hand(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    hold = stage.tenant.faults.hold("PATCH", "/applications", times=1)
    async with bot():
        id = await story.ask()
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        await hold.reached.wait()
        copy = copied(stage)
        hold.release()
        await story.until(lambda: story.is_announced(id))
        await story.workspace.click("ada", "Revoke", on=story.card_of(id))
        await story.until(lambda: f"{id} was revoked" in story.card())
    await put_back(stage, copy)
    async with bot() as app:
        assert (await found(app, id)).status is Status.REVOKED
        await app.scheduler.look()
    assert not stage.tenant.applications


async def test_a_restore_that_nobody_announced_is_noticed(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        id = await story.ready()
        copy = copied(stage)
    for _ in range(2):  # starts without a restore compare nothing
        async with bot() as app:
            assert await told(app, id) == []
            assert (await found(app, id)).secret is not None
    assert not story.posted("approvals", "older copy")
    async with bot():
        await story.revealed(id)
    for file in stage.folder.glob("aad-setup.db*"):
        file.unlink()
    shutil.copy(copy, database(stage))
    database(stage).chmod(0o644)
    async with bot() as app:
        assert id in announced(story)
        await check_in_doubt(app, id)
        assert _mode(database(stage)) == 0o600
    async with bot() as app:  # and told of once
        assert len(await told(app, id)) == 1
        assert id in announced(story)


async def test_a_restore_is_refused_while_the_bot_runs(story: Story, app: App) -> None:
    id = await story.ask()
    copy = copied(story.stage)
    environ, folder = story.stage.environ(), story.stage.folder
    with pytest.raises(AlreadyRunning):
        await put_back(story.stage, copy)
    vault, url = Vault([story.stage.vault_key]), environ["DATABASE_URL"]
    with pytest.raises(AlreadyRunning):
        await database_copy.announce(url, vault=vault, now=story.clock.now())
    refused = await typed("restore", copy.name, environ=environ, folder=folder)
    assert (refused.status, refused.out) == (2, "")
    assert "Stop it first" in refused.err
    assert (await found(app, id)).status is Status.PENDING


async def test_what_the_copy_replaces_is_kept(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    async with bot():
        await story.ask("billing")
        copy = copied(stage)
        await story.ask("payroll")
    aside = await put_back(stage, copy)
    assert aside is not None
    left = {file.name for file in stage.folder.glob("aad-setup.db*")}
    assert left == {"aad-setup.db", "aad-setup.db.lock", aside.name}
    assert {_mode(it) for it in stage.folder.glob("aad-setup*")} == {0o600}
    assert (_names(database(stage)), _names(aside)) == (1, 2)
    async with (
        opened(stage.environ()["DATABASE_URL"], Vault([stage.vault_key])) as there,
        there.reading() as tx,
    ):
        assert await installation.restored_at(tx) is not None


async def test_the_command_says_what_it_did_and_what_comes_next(stage: Stage, bot: Bot) -> None:
    story = Story(stage)
    environ, folder = stage.environ(), stage.folder
    async with bot():
        await story.ask()
        copied(stage)
    for wrong in ((), ("copy.db", "--done")):
        ended = await typed("restore", *wrong, environ=environ, folder=folder)
        assert (ended.status, ended.out) == (2, ""), ended
    ended = await typed("restore", "copy.db", environ=environ, folder=folder)
    assert ended.status == 0, ended.err
    assert "copy.db is in place. The database before it is kept as " in ended.out
    ended = await typed("restore", "--done", environ=environ, folder=folder)
    assert (ended.status, "Start the bot" in ended.out) == (0, True), ended.err
    async with bot():
        assert "given again" not in announced(story)  # nobody had approved anything


@pytest.mark.quick
async def test_what_is_no_copy_changes_nothing(stage: Stage, bot: Bot) -> None:
    async with bot():
        pass
    before = database(stage).read_bytes()
    copy = stage.folder / "copy.db"
    for content, why in (
        (None, "is not there"),
        (b"no database at all" * 100, "cannot be read"),
        (b"", "is no copy"),
    ):
        if content is not None:
            copy.write_bytes(content)
        with pytest.raises(CannotRestore, match=why):
            await put_back(stage, copy)
        assert database(stage).read_bytes() == before
        assert not list(stage.folder.glob("*replaced*"))
    with pytest.raises(CannotRestore, match="pg_restore"):  # by PostgreSQL's own tools
        await put_back(stage, copy, "postgresql+psycopg://nowhere/at_all")


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _names(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM registrations").fetchone()
    return int(count)
