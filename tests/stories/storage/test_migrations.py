"""The migrations make exactly the tables that the code talks to, up and down again."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.approval import Policy
from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.playground.clock import MovableClock
from bot.storage import audit, installation, secrets, timers
from bot.storage.database import AlreadyRunning, Database, UnusableDatabase
from bot.storage.migrating import HEAD, MIGRATIONS, Age, age
from bot.storage.secrets import Purpose
from bot.storage.tables import history, metadata, registrations, runs, seen_events
from bot.storage.timers import TimerKind
from bot.storage.watermark import watched
from tests.support.concurrency import URL
from tests.support.factories import ADA, BEN, GRACE, ROSA, TEAM
from tests.support.postgres import postgres_is_quick
from tests.support.registrar_env import SECRET, VAULT, RegistrarEnv, opened, registrar_env

FROZEN = {
    "0001_first_tables": "733b3db1cb7b2f2108615290cdf2cd611b4317aed43c37dadb2595430f4dfdac",
    "0003_signed_history": "67fa723fad043a10917f0e6b0d97c868fbc969038618dcbc9d03bd836ad60dca",
    "0004_accepted_signatures": "251bef575add409c4515c2ac08451199f2884d549d8aa7ae6ff182e38db5051d",
    "0005_restored_copies": "1e8542c074005af68d07d37525a262fd84818c9cc77a30bb22e1629e00fa9a71",
    "0007_approval_requests": "979a61d9990f526fba68ed04e9b90f7f88ba60b9eeae6e162d495b19b0a91b23",
    "0008_attempts": "901795aa58ef6ba69cf7dd40a53a2f8c74eb683c12339c752c4df82d5965762c",
}


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes |= {"connection": connection, "vault": VAULT}
    return config


def _down(connection: sa.Connection) -> None:
    command.downgrade(_config(connection), "base")


def _down_and_up(connection: sa.Connection, revision: str) -> None:
    command.downgrade(_config(connection), revision)
    command.upgrade(_config(connection), "head")


async def test_ages_are_told_by_the_revisions_that_alembic_knows(database: Database) -> None:
    revisions = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert revisions[0] == HEAD
    ages = {HEAD: Age.CURRENT, **dict.fromkeys(revisions[1:], Age.OLDER), "9999": Age.UNKNOWN}
    for revision, expected in ages.items():
        async with database.transaction() as tx:
            await tx.execute(
                sa.text("UPDATE alembic_version SET version_num = :v"), {"v": revision}
            )
            assert await tx.run_sync(age) is expected


async def test_a_database_that_a_newer_program_made_is_left_alone(database_url: str) -> None:
    async with opened(database_url) as database, database.transaction() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnusableDatabase, match="newer version"):
        async with opened(database_url):
            pass


@postgres_is_quick
async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    async with database.transaction() as tx:
        assert await tx.run_sync(_differences) == []
        assert await tx.run_sync(_tables) >= set(metadata.tables)


async def test_the_migrations_can_be_taken_back(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.run_sync(_down)
        assert await tx.run_sync(_tables) == {"alembic_version"}


def test_a_migration_that_somebody_may_have_run_is_never_changed() -> None:
    """What is different from now on is a migration of its own, whose digest is added here."""
    for name, digest in FROZEN.items():
        text = (MIGRATIONS / "versions" / f"{name}.py").read_bytes()
        assert hashlib.sha256(text).hexdigest() == digest, f"{name} was changed"


async def test_secrets_that_were_in_use_before_an_upgrade_are_reminded_of(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.secrets.masked(id, look.secret)
    async with env.database.transaction() as tx:
        planned = await timers.subjects(tx, id, TimerKind.TELL_EXPIRY)
        assert planned
        await tx.run_sync(_down_and_up, "0001")
        assert set((await tx.scalars(sa.select(runs.c.attempts))).all()) == {0}
        assert await timers.subjects(tx, id, TimerKind.TELL_EXPIRY) != planned
    await env.keeper().look()
    async with env.database.reading() as tx:
        assert await timers.subjects(tx, id, TimerKind.TELL_EXPIRY) == planned


async def test_what_was_there_before_signatures_is_signed_and_sealed_anew(
    env: RegistrarEnv,
) -> None:
    ids = [await env.ready(), await env.pending()]
    found = (await env.found(ids[0])).secret
    assert found is not None
    async with env.database.transaction() as tx:
        await secrets.put(tx, found.id, Purpose.SECRET, env.vault.seal(found.id, SECRET))
        await tx.run_sync(_down_and_up, "0002")
        for id in ids:
            assert not await audit.findings(tx, id)
    look = await env.registrar.secrets.reveal(ids[0], by=ROSA, answer_to=URL)
    assert any(line.text == SECRET for line in look.values.lines)


async def test_the_log_says_when_history_without_signatures_is_signed(database_url: str) -> None:
    async with opened(database_url) as database:
        await registrar_env(database, MovableClock()).approved()
        async with database.transaction() as tx:
            await tx.run_sync(lambda it: command.downgrade(_config(it), "0006"))
    with structlog.testing.capture_logs() as logs:
        async with opened(database_url):
            pass
        async with opened(database_url):
            pass
    [told] = [each for each in logs if each["event"] == "history signed for the first time"]
    assert (told["log_level"], told["entries"]) == ("warning", 3)


async def _unsign(database: Database) -> None:
    """Set the tables back to before there were signatures."""
    async with database.transaction() as tx:
        await tx.run_sync(lambda it: command.downgrade(_config(it), "0006"))


async def _refused(url: str) -> None:
    with pytest.raises(UnusableDatabase, match="aad-setup audit verify"):
        async with opened(url):
            pass


async def test_a_secret_sealed_since_shows_that_history_was_signed(database_url: str) -> None:
    async with opened(database_url) as database:
        await registrar_env(database, MovableClock()).ready()
        await _unsign(database)
    await _refused(database_url)


@pytest.mark.parametrize("column", ["registrations.head", "installation.place"])
async def test_a_column_made_since_shows_it(database_url: str, column: str) -> None:
    table, name = column.split(".")
    async with opened(database_url) as database:
        await registrar_env(database, MovableClock()).approved()
        await _unsign(database)
        async with database.transaction() as tx:
            await tx.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN {name} VARCHAR(160)"))
    await _refused(database_url)


async def test_the_file_beside_a_database_shows_it(tmp_path: Path) -> None:
    url, clock = f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}", MovableClock()
    async with opened(url) as database:
        await registrar_env(database, clock).approved()
        async with database.transaction() as tx:
            await installation.ensure_id(tx, new="aaaabbbbcccc", now=clock.now())
        async with watched(database, url, now=clock.now(), every=3600):
            pass
        await _unsign(database)
    await _refused(url)


async def test_without_the_list_of_migrations_nothing_is_signed(database_url: str) -> None:
    async with opened(database_url) as database:
        await registrar_env(database, MovableClock()).approved()
        await _unsign(database)
        async with database.transaction() as tx:
            await tx.execute(sa.text("DROP TABLE alembic_version"))
    with pytest.raises(UnusableDatabase):
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


async def test_the_partial_index_is_partial_on_both(database: Database) -> None:
    # Alembic does not compare the condition of an index, and everything hangs on it.
    async with database.reading() as tx:
        indexes = await tx.run_sync(lambda c: sa.inspect(c).get_indexes("runs"))
    options = next(it for it in indexes if it["name"] == "runs_one_open")["dialect_options"]
    condition = str(next(value for key, value in options.items() if key.endswith("_where")))
    assert "ended_at IS NULL" in condition


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


async def test_what_waits_before_an_upgrade_is_decided_after_it(
    database: Database, clock: MovableClock
) -> None:
    policy = Policy(
        team_id=TEAM,
        requesters=frozenset({ROSA.user_id, BEN.user_id}),
        approvers=frozenset({ADA.user_id, GRACE.user_id}),
        approvals_needed=2,
    )
    env = registrar_env(database, clock, policy=policy)
    plan, rotation, handover = [await _half_decided(env, kind) for kind in ASKED]
    async with database.transaction() as tx:
        await tx.run_sync(lambda it: command.downgrade(_config(it), "0008"))
        [(asked, given)] = await tx.execute(
            sa.text(
                "SELECT r.rotation, v.user_id FROM registrations r"
                " JOIN votes v ON v.registration = r.id AND v.rotation != '' WHERE r.id = :id"
            ),
            {"id": rotation},
        )
        asked = asked if isinstance(asked, dict) else json.loads(asked)
        assert (asked["state"], asked["asked_by"]["user_id"], given) == (
            "asked",
            ROSA.user_id,
            ADA.user_id,
        )
        kinds = (await tx.execute(sa.text("SELECT registration, kind FROM dues"))).all()
        assert {(rotation, "lapse"), (plan, "expire")} <= {tuple(each) for each in kinds}
        await tx.run_sync(lambda it: command.upgrade(_config(it), "head"))
        for id in (plan, rotation, handover):
            assert not await audit.findings(tx, id)
        ids = (plan, rotation, handover)
        expires = [await timers.subjects(tx, id, TimerKind.EXPIRE) for id in ids]
    # Another connection waits for the end of the transaction that has changed the tables.
    for id, kind, requests in zip(ids, ASKED, expires, strict=True):
        assert (await env.asked(id, kind)).id in requests
    await env.registrar.approval.approve(plan, by=GRACE)
    assert (await env.found(plan)).status is Status.APPROVED
    await env.registrar.approval.approve(rotation, (await env.asked(rotation)).id, by=GRACE)
    assert (await env.run_of(rotation)).kind is RunKind.ADD_SECRET
    await env.confirm_handover(handover, to=BEN, by=GRACE)
    found = await env.found(handover)
    assert (found.requester.key, found.previous_requesters[0].key) == (BEN.key, ROSA.key)


ASKED = (RequestKind.PLAN, RequestKind.ROTATION, RequestKind.HANDOVER)


async def _half_decided(env: RegistrarEnv, kind: RequestKind) -> str:
    """Return the id of a registration of which something waits that Ada has voted for; of a
    handover, one that she has asked for.
    """
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    if kind is RequestKind.PLAN:
        return id
    await env.registrar.approval.approve(id, by=GRACE)
    await env.make_ready(id)
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    await env.registrar.secrets.masked(id, look.secret)
    if kind is RequestKind.ROTATION:
        await env.registrar.requests.rotation(id, by=ROSA)
        await env.registrar.approval.approve(id, (await env.asked(id)).id, by=ADA)
    else:
        await env.registrar.requests.handover(id, to=BEN, by=ADA)
    return id
