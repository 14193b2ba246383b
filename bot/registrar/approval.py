"""Approval requests: ask, approve, withdraw, deny, cancel. The same for every kind of request.

What differs is in `KINDS`. A request takes as many approvals as the plan did, or as a plan takes
now if that is more. Each request has an id of its own, and a vote counts for that id and plan only.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import ApprovalRequest, Quorum, RequestKind, RequestState, Vote
from bot.domain.events import event
from bot.domain.forms import check_reason
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.access import Access, check_limit, requests
from bot.registrar.kinds import KINDS, Case
from bot.storage import approval_requests, audit, history, registrations, runs
from bot.storage.rows import plain

JUST_NOW = timedelta(seconds=10)
"""A voter was looked up when voting: for this long that need not be repeated."""


@dataclass(frozen=True)
class Approval:
    """From a request to what follows from it. Without the id of a request, the plan is meant."""

    access: Access

    async def to_look_up(
        self, id: str, request: str | None = None, *, by: Person
    ) -> tuple[Person, ...]:
        """Return whom to look up before this user approves: earlier voters, if this would be the
        last approval needed (approvals may be days apart), and the new requester of a handover.

        Raises Refusal.
        """
        read = self.access.services.database.read
        if request is None and not await read(approval_requests.given, id):
            return ()  # as nearly always: then `approve` checks all the rest
        registration = await self.access.loaded_for(Verb.APPROVE, id, by, request)
        asked = self._in_time(registration, request)
        quorum, earlier = self.access.quorum(registration, asked.kind), registration.counting(asked)
        vote = self._vote(registration, by, quorum)
        others = [] if quorum.missing([*earlier, vote]) else [each.person for each in earlier]
        return (*others, asked.to) if asked.to else tuple(others)

    async def approve(
        self, id: str, request: str | None = None, *, by: Person, seen: Collection[Person] = ()
    ) -> None:
        """Vote for a request; with the last vote that is needed, start what was asked for.

        `seen` are those to look up, as Slack knows them now: at the last vote, earlier votes of
        users who can no longer approve do not count. Raises Refusal.
        """
        async with self.access.locked_for(Verb.APPROVE, id, by, request) as (tx, registration):
            asked = self._in_time(registration, request)
            case = self.access.case(registration, asked, by, seen)
            rules = KINDS[asked.kind]
            rules.check_voter(case)
            if asked.vote_of(by) is not None:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            rules.check(case)
            vote = self._vote(registration, by, self.access.quorum(registration, asked.kind))
            await approval_requests.cast(tx, asked, vote)
            if await self._count(tx, case, vote):
                state = RequestState.APPROVED if rules.run else RequestState.DONE
                await approval_requests.close(tx, id, asked, state)
                if rules.approved is not None:
                    await rules.approved(tx, case)
                if rules.run is not None:
                    subject = None if asked.kind is RequestKind.PLAN else asked.id
                    now = self.access.now()
                    await runs.add(tx, registration=id, kind=rules.run, subject=subject, now=now)
            elif asked.kind is RequestKind.PLAN:
                await approval_requests.tell(tx, id, asked)

    async def withdraw(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Withdraw one's own approval while others are still missing. Raises Refusal."""
        async with self.access.locked_for(Verb.WITHDRAW, id, by, request) as (tx, registration):
            asked = self._in_time(registration, request)
            if asked.vote_of(by) is None:
                raise Refusal(f"You have not approved {id}, so there is nothing to withdraw.")
            await approval_requests.withdraw(tx, asked.id, by)
            what = event(asked.kind, "vote withdrawn")
            await history.write(tx, id, what, by=by, now=self.access.now())
            if asked.kind is RequestKind.PLAN:
                await approval_requests.tell(tx, id, asked)

    async def check_may_deny(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Raise Refusal unless this user could deny it now: a form comes first."""
        registration = await self.access.loaded_for(Verb.DENY, id, by, request)
        self._in_time(registration, request)

    async def deny(self, id: str, request: str | None = None, *, by: Person, reason: str) -> None:
        """Deny a request; without its plan a registration ends. Raises Refusal, FormProblems."""
        reason, now = check_reason(reason), self.access.now()
        async with self.access.locked_for(Verb.DENY, id, by, request) as (tx, registration):
            asked = self._in_time(registration, request)
            if asked.vote_of(by) is not None:
                raise Refusal(f"You have approved {id}. Withdraw that first, then deny it.")
            vote = Vote(person=by, verdict="deny", at=now, digest=registration.digest or "")
            await approval_requests.cast(tx, asked, vote)
            await approval_requests.end(
                tx, registration, asked, RequestState.DENIED, now=now, by=by, reason=reason
            )

    async def cancel(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Cancel a request that is not decided yet. Raises Refusal."""
        async with self.access.locked_for(Verb.CANCEL, id, by, request) as (tx, registration):
            asked = registration.request(request or id)
            assert asked is not None
            state, now = RequestState.CANCELLED, self.access.now()
            await approval_requests.end(tx, registration, asked, state, now=now, by=by)

    def _in_time(self, registration: Registration, request: str | None) -> ApprovalRequest:
        """Return a waiting request. Raises Refusal if its deadline has passed."""
        asked, id = registration.request(request or registration.id), registration.id
        assert asked is not None
        if asked.expires_at is not None and asked.expires_at <= self.access.now():
            what = id if asked.kind is RequestKind.PLAN else f"this {asked.kind} of {id}"
            raise Refusal(f"The deadline of {what} has passed, so this can't be done.")
        return asked

    def _vote(self, registration: Registration, by: Person, quorum: Quorum) -> Vote:
        """Return this user's approval."""
        return Vote(
            person=by,
            verdict="approve",
            at=self.access.now(),
            digest=registration.digest or "",
            groups=self.access.services.policy.parties(by, quorum),
        )

    async def _count(self, tx: AsyncConnection, case: Case, vote: Vote) -> bool:
        """Write the vote to history, and return whether it was the last that is needed.

        If it seems to be, earlier votes are judged again: by history, which knows whether they were
        given, and by who their voters are now. Raises Refusal.
        """
        judged: Sequence[Vote] = ()
        registration, asked = case.registration, case.request
        quorum, earlier = self.access.quorum(registration, asked.kind), registration.counting(asked)
        if seems_last := not quorum.missing([*earlier, vote]):
            voter = vote.person.user_id
            await audit.check_votes(tx, registration, asked, earlier, voter=voter)
            judged = await self.still_counting(tx, case, earlier)
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
        self, tx: AsyncConnection, case: Case, earlier: Sequence[Vote]
    ) -> Sequence[Vote]:
        """Return the votes that still count, and void the others. Raises Refusal."""
        id, asked, known = case.registration.id, case.request, case.people
        quorum = self.access.quorum(case.registration, asked.kind)
        judged = [self._judged(vote, known.get(vote.person.user_id), quorum) for vote in earlier]
        for vote in judged:
            await approval_requests.judge(tx, id, asked, vote, now=self.access.now())
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


