"""Rows read one by one where a single damaged one would otherwise hide all others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Read = Callable[[Mapping[Any, Any]], T]
Unreadable = Callable[[str, Exception], object]
"""Told the id of a row that cannot be read, and why."""

DAMAGE = (ValueError, TypeError, LookupError, AssertionError)
"""Errors of reading a row with a malformed value. An outage is none of these."""


def from_row(of: type[T], row: Mapping[Any, Any], **others: Any) -> T:
    """Return a dataclass whose fields are the row's columns of the same names, but for `others`."""
    names = {each.name for each in fields(cast(Any, of))} - others.keys()
    return of(**{name: row[name] for name in names}, **others)


async def read_each(
    tx: AsyncConnection,
    query: sa.Select[Any],
    read: Read[T],
    *,
    id: sa.ColumnElement[str],
    unreadable: Unreadable | None,
) -> Sequence[T]:
    """Return the rows of the query without unreadable ones, which are passed to `unreadable`.

    Without `unreadable` the first such row raises. Rows are read one by one only if one is damaged.
    """
    try:
        return await _read(tx, query, read)
    except DAMAGE:
        if unreadable is None:
            raise
    found: list[T] = []
    for each in (await tx.scalars(query.with_only_columns(id))).all():
        try:
            found += await _read(tx, query.where(id == each), read)
        except DAMAGE as error:
            unreadable(each, error)
    return found


async def _read(tx: AsyncConnection, query: sa.Select[Any], read: Read[T]) -> Sequence[T]:
    return [read(row) for row in (await tx.execute(query)).mappings()]
