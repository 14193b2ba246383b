"""Every command, and how it is carried out.

A new command is an entry of `COMMANDS` and its function. The function's docstring is its line in
the help and in USAGE.md.
"""

from bot.domain.registration import Status
from handlers.listeners.command import (
    Answer,
    Command,
    Confirmation,
    Mention,
    Parsed,
    Takes,
    form_button,
    greeting,
    help_in_thread,
    help_text,
)
from handlers.listeners.interaction import Interaction
from handlers.views import card, drift, form, history, ids, listing, plan, requests
from handlers.views.buttons import RETIRE, REVOKE, UNDO
from handlers.views.ui import Blocks, said
from handlers.views.values import sheet

FORM = ""
"""The command alone, or with a profile's name."""
ASKED = "An approver has to confirm this: the approval channel was asked."
PROGRESS = "Its card says when that is done."


async def reply(it: Interaction, parsed: Parsed) -> tuple[str, Blocks]:
    """Carry out a command, or ask for its confirmation. Return the answer. Raises Refusal."""
    command = COMMANDS[parsed.word]
    if (asked := command.confirmation) is not None:
        await asked.check(it, parsed.id)
        return asked.drawn(parsed.id)
    answer = await command.answer(it, parsed)
    return (answer, said(answer)) if isinstance(answer, str) else answer


async def retried(it: Interaction, id: str) -> Status:
    """Retry. Users who approved are looked up again, as before the last approval."""
    approvers = await it.registrar.recovery.approvers(id, by=it.person)
    seen = await it.slack.users.look_up_all([each.user_id for each in approvers])
    return await it.registrar.recovery.retry(id, by=it.person, seen=seen)


async def _form(it: Interaction, parsed: Parsed) -> Answer:
    """Open the form; `/aad-setup mimecast` opens the form for that profile."""
    it.registrar.policy.check_may_ask(it.person)
    if "command" not in it.body:  # only a command has the trigger that opens a form
        return form_button(parsed.profile)
    catalogue = it.registrar.catalogue
    profile = it.registrar.submission.profile(parsed.profile or next(iter(catalogue)))
    await it.open(form.form(catalogue, profile))
    return ""


async def _preview(it: Interaction, parsed: Parsed) -> Answer:
    """Open the form, too: *Preview* there shows the plan to you alone and asks no approver."""
    return await _form(it, parsed)


async def _status(it: Interaction, parsed: Parsed) -> Answer:
    """List your latest registrations; `/aad-setup status AAD-7K3F` shows one."""
    found = await it.registrar.queries.status(parsed.id, by=it.person)
    if parsed.is_public:
        return card.least(found)
    drawing = await it.registrar.deliveries.drawing(found, reader=it.person.user_id)
    in_full = it.registrar.queries.is_concerned(found, it.person)
    return card.status(found, drawing, in_full=in_full)


async def _details(it: Interaction, parsed: Parsed) -> Answer:
    """Show the same; in a channel, to you alone."""
    return await _status(it, parsed)


async def _list(it: Interaction, parsed: Parsed) -> Answer:
    """List what is in progress in the team; `list mine`, `list waiting`, `list ready`,
    `list failed` and `list expiring` narrow it down; `list all` lists everything, `list all 2` its
    second page.
    """
    which, by, registrar = parsed.which, it.person, it.registrar
    is_public, page = parsed.is_public, parsed.page
    found = await registrar.queries.listed(which, by=by, for_all=is_public, page=page)
    if is_public:
        return listing.least(which, found)
    decides, may_ask = registrar.policy.is_approver(by), registrar.policy.may_ask(by)
    return listing.listing(which, found, decides=decides, may_ask=may_ask)


async def _values(it: Interaction, parsed: Parsed) -> Answer:
    """Show the requester the values, with the secret once."""
    return sheet(await it.registrar.secrets.values(parsed.id, by=it.person))


async def _check(it: Interaction, parsed: Parsed) -> Answer:
    """Compare a ready registration with what was approved, or look for an awaited consent now."""
    status = await it.registrar.recovery.check(parsed.id, by=it.person)
    asked = plan.consent_asked if status is Status.WAITING_FOR_CONSENT else drift.asked
    return asked(parsed.id)


async def _rotate(it: Interaction, parsed: Parsed) -> Answer:
    """Ask for a new secret beside the one in use, before that expires; approvers confirm it."""
    await it.registrar.requests.rotation(parsed.id, by=it.person)
    return f"{ASKED} Until then the current secret of {parsed.id} keeps working."


async def _retire(it: Interaction, parsed: Parsed) -> Answer:
    """Delete the previous secret now, not after 7 days, once you confirm it."""
    await it.registrar.secrets.remove_previous(parsed.id, by=it.person)
    return f"The previous secret of {parsed.id} is being removed. {PROGRESS}"


async def _cancel(it: Interaction, parsed: Parsed) -> Answer:
    """Cancel what waits for approval: the registration, or a rotation, handover or purge of it."""
    found = await it.registrar.queries.status(parsed.id, by=it.person)
    asked = requests.cancellable(found)
    await it.registrar.approval.cancel(found.id, asked.id if asked else None, by=it.person)
    assert asked is not None
    return requests.cancelled_text(found, asked)


