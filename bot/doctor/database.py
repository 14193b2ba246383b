"""Checks of the database, its vault and its slots, and of the signed history in it."""

import os
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import psycopg
import sqlalchemy as sa

from bot.doctor.findings import NO_START, Finding, Unknown, doubt, reported, well, wrong
from bot.problems import Unusable
from bot.settings.settings import Settings
from bot.storage import audit, installation, secrets
from bot.storage.database import (
    NO_TABLES,
    Database,
    UnusableDatabase,
    age,
    beside,
    sqlite_path,
    too_old,
)
from bot.storage.migrating import Age
from bot.storage.tables import registrations
from bot.storage.vault import Vault
from bot.worker import engine, replicas
from bot.worker.engine import SCHEMA, unusable
from bot.worker.loops import run_guarded

MAY_CREATE = """SELECT has_schema_privilege(current_schema(), 'CREATE'),
has_database_privilege(current_database(), 'CREATE')
OR EXISTS (SELECT FROM information_schema.schemata WHERE schema_name = %s)"""
"""Of schemas that are there, PostgreSQL names those that the role may use as its own."""


AGES = {
    Age.EMPTY: well("Database: nothing there yet; the first start makes it."),
    Age.OLDER: doubt("Database: it is older than this program.", "The next start migrates it."),
    Age.UNKNOWN: wrong(
        "Database: a newer version of this program made it, or one from before 0.2.0.",
        "Install that version, or start 0.2.0 on it once.",
    ),
    Age.CURRENT: well("Database: it opens and is up to date."),
}


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether it opens and is of this version, whether keys fit, and which processes run."""
    if problem := too_old(settings.database_url):
        yield wrong(f"Database: {problem}", NO_START)
        return
    try:
        async with _opened(settings) as (database, found):
            findings = [AGES[found]]
            if database is not None and found is Age.CURRENT:
                findings.append(await _vault(settings, database))
        running = await replicas.held(settings.database_url)
    except Unknown as error:
        yield error.finding
        return
    except psycopg.Error as error:
        yield _closed(error)
        return
    for finding in findings:
        yield finding
    for problem in await _missing_rights(settings.database_url):
        yield wrong(f"Database: {problem}", NO_START)
    if running:
        yield well(f"Running: yes ({running} at work on this database).")
    else:
        yield doubt("Running: no bot is at work on this database.", "`aad-setup serve` starts it.")


@asynccontextmanager
async def current(settings: Settings) -> AsyncIterator[tuple[Database, str]]:
    """Open a database of this version beside a running bot; yield it with its installation's id.

    Raises Unknown, also for its errors.
    """
    async with _opened(settings) as (database, found):
        ours = None
        if database is not None and found is Age.CURRENT:
            ours = await database.read(installation.id_of)
        if database is None or ours is None:
            advice = "Start the bot once, or check DATABASE_URL."
            raise Unknown(wrong("Database: empty or from another version.", advice))
        yield database, ours


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database | None, Age]]:
    """Open the database; a missing file is an empty one. Raises Unknown, also for its errors."""
    path = sqlite_path(settings.database_url)
    if path is not None and not path.exists():
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            said = "Database: its folder is not there or cannot be written."
            raise Unknown(wrong(said, "Correct DATABASE_URL."))
        yield None, Age.EMPTY
        return
    try:
        async with beside(settings.database_url, Vault(settings.vault_keys)) as database:
            found = await database.read(age)
            yield database, found
    except UnusableDatabase as error:
        raise Unknown(wrong(f"Database: {error}", NO_START)) from None
    except sa.exc.DBAPIError as error:
        raise Unknown(_closed(error.orig or error)) from None


async def _missing_rights(url: str) -> Sequence[str]:
    """Return the known reasons why the bot or its engine cannot create tables."""
    address = engine.url_of(url)
    path = sqlite_path(address)
    if path is not None:
        return [unusable(address)] if path.exists() and not _is_whole(path) else []
    async with await psycopg.AsyncConnection.connect(address) as connection:
        row = await (await connection.execute(MAY_CREATE, (SCHEMA,))).fetchone()
    tables, schema = row or (False, False)
    return [*([] if tables else [NO_TABLES]), *([] if schema else [unusable(address)])]


def _is_whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as engine:
            found = engine.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(found and found[0] == "ok")


def _closed(error: BaseException) -> Finding:
    kind = type(error).__name__  # its text may hold the address
    return wrong(f"Database: it does not open ({kind}).", "Check DATABASE_URL.")


async def _vault(settings: Settings, database: Database) -> Finding:
    vault = Vault(settings.vault_keys)
    waiting = await database.read(secrets.unseen)
    lost = sorted({registration for registration, it in waiting if not vault.holds_key_of(it)})
    if lost:
        return wrong(
            f"Vault: VAULT_KEYS does not open the secrets that wait for {', '.join(lost)}.",
            "Add the key that sealed them behind the first one.",
        )
    return well(f"Vault: the keys open all that wait unseen ({len(waiting)}).")


ADVICE = "Compare with a backup and the audit log of Entra: who else can write to this database?"


@reported
async def verify(settings: Settings, wanted: str) -> AsyncIterator[Finding]:
    """Yield differences from the signed history, of one registration or of all.

    Raises Unusable for an unknown id.
    """
    broken = 0
    async with current(settings) as (database, _):
        found = [each for each in await _ids(database) if not wanted or _same(each, wanted)]
        if wanted and not found:
            raise Unusable(f"There is no registration {wanted}.")
        for id in found:
            differences = ["it cannot be read."]
            # One that is damaged hides no other.
            await run_guarded(f"audit of {id}", partial(_compare, database, id, differences))
            broken += bool(differences)
            for difference in differences:
                yield wrong(f"{id}: {difference}")
    if broken:
        yield wrong(f"Audit: {broken} of {len(found)} registrations are not as signed.", ADVICE)
    else:
        yield well(f"Audit: registrations looked at, all as they were signed: {len(found)}.")


async def _compare(database: Database, id: str, differences: list[str]) -> None:
    # A transaction each: a long one would keep the bot from emptying its write-ahead log.
    differences[:] = await database.read(audit.findings, id)


async def _ids(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list(await tx.scalars(sa.select(registrations.c.id).order_by(registrations.c.id)))


def _same(id: str, typed: str) -> bool:
    """Whether the typed text means this id, in any case, with its dash or without."""
    return re.sub(r"\W", "", typed).upper() in (id.replace("-", ""), id.removeprefix("AAD-"))
