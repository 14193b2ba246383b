"""Decide: approve, withdraw, deny, cancel. The same for every kind of request.

What differs is in `KINDS`. A request takes as many approvals as the plan did, or as a plan takes
now if that is more. Each request has an id of its own, and a vote counts for that id and plan only.
"""

from collections.abc import Collection
from dataclasses import dataclass

from bot.approval import Verb
from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState, Vote
from bot.domain.events import event
from bot.domain.form_validation import check_reason
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration
from bot.registrar.access import Access
from bot.registrar.kinds import KINDS
from bot.registrar.votes import Votes
from bot.storage import approval_requests, decisions, history, runs


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
        if request is None:
            async with self.access.services.database.reading() as tx:
                if not await approval_requests.given(tx, id):
                    return ()  # as nearly always: then `approve` checks all the rest
        registration = await self.access.loaded_for(Verb.APPROVE, id, by, request)
        asked = self._in_time(registration, request)
        quorum, earlier = self.access.quorum(registration, asked.kind), registration.counting(asked)
        vote = Votes(self.access).new(registration, by, quorum)
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
            rules, votes = KINDS[asked.kind], Votes(self.access)
            rules.check_voter(case)
            if asked.vote_of(by) is not None:
                raise Refusal(f"You have approved {id} already. It needs another approver, too.")
            rules.check(case)
            vote = votes.new(registration, by, self.access.quorum(registration, asked.kind))
            await approval_requests.cast(tx, asked, vote)
            if await votes.count(tx, registration, asked, vote, seen):
                state = RequestState.APPROVED if rules.run else RequestState.DONE
                await decisions.close(tx, id, asked, state)
                if rules.approved is not None:
                    await rules.approved(tx, case)
                if rules.run is not None:
                    subject = None if asked.kind is RequestKind.PLAN else asked.id
                    now = self.access.now()
                    await runs.add(tx, registration=id, kind=rules.run, subject=subject, now=now)
            elif asked.kind is RequestKind.PLAN:
                await decisions.tell(tx, registration, asked)

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
                await decisions.tell(tx, registration, asked)

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
            state = RequestState.DENIED
            await decisions.end(tx, registration, asked, state, now=now, by=by, reason=reason)

    async def cancel(self, id: str, request: str | None = None, *, by: Person) -> None:
        """Cancel a request that is not decided yet. Raises Refusal."""
        async with self.access.locked_for(Verb.CANCEL, id, by, request) as (tx, registration):
            asked = registration.request(request or id)
            assert asked is not None
            state, now = RequestState.CANCELLED, self.access.now()
            await decisions.end(tx, registration, asked, state, now=now, by=by)

    def _in_time(self, registration: Registration, request: str | None) -> ApprovalRequest:
        """Return a waiting request. Raises Refusal if its deadline has passed."""
        asked, id = registration.request(request or registration.id), registration.id
        assert asked is not None
        if asked.expires_at is not None and asked.expires_at <= self.access.now():
            what = id if asked.kind is RequestKind.PLAN else f"this {asked.kind} of {id}"
            raise Refusal(f"The deadline of {what} has passed, so this can't be done.")
        return asked
