"""The migrations make exactly the tables that the code talks to, and keep what is in them."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from bot.domain.approval_requests import RequestKind, RequestState
from bot.domain.events import Subject
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason, SecretState
from bot.playground.clock import MovableClock
from bot.storage import audit, secrets, timers
from bot.storage import database as databases
from bot.storage.database import AlreadyRunning, Database, UnusableDatabase
from bot.storage.migrating import HEAD, MIGRATIONS, Age, age
from bot.storage.tables import history, messages, metadata, registrations, seen_events
from bot.storage.timers import TimerKind
from bot.storage.vault import Vault
from tests.support.factories import ADA, BEN, GRACE, ROSA, ids
from tests.support.postgres import postgres_is_quick
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env
from tests.support.settings_env import KEY

FROZEN = {
    "0007_approval_requests": "68817b8201eeeb22958dfc06902c75f10be9aceac305061141d1ad989cf9b3ad",
    "0009_message_order": "26c308742d3ff8bd021cb1fee29adb7db0fedc9d0e8c03135036704a43844a3f",
    "0010_secret_removal": "2d823ed737bbf4312496b91be98cddaf5f4f71a9c474e46dacfd0dbfbf61e75f",
}
HERE = Path(__file__).parent
TABLES = (HERE / "tables_of_0_2_0.sql").read_text("utf-8")
"""The tables as version 0.2.0 (commit 57c3435) makes them in PostgreSQL."""
IN_SQLITE = {"JSONB": "JSON", "TIMESTAMP WITH TIME ZONE": "DATETIME", "BYTEA": "BLOB"}
ROWS = json.loads((HERE / "rows_of_0_2_0.json").read_text("utf-8"))
"""Every row that it has written for some registrations, and when."""


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def test_ages_are_told_by_the_revisions_that_alembic_knows(database: Database) -> None:
    revisions = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert revisions[0] == HEAD
    ages = {HEAD: Age.CURRENT, **dict.fromkeys(revisions[1:], Age.OLDER), "9999": Age.UNKNOWN}
    for revision, expected in ages.items():
        async with database.transaction() as tx:
            await tx.execute(sa.text(_revision(revision)))
            assert await tx.run_sync(age) is expected


def test_a_migration_that_somebody_may_have_run_is_never_changed() -> None:
    """What is different from now on is a migration of its own, whose digest is added here."""
    for name, digest in FROZEN.items():
        text = (MIGRATIONS / "versions" / f"{name}.py").read_bytes()
        assert hashlib.sha256(text).hexdigest() == digest, f"{name} was changed"


def _revision(number: str) -> str:
    return f"UPDATE alembic_version SET version_num = '{number}'"


UNSIGNED = ("ALTER TABLE history DROP COLUMN mac", "ALTER TABLE registrations DROP COLUMN head")


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([_revision("9999")], "newer version"),
        *(([_revision(f"000{n}")], r"from before 0\.2\.0") for n in (1, 2, 3, 4, 6)),
        ([*UNSIGNED, _revision("0005")], "cannot be used"),
        ([*UNSIGNED, _revision("0006")], r"from before 0\.2\.0"),
        (["DROP TABLE alembic_version"], "cannot be used"),
    ],
)
async def test_a_database_of_an_age_that_is_not_known_is_refused_and_never_signed(
    database_url: str, statements: list[str], said: str
) -> None:
    async with opened(database_url) as database:
        await registrar_env(database, MovableClock()).approved()
        async with database.transaction() as tx:
            for each in statements:
                await tx.execute(sa.text(each))
    with pytest.raises(UnusableDatabase, match=said):
        async with opened(database_url):
            pass


async def test_a_signature_deleted_later_is_no_first_start(database_url: str) -> None:
    async with opened(database_url) as database:
        id = await registrar_env(database, MovableClock()).approved()
        async with database.transaction() as tx:
            await tx.execute(sa.update(history).values(mac=None))
            await tx.execute(sa.update(registrations).values(head=None))
    async with opened(database_url) as database, database.reading() as tx:
        assert "is not signed" in "".join(await audit.findings(tx, id))


async def test_opening_again_changes_nothing(database_url: str) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    async with opened(database_url) as database, database.transaction() as tx:
        await tx.execute(sa.insert(seen_events).values(event_id="Ev1", at=now))
    async with opened(database_url) as database, database.reading() as tx:
        assert await tx.scalar(sa.select(seen_events.c.event_id)) == "Ev1"


async def test_a_moment_comes_back_in_utc_whatever_zone_it_was_given_in(database: Database) -> None:
    there = datetime(2026, 3, 1, 14, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with database.transaction() as tx:
        await tx.execute(sa.insert(seen_events).values(event_id="Ev1", at=there))
        found = await tx.scalar(sa.select(seen_events.c.at))
        assert found == there
        assert found.isoformat() == "2026-03-01T09:00:00.123456+00:00"
        earlier = sa.select(seen_events.c.at).where(seen_events.c.at < there)
        assert await tx.scalar(earlier) is None


async def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}"
    async with opened(url):
        with pytest.raises(AlreadyRunning, match="Another process is using"):
            await opened(url).__aenter__()
    async with opened(url):
        pass  # the lock went with its holder


@pytest.fixture
async def upgraded(database_url: str) -> AsyncIterator[RegistrarEnv]:
    """A registrar over a database that version 0.2.0 has written, and this one has upgraded."""
    async with _upgraded(database_url) as env:
        yield env


@asynccontextmanager
async def _upgraded(database_url: str, *more: str) -> AsyncIterator[RegistrarEnv]:
    """Upgrade what version 0.2.0 has written, and what `more` statements have changed of it."""
    engine = create_async_engine(database_url)
    async with engine.begin() as tx:
        if tx.dialect.name == "postgresql":
            await tx.execute(sa.text("DROP SCHEMA public CASCADE"))
            await tx.execute(sa.text("CREATE SCHEMA public"))
        await tx.run_sync(_write_rows_of_0_2_0)
        for statement in more:
            await tx.execute(sa.text(statement))
    await engine.dispose()
    clock = MovableClock(offset=datetime.fromisoformat(ROWS["at"]) - datetime.now(UTC))
    async with databases.opened(database_url, Vault([KEY])) as database:
        yield registrar_env(database, clock, requesters=ids(ROSA, BEN), approvals_needed=2)


def _drop_tables(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    tables.reflect(connection)
    tables.drop_all(connection)


def _write_rows_of_0_2_0(connection: sa.Connection) -> None:
    _drop_tables(connection)
    make = TABLES
    if connection.dialect.name == "sqlite":
        for there, here in IN_SQLITE.items():
            make = make.replace(there, here)
    for statement in make.split(";\n"):
        connection.exec_driver_sql(statement)
    command.stamp(_config(connection), "0005")
    tables = sa.MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        for row in ROWS.get(table.name, ()):
            values = {name: value for name, value in row.items() if value is not None}
            for name in values:
                match table.c[name].type:
                    case sa.DateTime():
                        values[name] = datetime.fromisoformat(values[name])
                    case sa.LargeBinary():
                        values[name] = values[name].encode()
            connection.execute(sa.insert(table).values(values))


@pytest.mark.slow
@postgres_is_quick
async def test_a_new_database_has_the_tables_of_the_code(database: Database) -> None:
    await _check_tables(database)


@pytest.mark.slow
@postgres_is_quick
async def test_an_upgraded_database_has_the_tables_of_the_code(upgraded: RegistrarEnv) -> None:
    await _check_tables(upgraded.database)


async def _check_tables(database: Database) -> None:
    async with database.reading() as tx:
        assert await tx.run_sync(_differences) == []
        assert await tx.run_sync(_tables) >= set(metadata.tables)
        partial = await tx.run_sync(_conditions)
    # Alembic does not compare the condition of an index, and everything hangs on it.
    assert "ended_at IS NULL" in partial.pop("runs_one_open")
    assert "waiting" in partial.pop("approval_requests_one_waiting")
    assert set(partial) == {"secrets_sealed", "messages_stale"}


def _conditions(connection: sa.Connection) -> dict[str, str]:
    """Return the conditions of partial indexes."""
    return {
        str(index["name"]): str(value)
        for table in metadata.tables
        for index in sa.inspect(connection).get_indexes(table)
        for option, value in index["dialect_options"].items()
        if option.endswith("_where")
    }


@pytest.mark.slow
@postgres_is_quick
async def test_what_waits_before_an_upgrade_is_decided_after_it(upgraded: RegistrarEnv) -> None:
    env = upgraded
    async with env.database.transaction() as tx:
        for id in (row["id"] for row in ROWS["registrations"]):
            assert not await audit.findings(tx, id)
        for id, kind in ASKED.items():
            expires = await timers.subjects(tx, id, TimerKind.EXPIRE)
            assert Subject(request=(await env.asked(id, kind)).id) in expires
    await env.registrar.approval.approve("AAD-PLAN", by=GRACE)
    assert (await env.found("AAD-PLAN")).status is Status.APPROVED
    await env.registrar.approval.approve("AAD-RTTN", (await env.asked("AAD-RTTN")).id, by=GRACE)
    assert (await env.run_of("AAD-RTTN")).kind is RunKind.ADD_SECRET
    await env.confirm_handover("AAD-HNDV", to=BEN, by=GRACE)
    found = await env.found("AAD-HNDV")
    assert (found.requester.key, found.previous_requesters[0].key) == (BEN.key, ROSA.key)


ASKED = {
    "AAD-PLAN": RequestKind.PLAN,
    "AAD-RTTN": RequestKind.ROTATION,
    "AAD-HNDV": RequestKind.HANDOVER,
}
"""What waits in the rows, each with Ada's approval; the handover was asked for by her."""


