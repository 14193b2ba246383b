"""Submissions of forms."""

from handlers.listeners.interaction import Interaction, Json
from handlers.views import denial, form, ids


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
    id, request, reason = denial.read_denial(it.body["view"])
    await it.registrar.approval.deny(id, request, by=it.person, reason=reason)


LISTENERS = {ids.FORM: submit_form, ids.DENIAL: submit_denial}
