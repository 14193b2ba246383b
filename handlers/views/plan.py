"""The plan for approvers: on the card everything they must read before deciding, in a few lines;
behind *Details* all of it.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.domain.catalogue import Catalogue, drawable
from bot.domain.registration import Registration, Status
from bot.planning.plans import ALMIGHTY, LIMITED_BY, days, plan_paragraphs
from graph.consent_policy import POLICY_ID
from graph.permissions import KIND_WORDS, Reach
from graph.plan import Plan
from graph.rights import ConsentMode
from handlers.views import ui

UNDECIDED = (Status.PLANNING, Status.PENDING)
NEVER_APPROVED = (Status.DENIED, Status.CANCELLED, Status.EXPIRED)

MARKS: Mapping[Reach, str] = {
    Reach.EVERYTHING: ":red_circle:",
    Reach.ONE_KIND: ":large_yellow_circle:",
    Reach.SIGNED_IN: ":white_circle:",
}
LEGEND = " · ".join(f"{mark} {reach}" for reach, mark in MARKS.items())

CONSENT: Mapping[str, str] = {
    ConsentMode.PORTAL: ":bust_in_silhouette: {}: an administrator gives it in Entra afterwards",
    ConsentMode.SIGNED_IN: ":key: {}: an approver with the right to do so signs in and gives it",
    ConsentMode.LIMITED: f":lock: {{}}: this bot gives it, limited by the policy “{POLICY_ID}”",
    ConsentMode.AUTONOMOUS: f":warning: {{}}: this bot gives it. {ALMIGHTY}",
}
"""Who grants the permissions, by the consent mode, with its mark."""

LONGEST_WARNING = 180
"""A longer one loses sentences from its end, which *Details* shows: about a line and a half."""


def stored_plan(registration: Registration) -> Plan | None:
    return Plan.from_json(dict(registration.plan)) if registration.plan is not None else None


def for_decision(registration: Registration) -> Iterator[Block]:
    """Yield the facts, permissions, consent and warnings of a plan that waits for its approvers."""
    plan = stored_plan(registration)
    if plan is None:
        return
    until = registration.created_at + timedelta(days=plan.secret_days)
    lasts = (
        f"about {ui.day(until)} ({days(plan.secret_days)}, {LIMITED_BY[plan.secret_limited_by]})"
    )
    yield ui.facts(
        {
            "Tenant": f"{ui.escaped(plan.tenant_name)} ({ui.escaped(plan.domain)})",
            "Secret valid until": lasts,
            "Redirect URL": ui.escaped(plan.redirect or "none"),
            "Accounts": "in this directory only",
        }
    )
    permissions = (
        f"{MARKS[each.reach]} {ui.code(each.name)} ({KIND_WORDS[each.kind]}): {each.meaning}"
        for each in (*plan.roles, *plan.scopes)
    )
    consent = CONSENT[plan.consent_mode].format("*Consent for the whole tenant*")
    yield ui.section("\n".join([*permissions, consent]))
    if plan.warnings:
        yield ui.section("\n".join(f":warning: {_in_a_line(each)}" for each in plan.warnings))


def mode_mark(registration: Registration) -> list[str]:
    """Return the mark of consent mode autonomous, for cards that no longer show the plan."""
    plan = stored_plan(registration)
    if plan is None or plan.consent_mode != ConsentMode.AUTONOMOUS:
        return []
    return [":warning: consent mode autonomous"]


def _in_a_line(warning: str) -> str:
    """Return the first sentences of a warning that fit into a line, at least the first one."""
    text = " ".join(warning.split())
    if len(text) <= LONGEST_WARNING:
        return ui.escaped(text)
    end = text.rfind(". ", 0, LONGEST_WARNING)
    end = end if end >= 0 else text.find(". ")
    kept = text[: end + 1] if end >= 0 else text
    return f"{ui.short(kept, 2 * LONGEST_WARNING)} *Details* has the rest."


def spoken(registration: Registration) -> str:
    """Return the permissions of a plan that waits, for a notification."""
    if registration.status is not Status.PENDING or (plan := stored_plan(registration)) is None:
        return ""
    names = ", ".join(map(str, (*plan.roles, *plan.scopes)))
    return f" It gets {ui.escaped(names)}, for {days(plan.secret_days)}."


def details(registration: Registration, catalogue: Catalogue) -> ui.Json:
    """Return the modal with the whole plan, as it was or is to be approved."""
    plan, profile = stored_plan(registration), drawable(catalogue, registration.form.profile)
    is_decided = registration.status not in UNDECIDED
    blocks: list[Block] = [ui.section(f"{ui.named(registration)} · {profile.title}")]
    blocks.append(ui.section(ui.quoted(registration.form.reason)))
    if plan is None:
        blocks.append(ui.section("There is no plan yet: the bot is reading the tenant."))
    else:
        title = "What was approved" if is_decided else "What would be created"
        if registration.status in NEVER_APPROVED:
            title = "What would have been created"
        paragraphs = plan_paragraphs(
            plan,
            profile,
            registration.form,
            ui.SLACK_PEN,
            asked_at=registration.created_at,
            title=title,
            is_decided=is_decided,
        )
        blocks += [ui.section(each) for each in paragraphs]
        blocks.append(ui.context(LEGEND))
        blocks.append(ui.context(f"Plan `{registration.digest}`"))
    view = View(type="modal", title=registration.id, close="Close", blocks=blocks)
    return dict(view.to_dict())
