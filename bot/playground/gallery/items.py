"""What the gallery shows: one list of payloads, each with its group, its name and its surface."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.approval import Policy
from bot.domain.approval_requests import Quorum, RequestKind, RequestState
from bot.domain.catalogue import Catalogue, read_catalogue
from bot.domain.events import Event, Subject
from bot.domain.forms import values_of
from bot.domain.registration import Status
from bot.domain.secrets import SecretState, Stage
from bot.planning.plans import Preview
from bot.playground.gallery import registrations as made
from bot.playground.gallery.homes import homes
from bot.playground.gallery.registrations import ADA, BEN, GRACE, NOON, ROSA, STATES
from bot.registrar.deliveries import Drawing
from bot.restore.reconciliation import Report
from handlers.listeners.command import form_button, greeting
from handlers.listeners.command_table import COMMANDS
from handlers.views import (
    buttons,
    card,
    drift,
    form,
    ids,
    notices,
    plan,
    preview,
    requests,
    ui,
)
from handlers.views.values import masked_sheet, sheet, values_notice

Json = dict[str, Any]

SECRET = "7Ai8Q~a-made-up-secret-that-opens-nothing"
PAGE = "https://entra.example/api-permissions"
ONE, TWO = Quorum(needed=1), Quorum(needed=2)
POLICY = Policy(
    team_id=made.TEAM,
    requesters=frozenset({ROSA.user_id}),
    approvers=frozenset({ADA.user_id, GRACE.user_id}),
    approvals_needed=1,
    mentioned=frozenset({ADA.user_id, GRACE.user_id}),
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that a user can see; `surface` is message, modal or home."""

    group: str
    name: str
    surface: str
    payload: Json


def gallery() -> list[Json]:
    return [asdict(item) for item in items()]


def items() -> Iterator[Item]:
    """Yield everything that users can see, in the order of a registration's journey."""
    catalogue = read_catalogue()
    for group, name, notice in _messages(catalogue):
        text, blocks = notice
        payload = {"text": text, "blocks": blocks}
        yield Item(group=group, name=name, surface="message", payload=payload)
    for name, view in _modals(catalogue):
        yield Item(group="Modals", name=name, surface="modal", payload=view)
    for name, view in homes(catalogue):
        yield Item(group="App Home", name=name, surface="home", payload=view)


Named = tuple[str, str, ui.Notice]


def _messages(catalogue: Catalogue) -> Iterator[Named]:
    yield from _cards(catalogue)
    yield from _requests()
    yield from _news()
    yield from _about_secrets()
    yield from _values(catalogue)
    yield from _notices()
    yield from _answers(catalogue)


def _cards(catalogue: Catalogue) -> Iterator[Named]:
    for name, found in STATES.items():
        drawing = Drawing(
            profile=catalogue[found.form.profile],
            quorum=TWO if "of two" in name else ONE,
            consent_page=PAGE,
        )
        yield "Approvers' card", name, card.card(found, drawing)
        yield "Requester's card", name, card.progress(found, drawing)
        yield "Status, public", name, card.status(found, drawing, in_full=False)
        if found.steps:
            plain = replace(drawing, plain=True)
            yield "Requester's card, plain", name, card.progress(found, plain)
    yield (
        "Requester's card",
        "Of another now",
        card.passed_on(STATES["Ready, handed over"], catalogue["mimecast"]),
    )


def _requests() -> Iterator[Named]:
    to = {"team_id": BEN.team_id, "user_id": BEN.user_id, "name": BEN.name}
    for kind in (RequestKind.ROTATION, RequestKind.HANDOVER, RequestKind.PURGE):
        of = made.ready() if kind is not RequestKind.PURGE else STATES["Revoked"]
        payload = {"to": to} if kind is RequestKind.HANDOVER else {}
        for state in RequestState:
            is_denied = state is RequestState.DENIED
            votes = (made.vote(GRACE, "deny"),) if is_denied else (made.vote(ADA),)
            asked = made.asked(
                kind,
                state,
                asked_by=ADA,
                payload={**payload, "reason": "Not <now>"},
                votes=() if state is RequestState.WAITING else votes,
            )
            found = made.with_request(of, asked)
            name = f"{kind}, {state}"
            yield "Requests", name, requests.request(found, ONE, id="r1")
            yield "Requester's news of requests", name, requests.news(found, "r1")
            yield "Reminders", name, requests.reminder(found, POLICY, ONE, "r1")
    pending = STATES["Approval needed, hostile names"]
    yield "Reminders", "plan", requests.reminder(pending, POLICY, TWO, pending.id)


def _news() -> Iterator[Named]:
    approved = made.entry(Event.APPROVED, ADA)
    for name, found in STATES.items():
        latest = approved if found.status is Status.PENDING else None
        yield "Requester's news", name, notices.news(found, latest, TWO)


