"""The base of every kind of run: its services, and how runs are opened, ended and failed."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.approval_requests import CARRIED_OUT_BY, ApprovalRequest, RequestState
from bot.domain.events import Event, Subject
from bot.domain.lifetimes import CLEANUP_RETRY, SWEEPS, UNDO_FAILED
from bot.domain.people import CONTACT, Refusal
from bot.domain.registration import Registration, RunOutcome, Status
from bot.domain.runs import Failure, RunKind
from bot.domain.secrets import RemovalReason, Secret
from bot.runs.journal import RunJournal, Superseded, Walk
from bot.services import Services
from bot.storage import (
    approval_requests,
    audit,
    history,
    messages,
    registrations,
    runs,
    secrets,
    timers,
)
from bot.storage.runs import Run
from bot.storage.timers import TimerKind
from graph.application import check_is_ours
from graph.errors import GraphError, NotOurs
from graph.plan import Plan
from graph.step_context import StepContext
from graph.steps import remove_secret

log = structlog.get_logger()

CLEANUP_TIMERS = {
    RunKind.REMOVE_UNREAD: TimerKind.REMOVE_STRAY,
    RunKind.REMOVE_STRAY: TimerKind.REMOVE_STRAY,
    RunKind.REMOVE_PREVIOUS: TimerKind.REMOVE_PREVIOUS,
}
"""Runs that the bot starts by itself, and the timer of the next try if one fails."""
COMES_AGAIN = {RunKind.UNDO: TimerKind.UNDO, RunKind.REVOKE: TimerKind.REVOKE}
"""Runs that are tried again by themselves until they succeed, and the timer of the next try."""


class StepFailed(Exception):
    """Stops a run: a code, and a failure that a person may read, never a response's body."""

    def __init__(self, code: str, failure: Failure) -> None:
        super().__init__(code)
        self.code = code
        self.failure = failure


