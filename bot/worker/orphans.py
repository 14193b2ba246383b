"""Orphans: marked objects in the tenant that belong to no registration, and how they are removed.

A mark can be copied by any user who may write applications, so it proves nothing. Only an object
with the key and all tags of a registration that was created by this bot is ours, and is removed.
The tenant is read first and storage after it: then no object found is too young to be known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import Registration, Status
from bot.domain.runs import RunKind
from bot.storage import registrations, runs, secrets
from graph.orphans import LonePrincipal, TaggedApplication
from graph.retry import REPLICATION_TIME

HOLDING = frozenset({Status.APPROVED, Status.READY, Status.FAILED})
"""The states in which a registration may have an application."""
TAKEN_BACK = frozenset({Status.UNDONE, Status.REVOKED})


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """An application, or one of its secrets, that no registration answers for."""

    application: TaggedApplication
    key_id: str | None = None
    """The secret's, where it is not the whole application."""
    why: str
    is_known: bool = True
    """Whether there is a registration that it names."""
    removed_by: RunKind | None = None
    """The run that removes it, if it is proven ours."""

    @property
    def registration(self) -> str:
        return self.application.registration


async def find(
    tx: AsyncConnection, application: TaggedApplication, *, client_id: str, now: datetime
) -> list[Orphan]:
    """Return the problems of an application that the tenant has shown before."""
    found = await registrations.get(tx, application.registration)
    live = await secrets.live(tx, application.registration)
    was_made = await runs.was_done(tx, application.registration, "application")
    kept = frozenset(secret.key_id for secret in live if secret.key_id)
    kept |= await secrets.closing(tx, application.registration)  # they are on their way out
    return list(
        judged(application, found, kept=kept, was_made=was_made, client_id=client_id, now=now)
    )


async def is_alone(tx: AsyncConnection, principal: LonePrincipal, *, now: datetime) -> bool:
    """Whether a service principal has lost its application, and no run of ours is the reason.

    While a registration is created or removed, and until that has replicated, one of the two is
    seen without the other.
    """
    found = await registrations.get(tx, principal.registration)
    if found is None:
        return True
    written = await runs.last_write(tx, principal.registration)
    if found.run is not None or found.status is Status.REVOKING:
        return False
    return written is None or now >= written + REPLICATION_TIME


async def is_missed(tx: AsyncConnection, registration: str) -> bool:
    """Whether a deleted application is one that its registration counts on."""
    found = await registrations.get(tx, registration)
    return found is not None and found.status is Status.READY and found.run is None


def judged(
    application: TaggedApplication,
    registration: Registration | None,
    *,
    kept: frozenset[str],
    was_made: bool,
    client_id: str,
    now: datetime,
) -> Iterator[Orphan]:
    """Yield the orphans of one application.

    `kept` are the key ids that should be there. `was_made` is whether the registration has ever
    known its application: then it was removed, and only a person can have restored it.
    """
    if registration is None:
        why = "no registration here has this id"
        yield Orphan(application=application, is_known=False, why=why)
    elif application.key != registration.key:
        yield Orphan(application=application, why="it does not carry the registration's key")
    elif registration.run is not None or registration.status is Status.REVOKING:
        return  # its run is active or will be retried, and cleans up after itself
    elif registration.status in TAKEN_BACK and was_made:
        yield Orphan(application=application, why="it was removed, and somebody has restored it")
    elif _is_over(registration, now):
        undo = RunKind.UNDO if is_ours(application, client_id) else None
        why = f"its registration is {registration.status}"
        yield Orphan(application=application, why=why, removed_by=undo)
    elif registration.status not in HOLDING and not registration.was_begun:
        why = f"its registration is {registration.status} and never made one"
        yield Orphan(application=application, why=why)
    else:
        yield from _strays(application, registration, kept, client_id)


def _strays(
    application: TaggedApplication, registration: Registration, kept: frozenset[str], client_id: str
) -> Iterator[Orphan]:
    is_sweepable = is_ours(application, client_id) and made_by(registration) == application.id
    for each in application.held:
        if each.key_id not in kept:
            yield Orphan(
                application=application,
                key_id=each.key_id,
                why="it carries the registration's id, but is none that the bot keeps",
                removed_by=RunKind.REMOVE_STRAY if is_sweepable else None,
            )


def _is_over(registration: Registration, now: datetime) -> bool:
    """Whether nothing of it should be left: undone, or failed and past the time for a retry."""
    if registration.status is Status.UNDONE:
        return True
    deadline = registration.deadline
    return registration.status is Status.FAILED and deadline is not None and now >= deadline


def is_ours(application: TaggedApplication, client_id: str) -> bool:
    """Whether it carries all tags of its registration, and this bot has made it."""
    creator = application.created_by or ""
    return application.is_complete and creator.casefold() == client_id.casefold()


def made_by(registration: Registration) -> str | None:
    """Return the object id of the application that the registration knows it has made."""
    id: str | None = registration.facts.get("application", {}).get("object_id")
    return id
