"""Submissions of forms."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.people import Person
from bot.registrar import Registrar
from handlers.listeners.preview import PreviewMaker
from handlers.slack.api_errors import code_of
from handlers.slack.response_url import trigger_of
from handlers.views import form, ids

Ack = Callable[..., Awaitable[Any]]
Json = dict[str, Any]

OVERTAKEN = frozenset({"hash_conflict", "not_found"})
"""A later choice has redrawn the form already, or it is closed. If it is then sent with the fields
of another profile, `submit_form` redraws it."""


async def choose_profile(
    ack: Ack,
    action: Json,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
) -> None:
    """Redraw the form for the profile chosen, with all that was typed so far."""
    registrar.policy.check_may_ask(person)
    profile = registrar.submission.profile((action.get("selected_option") or {}).get("value") or "")
    view, catalogue = body["view"], registrar.catalogue
    redrawn = form.form(catalogue, profile, form.typed_so_far(view, catalogue))
    try:
        await client.views_update(view_id=view["id"], hash=view["hash"], view=redrawn)
    except SlackApiError as error:
        if code_of(error) not in OVERTAKEN:
            raise
    await ack()


async def preview(
    ack: Ack,
    body: Json,
    client: AsyncWebClient,
    registrar: Registrar,
    person: Person,
    preview_maker: PreviewMaker,
) -> None:
    """Lay the preview over the form, as soon as the tenant was read."""
    registrar.policy.check_may_ask(person)
    view, catalogue = body["view"], registrar.catalogue
    wish = form.read_form(view, catalogue)
    profile = registrar.submission.profile(wish.profile)
    if form.is_drawn_for(view, profile.id):
        await preview_maker.begin(
            wish,
            profile,
            by=person,
            trigger_id=trigger_of(body),
            in_the_way=await registrar.submission.in_the_way(wish, by=person),
        )
    else:
        typed, sentence = form.typed_so_far(view, catalogue), form.CHANGED_MEANWHILE
        redrawn = form.form(catalogue, profile, typed, introduction=sentence)
        await client.views_update(view_id=view["id"], hash=view["hash"], view=redrawn)
    await ack()


async def submit_form(ack: Ack, view: Json, registrar: Registrar, person: Person) -> None:
    """Start a registration. The form's own id makes a repeated submission the same one."""
    catalogue = registrar.catalogue
    wish = form.read_form(view, catalogue)
    if wish.profile in catalogue and not form.is_drawn_for(view, wish.profile):
        registrar.policy.check_may_ask(person)
        typed = form.typed_so_far(view, catalogue)
        profile, sentence = catalogue[wish.profile], form.CHANGED_MEANWHILE
        redrawn = form.form(catalogue, profile, typed, introduction=sentence)
        await ack(response_action="update", view=redrawn)
        return
    await registrar.submission.submit(wish, by=person, origin=view["id"])
    await ack()


async def submit_denial(
    ack: Ack, view: dict[str, Any], registrar: Registrar, person: Person
) -> None:
    """Deny, for the reason given: whether this person may is judged now, not when it opened."""
    reason = view["state"]["values"][ids.REASON][ids.CHOSEN].get("value") or ""
    about = ids.read_bound_value(view["private_metadata"])
    await registrar.approval.deny(*about, by=person, reason=reason)
    await ack()