@pytest.mark.slow
async def test_an_upgrade_keeps_decided_requests_and_previous_requesters(
    upgraded: RegistrarEnv,
) -> None:
    denied, former = await upgraded.found("AAD-DNYD"), await upgraded.found("AAD-FRMR")
    assert (denied.status, denied.requests[0].state) == (Status.DENIED, RequestState.DENIED)
    assert (former.requester.key, former.previous_requesters[0].key) == (BEN.key, ROSA.key)
    assert former.requests[0].asked_by.key == ROSA.key


OLD_SECRETS = """
INSERT INTO secrets (id, registration, run, nonce, state, key_id, made_at, retires_at, answer_to)
SELECT '{id}', registration, run, '{id}', '{state}', '{id}', made_at, {retires_at}, {answer_to}
FROM secrets WHERE registration = '{registration}' AND key_id LIKE '%-%-%'
"""
MASK = """
INSERT INTO messages (id, registration, kind, audience, subject, wanted, shown, tries, gone)
VALUES ('mask', 'AAD-HNDV', 'mask', 'U0ROSA', 'unmasked', 1, 1, 10, false)
"""
AFTER_UPGRADE = {
    ("attempted", "AAD-HNDV"): (SecretState.ATTEMPTED, None),
    ("sealed", "AAD-HNDV"): (SecretState.SEALED, None),
    ("claimed", "AAD-HNDV"): (SecretState.CLAIMED, None),
    ("shown", "AAD-HNDV"): (SecretState.SEEN, None),
    ("masked", "AAD-HNDV"): (SecretState.SEEN, None),
    ("unmasked", "AAD-HNDV"): (SecretState.SEEN, None),
    ("unknown", "AAD-HNDV"): (SecretState.UNKNOWN, None),
    ("closed", "AAD-HNDV"): (SecretState.SEALED, RemovalReason.UNREAD),
    ("removed", "AAD-HNDV"): (SecretState.SEALED, RemovalReason.UNREAD),
    ("replaced", "AAD-HNDV"): (SecretState.UNKNOWN, RemovalReason.REPLACED),
    ("retired", "AAD-HNDV"): (SecretState.UNKNOWN, RemovalReason.FOLLOWED),
    ("closed", "AAD-NEWS"): (SecretState.SEALED, RemovalReason.APPLICATION_DELETED),
    ("removed", "AAD-NEWS"): (SecretState.UNKNOWN, RemovalReason.APPLICATION_DELETED),
    ("closed", "AAD-FRMR"): (SecretState.SEALED, RemovalReason.UNFINISHED),
    ("removed", "AAD-FRMR"): (SecretState.SEALED, RemovalReason.UNFINISHED),
}
"""By the old state and the registration: one is in use, one revoked, the run of one has failed."""


