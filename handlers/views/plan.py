"""The plan for approvers: on the card everything they must read before deciding, in a few lines;
behind *Details* all of it. And its admin consent: who can give it, where, and how far it has come.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from slack_sdk.models.blocks import Block

from bot.domain.catalogue import Catalogue, drawable
from bot.domain.forms import days
from bot.domain.lifetimes import CONSENT_LONGEST_PAUSE, SIGN_IN_TTL
from bot.domain.registration import Registration, Status
from bot.planning.plans import ALMIGHTY, LIMITED_BY, consenters, plan_paragraphs
from graph.consent_policy import POLICY_ID
from graph.device_sign_in import DeviceCode
from graph.permissions import KIND_WORDS, Reach
from graph.plan import Plan
from graph.rights import ConsentMode
from handlers.views import buttons, ui
from handlers.views.outcome import listed

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
    return ui.modal(registration.id, blocks, close="Close")


def consent_awaited(registration: Registration, page: str) -> Iterator[Block]:
    """Yield the consent that a registration waits for, if it does. `page` is where it is given."""
    if registration.status is not Status.WAITING_FOR_CONSENT:
        return
    yield from _task(registration, page)
    yield from _found(registration)
    if registration.deadline is not None:
        minutes = CONSENT_LONGEST_PAUSE // timedelta(minutes=1)
        yield ui.context(
            f"The bot looks every {minutes} minutes or more often until"
            f" {ui.when(registration.deadline)}, and goes on by itself"
        )


def consent_given(registration: Registration) -> Iterator[Block]:
    """Yield which approver has granted the permissions by their own sign-in, if one has.

    How strong that was is known only for an authentication context: Entra does not say how a person
    has signed in.
    """
    found = registration.consent
    if found is None or not found.by or registration.status is Status.WAITING_FOR_CONSENT:
        return
    how = "; its strength is decided by your Conditional Access"
    if found.context:
        how = f", under {found.context}"
    if found.with_code:
        how = f" with a code{how}"
    yield ui.context(f"Granted by <@{found.by}>, signed in as {ui.escaped(found.account)}{how}")


def sign_in_link(id: str, url: str) -> ui.Notice:
    """Return the answer to a click on *Sign in and grant*, for that approver only."""
    said = f"This link lets only you sign in and grant {ui.escaped(id)}"
    minutes = int(SIGN_IN_TTL.total_seconds() / 60)
    block = ui.section(
        f"<{url}|Sign in and grant {ui.escaped(id)}>. Only you can use it, in one browser, for"
        f" {minutes} minutes. It lists the permissions first."
    )
    return said, ui.drawn([block])


def sign_in_code(id: str, found: DeviceCode) -> ui.Notice:
    """Return the answer to a click on *Sign in with a code*, for that approver only.

    Its text, which notifications show, does not hold the code.
    """
    said = f"A code with which you can sign in and grant {ui.escaped(id)}"
    block = ui.section(
        f"To grant {ui.escaped(id)}, open <{found.page}> and enter {ui.code(found.user_code)} by"
        f" {ui.when(found.ends_at)}. Sign in with your own account. Never pass a code on, and never"
        " enter one that you did not ask for yourself."
    )
    return said, ui.drawn([block])


def consent_call(registration: Registration, page: str, *, with_codes: bool = False) -> ui.Notice:
    """Call for an administrator, in the approval channel."""
    id, name = registration.id, ui.escaped(registration.form.name)
    if registration.status is not Status.WAITING_FOR_CONSENT:
        said = f"{id} no longer waits for an administrator's consent"
        return ui.over(said)
    said = f"{id} needs admin consent"
    asked = f"*{said}*: *{name}*, requested by {ui.person(registration.requester)}."
    return ui.notice(
        asked,
        *_task(registration, page),
        spoken=f"{said}: {name}",
        buttons=[
            *buttons.grant_buttons(registration, with_codes=with_codes),
            *buttons.repair_buttons(registration),
            *ui.menu(buttons.revoke_buttons(registration)),
        ],
    )


def consent_asked(id: str) -> str:
    """Return the answer to a request to look now."""
    return f"The bot checks Entra within a minute and updates the card of {ui.escaped(id.upper())}."


def _task(registration: Registration, page: str) -> Iterator[Block]:
    """Yield what an administrator has to do, and how far it is done."""
    plan = Plan.from_json(dict(registration.plan or {}))
    if not page:
        yield ui.section(
            ":warning: The stored plan fails its signature check. Grant nothing, and ask this bot's"
            f" administrators to run `aad-setup audit verify {registration.id}`."
        )
        return
    by = consenters(plan)
    page_in_entra = f"<{page}|API permissions> of this application in the Entra admin centre"
    how = (
        f"{by[0].upper()}{by[1:]} opens {page_in_entra}, checks that exactly these are listed"
        " there, and presses *Grant admin consent*:"
    )
    if plan.consent_mode == ConsentMode.SIGNED_IN:
        how = (
            f"This takes {by}. An approver of this plan presses *Sign in and grant*. Others open"
            f" {page_in_entra}, check that exactly these are listed there, and press *Grant admin"
            " consent*:"
        )
    yield ui.section(how)
    granted = registration.consent.granted if registration.consent else ()
    states = {True: ":white_check_mark: granted", False: "not granted yet"}
    yield ui.section(
        "\n".join(
            f"• {ui.code(each.name)} ({KIND_WORDS[each.kind]}): {states[str(each) in granted]}"
            for each in (*plan.roles, *plan.scopes)
        )
    )


def _found(registration: Registration) -> Iterator[Block]:
    """Yield what else the latest look has found."""
    found = registration.consent
    if found is None:
        return
    if found.trouble is not None:
        yield ui.section(f":warning: The bot could not look: {ui.escaped(found.trouble)}")
    if found.foreign:
        yield ui.section(
            f":warning: *In Entra, but not approved: remove it there*\n{listed(found.foreign)}"
        )
    if found.withdrawn:
        names = ", ".join(found.withdrawn)
        yield ui.section(f":warning: Consent revoked in Entra: {names}. Grant it again.")
    if found.extras:
        names = ", ".join(found.extras)
        yield ui.context(f"Added by Entra for sign-in, no action needed: {names}")
    if not found.sees_scopes:
        yield ui.context("Delegated grants can't be read; this plan has none.")
