"""Restoring an older copy of the database: nothing acts before it was compared with the tenant."""

import asyncio
import shutil
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from bot.app import App
from bot.domain.registration import Registration, Status
from bot.domain.secrets import SecretState
from bot.playground.stage import Stage
from bot.restore import database_copy
from bot.restore.database_copy import CannotRestore
from bot.storage import audit, history, installation, registrations
from bot.storage.database import AlreadyRunning, opened
from bot.storage.history import Entry
from bot.storage.vault import Vault
from tests.conftest import Bot
from tests.support.cli import typed
from tests.support.story import Scene
from tests.support.waiting import eventually

WEEK = timedelta(days=7, hours=1)


@pytest.fixture
def url(stage: Stage) -> str:
    return stage.environ()["DATABASE_URL"]


def database(stage: Stage) -> Path:
    return stage.folder / "aad-setup.db"


def copied(stage: Stage, name: str = "copy.db") -> Path:
    """Back the database up as README says, while the bot runs."""
    copy = stage.folder / name
    with closing(sqlite3.connect(database(stage))) as source, closing(sqlite3.connect(copy)) as to:
        source.backup(to)
    return copy


async def put_back(stage: Stage, copy: Path, url: str) -> Path | None:
    vault = Vault([stage.vault_key])
    return await database_copy.put_in_place(url, copy, vault=vault, now=stage.clock.now())


async def found(app: App, id: str) -> Registration:
    async with app.database.reading() as tx:
        registration = await registrations.get(tx, id)
    assert registration is not None
    return registration


async def check_audit(app: App, id: str) -> None:
    """See that a restore leaves nothing that looks as if somebody else had written it."""
    async with app.database.reading() as tx:
        assert await audit.findings(tx, id) == []


async def told(app: App, id: str) -> list[Entry]:
    async with app.database.reading() as tx:
        return [entry for entry in await history.read(tx, id) if entry.what == "restored"]


def announced(scene: Scene) -> str:
    """Return the message that tells the approvers of the restore."""
    messages = map(scene.workspace.text_of, scene.workspace.messages("approvals"))
    (text,) = [text for text in messages if "An older copy of the bot's database" in text]
    return text


def posted(scene: Scene) -> str:
    return "\n".join(map(scene.workspace.text_of, scene.workspace.messages("approvals")))


