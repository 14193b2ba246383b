"""The preview: the plan that an approver would see, before the form is sent.

It reads the tenant as the bot does and stores nothing. Properties of one registration (its
id, its key, its digest) are not known yet and left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.catalogue import Profile, profile_in
from bot.domain.forms import check_form
from bot.domain.registration import Form
from bot.planning.plans import Pen, plan_paragraphs, plan_request_of, received
from graph.clock import Clock
from graph.connection import Access, Connection, connected, why_cut_off
from graph.errors import Unreachable
from graph.plan import Plan
from graph.preflight import Refused, preflight

NOT_YET_KNOWN = "preview"
"""Stands where a registration's own id, key and installation will be."""

OF_ONE_REGISTRATION = ("registration", "key", "installation", "notes", "tags")

CLOSING = (
    "This is a preview: nothing was stored or changed. Ask with /aad-setup in Slack; the card there"
    " carries the registration's id and the plan's digest."
)


PLAIN_PEN = Pen(
    text=lambda text: "".join(each if each.isprintable() else " " for each in text),
    warning="! {}".format,
    day=lambda moment: moment.date().isoformat(),
)
"""Writes a plan for a terminal, where no text may give orders either."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A plan, or every reason against it."""

    form: Form
    profile: Profile
    made_at: datetime
    plan: Plan | None
    reasons: tuple[str, ...] = ()

    def to_text(self) -> str:
        pen, form = PLAIN_PEN, self.form
        title = f"“{pen.text(form.name)}” · {self.profile.title}\nReason: {pen.text(form.reason)}"
        if self.plan is None:
            reasons = (f"• {pen.text(reason)}" for reason in self.reasons)
            return "\n".join([f"No plan can be made for {title}", *reasons])
        paragraphs = plan_paragraphs(self.plan, self.profile, form, pen, asked_at=self.made_at)
        return "\n\n".join([f"Plan for the application {title}", *paragraphs, CLOSING])

    def to_json(self) -> dict[str, Any]:
        """Return the plan, or the reasons against it."""
        about = {"profile": self.profile.id, "name": self.form.name}
        if self.plan is None:
            return {**about, "refused": list(self.reasons)}
        known = self.plan.to_json()
        plan = {field: known[field] for field in known if field not in OF_ONE_REGISTRATION}
        until = self.made_at + timedelta(days=self.plan.secret_days)
        return {
            **about,
            "plan": {**plan, "secret_until": until.date().isoformat()},
            "receives": list(received(self.profile, self.form, PLAIN_PEN)),
        }


async def preview(form: Form, profile: Profile, *, settings: Access, clock: Clock) -> Preview:
    """Read the tenant and return the preview of a plan. Raises GraphError."""
    try:
        async with connected(settings, clock) as tenant:
            mode, seen = settings.consent_mode, profile_in(settings.cloud, profile)
            return await look(form, seen, tenant=tenant, consent_mode=mode, clock=clock)
    except Unreachable as error:
        # For a terminal: an operator may read which host or proxy that is.
        if found := await why_cut_off(settings):
            raise found from error
        raise


async def look(
    form: Form, profile: Profile, *, tenant: Connection, consent_mode: str, clock: Clock
) -> Preview:
    """Do the same with a tenant that is connected already. Raises GraphError."""
    problems = check_form(form, profile)
    request = plan_request_of(
        _mended(form, profile, problems),
        profile,
        registration=NOT_YET_KNOWN,
        key=NOT_YET_KNOWN,
        installation=NOT_YET_KNOWN,
        requester="a user in Slack",
        consent_mode=consent_mode,
    )
    reasons, plan = tuple(problems.values()), None
    try:
        plan = await preflight(
            request, graph=tenant.graph, tenant_cache=tenant.tenant_cache, clock=clock
        )
    except Refused as refused:
        reasons += refused.reasons
    return Preview(
        form=form,
        profile=profile,
        made_at=clock.now(),
        plan=None if reasons else plan,
        reasons=reasons,
    )


def _mended(form: Form, profile: Profile, problems: Mapping[str, str]) -> Form:
    """Return a form that the preflight does not refuse, so that no reason is given twice."""
    right: dict[str, Any] = {
        "name": profile.title,
        "redirect": None,
        "secret_days": profile.secret_days,
    }
    return replace(form, **{field: right[field] for field in right.keys() & problems.keys()})
