"""The watermark: detects at the start that an older copy of the database was put in its place.

A copy does not include files outside of it. For SQLite that is a small file beside the
database, which says how far history was. PostgreSQL has no place of its own outside: there the
numbers that it gave to our tables tell a database from one that `pg_restore` has made. A copy of a
whole folder, disk or server includes that file and is not detected: it has to be announced.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.storage import installation
from bot.storage.database import Database, keep_private, sqlite_path
from bot.storage.tables import history
from bot.worker.loops import Loop

log = structlog.get_logger()

OBJECTS = """SELECT concat_ws('/', d.oid, 'installation'::regclass::oid,
'registrations'::regclass::oid, 'history'::regclass::oid)
FROM pg_database AS d WHERE d.datname = current_database()"""
"""Numbers that PostgreSQL changes whenever a dump is restored, and at nothing else that we do."""


NOT_YET = -1
"""In the place of a number of entries: no database is known to hold the place that is named."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The content of the file: which database it belongs to, and how long its history is."""

    place: str = ""
    entries: int = NOT_YET


def watermark_path(url: str) -> Path | None:
    """Return where the file is. PostgreSQL has none."""
    path = sqlite_path(url)
    return None if path is None else path.with_name(f"{path.stem}-watermark.json")


@asynccontextmanager
async def watched(
    database: Database, url: str, *, now: datetime, every: float
) -> AsyncIterator[Loop]:
    """Note an unannounced restore; then keep the file up to date by the loop.

    The loop is started and stopped by the caller; the last state is written at the end.
    """
    watermark = Watermark(database, url, every=every)
    await watermark.compare(now)
    try:
        yield watermark.loop
    finally:
        await watermark.keep_up()


class Watermark:
    """Compares the database with the mark outside of it."""

    def __init__(self, database: Database, url: str, *, every: float) -> None:
        self._database = database
        self._url = url
        self._path = watermark_path(url)
        self._mark = Mark()
        self.loop = Loop("watermark", self.keep_up, every=every)

    async def compare(self, now: datetime) -> None:
        """Note that the database is an older copy, if it is. The installation's row is there."""
        async with self._database.transaction() as tx:
            stored = await installation.place(tx)
            outside, inside = await self._marks(tx, stored)
            is_first = stored is None and outside.entries == NOT_YET
            is_older = stored != outside.place or outside.entries > inside.entries
            restored = is_older and not is_first
            if restored:
                await installation.announce_restore(tx, now)
                log.warning("the database is an older copy", entries=inside.entries)
                # Else the database that this one replaces would pass for it when it is put back.
                if self._path is not None:
                    inside = replace(inside, place=uuid4().hex)
            elif is_first:  # a commit without its file would look like a restore
                self._write(Mark(place=inside.place))
            await installation.put_place(tx, inside.place)
        if restored:
            keep_private(self._url)
        self._write(inside)

    async def keep_up(self) -> None:
        """Write down how long history is, if it has grown."""
        if self._path is None:
            return
        entries = await self._database.read(_entries)
        if entries > self._mark.entries:
            mark = replace(self._mark, entries=entries)
            await asyncio.to_thread(self._write, mark)  # it waits for the disk

    async def _marks(self, tx: AsyncConnection, stored: str | None) -> tuple[Mark, Mark]:
        """Return the mark outside of the database, and the one to write there."""
        if self._path is None:
            place = str(await tx.scalar(sa.text(OBJECTS)))
            return Mark(place=place), Mark(place=place, entries=0)
        outside = _read(self._path)
        place = outside.place or stored or uuid4().hex
        return outside, Mark(place=place, entries=await _entries(tx))

    def _write(self, mark: Mark) -> None:
        self._mark = mark
        if self._path is None:
            return
        new = self._path.with_name(f"{self._path.name}.new")
        with open(new, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(asdict(mark), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _read(path: Path) -> Mark:
    """Return the content of the file; nothing if it is missing or damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        said = json.loads(path.read_text("utf-8"))
        return Mark(place=str(said["place"]), entries=int(said["entries"]))
    return Mark()


_NEWEST = sa.select(sa.func.max(sa.literal_column("rowid", sa.Integer))).select_from(history)


async def _entries(tx: AsyncConnection) -> int:
    """Return how many entries history has ever had: none is deleted, so the last one's number."""
    return int(await tx.scalar(_NEWEST) or 0)
