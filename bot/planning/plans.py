"""A plan in words, the same for the approver's card and for a terminal; and the preview: the plan
that an approver would see, before the form is sent.

A pen decides on escaping and on emphasis. A preview reads the tenant as the bot does and stores
nothing. Properties of one registration (its id, its key, its digest) are not known yet and left
out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.catalogue import Profile, profile_in
from bot.domain.forms import check_form, days, option_text, plan_request_of
from bot.domain.registration import Form
from graph.clock import Clock
from graph.connection import Access, Connection, connected, why_cut_off
from graph.consent_policy import POLICY_ID, ROLE_NAME
from graph.errors import Unreachable
from graph.plan import Plan, Refused, preflight
from graph.rights import ConsentMode

LIMITED_BY = {
    "requester": "as the requester asked",
    "profile": "the profile allows no longer",
    "tenant": "the tenant's policy allows no longer",
}
ALMIGHTY = "The bot holds rights that could make it Global Administrator."
MOST_DOMAINS = 3
"""Number of domains of a filter that are shown; the requester gets all of them."""


@dataclass(frozen=True, kw_only=True)
class Pen:
    """The markup of one place."""

    text: Callable[[str], str]
    """Writes foreign text so that it is shown and not interpreted."""
    strong: Callable[[str], str] = str
    code: Callable[[str], str] = str
    warning: Callable[[str], str]
    day: Callable[[datetime], str]


def plan_paragraphs(
    plan: Plan,
    profile: Profile,
    form: Form,
    pen: Pen,
    *,
    asked_at: datetime,
    title: str = "What would be created",
    is_decided: bool = False,
) -> Iterator[str]:
    """Yield the plan for an approver: objects, permissions, consent, values, and until the decision
    also warnings.
    """
    where = f"{pen.text(plan.tenant_name)} ({pen.text(plan.domain)})"
    yield "\n".join([f"{pen.strong(title)} in {where}", *_created(plan, pen, asked_at)])
    yield "\n".join([pen.strong("What it could do"), *_reach(plan, pen)])
    yield f"{_consent(plan, pen, is_decided=is_decided)}\n{_received(profile, form, pen)}"
    if plan.warnings and not is_decided:
        yield "\n".join(pen.warning(pen.text(warning)) for warning in plan.warnings)


def received(profile: Profile, form: Form, pen: Pen) -> Iterator[str]:
    """Yield the values that the requester receives, with the chosen options."""
    chosen = {f"{{{option.id}}}": option for option in profile.options}
    for value in profile.values:
        option = chosen.get(value.value)
        answer = form.options.get(option.id) if option else None
        if option is None or not answer:
            yield value.label
        elif isinstance(answer, list) and len(answer) > MOST_DOMAINS:
            shown = option_text(option, answer[:MOST_DOMAINS])
            more = len(answer) - MOST_DOMAINS
            yield f"{value.label} ({pen.text(shown)} and {more} more)"
        else:
            yield f"{value.label} ({pen.text(option_text(option, answer))})"


def _created(plan: Plan, pen: Pen, asked_at: datetime) -> Iterator[str]:
    until = asked_at + timedelta(days=plan.secret_days)
    name = pen.strong(pen.text(plan.name))
    yield f"• Application {name}, for accounts in this directory only"
    yield f"• Redirect URL: {pen.text(plan.redirect or 'none')}"
    yield (
        f"• Secret “{pen.text(plan.secret_name)}” for {days(plan.secret_days)},"
        f" until about {pen.day(until)} ({LIMITED_BY[plan.secret_limited_by]})"
    )


def _reach(plan: Plan, pen: Pen) -> Iterator[str]:
    for role in plan.roles:
        yield f"• {pen.code(role.name)} (application): {role.meaning}"
    for scope in plan.scopes:
        yield f"• {pen.code(scope.name)} (delegated): {scope.meaning}"


def _consent(plan: Plan, pen: Pen, *, is_decided: bool) -> str:
    by = consenters(plan)
    given, after = f"by {by} in the Entra admin centre", " and the application is made."
    by_hand = f". By hand, only {by} could give it."
    if plan.consent_mode == ConsentMode.AUTONOMOUS:
        given, after = "by this bot", by_hand
    elif plan.consent_mode == ConsentMode.LIMITED:
        given, after = f"by this bot, limited by the tenant's policy “{POLICY_ID}”", by_hand
    elif plan.consent_mode == ConsentMode.SIGNED_IN:
        given, after = f"by the sign-in of an approver who is {by}", "."
    said = f"{pen.strong('Consent')} is given {given}, for the whole tenant"
    said += "." if is_decided else f", once the plan is approved{after}"
    if plan.consent_mode == ConsentMode.AUTONOMOUS:
        return f"{said}\n{pen.warning(ALMIGHTY)}"
    return said


def consenters(plan: Plan) -> str:
    """Return who may consent to these permissions of Microsoft Graph. The custom role is the one of
    `aad-setup consent-policy`.

    learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
    """
    roles = (
        "a Privileged Role Administrator, a Global Administrator or a holder of the custom role"
        f" “{ROLE_NAME}”"
    )
    if not plan.roles:
        return f"an Application Administrator, a Cloud Application Administrator, {roles}"
    return roles


def _received(profile: Profile, form: Form, pen: Pen) -> str:
    labels = ", ".join(received(profile, form, pen))
    if not labels:  # the profile is a stand-in
        return "The profile of this registration is gone, so its values are not listed."
    return f"{pen.strong('The requester receives')} {labels}."


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
