"""Runs and their steps: added, carried, recorded, ended.

A step's row is written before the run, and again with the step's facts. Facts of a lasting step
serve every later run of the registration.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.registration import RunOutcome
from bot.domain.runs import RunKind, StepState
from bot.storage.history import record_change
from bot.storage.rows import (
    THIS,
    Row,
    Unreadable,
    count,
    from_row,
    insert,
    insert_missing,
    part_of,
    read_each,
    scalar,
    update,
)
from bot.storage.tables import runs, steps

IS_OPEN = runs.c.ended_at.is_(None)
SAMPLE = 20
"""How many runs say how long the next one takes."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One piece of work for a registration."""

    id: str
    registration: str
    kind: RunKind
    subject: str | None
    created_at: datetime
    attempts: int = 0  # that failed since it last got on: its process died
    carried_by: str | None = None


class PlannedStep(NamedTuple):
    """A step as it is written down before the run."""

    stage: int
    name: str
    title: str
    lasting: bool


async def add(
    tx: AsyncConnection,
    *,
    registration: str,
    kind: RunKind,
    now: datetime,
    subject: str | None = None,
) -> Run:
    """Add a run; the scheduler starts it. An index refuses a second open one."""
    run = Run(id=uuid4().hex, registration=registration, kind=kind, subject=subject, created_at=now)
    await insert(tx, runs, **vars(run))
    return run


async def get(tx: AsyncConnection, id: str) -> Run | None:
    """Return the run if it has not ended."""
    return await _open(tx, runs.c.id == id)


_PENDING = sa.select(runs).where(IS_OPEN).order_by(runs.c.created_at)


async def pending(tx: AsyncConnection, *, unreadable: Unreadable | None = None) -> Sequence[Run]:
    """Return every run that has not ended, oldest first."""
    return await read_each(tx, _PENDING, _run, id=runs.c.id, unreadable=unreadable)


async def find_open(tx: AsyncConnection, registration: str) -> Run | None:
    """Return the registration's open run."""
    return await _open(tx, runs.c.registration == registration)


async def is_busy(tx: AsyncConnection, registration: str) -> bool:
    """Whether the registration has an open run."""
    return await find_open(tx, registration) is not None


async def last_write(tx: AsyncConnection, registration: str) -> datetime | None:
    """Return when a run that has written to the tenant has last ended.

    The removal of stray secrets hardly ever writes, and these are no part of the plan.
    """
    writes = runs.c.kind.not_in([RunKind.PLAN, RunKind.CHECK, RunKind.REMOVE_STRAY])
    is_of = runs.c.registration == registration
    return await scalar(tx, sa.func.max(runs.c.ended_at), is_of, writes)


async def end(tx: AsyncConnection, id: str, *, outcome: RunOutcome | str, now: datetime) -> bool:
    """End the run; a failed one with its code. False if it had ended before."""
    values = {"ended_at": now, "outcome": outcome[:120]}
    return await update(tx, runs, runs.c.id == id, IS_OPEN, **values) == 1


async def set_carrier(
    tx: AsyncConnection, id: str, executor: str | None, *, starts: bool = False
) -> Run | None:
    """Note which executor carries the run, none while it waits. Return the run unless it has ended.

    The log names a run that starts; one that goes on after a wait is no news.
    """
    is_other = runs.c.carried_by.is_distinct_from(executor)  # several of its calls may wait
    is_news = await update(tx, runs, runs.c.id == id, IS_OPEN, is_other, carried_by=executor) == 1
    run = await get(tx, id)
    if run is not None and is_news and starts:
        ids = {"run": id, "kind": run.kind, "failed_attempts": run.attempts}
        record_change(tx, "started", run.registration, **ids)
    return run


async def release(tx: AsyncConnection, executor: str) -> None:
    """Note that this executor carries nothing any more, by no fault of the runs."""
    await update(tx, runs, runs.c.carried_by == executor, IS_OPEN, carried_by=None)


async def fail_attempts(tx: AsyncConnection, executor: str) -> None:
    """Count a failed attempt of each run that this executor carried when it died."""
    failed = {"attempts": runs.c.attempts + 1, "carried_by": None}
    await update(tx, runs, runs.c.carried_by == executor, IS_OPEN, **failed)


async def reset_attempts(tx: AsyncConnection, ids: Collection[str]) -> None:
    """Forget the attempts of these that failed."""
    if ids:
        await update(tx, runs, runs.c.id.in_(ids), runs.c.attempts > 0, attempts=0)


async def list_steps(tx: AsyncConnection, run: Run, planned: Sequence[PlannedStep]) -> None:
    """Write down the run's steps before the first is taken, so that a card can show them."""
    of = {"run": run.id, "registration": run.registration, "failed": False}
    rows = [of | each._asdict() | {"position": place} for place, each in enumerate(planned)]
    await insert_missing(tx, steps, rows)


async def record_intent(tx: AsyncConnection, run: Run, step: str, now: datetime) -> bool:
    """Note that the step is about to write. True if an earlier attempt may have written."""
    before = await intended_at(tx, run.registration, step) is not None
    await update(tx, steps, *_step_of(run, step), intended_at=now)
    return before


async def intended_at(tx: AsyncConnection, registration: str, step: str) -> datetime | None:
    """Return when an attempt of the registration at this step may last have written.

    One that failed may have been repeated until then.
    """
    was_tried = steps.c.intended_at.is_not(None)
    query = sa.select(steps.c.intended_at, steps.c.ended_at).order_by(steps.c.intended_at.desc())
    query = query.where(*_steps_of(registration, step), was_tried).limit(1)
    found = (await tx.execute(query)).first()
    return max(filter(None, found)) if found else None


