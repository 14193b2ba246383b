"""Read everything that a user's App Home shows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import Person
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.storage import history, queries
from bot.storage.history import HistoryPage
from bot.storage.queries import Health, ListKind, ListPage, Mark
from bot.worker.loops import run_guarded


class Part(StrEnum):
    """A part of an App Home that has pages of its own."""

    MINE = "mine"
    WAITING = "waiting"
    EXPIRING = "expiring"
    HISTORY = "history"


Found = TypeVar("Found", ListPage, HistoryPage)

PAGE: Mapping[Part, int] = {Part.MINE: 4, Part.WAITING: 3, Part.EXPIRING: 5, Part.HISTORY: 8}
"""How many entries a page has: all parts together must fit into the hundred blocks of a Home."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """The content of a user's App Home. `pages` holds the page of each part, from 1."""

    may_ask: bool
    contact: str
    is_approver: bool
    pages: Mapping[Part, int]
    mine: Sequence[Registration]
    waiting: Sequence[Registration]
    expiring: ListPage
    history: HistoryPage
    totals: Mapping[Part, int]
    health: Health | None  # for approvers
    mark: Mark  # the state of storage that it shows
    at: datetime


@dataclass(frozen=True)
class HomeQueries:
    """Reads App Homes."""

    access: Access

    async def mark(self) -> Mark:
        """Return a value that differs after each change that a Home shows, by any process."""
        async with self.access.services.database.reading() as tx:
            return await queries.mark(tx)

    async def read(self, pages: Mapping[Part, int], *, by: Person) -> Home:
        """Return what this user's App Home shows, from one transaction. Raises Refusal."""
        policy, now = self.access.services.policy, self.access.now()
        policy.check_account(by)
        decides = policy.is_approver(by)
        only_of = None if decides else by
        async with self.access.services.database.reading() as tx:
            mark = await queries.mark(tx)
            find = partial(queries.find, tx, reader=by, now=now)
            mine = await _page(Part.MINE, pages, partial(find, ListKind.MINE))
            waiting = ListPage(lines=(), total=0)
            if decides:
                undecided = partial(find, ListKind.WAITING, undecided_by=by)
                waiting = await _page(Part.WAITING, pages, undecided)
            expire = partial(find, ListKind.EXPIRING, only_of=only_of)
            expiring = await _page(Part.EXPIRING, pages, expire)
            told = await _page(Part.HISTORY, pages, partial(history.recent, tx, only_of=only_of))
            shown: Sequence[ListPage | HistoryPage] = (mine, waiting, expiring, told)
            found = dict(zip(Part, shown, strict=True))
            return Home(
                may_ask=policy.may_ask(by),
                contact=policy.contact,
                is_approver=decides,
                pages={part: it.offset // PAGE[part] + 1 for part, it in found.items()},
                mine=await self._all(tx, mine),
                waiting=await self._all(tx, waiting),
                expiring=expiring,
                history=told,
                totals={part: it.total for part, it in found.items()},
                health=await queries.health(tx) if decides else None,
                mark=mark,
                at=now,
            )

    async def _all(self, tx: AsyncConnection, page: ListPage) -> Sequence[Registration]:
        """Return the registrations of a page, without any that cannot be read."""
        found: list[Registration] = []

        async def load(id: str) -> None:
            found.append(await self.access.loaded(tx, id))

        for line in page.lines:
            await run_guarded(f"registration {line.id}", partial(load, line.id))
        return found


async def _page(
    part: Part, pages: Mapping[Part, int], find: Callable[..., Awaitable[Found]]
) -> Found:
    """Return the wanted page of a part: the last one there is if its list has become shorter."""
    size = PAGE[part]
    found = await find(limit=size, offset=(max(pages.get(part, 1), 1) - 1) * size)
    if found.offset and found.offset >= found.total:
        return await find(limit=size, offset=(last_page(part, found.total) - 1) * size)
    return found


def last_page(part: Part, total: int) -> int:
    """Return the number of the last page of a list of that many."""
    return max(1, -(-total // PAGE[part]))
