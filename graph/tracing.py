"""Request ids: Microsoft's names for the calls that a piece of work has made, for the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MOST = 5
"""How many ids are kept, the latest: a step may ask often until a write is seen."""

_collected: ContextVar[list[str] | None] = ContextVar("request ids", default=None)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """Collect the ids of the calls that are made inside, also by tasks that begin there."""
    ids: list[str] = []
    token = _collected.set(ids)
    try:
        yield ids
    finally:
        _collected.reset(token)


def note(id: str | None) -> None:
    """Keep the id of a call, if ids are being collected."""
    ids = _collected.get()
    if ids is not None and id is not None:
        ids.append(id)
        del ids[:-MOST]


def latest() -> str | None:
    """Return the id of the latest call of the work under way."""
    ids = _collected.get()
    return ids[-1] if ids else None
