"""`aad-setup restore`: put a copy of the database in place, or announce one that is in place.

The bot must not run. Nothing is compared here: the next start does it, before anything acts.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import sqlalchemy as sa

from bot.problems import Unusable
from bot.storage import installation
from bot.storage.database import (
    PARTS,
    AlreadyRunning,
    UnusableDatabase,
    keep_private,
    locked,
    make_private,
    opened,
    sqlite_path,
)
from bot.storage.vault import Vault
from bot.worker import replicas


class CannotRestore(Unusable):
    """The copy cannot be put in place, and nothing was changed."""


async def put_in_place(url: str, copy: Path, *, vault: Vault, now: datetime) -> Path | None:
    """Put a copy of a SQLite database where `url` says, and announce it.

    Return where the database that stood there is now, or None if there was none. Raises
    CannotRestore, AlreadyRunning or UnusableDatabase.
    """
    path = sqlite_path(url)
    if path is None:
        raise CannotRestore(
            "DATABASE_URL names PostgreSQL: restore it with pg_restore, and then announce that"
            " with `aad-setup restore --done`."
        )
    with locked(path):
        _check(copy, path)
        new = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
        try:
            _read(copy, new)
            await _announced(new, copy, vault, now)
            aside = _set_aside(path, now)
            new.replace(path)
            _sync(path.parent)
        finally:
            for name in (*PARTS, ".lock"):
                new.with_name(new.name + name).unlink(missing_ok=True)
    return aside


async def announce(url: str, *, vault: Vault, now: datetime) -> None:
    """Note that the database is a copy that was restored by other means.

    Raises CannotRestore, AlreadyRunning or UnusableDatabase.
    """
    path = sqlite_path(url)
    if path is None and await replicas.held(url):
        raise AlreadyRunning("A bot is at work on this database. Stop every replica first.")
    if path is not None and not path.exists():
        raise CannotRestore(f"There is no database at {path}. Put the copy there first.")
    async with opened(url, vault) as database, database.transaction() as tx:
        if not await installation.announce_restore(tx, now):
            raise CannotRestore("No bot has ever started on this database: there is no copy in it.")
    keep_private(url)


def _check(copy: Path, path: Path) -> None:
    if not copy.is_file():
        raise CannotRestore(f"{copy} is not there, or is no file.")
    if path.exists() and copy.samefile(path):
        raise CannotRestore(f"{copy} is the database itself: name a copy of it.")


def _read(copy: Path, new: Path) -> None:
    """Copy it as SQLite does, with its WAL. Raises CannotRestore."""
    make_private(new)
    # One that stands alone may lie where nothing can be written.
    alone = "" if copy.with_name(f"{copy.name}-wal").exists() else "&immutable=1"
    address = f"file:{quote(str(copy.absolute()))}?mode=ro{alone}"
    try:
        with (
            closing(sqlite3.connect(address, uri=True)) as source,
            closing(sqlite3.connect(new)) as target,
        ):
            source.backup(target)
            (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
            (ours,) = target.execute(
                "SELECT count(*) FROM sqlite_master WHERE name IN ('installation', 'registrations')"
            ).fetchone()
    except sqlite3.Error as error:
        raise CannotRestore(
            f"{copy} cannot be read as a SQLite database ({type(error).__name__})."
        ) from None
    if verdict != "ok":
        raise CannotRestore(f"{copy} is damaged: take an older copy.")
    if ours != 2:
        raise CannotRestore(f"{copy} is no copy of this program's database.")


async def _announced(new: Path, copy: Path, vault: Vault, now: datetime) -> None:
    """Migrate the copy and mark it as one, before it is put in place."""
    url = sa.URL.create("sqlite+aiosqlite", database=str(new)).render_as_string()
    try:
        async with opened(url, vault) as database, database.transaction() as tx:
            is_ours = await installation.announce_restore(tx, now)
    except UnusableDatabase as error:
        raise CannotRestore(f"{copy}: {str(error).removeprefix('DATABASE_URL: ')}") from None
    if not is_ours:
        raise CannotRestore(f"No bot has ever started on {copy}: there is nothing in it.")


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Copy the present database beside itself, then remove files that the new one would read."""
    if not path.exists():
        return None
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # unless it is damaged
    aside = path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%S}")
    for end in PARTS[:2]:
        file = path.with_name(path.name + end)
        if file.exists():
            make_private(aside.with_name(aside.name + end))
            shutil.copyfile(file, aside.with_name(aside.name + end))
    for end in PARTS[1:]:
        path.with_name(path.name + end).unlink(missing_ok=True)
    return aside


def _sync(folder: Path) -> None:
    """Make sure that the folder says so on disk, too."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
