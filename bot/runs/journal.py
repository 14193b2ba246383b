"""The journal: facts that the steps of one run store before and after they change the tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from bot.storage import runs, secrets
from bot.storage.database import Database
from bot.storage.runs import Run
from bot.storage.secrets import Purpose
from bot.storage.vault import Vault
from graph.clock import Clock
from graph.errors import SecretsLost
from graph.step_context import SECRET_ATTEMPTS, Facts, Sealed


class Superseded(Exception):
    """The run is over for this process: another carries it on, or it was overruled."""


@dataclass(frozen=True, kw_only=True)
class RunJournal:
    """Keep the `Journal` of one run in storage and the vault."""

    run: Run
    database: Database
    vault: Vault
    clock: Clock
    announced: Mapping[str, bool] = field(default_factory=dict)
    """The intents in the first commit of the run, and whether each was stored before."""

    async def record_intent(self, step: str) -> bool:
        """Note that the step is about to write. True if an earlier attempt may have written."""
        if step in self.announced:
            return self.announced[step]
        async with self.database.transaction() as tx:
            return await runs.record_intent(tx, self.run, step, self.clock.now())

    async def last_intent(self, step: str) -> datetime | None:
        """Return when an attempt at this step may last have written, if one may have."""
        async with self.database.reading() as tx:
            return await runs.intended_at(tx, self.run.registration, step)

    async def clear_intent(self, step: str) -> None:
        """Note that no attempt at this step has written."""
        async with self.database.transaction() as tx:
            await runs.clear_intent(tx, self.run.registration, step)

    async def adopt(self, step: str, new_facts: Facts) -> None:
        """Store the object of an attempt at this step whose answer was lost."""
        async with self.database.transaction() as tx:
            await runs.adopt(tx, self.run.registration, step, new_facts)

    async def attempt(self) -> Sealed | str:
        """Return the secret that this run has sealed; else store and return a new nonce for one.

        Raises SecretsLost if the run has used up its attempts.
        """
        nonce = uuid4().hex[:16]
        async with self.database.transaction() as tx:
            found = await secrets.sealed_of_run(tx, self.run.id)
            if found is not None and found.key_id is not None and found.expires_at is not None:
                return Sealed(id=found.id, key_id=found.key_id, expires_at=found.expires_at)
            if await secrets.attempts(tx, self.run.id) >= SECRET_ATTEMPTS:
                raise SecretsLost(call="POST /applications/…/addPassword")
            await secrets.attempt(
                tx,
                id=uuid4().hex,
                registration=self.run.registration,
                run=self.run.id,
                nonce=nonce,
                now=self.clock.now(),
            )
        return nonce

    async def seal(
        self, nonce: str, *, secret: str, key_id: str, hint: str, expires_at: datetime
    ) -> str:
        """Keep the secret of this attempt, sealed, and return its id."""
        async with self.database.transaction() as tx:
            id = await secrets.id_of(tx, nonce)
            await secrets.seal(
                tx,
                id,
                sealed=self.vault.seal(await secrets.owner(tx, id, Purpose.SECRET), secret),
                key_id=key_id,
                hint=hint,
                expires_at=expires_at,
            )
        return id

    async def unseal(self, id: str) -> str:
        """Return the clear secret, for a test of it. Raises Overtaken if it was closed since."""
        async with self.database.reading() as tx:
            owner, sealed = await secrets.sealed(tx, id, Purpose.SECRET)
        if sealed is None:
            raise Superseded
        return self.vault.open(owner, sealed)
