"""Checks of the database, its vault and its slots."""

import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
import sqlalchemy as sa

from bot.doctor.findings import Finding, Unknown, doubt, well, wrong
from bot.settings.settings import Settings
from bot.storage import installation, secrets
from bot.storage.database import NO_TABLES, UnusableDatabase, age, beside, sqlite_path, too_old
from bot.storage.migrating import Age
from bot.storage.vault import Vault
from bot.worker import engine, replicas
from bot.worker.engine import SCHEMA, unusable

MAY_CREATE = """SELECT has_schema_privilege(current_schema(), 'CREATE'),
has_database_privilege(current_database(), 'CREATE')
OR EXISTS (SELECT FROM information_schema.schemata WHERE schema_name = %s)"""
"""Of schemas that are there, PostgreSQL names those that the role may use as its own."""


class Inside(NamedTuple):
    """Values from the database for other checks."""

    age: Age
    installation: str | None = None
    waiting: tuple[tuple[str, bytes], ...] = ()


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether it opens and is of this version, whether keys fit, and which processes run."""
    if problem := too_old(settings.database_url):
        yield wrong(f"Database: {problem}", "The bot does not start before that.")
        return
    try:
        inside = await look_inside(settings)
        running = await replicas.held(settings.database_url)
    except Unknown as error:
        yield error.finding
        return
    except psycopg.Error as error:
        yield closed(error)
        return
    if inside.age is Age.EMPTY:
        yield well("Database: nothing there yet; the first start makes it.")
    elif inside.age is Age.OLDER:
        yield doubt("Database: it is older than this program.", "The next start migrates it.")
    elif inside.age is Age.UNKNOWN:
        yield wrong(
            "Database: a newer version of this program made it, or one from before 0.2.0.",
            "Install that version, or start 0.2.0 on it once.",
        )
    else:
        yield well("Database: it opens and is up to date.")
        yield _vault(settings, inside.waiting)
    for problem in await _missing_rights(settings.database_url):
        yield wrong(f"Database: {problem}", "The bot does not start before that.")
    if running:
        yield well(f"Running: yes ({running} at work on this database).")
    else:
        yield doubt("Running: no bot is at work on this database.", "`aad-setup serve` starts it.")


async def look_inside(settings: Settings) -> Inside:
    """Return the values of the database; a missing file is an empty one. Raises Unknown."""
    path = sqlite_path(settings.database_url)
    if path is not None and not path.exists():
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise Unknown(
                wrong("Database: its folder is not there or cannot be written.", "Mend the path.")
            )
        return Inside(Age.EMPTY)
    try:
        async with (
            beside(settings.database_url, Vault(settings.vault_keys)) as database,
            database.reading() as tx,
        ):
            found = await age(tx)
            if found is not Age.CURRENT:
                return Inside(found)
            return Inside(found, await installation.id_of(tx), tuple(await secrets.unseen(tx)))
    except UnusableDatabase as error:
        raise Unknown(wrong(f"Database: {error}", "The bot does not start before that.")) from None
    except sa.exc.DBAPIError as error:
        raise Unknown(closed(error.orig or error)) from None


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


def closed(error: BaseException) -> Finding:
    kind = type(error).__name__  # its text may hold the address
    return wrong(f"Database: it does not open ({kind}).", "Check DATABASE_URL.")


def _vault(settings: Settings, waiting: tuple[tuple[str, bytes], ...]) -> Finding:
    vault = Vault(settings.vault_keys)
    lost = sorted({registration for registration, it in waiting if not vault.holds_key_of(it)})
    if lost:
        return wrong(
            f"Vault: VAULT_KEYS does not open the secrets that wait for {', '.join(lost)}.",
            "Add the key that sealed them behind the first one.",
        )
    return well(f"Vault: the keys open all that wait unseen ({len(waiting)}).")