async def adopt(
    tx: AsyncConnection, registration: str, step: str, facts: Mapping[str, Any]
) -> None:
    """Keep the object of an attempt at this step that was found later."""
    was_tried = steps.c.intended_at.is_not(None)
    await update(tx, steps, *_steps_of(registration, step), was_tried, facts=dict(facts))


async def note_granted(
    tx: AsyncConnection, registration: str, step: str, granted_at: datetime | None
) -> None:
    """Note that a person has taken this step, or with None that it is to be taken again."""
    facts = {"granted_at": granted_at.isoformat()} if granted_at else None
    await update(tx, steps, *_steps_of(registration, step), facts=facts, ended_at=granted_at)


async def was_done(tx: AsyncConnection, registration: str, step: str) -> bool:
    """Whether any run of the registration has taken this step, be it undone since or not."""
    is_done = sa.and_(steps.c.ended_at.is_not(None), steps.c.failed.is_(False))
    return await count(tx, steps, *_steps_of(registration, step), is_done) > 0


async def clear_intent(tx: AsyncConnection, registration: str, step: str) -> None:
    """Note that no attempt of the registration at this step has written."""
    await update(tx, steps, *_steps_of(registration, step), intended_at=None)


async def record(
    tx: AsyncConnection, run: Run, step: str, facts: Mapping[str, Any], now: datetime
) -> bool:
    """Keep the step's facts. False if the run had them before, or has ended in the meantime."""
    is_open = sa.exists().where(runs.c.id == steps.c.run, IS_OPEN)
    where = (*_step_of(run, step), steps.c.facts.is_(None), is_open)
    values = {"facts": dict(facts), "ended_at": now, "failed": False}
    return await update(tx, steps, *where, **values) == 1


async def fail_step(tx: AsyncConnection, run: Run, step: str, now: datetime) -> None:
    await update(tx, steps, *_step_of(run, step), ended_at=now, failed=True)


async def delete_facts(tx: AsyncConnection, registration: str, step: str) -> None:
    """Drop this step's facts in all of the registration's runs: it is undone."""
    await update(tx, steps, *_steps_of(registration, step), facts=None)


async def delete_secret_facts(tx: AsyncConnection, run: str) -> None:
    """Drop this run's facts that serve no other: its secret, and the proofs of it."""
    await update(tx, steps, steps.c.run == run, steps.c.lasting.is_(False), facts=None)


async def known_facts(tx: AsyncConnection, run: Run) -> dict[str, dict[str, Any]]:
    """Return the facts of steps that this run need not take again, by step."""
    query = (
        sa.select(steps.c.name, steps.c.facts)
        .join(runs, steps.c.run == runs.c.id)
        .where(
            steps.c.registration == run.registration,
            steps.c.facts.is_not(None),
            sa.or_(steps.c.lasting, steps.c.run == run.id),
        )
        .order_by(runs.c.created_at)
    )
    return {name: facts for name, facts in await tx.execute(query)}


async def durations(tx: AsyncConnection) -> Sequence[timedelta]:
    """Return how long the latest successful registrations took, newest first."""
    latest = (
        sa.select(runs.c.created_at, runs.c.ended_at)
        .where(runs.c.kind == RunKind.REGISTER, runs.c.outcome == RunOutcome.HANDED_OVER)
        .order_by(runs.c.ended_at.desc())
        .limit(SAMPLE)
    )
    return [row.ended_at - row.created_at for row in await tx.execute(latest)]


class Progress(NamedTuple):
    """The progress of all runs of a registration, as it shows them."""

    steps: tuple[StepState, ...]  # of the latest run that lists any
    began_at: datetime | None  # when that run was added
    run: RunKind | None  # the kind of the open one
    facts: dict[str, dict[str, Any]]  # the newest of each step


_PROGRESS = (
    sa.select(runs, steps)
    .outerjoin(steps, steps.c.run == runs.c.id)
    .where(runs.c.registration == THIS)
    .order_by(runs.c.created_at, steps.c.position)
)


async def progress(tx: AsyncConnection, registration: str) -> Progress:
    """Return how far the registration's runs are, in one look."""
    rows = (await tx.execute(_PROGRESS, {"this": registration})).mappings().all()
    taken = [row for row in rows if row[steps.c.name] is not None]
    latest = taken[-1] if taken else None
    return Progress(
        steps=tuple(
            from_row(StepState, part_of(row, steps))
            for row in taken
            if latest and row[steps.c.run] == latest[steps.c.run]
        ),
        began_at=latest[runs.c.created_at] if latest else None,
        run=next((RunKind(row[runs.c.kind]) for row in rows if not row[runs.c.ended_at]), None),
        facts={
            row[steps.c.name]: row[steps.c.facts] for row in taken if row[steps.c.facts] is not None
        },
    )


async def _open(tx: AsyncConnection, which: sa.ColumnElement[bool]) -> Run | None:
    rows = (await tx.execute(sa.select(runs).where(which, IS_OPEN))).mappings()
    return next(map(_run, rows), None)


def _step_of(run: Run, step: str) -> Sequence[sa.ColumnElement[bool]]:
    return steps.c.run == run.id, steps.c.name == step


def _steps_of(registration: str, step: str) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions that select this step in every run of the registration."""
    return steps.c.registration == registration, steps.c.name == step


def _run(row: Row) -> Run:
    return from_row(Run, row)
