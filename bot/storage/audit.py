"""The audit: compare history with its signatures, and rows that the bot acts on with history.

A reveal and a run look at their own registration first; `aad-setup audit verify` looks at all. The
whole database put back to an older copy agrees with itself: no signature shows that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import (
    ONE_APPROVAL,
    ApprovalRequest,
    Quorum,
    RequestKind,
    RequestState,
    Vote,
)
from bot.domain.events import Event
from bot.domain.people import CONTACT, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.storage import registrations, secrets
from bot.storage.ballots import PLAN, Ballot, Expected, replay
from bot.storage.history import UNVERIFIED, Entry, Head, digest, entry_of, entry_text, vault_of
from bot.storage.rows import THIS
from bot.storage.secrets import Purpose
from bot.storage.tables import history
from bot.storage.tables import registrations as table
from bot.storage.vault import SealBroken, Vault, key_id_of

log = structlog.get_logger()

UNDER_WAY = (RequestState.WAITING, RequestState.APPROVED)
COUNTING = frozenset(
    {Status.PENDING, Status.APPROVED, Status.WAITING_FOR_CONSENT, Status.FAILED, Status.READY}
)
"""States in which the plan's approvals are those that history knows."""
PURGE = frozenset({Event.PURGE_REQUESTED, Event.PURGED})


class _Stored(NamedTuple):
    """One registration's history, head and requester, as one statement has read them."""

    head: str | None
    requester: str
    entries: Sequence[Entry]


async def checked(tx: AsyncConnection, registration: Registration) -> Sequence[Entry]:
    """Return the registration's history. Raises Refusal unless it is as it was signed and names the
    requester.
    """
    stored = await _read(tx, registration.id)
    found = [*_changes(vault_of(tx), registration.id, stored), *_requester(stored)]
    if found:
        _refuse(registration.id, found)
    return stored.entries


async def check_votes(
    tx: AsyncConnection,
    registration: Registration,
    request: ApprovalRequest | None,
    votes: Sequence[Vote],
    *,
    voter: str = "",
) -> Ballot:
    """Raise Refusal unless history knows the request, and these are the votes on it that it knows.
    Without a request they are those on the plan. `voter` is the id of a user whose vote comes next.
    """
    standing = replay(await checked(tx, registration))
    if voter in standing.owners:
        _refuse(registration.id, ["a person approves their own request."])
    found = [*_votes(standing, registration, request, votes), *_offer(standing, request)]
    if found:
        _refuse(registration.id, found)
    return standing.ballots[request.kind if request else PLAN]


async def check_approved(
    tx: AsyncConnection,
    registration: Registration,
    request: ApprovalRequest | None,
    votes: Sequence[Vote],
) -> None:
    """Raise Refusal unless history knows the votes, and they make the quorum that was asked for."""
    ballot = await check_votes(tx, registration, request, votes)
    # Entries from before they were signed do not say it.
    quorum = ONE_APPROVAL.at_least(registration.quorum or ONE_APPROVAL)
    if ballot.quorum:
        quorum = Quorum(**ballot.quorum)
    given = [replace(it, groups=tuple(_groups(ballot, it))) for it in votes]
    if quorum.missing(given):
        _refuse(registration.id, ["it was carried out without the approvals that it takes."])


async def approved_at(tx: AsyncConnection, registration: Registration) -> datetime | None:
    """Return when the plan was last approved, or None if no approval counts. Raises Refusal."""
    plan = replay(await checked(tx, registration)).ballots[PLAN]
    return plan.at if plan.groups else None


async def check_not_carried_out(tx: AsyncConnection, registration: Registration) -> None:
    """Raise Refusal if history says that the approved plan was carried out: that is done once."""
    if replay(await checked(tx, registration)).ballots[RequestKind.PLAN].is_carried_out:
        _refuse(registration.id, ["its approvals were to carry it out again."])


async def check_purge(
    tx: AsyncConnection, registration: Registration, digest: str, request: str | None
) -> None:
    """Raise Refusal unless this is the latest request to purge the objects of this plan.
    Those of older versions have no id.
    """
    entries = await checked(tx, registration)
    if replay(entries).planned != digest:
        _refuse(registration.id, ["its plan is not the one that the bot has made."])
    told = [it for it in entries if it.what in PURGE or it.details.get("run") == RunKind.PURGE]
    asked = [it.details.get("request") for it in told[-1:] if it.what == Event.PURGE_REQUESTED]
    if asked != [request]:
        _refuse(registration.id, ["history has no request to delete it for good."])


async def approved_until(
    tx: AsyncConnection, registration: Registration, lifetime: timedelta
) -> datetime | None:
    """Return until when at most a secret of this lifetime was approved, or None if history does not
    say. Raises Refusal.
    """
    made_at = replay(await checked(tx, registration)).made_at
    return made_at + lifetime if made_at else None


async def check_waits(tx: AsyncConnection, registration: Registration) -> None:
    """Raise Refusal unless history says that this very application waits for consent."""
    entries = await checked(tx, registration)
    awaited = [it.details.get("app_id") for it in entries if it.what == Event.CONSENT_AWAITED]
    if awaited[-1:] != [registration.app_id]:
        _refuse(registration.id, ["another application would be granted than the one that waits."])


async def findings(tx: AsyncConnection, id: str) -> Sequence[str]:
    """Return the differences, as sentences that follow the registration's id."""
    registration, stored = await registrations.get(tx, id), await _read(tx, id)
    assert registration is not None
    found = [*_changes(vault_of(tx), id, stored), *_requester(stored)]
    if not found:
        found += _standing(registration, replay(stored.entries))
        claimed = {
            it.details.get("secret") for it in stored.entries if it.what == Event.SECRET_CLAIMED
        }
        for secret, purpose in await secrets.kept(tx, id):
            if purpose is Purpose.SECRET and secret in claimed:
                found.append("a secret waits to be shown that has been shown before.")
            if not await _opens(tx, secret, purpose):
                found.append(f"what is sealed in secret {secret} does not open for its owner.")
    return found


