"""The preview: the plan that an approver would see, before the form is sent.

It reads the tenant as the bot does and stores nothing. Properties of one registration (its
id, its key, its digest) are not known yet and left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.catalogue import Profile
from bot.domain.form_validation import check_form
from bot.domain.registration import Form
from bot.planning.plan_request import plan_request_of
from bot.planning.plan_text import plan_paragraphs, received
from graph.client import Client
from graph.clock import Clock
from graph.connection import Access, connected, why_cut_off
from graph.errors import Unreachable
from graph.plan import Plan, PlanRequest
from graph.preflight import Refused, preflight
from graph.tenant_cache import TenantCache

NOT_YET_KNOWN = "preview"
"""Stands where a registration's own id, key and installation will be."""

OF_ONE_REGISTRATION = ("registration", "key", "installation", "notes", "tags")

CLOSING = (
    "This is a preview: nothing was stored or changed. Ask with /aad-setup in Slack; the card there"
    " carries the registration's id and the plan's digest."
)


class PlainPen:
    """Writes a plan's words for a terminal, where no text may give orders either."""

    def text(self, text: str) -> str:
        return "".join(each if each.isprintable() else " " for each in text)

    def strong(self, text: str) -> str:
        return text

    def code(self, text: str) -> str:
        return text

    def warning(self, text: str) -> str:
        return f"! {text}"

    def day(self, moment: datetime) -> str:
        return moment.date().isoformat()


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A plan, or every reason against it."""

    form: Form
    profile: Profile
    made_at: datetime
    plan: Plan | None
    reasons: tuple[str, ...] = ()

    def to_text(self) -> str:
        pen = PlainPen()
        title = f"“{pen.text(self.form.name)}” · {self.profile.title}"
        title += f"\nReason: {pen.text(self.form.reason)}"
        if self.plan is None:
            return "\n".join([f"No plan can be made for {title}", *self._reasons(pen)])
        return "\n\n".join(
            [f"Plan for the application {title}", *self._paragraphs(self.plan, pen), CLOSING]
        )

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
            "receives": list(received(self.profile, self.form, PlainPen())),
        }

    def _paragraphs(self, plan: Plan, pen: PlainPen) -> Iterator[str]:
        yield from plan_paragraphs(plan, self.profile, self.form, pen, asked_at=self.made_at)

    def _reasons(self, pen: PlainPen) -> Iterator[str]:
        yield from (f"• {pen.text(reason)}" for reason in self.reasons)


async def preview(form: Form, profile: Profile, *, settings: Access, clock: Clock) -> Preview:
    """Read the tenant and return the preview of a plan. Raises GraphError."""
    try:
        async with connected(settings, clock) as connection:
            return await look(
                form,
                profile,
                graph=connection.graph,
                tenant_cache=connection.tenant_cache,
                consent_mode=settings.consent_mode,
                clock=clock,
            )
    except Unreachable as error:
        # For a terminal: an operator may read which host or proxy that is.
        if found := await why_cut_off(settings):
            raise found from error
        raise


async def look(
    form: Form,
    profile: Profile,
    *,
    graph: Client,
    tenant_cache: TenantCache,
    consent_mode: str,
    clock: Clock,
) -> Preview:
    """Do the same with a tenant that is connected already. Raises GraphError."""
    problems = check_form(form, profile)
    request = _wish(_mended(form, profile, problems), profile, consent_mode)
    plan, obstacles = await _look(request, graph, tenant_cache, clock)
    reasons = (*problems.values(), *obstacles)
    return Preview(
        form=form,
        profile=profile,
        made_at=clock.now(),
        plan=None if reasons else plan,
        reasons=reasons,
    )


async def _look(
    request: PlanRequest, graph: Client, tenant_cache: TenantCache, clock: Clock
) -> tuple[Plan | None, tuple[str, ...]]:
    try:
        plan = await preflight(request, graph=graph, tenant_cache=tenant_cache, clock=clock)
    except Refused as refused:
        return None, refused.reasons
    return plan, ()


def _mended(form: Form, profile: Profile, problems: Mapping[str, str]) -> Form:
    """Return a form that the preflight has nothing against, so that no reason is said twice."""
    right: dict[str, Any] = {
        "name": profile.title,
        "redirect": None,
        "secret_days": profile.secret_days,
    }
    return replace(form, **{field: right[field] for field in right.keys() & problems.keys()})


def _wish(form: Form, profile: Profile, consent_mode: str) -> PlanRequest:
    return plan_request_of(
        form,
        profile,
        registration=NOT_YET_KNOWN,
        key=NOT_YET_KNOWN,
        installation=NOT_YET_KNOWN,
        requester="somebody in Slack",
        consent_mode=consent_mode,
    )
