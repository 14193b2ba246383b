"""The kinds of approval requests: one entry for each. The mechanism is the same for all."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.approval import Verb
from bot.domain.approval_requests import ApprovalRequest, Quorum, RequestKind, RequestState
from bot.domain.catalogue import Profile
from bot.domain.events import Event, Subject
from bot.domain.people import Person, Refusal
from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.domain.secrets import SecretState
from bot.services import Services
from bot.storage import approval_requests, history, messages, registrations, secrets
from bot.storage.history import vault_of
from bot.storage.messages import MessageKind
from bot.storage.vault import SealBroken


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and everything that the rules of its kind judge."""

    registration: Registration
    request: ApprovalRequest
    by: Person  # the user who asks or votes
    people: Mapping[str, Person]  # users who were looked up just now, by user id
    quorum: Quorum  # of the plan
    services: Services


def _check_others_decide(case: Case) -> None:
    if case.request.asked_by.key == case.by.key:
        raise Refusal("You asked for this yourself. Another approver has to confirm it.")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The rules of one kind of request. In which states it waits: `WAITS_IN`."""

    verb: Verb
    """Who may ask for it."""
    check: Callable[[Case], None]
    """Raises Refusal if it has no point: when it is asked for, and again at each vote."""
    check_voter: Callable[[Case], None] = _check_others_decide
    """Raises Refusal for an approver who may not vote on it."""
    run: RunKind | None = None
    """The run that starts once it is approved."""
    approved: Callable[[AsyncConnection, Case], Awaitable[None]] | None = None
    """What else follows from the approval."""
    needed: int | None = None
    """How many approvals it takes, if not as many as the plan."""
    tells_requester: bool = True
    """Whether the requester is told that an approver has asked for it."""


def check_idle(registration: Registration) -> None:
    if registration.run is not None:
        raise Refusal(f"{registration.id} is being worked on. Try again in a moment.")


def profile_of(registration: Registration, services: Services) -> Profile:
    """Return a registration's profile. Raises Refusal if the catalogue has it no longer."""
    profile = services.catalogue.get(registration.form.profile)
    if profile is None:
        raise Refusal(
            f"The connector {registration.form.profile} of {registration.id} is no longer in this"
            f" bot's catalogue. Ask {services.policy.contact} to put it back."
        )
    return profile


def _check_plan(case: Case) -> None:
    """Check that the profile, which says how many approvals it takes, is still the plan's."""
    check_idle(case.registration)  # stray secrets of a failed run may be removed just now
    registration = case.registration
    profile = profile_of(registration, case.services)
    if (registration.plan or {}).get("profile_digest") != profile.digest:
        raise Refusal(
            f"The profile {profile.title} has changed since the plan of {registration.id} was"
            " made. Deny it: the requester can ask again."
        )


async def _approve_plan(tx: AsyncConnection, case: Case) -> None:
    await registrations.move(tx, case.registration.id, Status.APPROVED, quorum=case.quorum)


def _check_rotation(case: Case) -> None:
    """Check that a new secret can be made now without losing another."""
    check_idle(case.registration)
    registration, now = case.registration, case.services.clock.now()
    id, secret = registration.id, registration.secret
    if secret is None:
        raise Refusal(f"{id} has no secret yet.")
    if secret.is_unread:
        raise Refusal(
            f"A secret of {id} waits unseen, so it needs no new one: its requester gets it by"
            " *Get the values*."
        )
    if not secret.may_be_followed:
        raise Refusal(f"The secret of {id} is being shown. Try again in a minute.")
    previous = registration.previous_secret
    if previous is not None and (previous.expires_at is None or previous.expires_at > now):
        if previous.remove_at is None:
            raise Refusal(
                f"{why_unseen(registration)}, and the one before still works. Its requester"
                " presses *Make a new one*, which takes no approval."
            )
        if previous.remove_at <= now:
            raise Refusal(f"The previous secret of {id} is being removed. Ask again after that.")
        raise Refusal(
            f"{id} was rotated lately: the secret before works until"
            f" {previous.remove_at.date().isoformat()}. Ask again after that."
        )
    profile_of(registration, case.services)


def why_unseen(registration: Registration) -> str:
    """Say why the newest secret is not the one in use."""
    id, secret = registration.id, registration.secret
    if secret is not None and secret.removed_because is not None:
        return f"The new secret of {id} was not picked up in time"
    if secret is not None and secret.state is SecretState.UNKNOWN:
        return f"It is unknown whether the new secret of {id} was seen"
    return f"The new secret of {id} was not seen yet"


