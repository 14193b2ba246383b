"""Looking: how a registration stands, whose there are, what happened, and whether an event is news.

Nothing changes by it. Whoever looks must be a full member of the team; history is for the requester
and for approvers.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.approval.rules import EITHER
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.base import RegistrarBase
from bot.registrar.kinds import check_idle
from bot.storage import health, history, messages, queries, runs
from bot.storage.health import Health
from bot.storage.history import Entry, HistoryPage
from bot.storage.queries import ListKind, ListPage, Mark
from bot.worker.loops import run_guarded

LISTED = 10
"""How many lines a list has at most; it says how many more there are."""
ENTRIES = 15
"""How many entries of a history are on a page."""
FEWEST_RUNS = 3
"""Of fewer runs no median is made: it would only be a guess."""


class Part(StrEnum):
    """A part of somebody's App Home that has pages of its own."""

    MINE = "mine"
    WAITING = "waiting"
    EXPIRING = "expiring"
    HISTORY = "history"


PAGE: Mapping[Part, int] = {Part.MINE: 4, Part.WAITING: 3, Part.EXPIRING: 5, Part.HISTORY: 8}
"""How many entries a page has: all parts together must fit into the hundred blocks of a Home."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """What somebody sees in the App Home. `pages` holds the page of each part, from 1."""

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
    mark: Mark  # how far storage was then
    at: datetime


class Queries(RegistrarBase):
    """What people read."""

    async def is_at(self, message: str, *, channel: str, ts: str) -> bool:
        """Whether a message is here, and no copy of it.

        While Slack has not said where it was posted, it is where somebody clicks in it. Of one that
        storage does not know there is no other.
        """
        async with self._database.reading() as tx:
            place = await messages.place(tx, message)
        if place is None or place == (channel, ts):
            return True
        if place[1] is not None:
            return False
        async with self._database.transaction() as tx:
            if await messages.locate(tx, message, channel=channel, ts=ts):
                return True
            return await messages.place(tx, message) == (channel, ts)

    def check_may_look(self, person: Person) -> None:
        """Raise Refusal unless this is a full member of the team."""
        self._policy.check_account(person)

    def refuse_old_button(self, person: Person) -> None:
        """Raise Refusal: the message of this button was drawn by an older version."""
        self._policy.check_account(person)
        raise Refusal("This button is of an older version. Press the one in the newest message.")

    async def status(self, id: str, *, by: Person) -> Registration:
        """Return the registration, for anybody in the team. Raises Refusal if there is none."""
        self._policy.check_account(by)
        async with self._database.reading() as tx:
            return await self._get(tx, id.upper())

    def decides(self, person: Person) -> bool:
        """Whether this person decides on what others ask for."""
        return self._policy.is_approver(person)

    def is_concerned(self, registration: Registration, person: Person) -> bool:
        """Whether this person asked for it or decides on it."""
        return bool(EITHER & self._policy.roles(person, registration))

    def may_read_check(self, registration: Registration, person: Person) -> bool:
        """Whether this person may read now what a check has found.

        Raises Refusal if that depends on a user group that Slack did not say.
        """
        if person.doubts or person.team_id != self._policy.team_id:
            return False
        if self.is_concerned(registration, person):
            return True
        self._policy.check_groups_known(person)
        return False

    async def listed(
        self, which: ListKind, *, by: Person, for_all: bool, page: int = 1
    ) -> ListPage:
        """Return a page of a list, as everybody may read it or as this person needs it.

        For an approver, those wait that they can decide on.
        """
        self._policy.check_account(by)
        waits = which is ListKind.WAITING and not for_all and self.decides(by)
        async with self._database.reading() as tx:
            return await queries.find(
                tx,
                which,
                reader=by,
                now=self._clock.now(),
                limit=LISTED,
                offset=(page - 1) * LISTED,
                undecided_by=by if waits else None,
            )

    async def history(self, id: str, *, by: Person, page: int = 1) -> HistoryPage:
        """Return what happened to a registration, newest first. Raises Refusal."""
        async with self._database.reading() as tx:
            await self.loaded_for(tx, Verb.HISTORY, id, by)
            offset = (page - 1) * ENTRIES
            told = await history.recent(tx, limit=ENTRIES, offset=offset, registration=id)
            return replace(told, decisive=await history.decisive(tx, id))

    async def latest_entry(self, id: str) -> Entry | None:
        """Return the newest entry of a registration's history."""
        async with self._database.reading() as tx:
            return await history.latest(tx, id)

    async def check_may_undo(self, id: str, *, by: Person) -> None:
        """Raise Refusal unless this person can undo it now: whether to is asked first."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.UNDO, id, by)
            check_idle(registration)

    async def expected(self) -> timedelta | None:
        """Return how long making an application usually takes, once there were enough of them."""
        async with self._database.reading() as tx:
            took = await runs.durations(tx)
        if len(took) < FEWEST_RUNS:
            return None
        return timedelta(seconds=statistics.median(each.total_seconds() for each in took))

    async def mark(self) -> Mark:
        """Return what is another after each change that a Home shows, by whatever process."""
        async with self._database.reading() as tx:
            return await queries.mark(tx)

    async def home(self, pages: Mapping[Part, int], *, by: Person) -> Home:
        """Return what this person's App Home shows, in one look. Raises Refusal.

        A page that is no more, because its list has become shorter, is the last one there is.
        """
        self._policy.check_account(by)
        async with self._database.reading() as tx:
            return await self._home(tx, pages, by)

    async def _home(self, tx: AsyncConnection, pages: Mapping[Part, int], by: Person) -> Home:
        mark, now, decides = await queries.mark(tx), self._clock.now(), self.decides(by)
        only_of = None if decides else by
        totals = await self._totals(tx, by, now)
        at = {part: _page(part, pages.get(part, 1), totals[part]) for part in Part}
        told = await history.recent(
            tx, limit=PAGE[Part.HISTORY], offset=_offset(Part.HISTORY, at), only_of=only_of
        )
        return Home(
            may_ask=self.may_ask(by),
            contact=self._policy.contact,
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
        none = dict.fromkeys(Part, 1)
        lists = (Part.MINE, Part.WAITING, Part.EXPIRING)
        totals = {part: (await self._find(tx, part, by, now, none)).total for part in lists}
        only_of = None if self.decides(by) else by
        told = await history.recent(tx, limit=0, only_of=only_of)
        return {**totals, Part.HISTORY: told.total}

    async def _find(
        self, tx: AsyncConnection, part: Part, by: Person, now: datetime, at: Mapping[Part, int]
    ) -> ListPage:
        """Return a page of registrations. Nothing waits for who is no approver."""
        decides = self.decides(by)
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

        async def get(id: str) -> None:
            found.append(await self._get(tx, id))

        for line in page.lines:
            await run_guarded(f"registration {line.id}", partial(get, line.id))
        return found

    def may_ask(self, person: Person) -> bool:
        """Whether this person may request applications."""
        try:
            self._policy.check_may_ask(person)
        except Refusal:
            return False
        return True

    async def is_news(self, event_id: str) -> bool:
        """Whether this event of Slack's comes for the first time."""
        async with self._database.transaction() as tx:
            return await messages.is_first_delivery(tx, event_id, self._clock.now())


def _page(part: Part, wanted: int, total: int) -> int:
    return max(1, min(wanted, last_page(part, total)))


def last_page(part: Part, total: int) -> int:
    """Return the number of the last page of a list of that many."""
    return max(1, -(-total // PAGE[part]))


def _offset(part: Part, at: Mapping[Part, int]) -> int:
    return (at[part] - 1) * PAGE[part]
