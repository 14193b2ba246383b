"""Clicks, on cards, replies and forms and in the App Home, and forms that are sent.

Each takes ids from the button, calls one action and answers. A card shows the outcome by itself.
"""

from collections.abc import Mapping
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from handlers.listeners.command import Command, Parsed
from handlers.listeners.command_table import COMMANDS, reply, retried
from handlers.listeners.commands import parse
from handlers.listeners.interaction import Interaction, Listener
from handlers.slack.api_errors import code_of
from handlers.slack.destinations import check_is_for_one
from handlers.views import buttons, form, home, ids, plan, requests
from handlers.views.ui import Json
from handlers.views.values import MAKING, masked_sheet, sheet

OVERTAKEN = frozenset({"hash_conflict", "not_found"})
"""A later choice has redrawn the form already, or it is closed. If it is then sent with the fields
of another profile, `submit_form` redraws it."""


async def approve(it: Interaction) -> None:
    """Approve the request that the button names. Before the last approval that is needed, earlier
    approvers are looked up again, too.
    """
    people = await it.registrar.approval.to_look_up(*it.request, by=it.person)
    seen = await it.slack.users.look_up_all([each.user_id for each in people])
    await it.registrar.approval.approve(*it.request, by=it.person, seen=seen)


async def deny(it: Interaction) -> None:
    """Ask for the reason first. Whether the user may deny is checked again when it is sent."""
    await it.registrar.approval.check_may_deny(*it.request, by=it.person)
    await it.open(requests.denial_form(*it.request))


async def again(it: Interaction) -> None:
    """Open the form filled in as it was sent."""
    filled = await it.registrar.submission.form_of(it.id, by=it.person)
    profile = it.registrar.submission.profile(filled.profile)
    await it.open(form.form(it.registrar.catalogue, profile, filled))


async def retry(it: Interaction) -> None:
    await retried(it, it.id)


async def replaced(it: Interaction) -> None:
    """Answer a button of an older version."""
    it.registrar.queries.refuse_old_button(it.person)


async def renew(it: Interaction) -> None:
    url = it.url
    await it.registrar.secrets.replace(it.id, by=it.person)
    await it.slack.response_urls.add(url, text=MAKING)


async def values(it: Interaction) -> None:
    """Show the values without the secret. The click proves that the user can see them."""
    await it.whisper(*sheet(await it.registrar.secrets.values(it.id, by=it.person)))


async def reveal(it: Interaction) -> None:
    """Replace the ephemeral message that was clicked with the secret, once."""
    id, url = it.id, it.url
    await it.registrar.secrets.check_may_reveal(id, by=it.person)
    check_is_for_one(it.body, id)
    look = await it.registrar.secrets.reveal(id, by=it.person, answer_to=url)
    text, blocks = sheet(look.values)
    if await it.slack.response_urls.replace(url, text=text, blocks=blocks):
        await it.registrar.secrets.shown(id, look.secret, by=it.person)
    else:
        await it.registrar.secrets.lost(id, look.secret, by=it.person)


async def mask(it: Interaction) -> None:
    """Mask the secret in the message that was clicked, and have it masked everywhere else."""
    found = await it.registrar.secrets.values(it.id, by=it.person)
    check_is_for_one(it.body, found.registration.id)
    text, blocks = masked_sheet(found)
    await it.slack.response_urls.replace(it.url, text=text, blocks=blocks)
    await it.registrar.secrets.mask(found.registration.id, by=it.person)


async def grant(it: Interaction) -> None:
    url = it.url
    link = await it.registrar.sign_ins.begin(it.id, by=it.person)
    text, blocks = plan.sign_in_link(it.id, link)
    await it.slack.response_urls.add(url, text=text, blocks=blocks)


async def grant_with_code(it: Interaction) -> None:
    it.code_sign_ins.begin(it.id, by=it.person, url=it.url)


async def open_form(it: Interaction) -> None:
    """Open the form where no command was typed: in direct messages and in the App Home."""
    it.registrar.policy.check_may_ask(it.person)
    catalogue = it.registrar.catalogue
    profile, filled = form.read_filled_value(str(it.action.get("value")), catalogue)
    chosen = it.registrar.submission.profile(profile or next(iter(catalogue)))
    await it.open(form.form(catalogue, chosen, filled))


async def choose_profile(it: Interaction) -> None:
    """Redraw the form for the profile chosen, with all input so far."""
    it.registrar.policy.check_may_ask(it.person)
    chosen = (it.action.get("selected_option") or {}).get("value") or ""
    profile = it.registrar.submission.profile(chosen)
    view, catalogue = it.body["view"], it.registrar.catalogue
    await _redraw(it, form.form(catalogue, profile, form.typed_so_far(view, catalogue)))


async def _redraw(it: Interaction, redrawn: Json) -> None:
    """Show this in the place of the view, unless that has changed or was closed since the click."""
    view = it.body["view"]
    try:
        await it.slack.client.views_update(view_id=view["id"], hash=view["hash"], view=redrawn)
    except SlackApiError as error:
        if code_of(error) not in OVERTAKEN:
            raise


