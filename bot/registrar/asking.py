"""Asking for a registration."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.catalogue import Profile
from bot.forms import FormProblems, check_form
from bot.registrar.desk import Desk
from bot.registration import Form, Person, Registration, RunKind, Status
from bot.storage import history, messages, registrations
from bot.storage.messages import MessageKind


class Asking(Desk):
    """From a form to a registration whose plan is being made."""

    def check_may_ask(self, person: Person) -> None:
        """Raise Refusal unless this person may open the form."""
        self._policy.check_may_ask(person)

    async def submit(self, form: Form, *, by: Person, origin: str) -> str:
        """Start a registration and return its id. The same `origin` gives the same registration.

        Raises Refusal, or FormProblems with a sentence for each field.
        """
        self._policy.check_may_ask(by)
        profile = self.profile(form.profile)
        if problems := check_form(form, profile):
            raise FormProblems(problems)
        async with self._writing() as tx:
            wish = self._new(form, profile, by)
            while not await registrations.add(tx, wish, origin=origin):
                if known := await registrations.from_origin(tx, origin):
                    return known
                wish = replace(wish, id=self._new_id())
            await self._begin(tx, wish)
        return wish.id

    def _new(self, form: Form, profile: Profile, by: Person) -> Registration:
        return Registration(
            id=self._new_id(),
            version=1,
            status=Status.PLANNING,
            requester=replace(by, doubts=()),
            form=form,
            profile_digest=profile.digest,
            # 128 random bits: no other installation's key can be the same by accident.
            key=f"aad-setup-{self._installation}-{uuid4().hex}",
            created_at=self._clock.now(),
        )

    async def _begin(self, tx: AsyncConnection, wish: Registration) -> None:
        by, form = wish.requester, _plain_form(wish.form)
        await messages.owe(tx, wish.id, MessageKind.PROGRESS, by.user_id)
        await self._owe_run(tx, wish.id, RunKind.PLAN)
        await history.write(tx, wish.id, "submitted", by=by, now=wish.created_at, **form)


def _plain_form(form: Form) -> dict[str, Any]:
    return {"profile": form.profile, "name": form.name, "secret_days": form.secret_days}
