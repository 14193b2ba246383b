"""Read how a registration stands, which ones there are, and their history. Nothing changes.

A reader must be a full member of the team; history is for the requester and for approvers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.approval.rules import EITHER
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.storage import history, messages, queries
from bot.storage.history import Entry, HistoryPage
from bot.storage.queries import Health, ListKind, ListPage, Mark
from bot.worker.loops import run_guarded

LISTED = 10
"""How many lines a list has at most; it says how many more there are."""
ENTRIES = 15
"""How many entries of a history are on a page."""


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
    may_choose_cards: bool = True  # the settings may have decided how they are drawn
    plain_cards: bool = False  # what the user has chosen


@dataclass(frozen=True)
class Queries:
    """Everything that users read."""

    access: Access

    def refuse_old_button(self, person: Person) -> None:
        """Raise Refusal: the message of this button was drawn by an older version."""
        self.access.services.policy.check_account(person)
        raise Refusal("This button is of an older version. Press the one in the newest message.")

    async def status(self, id: str, *, by: Person) -> Registration:
        """Return the registration, for any member of the team. Raises Refusal if there is none."""
        self.access.services.policy.check_account(by)
        return await self.access.services.database.read(self.access.loaded, id.upper())

    def is_concerned(self, registration: Registration, person: Person) -> bool:
        """Whether this user asked for it or decides on it."""
        return bool(EITHER & self.access.services.policy.roles(person, registration))

    def may_read_check(self, registration: Registration, person: Person) -> bool:
        """Whether this user may read now what a check has found.

        Raises Refusal if that depends on a user group that Slack did not say.
        """
        policy = self.access.services.policy
        if person.doubts or person.team_id != policy.team_id:
            return False
        if self.is_concerned(registration, person):
            return True
        policy.check_groups_known(person)
        return False

    async def listed(
        self, which: ListKind, *, by: Person, for_all: bool, page: int = 1
    ) -> ListPage:
        """Return a page of a list, as all may read it or as this user needs it.

        For an approver, those wait that they can decide on.
        """
        policy = self.access.services.policy
        policy.check_account(by)
        waits = which is ListKind.WAITING and not for_all and policy.is_approver(by)
        find = partial(queries.find, reader=by, now=self.access.now(), limit=LISTED)
        offset, undecided_by = (page - 1) * LISTED, by if waits else None
        read = self.access.services.database.read
        return await read(find, which, offset=offset, undecided_by=undecided_by)

    async def history(self, id: str, *, by: Person, page: int = 1) -> HistoryPage:
        """Return the history of a registration, newest first. Raises Refusal."""
        await self.access.loaded_for(Verb.HISTORY, id, by)
        async with self.access.services.database.reading() as tx:
            offset = (page - 1) * ENTRIES
            told = await history.recent(tx, limit=ENTRIES, offset=offset, registration=id)
            return replace(told, decisive=await history.decisive(tx, id))

    async def latest_entry(self, id: str) -> Entry | None:
        """Return the newest entry of a registration's history."""
        return await self.access.services.database.read(history.latest, id)

    async def mark(self) -> Mark:
        """Return a value that differs after each change that a Home shows, by any process."""
        return await self.access.services.database.read(queries.mark)

    async def home(self, pages: Mapping[Part, int], *, by: Person) -> Home:
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
                may_choose_cards=not self.access.services.settings.plain_cards,
                plain_cards=await messages.reads_plainly(tx, by.user_id),
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