def changed(id: str) -> str:
    """Say to a person that nothing is done because the database was changed."""
    return (
        f"The database of this bot was changed by something else: {id} is not as it was signed, so"
        f" nothing was done. Tell {CONTACT}: `aad-setup audit verify {id}` says more."
    )


def _refuse(id: str, found: Sequence[str]) -> None:
    log.error("audit failed", registration=id, findings=found)
    raise Refusal(changed(id))


_HISTORY = (
    sa.select(table.c.head, table.c.user_id.label("requester"), history)
    .outerjoin(history, history.c.registration == table.c.id)
    .where(table.c.id == THIS)
    .order_by(history.c.seq)
)


async def _read(tx: AsyncConnection, id: str) -> _Stored:
    rows = (await tx.execute(_HISTORY, {"this": id})).mappings().all()
    entries = [entry_of(row) for row in rows if row["seq"] is not None]
    return _Stored(rows[0]["head"], rows[0]["requester"], entries)


def _changes(vault: Vault, id: str, stored: _Stored) -> Iterator[str]:
    """Yield the differences between the history and its signatures."""
    head, seq, hash = Head.read(stored.head), 0, ""
    for entry in stored.entries:
        if entry.seq != seq + 1:
            yield f"history lacks what stood between entries {seq} and {entry.seq}."
        if entry.previous != hash:
            yield f"history entry {entry.seq} does not follow the one before it."
        if digest({"registration": id, **vars(entry)}) != entry.hash:
            yield f"history entry {entry.seq} was changed."
        yield from _signature(vault, entry)
        if UNVERIFIED in entry.details:
            before = Head.read(entry.details[UNVERIFIED])
            if not (before.is_signed(vault, id) and (before.seq, before.hash) == (seq, hash)):
                yield f"the history before entry {entry.seq} was not as it was signed."
        seq, hash = entry.seq, entry.hash
    if not stored.entries or stored.entries[0].what != Event.SUBMITTED:
        yield "history does not begin with the request."
    if not head.is_signed(vault, id):
        yield f"nothing that was signed says where history ends.{_why(vault, head.mac)}"
    elif (head.seq, head.hash) != (seq, hash):
        yield f"history ends with entry {seq}, and should end with entry {head.seq}."


def _signature(vault: Vault, entry: Entry) -> Iterator[str]:
    """Yield faults of an entry's signature. One of a removed key is proven by the signed head."""
    if entry.mac is None:
        yield f"history entry {entry.seq} is not signed."
        return
    is_known = vault.holds_history_key(key_id_of(entry.mac))
    if is_known and not vault.is_signed(entry_text(entry.hash), entry.mac):
        yield f"history entry {entry.seq} is not as it was signed."


def _why(vault: Vault, signature: str) -> str:
    id = key_id_of(signature)
    is_known = not id or vault.holds_history_key(id)
    return "" if is_known else f" It was signed by key {id[:8]}, which VAULT_KEYS lacks."


def _requester(stored: _Stored) -> Iterator[str]:
    if replay(stored.entries).requester != stored.requester:
        yield "its requester is not the one whom history names."


def _votes(
    standing: Expected,
    registration: Registration,
    request: ApprovalRequest | None,
    votes: Sequence[Vote],
) -> Iterator[str]:
    """Yield where plan and approvals differ from history, of the plan or of another request."""
    ballot = standing.ballots.get(request.kind if request else PLAN)
    if ballot is None:
        yield "history does not know what approvers were asked for."
    elif standing.planned != registration.digest:
        yield "its plan is not the one that the bot has made."
    elif {vote.person.user_id for vote in votes} != set(ballot.groups):
        yield "the approvals are not those that history knows."
    elif votes and ballot.digest != registration.digest:
        yield "history knows the approvals of another plan."
    elif {*standing.owners, ballot.asked_by} & ballot.groups.keys():
        yield "a person has approved their own request."
    elif request is not None and ballot.request not in (None, request.id):
        yield "history knows the approvals of another request."


def _offer(standing: Expected, request: ApprovalRequest | None) -> Iterator[str]:
    """Yield whether the handover is another than history knows, or to a voter."""
    if request is None or request.kind is not RequestKind.HANDOVER:
        return
    ballot = standing.ballots.get(request.kind, Ballot())
    to = request.to.user_id if request.to else ""
    voters = {voter for each in standing.ballots.values() for voter in each.groups}
    if (ballot.to, ballot.asked_by) != (to, request.asked_by.user_id) or to in voters:
        yield "the handover is not the one that history knows."


def _standing(registration: Registration, standing: Expected) -> Iterator[str]:
    """Yield where the approvals that still matter differ from history."""
    if registration.status in COUNTING:
        yield from _votes(standing, registration, None, registration.approvals())
    for request in registration.requests:
        if request.kind is not PLAN and request.state in UNDER_WAY:
            votes = registration.counting(request)
            yield from _votes(standing, registration, request, votes)


def _groups(ballot: Ballot, vote: Vote) -> Sequence[str]:
    known = ballot.groups[vote.person.user_id]
    return vote.groups if known is None else known


async def _opens(tx: AsyncConnection, secret: str, purpose: Purpose) -> bool:
    owner, data = await secrets.sealed(tx, secret, purpose)
    try:
        vault_of(tx).open(owner, data or b"")
    except SealBroken:
        return False
    return True