async def _retry(it: Interaction, parsed: Parsed) -> Answer:
    """Retry a failed registration."""
    id = parsed.id
    if await retried(it, id) is Status.PENDING:
        return f"{id} waits for approval again. Its card says whose approval no longer counts."
    return f"{id} continues where it stopped. Its card shows the progress."


async def _undo(it: Interaction, parsed: Parsed) -> Answer:
    """Remove what a failed registration has created, once you confirm it."""
    await it.registrar.recovery.undo(parsed.id, by=it.person)
    return f"{parsed.id} is being undone. {PROGRESS}"


async def _revoke(it: Interaction, parsed: Parsed) -> Answer:
    """Delete a ready registration from Entra, once you confirm it: its connector can no longer
    sign in.
    """
    await it.registrar.revocation.revoke(parsed.id, by=it.person)
    return f"{parsed.id} is being revoked. {PROGRESS}"


async def _purge(it: Interaction, parsed: Parsed) -> Answer:
    """Ask other approvers to delete for good what was undone or revoked; it cannot be restored
    after that.
    """
    await it.registrar.requests.purge(parsed.id, by=it.person)
    return f"{ASKED} Until then the application can be restored."


async def _history(it: Interaction, parsed: Parsed) -> Answer:
    """Show what happened and who did it; `history AAD-7K3F 2` shows the second page."""
    told = await it.registrar.queries.history(parsed.id, by=it.person, page=parsed.page)
    return history.history(parsed.id, told)


async def _hand_over(it: Interaction, parsed: Parsed) -> Answer:
    """Ask that this user becomes the requester; an approver confirms it."""
    to = await it.slack.users.mentioned(parsed.person)
    await it.registrar.requests.handover(parsed.id, to=to, by=it.person)
    return ASKED


async def _help(it: Interaction, parsed: Parsed) -> Answer:
    """List the commands."""
    it.registrar.policy.check_account(it.person)
    commands = COMMANDS.values()
    return help_in_thread(commands) if parsed.is_public else help_text(commands)


async def _greet(it: Interaction, parsed: Parsed) -> Answer:
    return greeting(may_ask=it.registrar.policy.may_ask(it.person))


CONFIRM_RETIRE = Confirmation(
    "Remove the previous secret of {id} now?",
    "Remove the previous secret",
    ids.RETIRE_ASKED,
    RETIRE,
    lambda it, id: it.registrar.secrets.check_may_remove_previous(id, by=it.person),
)
CONFIRM_UNDO = Confirmation(
    "Undo {id}?",
    "Undo",
    ids.UNDO_ASKED,
    UNDO,
    lambda it, id: it.registrar.recovery.check_may_undo(id, by=it.person),
)
CONFIRM_REVOKE = Confirmation(
    "Revoke {id}?",
    "Revoke",
    ids.REVOKE_ASKED,
    REVOKE,
    lambda it, id: it.registrar.revocation.check_may_revoke(id, by=it.person),
)
GREETINGS = ("hi", "hey", "hallo", "hola")
IN_THREAD, WHISPERED = Mention.IN_THREAD, Mention.WHISPERED
_COMMANDS = (
    Command(FORM, Takes.PROFILE, _form),
    Command("preview", Takes.PROFILE, _preview),
    Command("status", Takes.ID, _status, IN_THREAD, may_be_public=True, alone="list mine"),
    Command("details", Takes.ID, _details, WHISPERED),
    Command("list", Takes.LIST | Takes.PAGE, _list, IN_THREAD, may_be_public=True),
    Command(
        "values",
        Takes.ID,
        _values,
        WHISPERED,
        is_fleeting=True,
        synonyms=("secret", "key", "reveal"),
    ),
    Command("check", Takes.ID, _check),
    Command("rotate", Takes.ID, _rotate, synonyms=("renew",)),
    Command("retire", Takes.ID, _retire, confirmation=CONFIRM_RETIRE),
    Command("cancel", Takes.ID, _cancel),
    Command("retry", Takes.ID, _retry),
    Command("undo", Takes.ID, _undo, confirmation=CONFIRM_UNDO),
    Command(
        "revoke", Takes.ID, _revoke, confirmation=CONFIRM_REVOKE, synonyms=("delete", "remove")
    ),
    Command("purge", Takes.ID, _purge),
    Command("history", Takes.ID | Takes.PAGE, _history, WHISPERED, synonyms=("log",)),
    Command("handover", Takes.ID | Takes.PERSON, _hand_over, synonyms=("transfer",)),
    Command("help", Takes.NOTHING, _help, IN_THREAD, aliases=("h",)),  # as typed in `-h`
    Command("hello", Takes.NOTHING, _greet, IN_THREAD, is_hidden=True, aliases=GREETINGS),
)
COMMANDS = {each.word: each for each in _COMMANDS}
"""By word, in the order of the help."""