async def test_a_secret_that_was_seen_after_the_copy_is_neither_shown_nor_removed(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ready()
        copy = copied(stage)
        await scene.values(id)
        assert "masked" in await scene.reveal()
    await put_back(stage, copy, url)
    async with bot() as app:
        registration = await found(app, id)
        assert registration.secret is not None
        assert registration.secret.state is SecretState.UNKNOWN
        await scene.until(lambda: f"{id} (billing): the bot's database" in scene.direct("rosa"))
        assert "[Make a new one]" in scene.direct("rosa")
        assert id in announced(scene)
        assert "seen since" in announced(scene)
        assert len(await told(app, id)) == 1
        await check_audit(app, id)
        assert "[Show the secret]" not in await scene.values(id)
        assert "has a new secret" not in scene.direct("rosa")
        stage.clock.move(WEEK)
        await app.scheduler.look()
        (application,) = stage.tenant.applications
        assert len(stage.tenant.live_secrets(application["appId"])) == 1
        # The requester can have another in its place.
        notice = next(
            it
            for it in reversed(scene.workspace.messages("rosa"))
            if "database" in scene.workspace.text_of(it)
        )
        await scene.workspace.click("rosa", "Make a new one", on=notice)
        await scene.until(lambda: len(stage.tenant.minted) == 2)
    assert not scene.workspace.complaints


async def test_pending_in_the_copy_and_ready_in_entra_is_ready(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    async with bot(APPROVALS_NEEDED="2"):
        id = await scene.ask()
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        copy = copied(stage)
        await scene.approve(id, by="grace")
    await put_back(stage, copy, url)
    async with bot(APPROVALS_NEEDED="2") as app:
        registration = await found(app, id)
        assert registration.status is Status.READY
        assert registration.approvals() == ()  # one of two is no approval
        await check_audit(app, id)
        assert registration.secret is not None
        assert registration.secret.state is SecretState.UNKNOWN
        await scene.until(lambda: "[Rotate]" in scene.direct("rosa"))
        assert "ready now. The copy does not say who approved" in announced(scene)
        (application,) = stage.tenant.applications
        await scene.until(lambda: "Compared with the tenant" in scene.direct("rosa"))
        # A new secret takes approvers; the lost approvals stand in nobody's way.
        await scene.workspace.command("rosa", f"rotate {id}")
        await scene.until(lambda: "[Confirm the rotation]" in posted(scene))
        for who in ("ada", "grace"):
            await scene.workspace.click(who, "Confirm the rotation")
        await scene.until(lambda: len(stage.tenant.live_secrets(application["appId"])) == 2)
        await scene.until(lambda: scene.is_announced(id))
    assert not scene.workspace.complaints


async def test_what_was_made_after_the_copy_stays_whatever_time_passes(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ask()
        copy = copied(stage)
        await scene.approve(id)
    await put_back(stage, copy, url)
    async with bot() as app:
        (application,) = stage.tenant.applications
        for _ in range(3):
            stage.clock.move(WEEK)
            await app.scheduler.look()
            await app.orphan_scan.look()
        await scene.until(lambda: f"{id} is ready" in scene.workspace.text_of(scene.card_of(id)))
        assert (await found(app, id)).status is Status.READY
        assert len(stage.tenant.live_secrets(application["appId"])) == 1


async def test_what_was_revoked_since_the_copy_is_revoked(stage: Stage, bot: Bot, url: str) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ready()
        copy = copied(stage)
        await scene.workspace.click("ada", "Revoke", on=scene.card_of(id))
        await scene.until(lambda: not stage.tenant.applications)
        await scene.until(lambda: f"{id} was revoked" in scene.card())
    await put_back(stage, copy, url)
    async with bot() as app:
        registration = await found(app, id)
        assert registration.status is Status.REVOKED
        assert registration.deleted  # so that it can be deleted for good
        await check_audit(app, id)
        assert "No longer in Entra" in announced(scene)
        await scene.until(lambda: f"{id} was revoked" in scene.workspace.text_of(scene.card_of(id)))
        await scene.until(lambda: "counts as revoked" in scene.direct("rosa"))


async def test_an_application_that_the_copy_does_not_know_is_listed_and_left_alone(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    async with bot():
        kept = await scene.ready("billing")
        await scene.values(kept)
        await scene.reveal()
        await scene.workspace.click("rosa", "Hide")
        await scene.until(lambda: "masked for good" in scene.whispers("rosa"))
        copy = copied(stage)
        lost = await scene.ready("payroll")
    await put_back(stage, copy, url)
    with structlog.testing.capture_logs() as logged:
        async with bot() as app:
            (payroll,) = stage.tenant.applications_named("payroll")
            assert payroll["appId"] in announced(scene)
            assert lost in announced(scene)
            assert (await found(app, kept)).status is Status.READY
            assert await told(app, kept) == []  # nothing of it is in doubt
            stage.clock.move(timedelta(hours=25))
            await app.orphan_scan.look()
    assert len(stage.tenant.applications) == 2
    assert "removal of an orphan begins" not in {each["event"] for each in logged}


async def test_an_open_approval_has_to_be_given_again(stage: Stage, bot: Bot, url: str) -> None:
    scene = Scene(stage)
    async with bot(APPROVALS_NEEDED="2"):
        id = await scene.ask()
        card = scene.card_of(id)
        await scene.workspace.click("ada", "Approve", on=card)
        copy = copied(stage)
        await scene.until(lambda: "[Withdraw my approval]" in scene.card())
        await scene.workspace.click("ada", "Withdraw my approval", on=card)
    await put_back(stage, copy, url)
    async with bot(APPROVALS_NEEDED="2") as app:
        registration = await found(app, id)
        assert (registration.status, registration.approvals()) == (Status.PENDING, ())
        await check_audit(app, id)
        assert "given again" in announced(scene)
        await scene.workspace.click("grace", "Approve", on=card)
        assert (await found(app, id)).status is Status.PENDING
        await scene.approve(id)


async def test_a_run_that_was_at_work_goes_on_only_by_hand(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    hold = stage.tenant.faults.hold("PATCH", "/applications", times=1)
    async with bot():
        id = await scene.ask()
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        await hold.reached.wait()
        copy = copied(stage)
        hold.release()
        await scene.until(lambda: scene.is_announced(id))
        await scene.workspace.click("ada", "Revoke", on=scene.card_of(id))
        await scene.until(lambda: f"{id} was revoked" in scene.card())
    await put_back(stage, copy, url)
    async with bot() as app:
        assert (await found(app, id)).status is Status.REVOKED
        await app.scheduler.look()
    assert not stage.tenant.applications


async def test_a_restore_that_nobody_announced_is_noticed(stage: Stage, bot: Bot, url: str) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ready()
        copy = copied(stage)
        await scene.values(id)
        await scene.reveal()
    for file in stage.folder.glob("aad-setup.db*"):
        file.unlink()
    shutil.copy(copy, database(stage))
    database(stage).chmod(0o644)
    async with bot() as app:
        assert id in announced(scene)
        registration = await found(app, id)
        assert registration.secret is not None
        assert registration.secret.state is SecretState.UNKNOWN
        assert _mode(database(stage)) == 0o600
    async with bot() as app:  # and told of once
        assert len(await told(app, id)) == 1
        assert id in announced(scene)


async def test_a_start_without_a_restore_compares_nothing(stage: Stage, bot: Bot) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ready()
    for _ in range(2):
        async with bot() as app:
            assert await told(app, id) == []
            assert (await found(app, id)).secret is not None
    assert "older copy" not in posted(scene)


async def test_nothing_acts_before_the_tenant_has_answered(
    stage: Stage, bot: Bot, url: str
) -> None:
    scene = Scene(stage)
    async with bot():
        id = await scene.ask()
        copy = copied(stage)
        await scene.approve(id)
    await put_back(stage, copy, url)
    fault = stage.tenant.faults.fail(
        "GET", "/applications", status=403, code="Authorization_RequestDenied", times=10_000
    )
    before = len(stage.tenant.log)
    start = asyncio.ensure_future(bot().__aenter__())
    await eventually(scene, lambda: len(stage.tenant.log) > before + 5)
    assert not start.done()
    assert scene.workspace.connections == 0  # nobody can press anything
    asked = stage.tenant.log[before:]
    assert {each.method for each in asked if each.kind == "graph"} == {"GET"}
    fault.times = 0
    app = await start
    assert (await found(app, id)).status is Status.READY


async def test_a_restore_is_refused_while_the_bot_runs(stage: Stage, bot: Bot, url: str) -> None:
    scene = Scene(stage)
    async with bot() as app:
        id = await scene.ask()
        copy = copied(stage)
        with pytest.raises(AlreadyRunning):
            await put_back(stage, copy, url)
        with pytest.raises(AlreadyRunning):
            await database_copy.announce(url, vault=Vault([stage.vault_key]), now=stage.clock.now())
        environ, folder = stage.environ(), stage.folder
        refused = await typed("restore", copy.name, environ=environ, folder=folder)
        assert (refused.status, refused.out) == (2, "")
        assert "Stop it first" in refused.err
        assert (await found(app, id)).status is Status.PENDING


async def test_what_the_copy_replaces_is_kept(stage: Stage, bot: Bot, url: str) -> None:
    scene = Scene(stage)
    async with bot():
        await scene.ask("billing")
        copy = copied(stage)
        await scene.ask("payroll")
    aside = await put_back(stage, copy, url)
    assert aside is not None
    left = {file.name for file in stage.folder.glob("aad-setup.db*")}
    assert left == {"aad-setup.db", "aad-setup.db.lock", aside.name}
    assert {_mode(it) for it in stage.folder.glob("aad-setup*")} == {0o600}
    assert (_names(database(stage)), _names(aside)) == (1, 2)
    async with opened(url, Vault([stage.vault_key])) as there, there.reading() as tx:
        assert await installation.restored_at(tx) is not None


async def test_the_command_says_what_it_did_and_what_comes_next(stage: Stage, bot: Bot) -> None:
    scene = Scene(stage)
    environ, folder = stage.environ(), stage.folder
    async with bot():
        await scene.ask()
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
        assert "given again" not in announced(scene)  # nobody had approved anything


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "is not there"),
        (b"no database at all" * 100, "cannot be read"),
        (b"", "is no copy"),
    ],
)
async def test_what_is_no_copy_changes_nothing(
    stage: Stage, bot: Bot, url: str, content: bytes | None, why: str
) -> None:
    async with bot():
        pass
    before = database(stage).read_bytes()
    copy = stage.folder / "copy.db"
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(CannotRestore, match=why):
        await put_back(stage, copy, url)
    assert database(stage).read_bytes() == before
    assert not list(stage.folder.glob("*replaced*"))


async def test_postgresql_is_restored_by_its_own_tools(stage: Stage) -> None:
    with pytest.raises(CannotRestore, match="pg_restore"):
        await put_back(stage, Path("copy.db"), "postgresql+psycopg://nowhere/at_all")


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _names(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM registrations").fetchone()
    return int(count)
