"""Read how a registration stands, which ones there are, and their history. Nothing changes.

A reader must be a full member of the team; history is for the requester and for approvers.
"""

import statistics
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.approval import Verb
from bot.approval.rules import EITHER
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.storage import history, queries, runs
from bot.storage.history import Entry, HistoryPage
from bot.storage.queries import ListKind, ListPage

LISTED = 10
"""How many lines a list has at most; it says how many more there are."""
ENTRIES = 15
"""How many entries of a history are on a page."""
FEWEST_RUNS = 3
"""Of fewer runs no median is made: it would only be a guess."""


@dataclass(frozen=True)
class Queries:
    """Everything that users read but the App Home."""

    access: Access

    def refuse_old_button(self, person: Person) -> None:
        """Raise Refusal: the message of this button was drawn by an older version."""
        self.access.services.policy.check_account(person)
        raise Refusal("This button is of an older version. Press the one in the newest message.")

    async def status(self, id: str, *, by: Person) -> Registration:
        """Return the registration, for any member of the team. Raises Refusal if there is none."""
        self.access.services.policy.check_account(by)
        async with self.access.services.database.reading() as tx:
            return await self.access.loaded(tx, id.upper())

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
        async with self.access.services.database.reading() as tx:
            return await queries.find(
                tx,
                which,
                reader=by,
                now=self.access.now(),
                limit=LISTED,
                offset=(page - 1) * LISTED,
                undecided_by=by if waits else None,
            )

    async def history(self, id: str, *, by: Person, page: int = 1) -> HistoryPage:
        """Return the history of a registration, newest first. Raises Refusal."""
        await self.access.loaded_for(Verb.HISTORY, id, by)
        async with self.access.services.database.reading() as tx:
            offset = (page - 1) * ENTRIES
            told = await history.recent(tx, limit=ENTRIES, offset=offset, registration=id)
            return replace(told, decisive=await history.decisive(tx, id))

    async def latest_entry(self, id: str) -> Entry | None:
        """Return the newest entry of a registration's history."""
        async with self.access.services.database.reading() as tx:
            return await history.latest(tx, id)

    async def expected(self) -> timedelta | None:
        """Return how long creating an application usually takes, after enough of them."""
        async with self.access.services.database.reading() as tx:
            took = await runs.durations(tx)
        if len(took) < FEWEST_RUNS:
            return None
        return timedelta(seconds=statistics.median(each.total_seconds() for each in took))
