"""Rows: read as dataclasses, counted, updated, inserted unless they are there.

To look first and then insert is two steps, and on PostgreSQL others act between them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import EnumType
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import Person

T = TypeVar("T")
Row = Mapping[Any, Any]
Unreadable = Callable[[str, Exception], object]
"""Told the id of a row that cannot be read, and why."""

THIS: sa.BindParameter[str] = sa.bindparam("this")
"""The id in a statement that is built once, at the import. Only for the most frequent statements:
building them took longer than the database did."""
DAMAGE = (ValueError, TypeError, LookupError, AssertionError)
"""Errors of reading a row with a malformed value. An outage is none of these."""
INSERTS: Mapping[str, Callable[[sa.Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


def from_row(of: type[T], row: Row, **others: Any) -> T:
    """Return a dataclass whose fields are the row's columns of the same names, but for `others`.

    A field that the row lacks keeps its default: JSON may be older than the field.
    """
    found = {
        each.name: _as(each.type, row[each.name])
        for each in fields(cast(Any, of))
        if each.name not in others and each.name in row
    }
    return of(**found, **others)


def _as(kind: Any, value: Any) -> Any:
    """Return a value as its field's type: the database holds neither enums nor tuples, and a
    dataclass, with its moments, as JSON.
    """
    if isinstance(kind, UnionType):
        return None if value is None else _as(get_args(kind)[0], value)
    if isinstance(kind, EnumType):
        return kind(value)
    if get_origin(kind) is tuple:
        return tuple(_as(get_args(kind)[0], each) for each in value or ())
    if is_dataclass(kind):
        return from_row(cast(Any, kind), value)
    if kind is datetime and not isinstance(value, datetime):
        return datetime.fromisoformat(value)
    return value


def _stored(value: Any) -> Any:
    """Return a value as it is stored: the opposite of `_as`."""
    match value:
        case Person():
            return plain(value)
        case _ if is_dataclass(value):
            found = {name: _stored(each) for name, each in vars(value).items()}
            return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in found.items()}
        case list() | tuple():
            return [_stored(each) for each in value]
    return value


def part_of(row: Row, table: sa.Table) -> dict[str, Any]:
    """Return a table's columns of a row that joins several, where names occur twice."""
    return {column.name: row[column] for column in table.c}


def person_of(row: Row) -> Person:
    return Person(team_id=row["team_id"], user_id=row["user_id"], name=row["name"])


def plain(person: Person) -> dict[str, str]:
    """Return the columns that are stored of a person."""
    return {"team_id": person.team_id, "user_id": person.user_id, "name": person.name}


def is_person(table: sa.Table, person: Person) -> sa.ColumnElement[bool]:
    """Return the condition that a row names this person."""
    return sa.and_(table.c.team_id == person.team_id, table.c.user_id == person.user_id)


async def read_each(
    tx: AsyncConnection,
    query: sa.Select[Any],
    read: Callable[[Row], T],
    *,
    id: sa.ColumnElement[str],
    unreadable: Unreadable | None,
    **parameters: Any,
) -> Sequence[T]:
    """Return the rows of the query without unreadable ones, which are passed to `unreadable`.

    Without `unreadable` the first such row raises. Rows are read one by one only if one is damaged:
    it would hide all others.
    """
    try:
        return await _read(tx, query, read, parameters)
    except DAMAGE:
        if unreadable is None:
            raise
    found: list[T] = []
    for each in (await tx.scalars(query.with_only_columns(id), parameters)).all():
        try:
            found += await _read(tx, query.where(id == each), read, parameters)
        except DAMAGE as error:
            unreadable(each, error)
    return found


async def _read(
    tx: AsyncConnection, query: sa.Select[Any], read: Callable[[Row], T], parameters: Row
) -> list[T]:
    return [read(row) for row in (await tx.execute(query, parameters)).mappings()]


async def scalar(
    tx: AsyncConnection, column: sa.ColumnElement[T], *where: sa.ColumnElement[bool]
) -> T | None:
    """Return the column of a row that meets every condition, or None if there is none."""
    return await tx.scalar(sa.select(column).where(*where).limit(1))


async def count(tx: AsyncConnection, source: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(source).where(*where)
    return int((await tx.execute(query)).scalar_one())


async def update(
    tx: AsyncConnection, table: sa.Table, /, *where: sa.ColumnElement[bool], **values: Any
) -> int:
    """Update the rows that meet every condition. Return how many these are."""
    stored = {name: _stored(value) for name, value in values.items()}
    return (await tx.execute(sa.update(table).where(*where).values(stored))).rowcount


async def delete(tx: AsyncConnection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    """Delete the rows that meet every condition. Return how many these were."""
    return (await tx.execute(sa.delete(table).where(*where))).rowcount


async def insert(tx: AsyncConnection, table: sa.Table, /, **values: Any) -> None:
    stored = {name: _stored(value) for name, value in values.items()}
    await tx.execute(sa.insert(table).values(stored))


async def insert_or_ignore(tx: AsyncConnection, table: sa.Table, **values: Any) -> bool:
    """Insert the row; False if a unique column says that it, or one like it, is there.

    A second transaction waits for the commit of the first, and sees its row from then on.
    """
    stored = {name: _stored(value) for name, value in values.items()}
    insert = INSERTS[tx.dialect.name](table).values(**stored).on_conflict_do_nothing()
    # Drivers do not agree on how many rows an INSERT has touched; its returned rows are clear.
    return (await tx.execute(insert.returning(sa.literal(True)))).first() is not None


async def insert_and_expire(
    tx: AsyncConnection, table: sa.Table, key: str, *, at: datetime, oldest: datetime
) -> bool:
    """Insert a key with its time, False if it is there; delete keys whose time is before `oldest`.

    The table has these two columns.
    """
    name, time = table.columns
    await delete(tx, table, time < oldest)
    return await insert_or_ignore(tx, table, **{name.name: key, time.name: at})


async def insert_missing(tx: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert those rows that are not there."""
    if rows:
        await tx.execute(INSERTS[tx.dialect.name](table).on_conflict_do_nothing(), list(rows))