def _check_handover(case: Case) -> None:
    """Check that the new requester may ask for applications and has no vote on this one."""
    id, named = case.registration.id, case.request.to
    assert named is not None
    new_requester = case.people.get(named.user_id)
    if new_requester is None:
        raise Refusal(
            f"Slack did not say whether <@{named.user_id}> may ask for applications, so nothing was"
            " done. Try again in a moment."
        )
    if new_requester.key == case.registration.requester.key:
        raise Refusal(f"{id} is <@{new_requester.user_id}>'s already.")
    try:
        case.services.policy.check_may_ask(new_requester)
    except Refusal:
        raise Refusal(
            f"<@{new_requester.user_id}> can't request applications, so can't take {id} over."
            " Choose a user who can."
        ) from None
    if case.registration.has_voted(new_requester):  # a requester's votes never count
        raise Refusal(f"<@{new_requester.user_id}> has voted on {id}, so cannot take it over.")


def _check_handover_voter(case: Case) -> None:
    id, new_requester = case.registration.id, case.request.to
    if new_requester is not None and new_requester.key == case.by.key:
        raise Refusal(f"You are to take {id} over. Another approver has to confirm it.")
    # Without its profile it is unknown how many it takes.
    is_known = case.registration.form.profile in case.services.catalogue
    takes_several = case.quorum.needed > 1 or not is_known
    if case.request.asked_by.key == case.by.key and takes_several:
        raise Refusal(
            f"You asked for this yourself, and {id} takes more than one approver. Another has to"
            " confirm it."
        )


async def _hand_over(tx: AsyncConnection, case: Case) -> None:
    """Change the requester, and send the new one the requester's messages."""
    registration, named = case.registration, case.request.to
    assert named is not None
    now, id, new_requester = case.services.clock.now(), registration.id, case.people[named.user_id]
    await _change_requester(tx, case, new_requester)
    if (rotation := registration.waiting(RequestKind.ROTATION)) is not None:
        # Who may confirm it depends on the requester: the new one asks again.
        state = RequestState.SUPERSEDED
        await approval_requests.end(tx, registration, rotation, state, now=now)
    to = new_requester.user_id
    await history.write(tx, id, Event.HANDED_OVER, by=case.by, now=now, to=to)
    await messages.add(tx, id, MessageKind.PROGRESS)
    if registration.status is Status.READY and registration.secret is not None:
        subject = Subject(secret=registration.secret.id)
        await messages.add(tx, id, MessageKind.VALUES, subject=subject)


async def _change_requester(tx: AsyncConnection, case: Case, new_requester: Person) -> None:
    """Change the requester, and seal again what was sealed for the previous one."""
    registration = case.registration
    kept, vault = await secrets.kept(tx, registration.id), vault_of(tx)
    clear = []
    for each in kept:
        owner, data = await secrets.sealed(tx, *each)
        try:
            clear.append(vault.open(owner, data or b""))
        except SealBroken:
            raise Refusal(
                f"The bot's keys do not open the secret of {registration.id}, so it cannot be"
                f" handed over. Tell {case.services.policy.contact}: `VAULT_KEYS` lacks a key, or"
                " the bot's database was changed."
            ) from None
    await registrations.change_requester(tx, registration, new_requester)
    for (id, purpose), text in zip(kept, clear, strict=True):
        owner = await secrets.owner(tx, id, purpose)
        await secrets.put(tx, id, purpose, vault.seal(owner, text))


def _check_purge(case: Case) -> None:
    """Check that something is left to delete, and no run is open."""
    id, purged_at = case.registration.id, case.registration.purged_at
    if purged_at is not None:
        raise Refusal(f"{id} was already deleted permanently, on {purged_at.date()}.")
    if not case.registration.deleted:
        raise Refusal(f"{id} never made an application, so there is nothing to delete.")
    check_idle(case.registration)


KINDS: Mapping[RequestKind, Kind] = {
    RequestKind.PLAN: Kind(
        verb=Verb.ASK_AGAIN, check=_check_plan, run=RunKind.REGISTER, approved=_approve_plan
    ),
    RequestKind.ROTATION: Kind(verb=Verb.ROTATE, check=_check_rotation, run=RunKind.ADD_SECRET),
    RequestKind.HANDOVER: Kind(
        verb=Verb.HAND_OVER,
        check=_check_handover,
        check_voter=_check_handover_voter,
        approved=_hand_over,
        needed=1,
        tells_requester=False,
    ),
    RequestKind.PURGE: Kind(verb=Verb.PURGE, check=_check_purge, run=RunKind.PURGE),
}
