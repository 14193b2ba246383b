"""Runs and their steps: owed, carried, recorded, ended.

A step's row is written before the run, and again when the step has learnt something. What a lasting
step learnt serves every later run of the registration.
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
from bot.storage import change_log as told
from bot.storage.insert_or_ignore import insert_missing
from bot.storage.rows import Unreadable, from_row, read_each
from bot.storage.tables import runs, steps

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
    """Add a run; the keeper will start it. An index refuses a second open one."""
    run = Run(id=uuid4().hex, registration=registration, kind=kind, subject=subject, created_at=now)
    await tx.execute(sa.insert(runs).values(**vars(run)))
    return run


async def get(tx: AsyncConnection, id: str) -> Run | None:
    """Return the run if it has not ended."""
    return await _open(tx, runs.c.id == id)


async def pending(tx: AsyncConnection, *, unreadable: Unreadable | None = None) -> Sequence[Run]:
    """Return every run that has not ended, oldest first."""
    query = sa.select(runs).where(runs.c.ended_at.is_(None)).order_by(runs.c.created_at)
    return await read_each(tx, query, _run, id=runs.c.id, unreadable=unreadable)


async def find_open(tx: AsyncConnection, registration: str) -> Run | None:
    """Return the registration's open run."""
    return await _open(tx, runs.c.registration == registration)


async def is_busy(tx: AsyncConnection, registration: str) -> bool:
    """Whether the registration has an open run."""
    return await find_open(tx, registration) is not None


async def last_write(tx: AsyncConnection, registration: str) -> datetime | None:
    """Return when a run that has written to the tenant has last ended.

    A sweep hardly ever has to, and what it removes is no part of what was made.
    """
    query = (
        sa.select(runs.c.ended_at)
        .where(
            runs.c.registration == registration,
            runs.c.ended_at.is_not(None),
            runs.c.kind.not_in([RunKind.PLAN, RunKind.CHECK, RunKind.REMOVE_STRAY]),
        )
        .order_by(runs.c.ended_at.desc())
        .limit(1)
    )
    found: datetime | None = await tx.scalar(query)
    return found


async def end(tx: AsyncConnection, id: str, *, outcome: RunOutcome | str, now: datetime) -> bool:
    """End the run; a failed one with its code. False if it had ended before."""
    done = await tx.execute(
        sa.update(runs)
        .where(runs.c.id == id, runs.c.ended_at.is_(None))
        .values(ended_at=now, outcome=outcome[:120])
    )
    return done.rowcount == 1


async def set_carrier(
    tx: AsyncConnection, id: str, executor: str | None, *, starts: bool = False
) -> bool:
    """Note who carries the run, or that nobody does while it waits. False if it has ended.

    The log names a run that starts; one that goes on after a wait is no news.
    """
    query = (
        sa.update(runs)
        .where(
            runs.c.id == id,
            runs.c.ended_at.is_(None),
            runs.c.carried_by.is_distinct_from(executor),  # several of its calls may wait
        )
        .values(carried_by=executor)
        .returning(runs.c.attempts, runs.c.registration, runs.c.kind)
    )
    found = (await tx.execute(query)).one_or_none()
    if found is None:
        return await get(tx, id) is not None
    if starts:
        ids = {"run": id, "kind": found.kind, "failed_attempts": found.attempts}
        told.record(tx, "started", found.registration, **ids)
    return True


async def release(tx: AsyncConnection, executor: str) -> None:
    """Note that this executor carries nothing any more, by no fault of the runs."""
    query = sa.update(runs).where(runs.c.carried_by == executor, runs.c.ended_at.is_(None))
    await tx.execute(query.values(carried_by=None))


async def fail_attempts(tx: AsyncConnection, executor: str) -> None:
    """Count an attempt that failed for whatever this executor carried when it died."""
    query = sa.update(runs).where(runs.c.carried_by == executor, runs.c.ended_at.is_(None))
    await tx.execute(query.values(attempts=runs.c.attempts + 1, carried_by=None))


async def reset_attempts(tx: AsyncConnection, ids: Collection[str]) -> None:
    """Forget the attempts of these that failed."""
    query = sa.update(runs).where(runs.c.id.in_(ids), runs.c.attempts > 0)
    await tx.execute(query.values(attempts=0))


async def abort_open(tx: AsyncConnection, registration: str, *, now: datetime) -> None:
    """End the registration's open run, if it has one: something else is more urgent.

    The registration's row must be locked by this transaction, as by whoever ends a run.
    """
    await tx.execute(
        sa.update(runs)
        .where(runs.c.registration == registration, runs.c.ended_at.is_(None))
        .values(ended_at=now, outcome=RunOutcome.OVERRULED)
    )


async def list_steps(tx: AsyncConnection, run: Run, planned: Sequence[PlannedStep]) -> None:
    """Write down the run's steps before the first is taken, so that a card can show them."""
    rows = [
        {
            "run": run.id,
            "registration": run.registration,
            "position": position,
            "failed": False,
            **each._asdict(),
        }
        for position, each in enumerate(planned)
    ]
    await insert_missing(tx, steps, rows)


async def record_intent(tx: AsyncConnection, run: Run, step: str, now: datetime) -> bool:
    """Note that the step is about to write. True if an earlier attempt may have written."""
    before = await intended_at(tx, run.registration, step) is not None
    await tx.execute(
        sa.update(steps).where(steps.c.run == run.id, steps.c.name == step).values(intended_at=now)
    )
    return before


