"""SQL: what is said meanwhile, and what is compiled once for all stories of a process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa


class _Compiled(dict[Any, Any]):
    """Statements by their dialect's name. SQLAlchemy keys them by its object, one for each engine.

    A story makes three engines: to compile anew for each took an eighth of its time, and left most
    of the garbage.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, dialect.driver, *rest)


_COMPILED = _Compiled()


def share_compiled_statements() -> None:
    """Let all engines of this process use what any of them has compiled."""

    def connected(connection: sa.Connection) -> None:
        connection.execution_options(compiled_cache=_COMPILED)

    sa.event.listen(sa.Engine, "engine_connect", connected)


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # in a thread of the engine
        return None


@contextmanager
def heard(*, by: asyncio.Task[Any] | None = None) -> Iterator[dict[str, Any]]:
    """Collect each statement, of this task or of all, with the arguments of its first time."""
    statements: dict[str, Any] = {}

    def hear(_: Any, __: Any, statement: str, arguments: Any, ___: Any, many: bool) -> None:
        if by is None or _task() is by:
            statements.setdefault(statement, arguments[0] if many else arguments)

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)
