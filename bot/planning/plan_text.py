"""A plan in words, the same for the approver's card and for a terminal.

A pen decides on escaping and on emphasis.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.catalogue import Profile
from bot.domain.connector_values import option_text
from bot.domain.registration import Form
from graph.plan import Plan
from graph.rights import ConsentMode

LIMITED_BY = {
    "requester": "as the requester asked",
    "profile": "the profile allows no longer",
    "tenant": "the tenant's policy allows no longer",
}
MOST_DOMAINS = 3
"""How many domains of a filter are shown; the requester gets all of them."""


class Pen(Protocol):
    """How words are written in one place."""

    def text(self, text: str) -> str:
        """Return foreign text so that it is shown and not interpreted."""

    def strong(self, text: str) -> str: ...

    def code(self, text: str) -> str: ...

    def warning(self, text: str) -> str: ...

    def day(self, moment: datetime) -> str: ...


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
    yield "\n".join([f"{pen.strong(title)} in {_where(plan, pen)}", *_created(plan, pen, asked_at)])
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


def _where(plan: Plan, pen: Pen) -> str:
    return f"{pen.text(plan.tenant_name)} ({pen.text(plan.domain)})"


def _reach(plan: Plan, pen: Pen) -> Iterator[str]:
    for role in plan.roles:
        yield f"• {pen.code(role.name)} (application): {role.meaning}"
    for scope in plan.scopes:
        yield f"• {pen.code(scope.name)} (delegated): {scope.meaning}"


def _consent(plan: Plan, pen: Pen, *, is_decided: bool) -> str:
    by = _consenters(delegated_only=not plan.roles)
    consent = pen.strong("Consent")
    match plan.consent_mode:
        case ConsentMode.AUTONOMOUS if is_decided:
            return f"{consent} is given by this bot, for the whole tenant."
        case ConsentMode.AUTONOMOUS:
            return (
                f"{consent} is given by this bot, for the whole tenant, once the plan is approved."
                f" By hand, only {by} could give it."
            )
        case ConsentMode.SIGNED_IN:
            return (
                f"{consent} is given by the sign-in of {by}, for the whole tenant, once the plan is"
                " approved."
            )
        case _:
            return (
                f"{consent} is given by {by} in the Entra admin centre, for the whole tenant, once"
                " the plan is approved and the application is made."
            )


def _consenters(*, delegated_only: bool) -> str:
    """Return the directory roles that may consent to permissions of Microsoft Graph.

    learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
    """
    roles = ["a Privileged Role Administrator", "a Global Administrator"]
    if delegated_only:
        roles = ["an Application Administrator", "a Cloud Application Administrator", *roles]
    return _either(roles)


def _received(profile: Profile, form: Form, pen: Pen) -> str:
    labels = ", ".join(received(profile, form, pen))
    if not labels:  # the profile is a stand-in
        return "What the requester receives stood in the connector."
    return f"{pen.strong('The requester receives')} {labels}."


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