async def intended_at(tx: AsyncConnection, registration: str, step: str) -> datetime | None:
    """Return when an attempt of the registration at this step may last have written.

    One that failed may have been repeated until then.
    """
    query = (
        sa.select(steps.c.intended_at, steps.c.ended_at)
        .where(
            steps.c.registration == registration,
            steps.c.name == step,
            steps.c.intended_at.is_not(None),
        )
        .order_by(steps.c.intended_at.desc())
    )
    found = (await tx.execute(query.limit(1))).first()
    return max(filter(None, found)) if found else None


async def adopt(
    tx: AsyncConnection, registration: str, step: str, facts: Mapping[str, Any]
) -> None:
    """Keep what an attempt at this step has made, which was found later."""
    await tx.execute(
        sa.update(steps)
        .where(
            steps.c.registration == registration,
            steps.c.name == step,
            steps.c.intended_at.is_not(None),
        )
        .values(facts=dict(facts))
    )


async def was_done(tx: AsyncConnection, registration: str, step: str) -> bool:
    """Whether any run of the registration has taken this step, be it undone since or not."""
    query = sa.select(steps.c.name).where(
        steps.c.registration == registration,
        steps.c.name == step,
        steps.c.ended_at.is_not(None),
        steps.c.failed.is_(False),
    )
    return (await tx.scalars(query.limit(1))).first() is not None


async def clear_intent(tx: AsyncConnection, registration: str, step: str) -> None:
    """Note that no attempt of the registration at this step has written."""
    await tx.execute(
        sa.update(steps)
        .where(steps.c.registration == registration, steps.c.name == step)
        .values(intended_at=None)
    )


async def record(
    tx: AsyncConnection, run: Run, step: str, facts: Mapping[str, Any], now: datetime
) -> bool:
    """Keep what the step learnt. False if the run knew it before, or has ended in the meantime."""
    is_open = sa.exists().where(runs.c.id == steps.c.run, runs.c.ended_at.is_(None))
    done = await tx.execute(
        sa.update(steps)
        .where(steps.c.run == run.id, steps.c.name == step, steps.c.facts.is_(None), is_open)
        .values(facts=dict(facts), ended_at=now, failed=False)
    )
    return done.rowcount == 1


async def carry_facts(
    tx: AsyncConnection, run: Run, facts: Mapping[str, Mapping[str, Any]], now: datetime
) -> None:
    """Show steps that earlier runs have done as done."""
    for name, new_facts in facts.items():
        await record(tx, run, name, new_facts, now)


async def fail_step(tx: AsyncConnection, run: Run, step: str, now: datetime) -> None:
    await tx.execute(
        sa.update(steps)
        .where(steps.c.run == run.id, steps.c.name == step)
        .values(ended_at=now, failed=True)
    )


async def delete_facts(tx: AsyncConnection, registration: str, step: str) -> None:
    """Drop what this step has learnt, in all of the registration's runs: it is undone."""
    query = sa.update(steps).where(steps.c.registration == registration, steps.c.name == step)
    await tx.execute(query.values(facts=None))


async def delete_secret_facts(tx: AsyncConnection, run: str) -> None:
    """Drop what this run has learnt that serves no other: its secret, and the proofs of it."""
    query = sa.update(steps).where(steps.c.run == run, steps.c.lasting.is_(False))
    await tx.execute(query.values(facts=None))


async def known_facts(tx: AsyncConnection, run: Run) -> dict[str, dict[str, Any]]:
    """Return what this run's steps need not do again, by step."""
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
    """Return how long the latest runs took that made what they were to make, newest first."""
    latest = (
        sa.select(runs.c.created_at, runs.c.ended_at)
        .where(runs.c.kind == RunKind.REGISTER, runs.c.outcome == RunOutcome.HANDED_OVER)
        .order_by(runs.c.ended_at.desc())
        .limit(SAMPLE)
    )
    return [row.ended_at - row.created_at for row in await tx.execute(latest)]


class Progress(NamedTuple):
    """What all runs of a registration have come to."""

    steps: tuple[StepState, ...]  # of the latest run that lists any
    began_at: datetime | None  # when that run was owed
    open_kind: RunKind | None
    facts: dict[str, dict[str, Any]]  # the newest of each step


async def progress(tx: AsyncConnection, registration: str) -> Progress:
    """Return how far the registration's runs are, in one look."""
    query = (
        sa.select(
            runs.c.id,
            runs.c.kind,
            runs.c.created_at.label("run_began_at"),
            runs.c.ended_at.label("run_ended_at"),
            steps,
        )
        .outerjoin(steps, steps.c.run == runs.c.id)
        .where(runs.c.registration == registration)
        .order_by(runs.c.created_at, steps.c.position)
    )
    rows = (await tx.execute(query)).mappings().all()
    taken = [row for row in rows if row["name"] is not None]
    return Progress(
        steps=tuple(_step(row) for row in taken if row["run"] == taken[-1]["run"]),
        began_at=taken[-1]["run_began_at"] if taken else None,
        open_kind=next((RunKind(row["kind"]) for row in rows if not row["run_ended_at"]), None),
        facts={row["name"]: row["facts"] for row in taken if row["facts"] is not None},
    )


async def _open(tx: AsyncConnection, which: sa.ColumnElement[bool]) -> Run | None:
    row = (await tx.execute(sa.select(runs).where(which, runs.c.ended_at.is_(None)))).mappings()
    return next(map(_run, row), None)


def _step(row: Mapping[Any, Any]) -> StepState:
    return from_row(StepState, row)


def _run(row: Mapping[Any, Any]) -> Run:
    return from_row(Run, row, kind=RunKind(row["kind"]))
