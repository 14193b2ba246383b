"""The request for a plan, and a plan in words, the same for the approver's card and for a terminal.

A pen decides on escaping and on emphasis.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.catalogue import Profile
from bot.domain.forms import option_text
from bot.domain.registration import Form
from graph.consent_policy import POLICY_ID, ROLE_NAME
from graph.permissions import explain_retired
from graph.plan import Plan, PlanRequest
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


def plan_request_of(
    form: Form,
    profile: Profile,
    *,
    registration: str,
    key: str,
    installation: str,
    requester: str,
    consent_mode: str,
) -> PlanRequest:
    """Return the request, with the profile's warnings."""
    retired = explain_retired(profile.legacy, roles=profile.roles, scopes=profile.scopes)
    return PlanRequest(
        registration=registration,
        key=key,
        installation=installation,
        profile=profile.id,
        profile_digest=profile.digest,
        name=form.name,
        reason=form.reason,
        requester=requester,
        roles=profile.roles,
        scopes=profile.scopes,
        redirect=form.redirect,
        secret_name=profile.secret_name,
        secret_days=form.secret_days,
        profile_days=profile.longest_secret_days,
        warnings=(*profile.warnings, *([retired] if retired else ())),
        consent_mode=consent_mode,
    )


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


def days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


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
