"""Admin consent: who can give it, where, and how far it has come."""

from collections.abc import Iterator
from datetime import timedelta

from slack_sdk.models.blocks import Block

from bot.domain.lifetimes import CONSENT_LONGEST_PAUSE, SIGN_IN_TTL
from bot.domain.registration import Registration, Status
from bot.planning.plans import consenters
from graph.device_sign_in import DeviceCode
from graph.permissions import KIND_WORDS
from graph.plan import Plan
from graph.rights import ConsentMode
from handlers.views import buttons, ui
from handlers.views.outcome import listed


def awaited(registration: Registration, page: str) -> Iterator[Block]:
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


def given(registration: Registration) -> Iterator[Block]:
    """Yield which approver has granted the permissions by their own sign-in, if one has.

    How strong that was is known only for an authentication context: Entra does not say how somebody
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
    said = f"This link lets you, and nobody else, sign in and grant {ui.escaped(id)}"
    minutes = int(SIGN_IN_TTL.total_seconds() / 60)
    block = ui.section(
        f"<{url}|Sign in and grant {ui.escaped(id)}>. Only you can use it, in one browser, for"
        f" {minutes} minutes. It lists the permissions first."
    )
    return said, ui.drawn([block])


def code(id: str, found: DeviceCode) -> ui.Notice:
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


def call(registration: Registration, page: str, *, with_codes: bool = False) -> ui.Notice:
    """Call for an administrator, in the approval channel."""
    id, name = registration.id, ui.escaped(registration.form.name)
    if registration.status is not Status.WAITING_FOR_CONSENT:
        said = f"{id} no longer waits for an administrator's consent"
        return said, ui.drawn([ui.context(f"{said}.")])
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


def asked(id: str) -> str:
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
