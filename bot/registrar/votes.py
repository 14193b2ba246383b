"""Votes: count them, and judge at the last one whether earlier ones still count."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval.quorum import Quorum
from bot.domain.approval_requests import ApprovalRequest, Vote
from bot.domain.events import event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.storage import audit, decisions, history

JUST_NOW = timedelta(seconds=10)
"""A voter was looked up when voting: for this long that need not be repeated."""


@dataclass(frozen=True)
class Votes:
    """Counts the votes for a request."""

    access: Access

    def new(self, registration: Registration, by: Person, quorum: Quorum) -> Vote:
        """Return this user's approval."""
        return Vote(
            person=by,
            verdict="approve",
            at=self.access.now(),
            digest=registration.digest or "",
            groups=self.access.services.policy.parties(by, quorum),
        )

    async def count(
        self,
        tx: AsyncConnection,
        registration: Registration,
        asked: ApprovalRequest,
        vote: Vote,
        seen: Collection[Person],
    ) -> bool:
        """Write the vote to history, and return whether it was the last that is needed.

        If it seems to be, earlier votes are judged again: by history, which knows whether they were
        given, and by who their voters are now. Raises Refusal.
        """
        judged: Sequence[Vote] = ()
        quorum, earlier = self.access.quorum(registration, asked.kind), registration.counting(asked)
        if seems_last := not quorum.missing([*earlier, vote]):
            voter = vote.person.user_id
            await audit.check_votes(tx, registration, asked, earlier, voter=voter)
            judged = await self.still_counting(tx, registration, asked, earlier, seen)
        await history.write(
            tx,
            registration.id,
            event(asked.kind, "confirmed"),
            by=vote.person,
            now=vote.at,
            digest=vote.digest,
            groups=list(vote.groups),
            quorum=asdict(quorum),
            judged={it.person.user_id: list(it.groups) for it in judged},
        )
        return seems_last and not quorum.missing([*judged, vote])

    async def still_counting(
        self,
        tx: AsyncConnection,
        registration: Registration,
        asked: ApprovalRequest,
        earlier: Sequence[Vote],
        seen: Collection[Person],
    ) -> Sequence[Vote]:
        """Return the votes that still count, and void the others. Raises Refusal."""
        known = {person.user_id: person for person in seen}
        quorum = self.access.quorum(registration, asked.kind)
        judged = [self._judged(vote, known.get(vote.person.user_id), quorum) for vote in earlier]
        for vote in judged:
            await decisions.judge(tx, registration.id, asked, vote, now=self.access.now())
        return [vote for vote in judged if vote.void is None]

    def _judged(self, vote: Vote, person: Person | None, quorum: Quorum) -> Vote:
        """Return the vote as it counts now, by who its voter is now."""
        if person is None:
            if self.access.now() < vote.at + JUST_NOW:
                return vote
            raise Refusal(
                f"Slack did not say whether <@{vote.person.user_id}>, who has approved before,"
                " still may, so nothing was done. Try again in a moment."
            )
        policy = self.access.services.policy
        if lost := policy.lost_vote(person):
            return replace(vote, void=lost)
        return replace(vote, groups=policy.parties(person, quorum))
