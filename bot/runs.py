"""The bodies of runs: each only walks steps, which the engine carries across crashes.

A step writes what it learnt to storage before the engine notes that it is done, so that storage is
never behind. Only `StepFailed` leaves a step.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.bell import Bells
from bot.catalogue import Catalogue
from bot.engine import Body, StepFailed, step
from bot.ledger import RunLedger
from bot.registration import (
    Failure,
    Registration,
    RunKind,
    Secret,
    SecretState,
    Status,
)
from bot.storage import dues, history, messages, registrations, runs, secrets
from bot.storage.database import Database
from bot.storage.dues import DueKind
from bot.storage.messages import MessageKind
from bot.storage.runs import Planned, Run
from bot.vault import Vault
from graph.client import Client
from graph.clock import Clock
from graph.errors import GraphError
from graph.knowledge import Knowledge
from graph.plan import Plan, Wish
from graph.preflight import Refused, preflight
from graph.signin import SignIn
from graph.steps import Site, Step, remove_secret, stages, sweep

log = structlog.get_logger()

UNREAD_AFTER = timedelta(days=7)
"""A secret that nobody came for by then is removed from Entra."""
SWEEPS = (timedelta(minutes=15), timedelta(hours=24))
"""When to look for stray secrets: reads lag, so once early and once when all has settled."""
UNDO_AFTER = timedelta(days=7)
"""A failed registration that nobody retried by then is undone."""
AGAIN_AFTER = timedelta(hours=1)
"""When to try again what clears up after a run and could not."""

Facts = dict[str, dict[str, Any]]
AnyFacts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """How runs reach Entra, and what stands in every plan."""

    graph: Client
    knowledge: Knowledge
    sign_in: SignIn
    client_id: str
    consent_mode: str
    installation: str


class Runs:
    """What each kind of run does."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: Catalogue,
        vault: Vault,
        tenant: Tenant,
        clock: Clock,
        approval_channel: str,
        approval_ttl: timedelta,
        bells: Bells,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._vault = vault
        self._tenant = tenant
        self._clock = clock
        self._approval_channel = approval_channel
        self._approval_ttl = approval_ttl
        self._bells = bells

    def jobs(self) -> Mapping[str, Body]:
        """Return the bodies by kind, as the engine wants them."""
        return {
            RunKind.PLAN: self.make_plan,
            RunKind.REGISTER: self.carry_out,
            RunKind.RENEW: self.carry_out,
            RunKind.REMOVE: self.remove,
            RunKind.SWEEP: self.sweep,
            RunKind.UNDO: self.undo,
        }

    async def make_plan(self, id: str) -> None:
        """Read the tenant and make the plan, or collect every reason against it."""
        try:
            await step("plan", partial(self._plan, id))
        except StepFailed as failure:
            await step("fail", partial(self._fail, id, failure))

    async def carry_out(self, id: str) -> None:
        """Walk the stages of an approved plan: everything, or what a new secret needs."""
        try:
            begun = await step("begin", partial(self._begin, id))
            if begun is None:
                return
            run, plan, facts = _run(begun), Plan.from_json(begun["plan"]), begun["facts"]
            for stage in stages(plan):
                facts = facts | await self._stage(run, stage, plan, facts)
            if run.kind is RunKind.RENEW:
                await step("retire", partial(self._retire, id))
        except StepFailed as failure:
            await step("abandon", partial(self._abandon, id))
            await step("fail", partial(self._fail, id, failure))
        else:
            await step("finish", partial(self._finish, id))

    async def remove(self, id: str) -> None:
        """Take a secret that nobody may see any more out of Entra."""
        await self._clear_up(id, self._remove)

    async def sweep(self, id: str) -> None:
        """Remove secrets that carry our id but not our key id: answers that were lost."""
        await self._clear_up(id, self._sweep)

    async def undo(self, id: str) -> None:
        """Remove exactly what this registration made, in reverse order."""
        try:
            begun = await step("begin", partial(self._begin_undo, id))
            if begun is None:
                return
            if begun["plan"]:  # without one, nothing was ever made
                await self._take_all_back(id, Plan.from_json(begun["plan"]), begun["facts"])
        except StepFailed as failure:
            await step("fail", partial(self._fail, id, failure))
        else:
            await step("finish", partial(self._finish_undo, id))

    async def died(self, id: str, bug: str) -> None:
        """End a run that broke, or that the engine gave up, and say so with the bug's id."""
        words = {
            "step": "Run",
            "sentence": "The bot itself broke down: this is a bug, and nothing you did.",
            "advice": f"Retry. If it happens again, tell whoever runs this bot: bug {bug}.",
        }
        await self._abandon(id)
        await self._fail(id, StepFailed("bug", words), bug=bug)

    async def _plan(self, id: str) -> None:
        found = await self._open(id)
        if found is None:
            return
        run, registration = found
        try:
            plan = await preflight(
                self._wish(registration),
                graph=self._tenant.graph,
                knowledge=self._tenant.knowledge,
                clock=self._clock,
            )
        except Refused as refused:
            await self._refuse(run, refused.reasons)
        except GraphError as error:
            raise _failed("Check the tenant", error) from None
        else:
            await self._propose(run, plan)

    def _wish(self, registration: Registration) -> Wish:
        form = registration.form
        profile = self._catalogue[form.profile]
        return Wish(
            registration=registration.id,
            key=registration.key,
            installation=self._tenant.installation,
            profile=profile.id,
            profile_digest=profile.digest,
            name=form.name,
            reason=form.reason,
            requester=str(registration.requester),
            roles=profile.roles,
            scopes=profile.scopes,
            redirect=form.redirect,
            secret_name=profile.secret_name,
            secret_days=form.secret_days,
            profile_days=profile.longest_secret_days,
            warnings=profile.warnings,
            consent_mode=self._tenant.consent_mode,
        )

    async def _refuse(self, run: Run, reasons: tuple[str, ...]) -> None:
        async with self._database.transaction() as tx:
            if not await self._end(tx, run, "refused"):
                return
            now = self._clock.now()
            await registrations.move(tx, run.registration, Status.REFUSED, reasons=list(reasons))
            await history.write(tx, run.registration, "refused", now=now, reasons=list(reasons))
        self._bells.ring()

    async def _propose(self, run: Run, plan: Plan) -> None:
        async with self._database.transaction() as tx:
            if not await self._end(tx, run, "planned"):
                return
            now, id = self._clock.now(), run.registration
            deadline = now + self._approval_ttl
            await registrations.move(
                tx,
                id,
                Status.PENDING,
                plan=plan.to_json(),
                digest=plan.digest,
                deadline=deadline,
            )
            await messages.owe(tx, id, MessageKind.CARD, self._approval_channel)
            await dues.add(tx, id, DueKind.EXPIRE, deadline)
            await history.write(tx, id, "planned", now=now, digest=plan.digest)
        self._bells.ring()

    async def _begin(self, id: str) -> dict[str, Any] | None:
        """Return the plan and the facts known, once it is sure that this is what was approved."""
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            if run is None:
                return None
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            plan = self._approved_plan(registration)
            facts = await runs.known_facts(tx, run)
            await runs.list_steps(
                tx,
                run,
                [
                    Planned(stage=number, name=each.name, title=each.title, lasting=each.lasting)
                    for number, stage in enumerate(stages(plan))
                    for each in stage
                    if run.kind is RunKind.REGISTER or each.name not in facts
                ],
            )
            await runs.carry_facts(tx, run, facts, self._clock.now())
        return {"run": dataclasses.asdict(run), "plan": plan.to_json(), "facts": facts}

    def _approved_plan(self, registration: Registration) -> Plan:
        """Return the plan if its digest is the one approved and the profile has not changed."""
        plan = Plan.from_json(dict(registration.plan or {}))
        profile = self._catalogue.get(registration.form.profile)
        if plan.digest != registration.digest:
            raise StepFailed("changed", _changed("The stored plan is not the one approved."))
        if profile is None or profile.digest != plan.profile_digest:
            raise StepFailed("changed", _changed("The profile has changed since the approval."))
        return plan

    async def _stage(self, run: Run, stage: list[Step], plan: Plan, facts: Facts) -> Facts:
        """Take the stage's steps together; return what they learnt, or raise the first failure."""
        todo = [each for each in stage if each.name not in facts]
        turn = asyncio.Lock()
        learnt = await asyncio.gather(
            *(step(each.name, partial(self._take, run, each, plan, facts, turn)) for each in todo),
            return_exceptions=True,  # a sibling is never cancelled in the middle of a call
        )
        facts = {}
        for each, result in zip(todo, learnt, strict=True):
            if isinstance(result, BaseException):
                raise result
            facts[each.name] = result
        return facts

    async def _take(
        self, run: Run, each: Step, plan: Plan, facts: Facts, turn: asyncio.Lock
    ) -> dict[str, Any]:
        """Do one step, and write to storage what it learnt. Cards follow at their own pace."""
        site = replace(self._site(run, plan, facts), one_at_a_time=turn)
        try:
            learnt = await each.do(site)
        except GraphError as error:
            async with self._database.transaction() as tx:
                await runs.fail_step(tx, run, each.name, self._clock.now())
            raise _failed(each.title, error) from None
        async with self._database.transaction() as tx:
            await runs.record(tx, run, each.name, learnt, self._clock.now())
            await registrations.stir(tx, run.registration)
        return learnt

    async def _retire(self, id: str) -> None:
        """Remove the secrets that a new one replaces."""
        async with self._database.reading() as tx:
            run = await runs.get(tx, id)
            assert run is not None
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            live = await secrets.live(tx, run.registration)
        for old in live:
            if old.run != id:
                await self._remove_key(run, registration, old, SecretState.REPLACED)

    async def _remove_key(
        self, run: Run, registration: Registration, secret: Secret, target: SecretState
    ) -> None:
        plan = Plan.from_json(dict(registration.plan or {}))
        site = self._site(run, plan, registration.facts)
        try:
            await remove_secret(site, secret.key_id or "")
        except GraphError as error:
            raise _failed("Remove a secret", error) from None
        async with self._database.transaction() as tx:
            await secrets.change(tx, secret.id, target, since=list(SecretState), sealed=None)

    async def _abandon(self, id: str) -> None:
        """Take this run's unseen secret out of the vault and, if Entra answers, out of Entra.

        What cannot be removed now is no longer known as live, so a sweep removes it.
        """
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            sealed = None if run is None else await secrets.sealed_of_run(tx, id)
            if run is None or sealed is None:
                return
            await secrets.change(
                tx, sealed.id, SecretState.REMOVED, since=[SecretState.SEALED], sealed=None
            )
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
        try:
            await self._remove_key(run, registration, sealed, SecretState.REMOVED)
        except StepFailed as failure:
            log.warning("secret left for the sweep", run=id, code=failure.code)

    async def _fail(self, id: str, failed: StepFailed, bug: str | None = None) -> None:
        failure = Failure(
            step=failed.words.get("step") or "Run",
            sentence=failed.words.get("sentence") or "The bot broke down.",
            advice=failed.words.get("advice") or "Retry.",
            request_id=failed.words.get("request_id"),
            bug=bug or failed.words.get("bug"),
        )
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            if run is None or not await self._end(tx, run, failed.code[:120]):
                return
            now = self._clock.now()
            columns = {"failure": dataclasses.asdict(failure)}
            if await registrations.move(
                tx, run.registration, Status.FAILED, deadline=now + UNDO_AFTER, **columns
            ):
                await dues.add(tx, run.registration, DueKind.UNDO, now + UNDO_AFTER)
            else:
                await registrations.note(tx, run.registration, **columns)
            if run.kind is RunKind.UNDO:
                again = now + AGAIN_AFTER
                await registrations.note(tx, run.registration, deadline=again)
                await dues.add(tx, run.registration, DueKind.UNDO, again)
            await self._owe_sweeps(tx, run)
            await history.write(
                tx, run.registration, "failed", now=now, run=run.kind, code=failed.code
            )
        self._bells.ring()

    async def _owe_sweeps(self, tx: AsyncConnection, run: Run) -> None:
        if run.kind not in (RunKind.REGISTER, RunKind.RENEW):
            return
        for after in SWEEPS:
            await dues.add(tx, run.registration, DueKind.SWEEP, self._clock.now() + after)

    async def _finish(self, id: str) -> None:
        """Announce what has been made and proven: the values are owed from here on."""
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            if run is None or not await self._end(tx, run, secrets.HANDED_OVER):
                return
            now, registration = self._clock.now(), run.registration
            sealed = await secrets.sealed_of_run(tx, id)
            assert sealed is not None
            await registrations.move(tx, registration, Status.READY)
            await registrations.note(tx, registration, failure=None, deadline=now + UNREAD_AFTER)
            requester = await registrations.requester_of(tx, registration)
            await messages.owe(tx, registration, MessageKind.VALUES, requester, subject=sealed.id)
            await dues.add(tx, registration, DueKind.UNREAD, now + UNREAD_AFTER, subject=sealed.id)
            await self._owe_sweeps(tx, run)
            await history.write(
                tx, registration, "ready", now=now, secret=sealed.id, key_id=sealed.key_id
            )
        self._bells.ring()

    async def _clear_up(self, id: str, work: Callable[[Run, Registration], Any]) -> None:
        """Do one clearing step; if the tenant does not answer, a later sweep does the rest."""

        async def once() -> None:
            found = await self._open(id)
            if found is None:
                return
            run, registration = found
            outcome = "done"
            try:
                await work(run, registration)
            except (GraphError, StepFailed) as error:
                outcome = error.code[:120]
                log.warning("clearing up comes later", run=id, code=error.code)
            async with self._database.transaction() as tx:
                later = self._clock.now() + AGAIN_AFTER
                if await self._end(tx, run, outcome) and outcome != "done":
                    await dues.add(tx, run.registration, DueKind.SWEEP, later)
            self._bells.ring()

        await step("clear up", once)

    async def _remove(self, run: Run, registration: Registration) -> None:
        async with self._database.reading() as tx:
            secret = await secrets.get(tx, run.subject or "")
        if secret is not None:
            await self._remove_key(run, registration, secret, SecretState.REMOVED)

    async def _sweep(self, run: Run, registration: Registration) -> None:
        if "application" not in registration.facts:
            return
        async with self._database.reading() as tx:
            live = await secrets.live(tx, run.registration)
        plan = Plan.from_json(dict(registration.plan or {}))
        site = self._site(run, plan, registration.facts)
        known = frozenset(secret.key_id for secret in live if secret.key_id)
        removed = await sweep(site, known)
        async with self._database.transaction() as tx:
            await registrations.touch(tx, run.registration)
            await history.write(
                tx, run.registration, "swept", now=self._clock.now(), removed=removed
            )

    async def _begin_undo(self, id: str) -> dict[str, Any] | None:
        found = await self._open(id)
        if found is None:
            return None
        _, registration = found
        return {"plan": dict(registration.plan or {}), "facts": dict(registration.facts)}

    async def _take_all_back(self, id: str, plan: Plan, facts: Facts) -> None:
        for stage in reversed(stages(plan)):
            for each in stage:
                await step(each.name, partial(self._take_back, id, each, plan, facts))

    async def _take_back(self, id: str, each: Step, plan: Plan, facts: Facts) -> None:
        found = await self._open(id)
        if found is None or each.undo is None:
            return
        try:
            await each.undo(self._site(found[0], plan, facts))
        except GraphError as error:
            raise _failed(f"Undo: {each.title}", error) from None
        async with self._database.transaction() as tx:
            # Else a retry after half an undo would take for done what has been removed.
            await runs.forget(tx, found[0].registration, each.name)

    async def _finish_undo(self, id: str) -> None:
        async with self._database.transaction() as tx:
            run = await runs.get(tx, id)
            if run is None or not await self._end(tx, run, "undone"):
                return
            now, registration = self._clock.now(), run.registration
            await registrations.move(tx, registration, Status.UNDONE, deadline=None)
            for secret in await secrets.live(tx, registration):
                await secrets.change(
                    tx, secret.id, SecretState.REMOVED, since=[secret.state], sealed=None
                )
            for kind in (DueKind.SWEEP, DueKind.UNDO):
                await dues.drop(tx, registration, kind)
            await history.write(tx, registration, "undone", now=now)
        self._bells.ring()

    async def _end(self, tx: AsyncConnection, run: Run, outcome: str) -> bool:
        """Lock the registration and end the run. False if another process has ended it before.

        A frozen process may wake up after its run was taken over: then it has nothing to add.
        """
        await registrations.touch(tx, run.registration)
        return await runs.end(tx, run.id, outcome=outcome, now=self._clock.now())

    async def _open(self, id: str) -> tuple[Run, Registration] | None:
        """Return the run and its registration unless the run has ended."""
        async with self._database.reading() as tx:
            run = await runs.get(tx, id)
            if run is None:
                return None
            registration = await registrations.get(tx, run.registration)
            assert registration is not None
            return run, registration

    def _site(self, run: Run, plan: Plan, facts: AnyFacts) -> Site:
        return Site(
            graph=self._tenant.graph,
            plan=plan,
            facts=facts,
            clock=self._clock,
            ledger=RunLedger(
                run=run,
                database=self._database,
                vault=self._vault,
                clock=self._clock,
            ),
            sign_in=self._tenant.sign_in,
            bot_client_id=self._tenant.client_id,
        )


def _run(begun: Mapping[str, Any]) -> Run:
    return Run(**{**begun["run"], "kind": RunKind(begun["run"]["kind"])})


def _failed(title: str, error: GraphError) -> StepFailed:
    """Keep of an error what people may read."""
    words = {
        "step": title,
        "sentence": error.sentence,
        "advice": error.advice,
        "request_id": error.request_id,
    }
    return StepFailed(error.code, words)


def _changed(sentence: str) -> dict[str, str | None]:
    advice = "Ask again with a new registration: what runs must be what was approved."
    return {"step": "Compare the plan", "sentence": sentence, "advice": advice}