@pytest.mark.slow
@postgres_is_quick
async def test_an_upgrade_keeps_what_is_known_of_each_secret(database_url: str) -> None:
    statements = [MASK]
    for name, registration in AFTER_UPGRADE:
        made = {"id": f"{name}{registration[3:]}", "registration": registration}
        if name == "unmasked":
            made["id"] = name
        made["state"] = "replaced" if name == "retired" else name
        made["retires_at"] = "made_at" if name == "retired" else "NULL"
        made["answer_to"] = "'sealed'" if name == "shown" else "NULL"
        statements.append(OLD_SECRETS.format(**made))
    statements += [
        "UPDATE registrations SET status = 'revoked' WHERE id = 'AAD-NEWS'",
        "UPDATE runs SET outcome = 'outage' WHERE registration = 'AAD-FRMR' AND outcome = 'ready'",
    ]
    async with _upgraded(database_url, *statements) as env, env.database.reading() as tx:
        for (name, registration), (state, because) in AFTER_UPGRADE.items():
            id = name if name == "unmasked" else f"{name}{registration[3:]}"
            found = await secrets.get(tx, id)
            assert found is not None
            assert (found.state, found.removed_because) == (state, because), id
            is_gone = because is not None and name != "closed"
            assert (found.removed_at is not None) is is_gone
            assert (found.remove_at is not None) is (name == "retired")
            assert found.is_on_screen is (name in ("shown", "claimed"))
            assert found.mask_failed is (name == "unmasked")


@pytest.mark.slow
async def test_unsent_news_of_a_rotation_is_about_the_latest_one(upgraded: RegistrarEnv) -> None:
    older, latest = (await upgraded.found("AAD-NEWS")).requests[1:]
    assert (older.state, latest.state) == (RequestState.SUPERSEDED, RequestState.DENIED)
    assert [vote.person.key for vote in older.votes] == [ADA.key]
    unsent = {("AAD-NEWS", "request news", latest.id), ("AAD-FRMR", "retired", None)}
    async with upgraded.database.reading() as tx:
        told = (messages.c.registration, messages.c.kind, messages.c.subject)
        found = {tuple(row) for row in await tx.execute(sa.select(*told))}
    assert unsent <= found
    # The plan's was sent before.
    assert not {each for each in found - unsent if each[1] in ("rotation news", "request news")}