@dataclass(frozen=True)
class Requests:
    """Rotations, handovers and purges, of a registration whose plan was decided on."""

    access: Access

    async def rotation(self, id: str, *, by: Person) -> None:
        """Ask for a new secret beside the one in use. Raises Refusal."""
        await self._ask(RequestKind.ROTATION, id, by)

    async def handover(self, id: str, *, to: Person, by: Person) -> None:
        """Ask that `to` becomes the requester. Raises Refusal."""
        await self._ask(RequestKind.HANDOVER, id, by, to)

    async def purge(self, id: str, *, by: Person) -> None:
        """Ask to delete permanently what Entra keeps of a registration. Raises Refusal."""
        await self._ask(RequestKind.PURGE, id, by)

    async def _ask(self, kind: RequestKind, id: str, by: Person, to: Person | None = None) -> None:
        """Ask the approvers. Nothing changes before they have approved it."""
        rules, now, services = KINDS[kind], self.access.now(), self.access.services
        async with self.access.locked_for(rules.verb, id, by) as (tx, registration):
            asked = ApprovalRequest(
                id=uuid4().hex,
                kind=kind,
                asked_by=by,
                asked_at=now,
                expires_at=now + services.settings.approval_ttl,
                digest=registration.digest or "",
                payload={"to": plain(to)} if to else {},
            )
            case = self.access.case(registration, asked, by, [to] if to else [])
            waiting = registration.waiting(kind)
            if waiting is not None and (to is None or waiting.to == asked.to):
                raise Refusal(
                    f"A {kind} of {id} was asked for already. An approver has to confirm it."
                )
            rules.check(case)
            if rules.needed is None:
                services.policy.check_reachable(rules.verb, case.quorum, registration, by)
            await check_limit(tx, requests(kind), now=now, registration=id)
            if waiting is not None:
                state = RequestState.SUPERSEDED
                await approval_requests.end(tx, registration, waiting, state, now=now)
            await approval_requests.ask(tx, id, asked)
            if rules.run is not None:
                await registrations.update(tx, id, failure=None)  # of an earlier try
            details = {"to": to.user_id} if to else {}
            what = event(kind, "asked")
            await history.write(tx, id, what, by=by, now=now, request=asked.id, **details)
            if rules.tells_requester and by.key != registration.requester.key:
                await approval_requests.tell(tx, id, asked)
