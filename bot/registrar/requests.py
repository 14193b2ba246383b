"""Ask the approvers for a rotation, a handover or a purge. What differs by kind is in `KINDS`."""

from dataclasses import dataclass
from uuid import uuid4

from bot.domain.approval_requests import ApprovalRequest, RequestKind, RequestState
from bot.domain.events import event
from bot.domain.people import Person, Refusal
from bot.registrar.access import Access
from bot.registrar.kinds import KINDS
from bot.registrar.limits import check_limit, requests
from bot.storage import decisions, history, registrations
from bot.storage.rows import plain


@dataclass(frozen=True)
class Requests:
    """Approval requests about a registration whose plan was decided on."""

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
                await decisions.end(tx, registration, waiting, state, now=now)
            channel = services.settings.approval_channel
            await decisions.ask(tx, id, asked, approval_channel=channel)
            if rules.run is not None:
                await registrations.update(tx, id, failure=None)  # of an earlier try
            details = {"to": to.user_id} if to else {}
            what = event(kind, "asked")
            await history.write(tx, id, what, by=by, now=now, request=asked.id, **details)
            if rules.tells_requester and by.key != registration.requester.key:
                await decisions.tell(tx, registration, asked)