class RunBase:
    """The base of each kind of run."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database = services.database
        self._tenant = services.tenant
        self._clock = services.clock

    async def carry(self, walk: Walk, run: Run) -> None:
        """Do a run's work, and end the run if a step fails."""
        try:
            try:
                await walk(run)
            except StepFailed as failure:
                await self.abandon(run)
                await self.fail(run, failure)
        except Superseded:
            log.warning("run overruled, or carried on by another process", run=run.id)

    async def _registration(self, run: Run) -> Registration:
        registration = await self._database.read(registrations.get, run.registration)
        assert registration is not None
        return registration

    @asynccontextmanager
    async def _ending(
        self, run: Run, outcome: RunOutcome | str
    ) -> AsyncIterator[tuple[AsyncConnection, datetime]]:
        """Open a transaction in which the registration is locked and the run ended; yield the time,
        too. Raises Superseded if another process has ended it before.

        A frozen process may wake up after its run was taken over: then it has nothing to add.
        """
        async with self._services.writing() as tx:
            await registrations.bump_version(tx, run.registration)
            now = self._clock.now()
            if not await runs.end(tx, run.id, outcome=outcome, now=now):
                raise Superseded
            yield tx, now

    async def abandon(self, run: Run) -> None:
        """Close this run's unseen secret, and take it out of Entra if Entra answers.

        What cannot be removed now is no longer known as live, so a sweep removes it.
        """
        secret = await self.close(run)
        if secret is None:
            return
        registration = await self._registration(run)
        try:
            await self._remove_key(run, registration, secret, RemovalReason.UNFINISHED)
        except StepFailed as failure:
            log.warning("secret left for the sweep", run=run.id, code=failure.code)

    async def close(self, run: Run) -> Secret | None:
        """Take this run's unseen secret out of the vault and return it, if it has come so far."""
        async with self._database.transaction() as tx:
            is_over = await runs.get(tx, run.id) is None
            sealed = None if is_over else await secrets.sealed_of_run(tx, run.id)
            if sealed is None:
                return None
            now = self._clock.now()
            await secrets.close(tx, sealed.id, RemovalReason.UNFINISHED, now=now)
            # After a crash, a walk must not use a secret that it can no longer open, nor
            # believe of its next secret what was proved of this one.
            await runs.delete_secret_facts(tx, run.id)
            return sealed

    async def fail(self, run: Run, failed: StepFailed) -> None:
        """End the run by this failure. Raises Superseded."""
        of, kind = run.registration, run.kind
        async with self._ending(run, failed.code) as (tx, now):
            if kind in CLEANUP_TIMERS:  # no message
                log.warning("clearing up comes later", run=run.id, code=failed.code)
                timer = CLEANUP_TIMERS[kind]
                subject = Subject.read(timer.topic, run.subject)
                await timers.add(tx, of, timer, now + CLEANUP_RETRY, subject)
                return
            failure = failed.failure
            before = await registrations.get(tx, of)
            is_news = before is not None and before.failure is None
            until = now + UNDO_FAILED
            if await registrations.move(tx, of, Status.FAILED, deadline=until, failure=failure):
                await timers.add(tx, of, TimerKind.UNDO, until)
                await messages.add_news(tx, of)
            else:
                await registrations.update(tx, of, failure=failure)
            await self._close_request(tx, run, RequestState.FAILED)
            if kind in COMES_AGAIN:
                # Objects of another owner are left to a person.
                again = until if failed.code == NotOurs.__name__ else now + CLEANUP_RETRY
                await registrations.update(tx, of, deadline=again)
                await timers.add(tx, of, COMES_AGAIN[kind], again)
            if kind is RunKind.REVOKE and is_news:  # the connector can still sign in
                await messages.add_news(tx, of)
            await self._schedule_stray_removal(tx, run)
            await history.write(tx, of, Event.FAILED, now=now, run=kind, code=failed.code)
        ids = {"registration": of, "run": kind, "request_id": failed.failure.request_id}
        log.warning("run failed", step=failed.failure.step, code=failed.code, **ids)

    async def _close_request(self, tx: AsyncConnection, run: Run, state: RequestState) -> None:
        """Note the end of the request that the run was for, if any; tell the requester of a
        failure.
        """
        found = await registrations.get(tx, run.registration)
        if found and (request := _request_of(run, found)):
            await approval_requests.close(tx, found.id, request, state)
            if state is RequestState.FAILED:
                await approval_requests.tell(tx, found.id, request)

    async def _check_request(
        self, tx: AsyncConnection, run: Run, registration: Registration
    ) -> None:
        """Check that approvers have approved the run's request. Raises StepFailed."""
        request = _request_of(run, registration)
        votes = registration.counting(request) if request else ()
        if request is None or not votes:
            raise changed("This was not approved for the present plan.")
        with untampered():
            await audit.check_approved(tx, registration, request, votes)

    async def _schedule_stray_removal(self, tx: AsyncConnection, run: Run) -> None:
        if run.kind in (RunKind.REGISTER, RunKind.REPLACE_SECRET, RunKind.ADD_SECRET):
            for after in SWEEPS:
                at = self._clock.now() + after
                await timers.add(tx, run.registration, TimerKind.REMOVE_STRAY, at)

    async def _remove_key(
        self, run: Run, registration: Registration, secret: Secret, because: RemovalReason
    ) -> None:
        """Remove a secret from Entra, and note it."""
        await self._take_out(run, registration, secret)
        await self._database.write(secrets.note_removed, secret.id, because, now=self._clock.now())

    async def _take_out(self, run: Run, registration: Registration, secret: Secret) -> None:
        context = self._step_context(run, registration)
        since = secret.made_at if secret.run == run.id else None  # it may not have signed in yet
        with failing("Remove a secret"):
            await check_is_ours(context)
            await remove_secret(context, secret.key_id or "", unproven_since=since)

    async def _check_made(self, context: StepContext) -> None:
        """Check that the objects of earlier runs are ours. Raises StepFailed."""
        with failing("Look at what was made"):
            await check_is_ours(context)

    def _step_context(
        self, run: Run, registration: Registration, announced: Mapping[str, bool] | None = None
    ) -> StepContext:
        return StepContext(
            graph=self._tenant.graph,
            plan=Plan.from_json(dict(registration.plan or {})),
            facts=registration.facts,
            clock=self._clock,
            journal=RunJournal(run=run, services=self._services, announced=announced or {}),
            sign_in=self._tenant.sign_in,
            bot_client_id=self._services.settings.client_id,
        )


def _request_of(run: Run, registration: Registration) -> ApprovalRequest | None:
    """Return the request that the run is for, if it is of the kind that the run takes."""
    request = registration.request(run.subject or "")
    return request if request and request.kind is CARRIED_OUT_BY.get(run.kind) else None


def gone(profile: str) -> StepFailed:
    """Say that a registration's profile was removed from the catalogue."""
    sentence = f"The connector {profile} is no longer in this bot's catalogue."
    advice = f"Ask {CONTACT} to put it back, and retry."
    failure = Failure(step="Read the catalogue", sentence=sentence, advice=advice)
    return StepFailed("profile_gone", failure)


def changed(sentence: str) -> StepFailed:
    """Say that something else was approved than would run."""
    advice = "Ask again with a new registration: what runs must be what was approved."
    failure = Failure(step="Compare the plan", sentence=sentence, advice=advice)
    return StepFailed("changed", failure)


@contextmanager
def untampered(
    step: str = "Compare the approvals with history",
    advice: str = "Ask again with a new registration once it is known who did it.",
) -> Iterator[None]:
    """Turn a Refusal inside, because the database is not as history says, into a failure."""
    try:
        yield
    except Refusal as refusal:
        failure = Failure(step=step, sentence=str(refusal), advice=advice)
        raise StepFailed("history", failure) from None


@contextmanager
def failing(title: str) -> Iterator[None]:
    """Turn a Graph error inside into the failure of a step of this title, without its body."""
    try:
        yield
    except GraphError as error:
        told = {"sentence": error.sentence, "advice": error.advice}
        failure = Failure(step=title, request_id=error.request_id, **told)
        raise StepFailed(error.code, failure) from None
