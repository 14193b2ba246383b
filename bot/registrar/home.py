"""Read everything that a user's App Home shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.people import Person
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.storage import health, history, queries
from bot.storage.health import Health
from bot.storage.history import HistoryPage
from bot.storage.queries import ListKind, ListPage, Mark
from bot.worker.loops import run_guarded


class Part(StrEnum):
    """A part of an App Home that has pages of its own."""

    MINE = "mine"
    WAITING = "waiting"
    EXPIRING = "expiring"
    HISTORY = "history"


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
        """Return what this user's App Home shows, from one transaction. Raises Refusal.

        A page beyond the end of a list is its last page.
        """
        services = self.access.services
        policy, now = services.policy, self.access.now()
        policy.check_account(by)
        decides = policy.is_approver(by)
        only_of = None if decides else by
        async with services.database.reading() as tx:
            mark = await queries.mark(tx)
            totals = await self._totals(tx, by, now)
            at = {part: _page(part, pages.get(part, 1), totals[part]) for part in Part}
            offset = _offset(Part.HISTORY, at)
            told = await history.recent(
                tx, limit=PAGE[Part.HISTORY], offset=offset, only_of=only_of
            )
            return Home(
                may_ask=policy.may_ask(by),
                contact=policy.contact,
                is_approver=decides,
                pages=at,
                mine=await self._all(tx, await self._find(tx, Part.MINE, by, now, at)),
                waiting=await self._all(tx, await self._find(tx, Part.WAITING, by, now, at)),
                expiring=await self._find(tx, Part.EXPIRING, by, now, at),
                history=told,
                totals=totals,
                health=await health.read(tx) if decides else None,
                mark=mark,
                at=now,
            )

    async def _totals(self, tx: AsyncConnection, by: Person, now: datetime) -> Mapping[Part, int]:
        first = dict.fromkeys(Part, 1)
        lists = (Part.MINE, Part.WAITING, Part.EXPIRING)
        totals = {part: (await self._find(tx, part, by, now, first)).total for part in lists}
        only_of = None if self.access.services.policy.is_approver(by) else by
        told = await history.recent(tx, limit=0, only_of=only_of)
        return {**totals, Part.HISTORY: told.total}

    async def _find(
        self, tx: AsyncConnection, part: Part, by: Person, now: datetime, at: Mapping[Part, int]
    ) -> ListPage:
        """Return a page of registrations. Nothing waits for a user who is not an approver."""
        decides = self.access.services.policy.is_approver(by)
        if part is Part.WAITING and not decides:
            return ListPage(lines=(), total=0)
        return await queries.find(
            tx,
            ListKind(part),
            reader=by,
            now=now,
            limit=PAGE[part],
            offset=_offset(part, at),
            only_of=by if part is Part.EXPIRING and not decides else None,
            undecided_by=by if part is Part.WAITING else None,
        )

    async def _all(self, tx: AsyncConnection, page: ListPage) -> Sequence[Registration]:
        """Return the registrations of a page, without any that cannot be read."""
        found: list[Registration] = []

        async def load(id: str) -> None:
            found.append(await self.access.loaded(tx, id))

        for line in page.lines:
            await run_guarded(f"registration {line.id}", partial(load, line.id))
        return found


def _page(part: Part, wanted: int, total: int) -> int:
    return max(1, min(wanted, last_page(part, total)))


def last_page(part: Part, total: int) -> int:
    """Return the number of the last page of a list of that many."""
    return max(1, -(-total // PAGE[part]))


def _offset(part: Part, at: Mapping[Part, int]) -> int:
    return (at[part] - 1) * PAGE[part]