async def preview(it: Interaction) -> None:
    """Show the preview on top of the form, as soon as the tenant was read."""
    it.registrar.policy.check_may_ask(it.person)
    view, catalogue = it.body["view"], it.registrar.catalogue
    filled = form.read_form(view, catalogue)
    profile = it.registrar.submission.profile(filled.profile)
    if not form.is_drawn_for(view, profile.id):
        await _redraw(it, form.redrawn(view, catalogue, profile))
        return
    in_the_way = await it.registrar.submission.in_the_way(filled, by=it.person)
    await it.preview_maker.begin(
        filled, profile, by=it.person, trigger_id=it.trigger, in_the_way=in_the_way
    )


async def turn(it: Interaction) -> None:
    """Show another page of a part of the App Home."""
    part, page = home.read_page(it.action.get("value"))
    await it.home_publisher.turn(it.body, it.person.user_id, part, page)


async def choose_plain(it: Interaction) -> None:
    """Draw this user's cards plainly from now on, or no longer."""
    plain = it.action.get("value") == "on"
    await it.registrar.deliveries.choose_cards(plain=plain, by=it.person)
    how = "text" if plain else "a task list"
    said = home.CHOSEN.format(how=how)
    await it.home_publisher.open(it.body, it.person.user_id, said=said)


async def submit_form(it: Interaction) -> Json | None:
    """Start a registration. The form's id makes a repeated submission start no second."""
    view, catalogue = it.body["view"], it.registrar.catalogue
    filled = form.read_form(view, catalogue)
    if filled.profile in catalogue and not form.is_drawn_for(view, filled.profile):
        it.registrar.policy.check_may_ask(it.person)
        redrawn = form.redrawn(view, catalogue, catalogue[filled.profile])
        return {"response_action": "update", "view": redrawn}
    await it.registrar.submission.submit(filled, by=it.person, origin=view["id"])
    return None


async def submit_denial(it: Interaction) -> None:
    """Deny for the reason given. Whether the user may is checked now, not when the form opened."""
    id, request, reason = requests.read_denial(it.body["view"])
    await it.registrar.approval.deny(id, request, by=it.person, reason=reason)


async def details(it: Interaction) -> None:
    """Show the whole plan, to every reader of a card."""
    found = await it.registrar.queries.status(it.id, by=it.person)
    await it.open(plan.details(found, it.registrar.catalogue))


async def more(it: Interaction) -> None:
    """Ask before a rare action is carried out. Whether the user may is checked when it is."""
    action, id = buttons.read_entry(it.id)
    found = await it.registrar.queries.status(id, by=it.person)
    await it.open(buttons.confirmation(found, action))


async def submit_confirmed(it: Interaction) -> None:
    """Carry out the action as its button would."""
    action, id = buttons.read_entry(it.body["view"].get("private_metadata"))
    await ACTIONS[action](replace(it, body={**it.body, "actions": [{"value": id}]}))


async def answer(it: Interaction, text: str) -> None:
    """Answer like a command."""
    await it.whisper(*await reply(it, parse(text, ())))


def confirmed(command: Command) -> Listener:
    """Return a listener that carries out a confirmed command, and replaces the question."""

    async def carry_out(it: Interaction) -> None:
        url = it.url
        text = await command.answer(it, Parsed(word=command.word, id=it.id))
        await it.slack.response_urls.replace(url, text=str(text), blocks=[])

    return carry_out


ACTIONS: Mapping[str, Listener] = {
    ids.APPROVE: approve,
    ids.DENY: deny,
    ids.WITHDRAW: lambda it: it.registrar.approval.withdraw(*it.request, by=it.person),
    ids.CANCEL: lambda it: it.registrar.approval.cancel(*it.request, by=it.person),
    ids.AGAIN: again,
    ids.RETRY: retry,
    ids.UNDO: lambda it: it.registrar.recovery.undo(it.id, by=it.person),
    ids.REVOKE: lambda it: it.registrar.revocation.revoke(it.id, by=it.person),
    ids.VALUES: values,
    ids.REVEAL: reveal,
    ids.MASK: mask,
    ids.RENEW: renew,
    ids.CHECK_CONSENT: lambda it: answer(it, f"check {it.id}"),
    ids.GRANT: grant,
    ids.GRANT_WITH_CODE: grant_with_code,
    ids.ROTATE: lambda it: it.registrar.requests.rotation(it.id, by=it.person),
    ids.RETIRE: lambda it: it.registrar.secrets.remove_previous(it.id, by=it.person),
    ids.DETAILS: details,
    ids.MORE: more,
    ids.MINE: lambda it: answer(it, "list mine"),
    ids.HELP: lambda it: answer(it, "help"),
    ids.OPEN_FORM: open_form,
    ids.CHOOSE_PROFILE: choose_profile,
    ids.PREVIEW: preview,
    ids.PLAIN: choose_plain,
    ids.HOME_BACK: turn,
    ids.HOME_ON: turn,
    **dict.fromkeys(ids.REPLACED, replaced),
    **{
        command.confirmation.button: confirmed(command)
        for command in COMMANDS.values()
        if command.confirmation is not None
    },
}
"""By the id of the button or menu."""

SUBMISSIONS = {
    ids.FORM: submit_form,
    ids.DENIAL: submit_denial,
    ids.CONFIRMED: submit_confirmed,
}
"""By the id of the form."""