def _about_secrets() -> Iterator[Named]:
    used, unread = made.ready(), STATES["Ready, values not picked up"]
    gone = STATES["Ready, secret never picked up"]
    theirs = notices.also_told(used, has_left=True)
    for stage in Stage:
        about = Subject(secret=made.NEWEST, stage=stage)
        yield "Reminders", f"secret expires, {stage.name.lower()}", notices.expiry(used, about)
        told = notices.expiry(used, about, also=theirs)
        yield "Reminders", f"secret expires, {stage.name.lower()}, to approvers", told
    followed = notices.expiry(gone, Subject(secret=made.PREVIOUS, stage=Stage.DAY))
    yield "Reminders", "secret replaced meanwhile", followed
    yield "Reminders", "values wait", notices.unread(unread, "s1")
    yield "Reminders", "values no longer wait", notices.unread(used, "s1")
    yield "Notices", "unread secret deleted", notices.unread_removed(gone, "s1")
    yield (
        "Notices",
        "unread secret deleted, to approvers",
        notices.unread_removed(gone, "s1", also=theirs),
    )


def _values(catalogue: Catalogue) -> Iterator[Named]:
    for name, found in STATES.items():
        if found.secret is not None:
            yield "Values, durable message", name, values_notice(found, secret=made.NEWEST)
    for profile in catalogue.values():
        for state in SecretState:
            found = made.ready(secret=made.secret(state), form=made.form(profile=profile.id))
            masked = values_of(found, profile)
            yield "Values, only for the requester", f"{profile.title}, {state}", sheet(masked)
        opened = values_of(made.ready(), profile, secret=SECRET)
        yield "Values, only for the requester", f"{profile.title}, revealed", sheet(opened)
    shown = made.ready(secret=made.secret(SecretState.SEEN, can_be_masked=True))
    hidden = masked_sheet(values_of(shown, catalogue["mimecast"]))
    yield "Values, only for the requester", "masked again", hidden


def _notices() -> Iterator[Named]:
    changed = STATES["Ready, changed in Entra"]
    yield "Notices", "differences found", drift.report(changed)
    yield "Notices", "may be an attack", drift.alarm(changed)
    yield "Notices", "findings kept back", drift.kept_back(changed)
    yield "Notices", "previous secret removed", notices.retired(made.ready())
    yield "Notices", "revoked", notices.revoked(STATES["Being revoked"])
    yield "Notices", "requester has left", notices.left(STATES["Ready, values not picked up"])
    for name in (
        "Admin consent needed",
        "Admin consent needed, something foreign granted",
        "Ready",
    ):
        yield "Notices", f"call for consent: {name}", plan.consent_call(STATES[name], PAGE)
    stale = plan.consent_call(STATES["Admin consent needed"], "")
    yield "Notices", "call for consent: plan not signed", stale
    yield "Notices", "link to sign in", plan.sign_in_link(made.ID, "https://bot.example/c/x")
    for name in ("Approval needed", "Ready", "Failed", "Revoked"):
        yield "Notices", f"restored: {name}", notices.restored(STATES[name])
    nothing = Report(changes=(), unknown=())
    yield "Notices", "restored, all the same", (notices.HEADLINE, notices.restore_summary(nothing))


def _answers(catalogue: Catalogue) -> Iterator[Named]:
    for may_ask in (True, False):
        yield "Answers", f"greeting, may ask: {may_ask}", greeting(may_ask=may_ask)
    yield "Answers", "opens the form", form_button("mimecast")
    for command in COMMANDS.values():
        if command.confirmation is not None:
            asked = command.confirmation.drawn(made.ID)
            yield "Answers", f"confirmation: {command.word}", asked
    for name, found in _previews(catalogue):
        seen = preview.seen(found, in_the_way=())
        yield "Answers", f"preview, {name}", preview.message(seen, found.form)


def _previews(catalogue: Catalogue) -> Iterator[tuple[str, Preview]]:
    profile = catalogue["mimecast"]
    fits = Preview(form=made.form(), profile=profile, made_at=NOON, plan=made.plan())
    yield "a plan", fits
    hostile = made.hostile(Status.PENDING)
    yield "hostile names", replace(fits, form=hostile.form, plan=plan.stored_plan(hostile))
    yield (
        "reasons against it",
        replace(fits, plan=None, reasons=(f"No such domain: {made.HOSTILE}",)),
    )


def _modals(catalogue: Catalogue) -> Iterator[tuple[str, ui.Json]]:
    for profile in catalogue.values():
        yield f"form, {profile.title}", form.form(catalogue, profile)
        filled = made.form(profile=profile.id, name=made.HOSTILE[:120], reason=made.TURNED)
        yield f"form filled in, {profile.title}", form.form(catalogue, profile, filled)
    for name in ("Approval needed", "Approval needed, hostile names", "Ready", "Denied"):
        yield f"details: {name}", plan.details(STATES[name], catalogue)
    for action in (ids.ROTATE, ids.REVOKE):
        yield f"confirm: {action}", buttons.confirmation(STATES["Ready"], action)
    yield f"confirm: {ids.RETIRE}", buttons.confirmation(STATES["Ready, two secrets"], ids.RETIRE)
    yield "deny a plan", requests.denial_form(made.ID, None)
    yield "deny a request", requests.denial_form(made.ID, "r1")
    yield "preview, waiting", preview.waiting()
    for name, found in _previews(catalogue):
        yield f"preview, {name}", preview.modal(preview.seen(found, in_the_way=()))
    yield "preview, tenant not read", preview.modal(preview.unread("Entra does not answer."))
    yield "preview, bug", preview.modal(preview.broken("4f1c6a2e", contact="#it-help"))
    yield "refusal", ui.sentence_modal("You cannot approve your own registration.")
