"""Judging votes: what one is worth when it is given, and again when the last one comes."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval.quorum import Quorum
from bot.domain.approval_requests import Vote
from bot.domain.events import Event
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.base import RegistrarBase
from bot.storage import audit, history, votes

JUST_NOW = timedelta(seconds=10)
"""Whoever voted so short a time ago was looked up then, and need not be looked up again."""


class Voting(RegistrarBase):
    """The base of verbs that take a quorum: of a plan, or of a rotation."""

    def _vote(
        self, registration: Registration, by: Person, quorum: Quorum, *, rotation: str = ""
    ) -> Vote:
        return Vote(
            person=by,
            verdict="approve",
            at=self._clock.now(),
            digest=registration.digest or "",
            groups=self._policy.parties(by, quorum),
            rotation=rotation,
        )

    def _to_look_up(
        self, earlier: Sequence[Vote], vote: Vote, quorum: Quorum
    ) -> tuple[Person, ...]:
        """Return who has to be judged anew because of this vote: if it is the last, all others."""
        if quorum.missing([*earlier, vote]):
            return ()
        return tuple(each.person for each in earlier)

    async def _count(
        self,
        tx: AsyncConnection,
        registration: Registration,
        earlier: Sequence[Vote],
        vote: Vote,
        seen: Collection[Person],
        quorum: Quorum,
    ) -> bool:
        """Write the vote to history, and return whether it was the last that is needed.

        If it seems to be, those who voted before are judged anew: by history, which knows whether
        they did, and by who they are now. Raises Refusal.
        """
        judged: Sequence[Vote] = ()
        if seems_last := not quorum.missing([*earlier, vote]):
            await audit.check_votes(tx, registration, earlier, rotation=vote.rotation)
            judged = await self._recheck_votes(tx, registration.id, earlier, seen, quorum)
        await history.write(
            tx,
            registration.id,
            Event.ROTATION_CONFIRMED if vote.rotation else Event.APPROVED,
            by=vote.person,
            now=vote.at,
            digest=vote.digest,
            groups=list(vote.groups),
            quorum=asdict(quorum),
            judged={it.person.user_id: list(it.groups) for it in judged},
        )
        return seems_last and not quorum.missing([*judged, vote])

    async def _recheck_votes(
        self,
        tx: AsyncConnection,
        id: str,
        earlier: Sequence[Vote],
        seen: Collection[Person],
        quorum: Quorum,
    ) -> Sequence[Vote]:
        """Return the votes that still count, and strike off the others. Raises Refusal."""
        known = {person.user_id: person for person in seen}
        judged = [self._rechecked(vote, known.get(vote.person.user_id), quorum) for vote in earlier]
        for vote in judged:
            await votes.update(tx, id, vote)
            if vote.void is not None:
                voter, now = vote.person.user_id, self._clock.now()
                await history.write(tx, id, Event.APPROVAL_VOID, now=now, of=voter, why=vote.void)
        return [vote for vote in judged if vote.void is None]

    def _rechecked(self, vote: Vote, person: Person | None, quorum: Quorum) -> Vote:
        """Return the vote as it counts now, by who its voter is now."""
        if person is None:
            if self._clock.now() < vote.at + JUST_NOW:
                return vote
            raise Refusal(
                f"Slack did not say whether <@{vote.person.user_id}>, who has approved before,"
                " still may, so nothing was done. Try again in a moment."
            )
        if lost := self._policy.lost_vote(person):
            return replace(vote, void=lost)
        return replace(vote, groups=self._policy.parties(person, quorum))
