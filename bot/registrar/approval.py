"""Deciding: ask approvers, vote, deny, withdraw, cancel. The same for every kind of request.

What differs stands in `kinds`. A request takes as many approvals as the plan did, or as a plan
takes now if that is more. Each has an id of its own, and a vote counts for that id and plan only.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.approval.quorum import Quorum
from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState, Vote
from bot.domain.events import event
from bot.domain.form_validation import check_reason
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.base import RegistrarBase
from bot.registrar.kinds import KINDS, Case
from bot.registrar.limits import check_limit, requests
from bot.storage import approval_requests, audit, decisions, history, registrations

JUST_NOW = timedelta(seconds=10)
"""Whoever voted so short a time ago was looked up then, and need not be looked up again."""


class ApprovalActions(RegistrarBase):
    """From a request to what follows from it."""

    async def rotate(self, id: str, *, by: Person) -> None:
        """Ask for a new secret beside the one in use. Raises Refusal."""
        await self._ask(RequestKind.ROTATION, id, by)

    async def hand_over(self, id: str, *, to: Person, by: Person) -> None:
        """Ask that `to` becomes the requester. Raises Refusal."""
        await self._ask(RequestKind.HANDOVER, id, by, to)

    async def purge(self, id: str, *, by: Person) -> None:
        """Ask to delete for good what Entra keeps of a registration. Raises Refusal."""
        await self._ask(RequestKind.PURGE, id, by)

    async def _ask(self, kind: RequestKind, id: str, by: Person, to: Person | None = None) -> None:
        """Ask the approvers. Nothing changes before they have approved it."""
        rules, now = KINDS[kind], self._clock.now()
        async with self._writing() as tx:
            registration = await self.locked_for(tx, rules.verb, id, by)
            asked = ApprovalRequest(
                id=uuid4().hex,
                kind=kind,
                asked_by=by,
                asked_at=now,
                expires_at=now + self._approval_ttl,
                digest=registration.digest or "",
                payload={"to": approval_requests.plain(to)} if to else {},
            )
            case = self._case(registration, asked, by, [to] if to else [])
            waiting = registration.waiting(kind)
            if waiting is not None and (to is None or waiting.to == asked.to):
                raise Refusal(
                    f"A {kind} of {id} was asked for already. An approver has to confirm it."
                )
            rules.check(case)
            if rules.needed is None:
                self._policy.check_reachable(rules.verb, case.quorum, registration, by)
            await check_limit(tx, requests(kind), now=now, registration=id)
            if waiting is not None:
                state = RequestState.SUPERSEDED
                await decisions.end(tx, registration, waiting, state, now=now)
            channel = self._approval_channel
            await decisions.ask(tx, id, asked, approval_channel=channel)
            if rules.run is not None:
                await registrations.update(tx, id, failure=None)  # of an earlier try
            details = {"to": to.user_id} if to else {}
            what = event(kind, "asked")
            await history.write(tx, id, what, by=by, now=now, request=asked.id, **details)
            if rules.tells_requester and by.key != registration.requester.key:
                await decisions.tell(tx, registration, asked)

    async def to_look_up(
        self, id: str, request: str | None = None, *, by: Person
    ) -> tuple[Person, ...]:
        """Return who has to be looked up before this person approves: who has approved before, if
        this would be the last approval needed, and who is to be the requester. Raises Refusal.

        Approvals may be days apart.
        """
        async with self._database.reading() as tx:
            if request is None and not await approval_requests.given(tx, id):
                return ()  # as nearly always: then `approve` judges all the rest
            registration = await self.loaded_for(tx, Verb.APPROVE, id, by, request)
        asked = self._in_time(registration, request)
        quorum, earlier = self.quorum(registration, asked.kind), registration.counting(asked)
        is_last = not quorum.missing([*earlier, self._vote(registration, by, quorum)])
        others = [each.person for each in earlier] if is_last else []
        return (*others, asked.to) if asked.to else tuple(others)

    async def approve(
        self, id: str, request: str | None = None, *, by: Person, seen: Collection[Person] = ()
    ) -> None:
        """Vote for a request, which is the plan's if none is named; with the last vote that is
        needed, do what was asked for. Raises Refusal.

        `seen` are those to look up as Slack knows them now. At the last vote, what was approved by
        somebody who could not approve any more no longer counts.
        """
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.APPROVE, id, by, request)
            asked = self._in_time(registration, request)
            case, rules = self._case(registration, asked, by, seen), KINDS[asked.kind]
            rules.check_voter(case)
            if asked.vote_of(by) is not None:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            rules.check(case)
            quorum = self.quorum(registration, asked.kind)
            vote = self._vote(registration, by, quorum)
            await approval_requests.cast(tx, asked, vote)
            if await self._count(tx, registration, asked, vote, seen, quorum):
                state = RequestState.APPROVED if rules.run else RequestState.DONE
                await decisions.close(tx, id, asked, state)
                if rules.approved is not None:
                    await rules.approved(tx, case)
                if rules.run is not None:
                    subject = None if asked.kind is RequestKind.PLAN else asked.id
                    await self._add_run(tx, id, rules.run, subject)
            elif asked.kind is RequestKind.PLAN:
                await decisions.tell(tx, registration, asked)

    async def withdraw(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Take one's own approval back while others are still awaited. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.WITHDRAW, id, by, request)
            asked = self._in_time(registration, request)
            if asked.vote_of(by) is None:
                raise Refusal(f"You have not approved {id}, so there is nothing to withdraw.")
            await approval_requests.withdraw(tx, asked.id, by)
            what = event(asked.kind, "vote withdrawn")
            await history.write(tx, id, what, by=by, now=self._clock.now())
            if asked.kind is RequestKind.PLAN:
                await decisions.tell(tx, registration, asked)

    async def check_may_deny(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Raise Refusal unless this person could deny it now: a form is asked for first."""
        async with self._database.reading() as tx:
            registration = await self.loaded_for(tx, Verb.DENY, id, by, request)
            self._in_time(registration, request)

    async def deny(self, id: str, request: str | None = None, *, by: Person, reason: str) -> None:
        """Decide against a request; without its plan a registration ends. Raises Refusal,
        FormProblems.
        """
        reason, now = check_reason(reason), self._clock.now()
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.DENY, id, by, request)
            asked = self._in_time(registration, request)
            if asked.vote_of(by) is not None:
                raise Refusal(f"You have approved {id}. Withdraw that first, then deny it.")
            vote = Vote(person=by, verdict="deny", at=now, digest=registration.digest or "")
            await approval_requests.cast(tx, asked, vote)
            state = RequestState.DENIED
            await decisions.end(tx, registration, asked, state, now=now, by=by, reason=reason)

    async def cancel(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Take back a request that nobody has decided on. Raises Refusal."""
        async with self._writing() as tx:
            registration = await self.locked_for(tx, Verb.CANCEL, id, by, request)
            asked = registration.request(request or id)
            assert asked is not None
            state, now = RequestState.CANCELLED, self._clock.now()
            await decisions.end(tx, registration, asked, state, now=now, by=by)

    def _case(
        self,
        registration: Registration,
        asked: ApprovalRequest,
        by: Person,
        people: Collection[Person],
    ) -> Case:
        return Case(
            registration=registration,
            request=asked,
            by=by,
            people={each.user_id: each for each in people},
            policy=self._policy,
            quorum=self.quorum(registration),
            profile=self._catalogue.get(registration.form.profile),
            now=self._clock.now(),
        )

    def _vote(self, registration: Registration, by: Person, quorum: Quorum) -> Vote:
        return Vote(
            person=by,
            verdict="approve",
            at=self._clock.now(),
            digest=registration.digest or "",
            groups=self._policy.parties(by, quorum),
        )

    async def _count(
        self,
        tx: AsyncConnection,
        registration: Registration,
        asked: ApprovalRequest,
        vote: Vote,
        seen: Collection[Person],
        quorum: Quorum,
    ) -> bool:
        """Write the vote to history, and return whether it was the last that is needed.

        If it seems to be, those who voted before are judged anew: by history, which knows whether
        they did, and by who they are now. Raises Refusal.
        """
        judged: Sequence[Vote] = ()
        earlier = registration.counting(asked)
        if seems_last := not quorum.missing([*earlier, vote]):
            voter = vote.person.user_id
            await audit.check_votes(tx, registration, asked, earlier, voter=voter)
            judged = await self._judge_anew(tx, registration, asked, earlier, seen)
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

    async def _judge_anew(
        self,
        tx: AsyncConnection,
        registration: Registration,
        asked: ApprovalRequest,
        earlier: Sequence[Vote],
        seen: Collection[Person],
    ) -> Sequence[Vote]:
        """Return the votes that still count, and strike off the others. Raises Refusal."""
        known = {person.user_id: person for person in seen}
        quorum = self.quorum(registration, asked.kind)
        judged = [self._judged(vote, known.get(vote.person.user_id), quorum) for vote in earlier]
        for vote in judged:
            await decisions.judge(tx, registration.id, asked, vote, now=self._clock.now())
        return [vote for vote in judged if vote.void is None]

    def _judged(self, vote: Vote, person: Person | None, quorum: Quorum) -> Vote:
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
