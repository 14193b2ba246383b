"""The form that starts a registration, and how it is read back.

The profile chosen decides on the other fields, so the form is redrawn when it changes. Slack
keeps the input of fields that stay; the input of others is kept in the view and restored when they
come back.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    CheckboxesElement,
    InputBlock,
    Option,
    PlainTextInputElement,
    StaticSelectElement,
)

from bot.domain.catalogue import Catalogue, Profile
from bot.domain.catalogue import Option as ProfileOption
from bot.domain.forms import days, split_domains
from bot.domain.registration import Form
from graph.permissions import Kind, lookup
from handlers.views import ids, ui

FLAG_ON = "yes"
LONGEST_METADATA = 3000
"""docs.slack.dev/reference/views/modal-views"""
LONGEST_VALUE = 2000
"""docs.slack.dev/reference/block-kit/block-elements/button-element"""
INTRODUCTION = (
    "An approver sees exactly what would be created; *Preview* shows it to you first. Nothing"
    " changes in Entra before it is approved."
)
CHANGED_MEANWHILE = (
    ":warning: The profile was changed while the form was being redrawn. These are its fields:"
    " look at them, then send the form again."
)
EMPTY = Form(profile="", name="", reason="", secret_days=0)


def form(
    catalogue: Catalogue,
    profile: Profile,
    filled: Form | None = None,
    *,
    introduction: str = INTRODUCTION,
) -> ui.Json:
    """Return the modal for a profile, empty or filled in as a form that was sent before."""
    filled = filled or EMPTY
    return ui.modal(
        "New Entra application",
        [
            ui.section(introduction),
            _profile(catalogue, profile),
            *([ui.section(f":warning: {profile.refusal}")] if profile.refusal else ()),
            ui.section("\n".join(_reach(profile))),
            _text(
                "Application name",
                ids.NAME,
                filled.name,
                hint="Shown in Entra under App registrations.",
            ),
            _text(
                "Reason",
                ids.REASON,
                filled.reason,
                hint="What it is for. The approver reads this.",
                lines=True,
            ),
            _secret_days(profile, filled.secret_days),
            *_redirect(profile, filled.redirect),
            *(_option(option, filled.options.get(option.id)) for option in profile.options),
            *ui.actions([ui.button("Preview", ids.PREVIEW, profile.id)]),
        ],
        close="Cancel",
        submit="Ask for approval",
        callback_id=ids.FORM,
        private_metadata=_kept(filled),
    )


def redrawn(view: Mapping[str, Any], catalogue: Catalogue, profile: Profile) -> ui.Json:
    """Return the form for its profile, where it still shows the fields of another."""
    typed = typed_so_far(view, catalogue)
    return form(catalogue, profile, typed, introduction=CHANGED_MEANWHILE)


def read_form(view: Mapping[str, Any], catalogue: Catalogue) -> Form:
    """Return the form as it was filled in, unchecked."""
    values = _values(view)
    profile = _selected(values, ids.PROFILE)
    options = catalogue[profile].options if profile in catalogue else ()
    return Form(
        profile=profile,
        name=_typed(values, ids.NAME),
        reason=_typed(values, ids.REASON),
        secret_days=_chosen_days(values, profile),
        redirect=_typed(values, ids.REDIRECT) or None,
        options={option.id: _read_option(option, values) for option in options},
    )


def typed_so_far(view: Mapping[str, Any], catalogue: Catalogue) -> Form:
    """Return all input of a form, also of fields that it no longer shows.

    `secret_days` is 0 unless it differs from the profile's default.
    """
    values, sent = _values(view), read_form(view, catalogue)
    kept = _read_json(view.get("private_metadata") or "", catalogue)
    chosen = ((_chosen_days(values, it.id), it.secret_days) for it in catalogue.values())
    shown = {
        id: _read_option(option, values)
        for id, option in _options(catalogue).items()
        if ids.OPTION_PREFIX + id in values
    }
    return dataclasses.replace(
        sent,
        secret_days=next(
            (it for it, default in chosen if it not in (0, default)), kept.secret_days
        ),
        redirect=sent.redirect if ids.REDIRECT in values else kept.redirect,
        options={**kept.options, **shown},
    )


def is_drawn_for(view: Mapping[str, Any], profile: str) -> bool:
    """Whether the form shows the fields of this profile, or still those of another."""
    return _days_block(profile) in _values(view)


def block_of(field: str, view: Mapping[str, Any]) -> str:
    """Return the block of this view that shows a field's problem."""
    blocks = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    names = (field, ids.OPTION_PREFIX + field)
    return next(
        (id for id in blocks if id in names or id.startswith(f"{field}:")),
        ids.NAME,  # a field that this form does not show
    )


def filled_value(filled: Form) -> str:
    """Return the value of a button that opens the filled form.

    Input that does not fit is left out, except for the profile.
    """
    fields = dataclasses.asdict(filled)
    found = (json.dumps(fields, ensure_ascii=escaping) for escaping in (False, True))
    fitting = (text for text in found if text.isprintable() and len(text) <= LONGEST_VALUE)
    return next(fitting, filled.profile)


def read_filled_value(value: str, catalogue: Catalogue) -> tuple[str | None, Form | None]:
    """Return the profile of a button that opens the form, or any, and the input, if given."""
    if not value.startswith("{"):
        return None if value == ids.ANY_PROFILE else value, None
    filled = _read_json(value, catalogue)
    return filled.profile, filled


def _profile(catalogue: Catalogue, chosen: Profile) -> Block:
    options = [_choice(each) for each in catalogue.values()]
    return InputBlock(
        block_id=ids.PROFILE,
        label="Profile",
        element=StaticSelectElement(
            action_id=ids.CHOOSE_PROFILE,
            options=options,
            initial_option=next(each for each in options if each.value == chosen.id),
        ),
        dispatch_action=True,
        hint=chosen.summary,
    )


def _choice(profile: Profile) -> Option:
    unusable = "Cannot be used in your tenant's cloud" if profile.refusal else None
    return Option(text=profile.title[:75], value=profile.id, description=unusable)


def _text(
    label: str,
    block: str,
    filled: str,
    *,
    hint: str,
    lines: bool = False,
    optional: bool = False,
) -> Block:
    return InputBlock(
        block_id=block,
        label=label,
        hint=hint,
        optional=optional,
        element=PlainTextInputElement(
            action_id=ids.CHOSEN, multiline=lines, initial_value=filled or None
        ),
    )


def _days_block(profile: str) -> str:
    """Return the block's id: Slack keeps a choice while the id stays, and profiles offer others."""
    return f"{ids.SECRET_DAYS}:{profile}"


def _secret_days(profile: Profile, wanted: int) -> Block:
    options = {it: Option(text=days(it), value=str(it)) for it in profile.secret_choices}
    return InputBlock(
        block_id=_days_block(profile.id),
        label="Secret valid for",
        hint="The tenant's policy may shorten this; the plan will say so.",
        element=StaticSelectElement(
            action_id=ids.CHOSEN,
            options=list(options.values()),
            initial_option=options.get(wanted) or options[profile.secret_days],
        ),
    )


def _redirect(profile: Profile, filled: str | None) -> list[Block]:
    if profile.redirect_rule == "none":
        return []
    field = _text("Redirect URL", ids.REDIRECT, filled or "", hint="https://…", optional=True)
    return [field, ui.context(profile.redirect_caution)]


def _option(option: ProfileOption, filled: Any) -> Block:
    block = ids.OPTION_PREFIX + option.id
    if option.kind == "domains":
        domains = ", ".join(filled or ())
        return _text(option.label, block, domains, hint=option.hint, optional=True)
    yes = Option(text="Yes", value=FLAG_ON)
    return InputBlock(
        block_id=block,
        label=option.label,
        hint=option.hint,
        optional=True,
        element=CheckboxesElement(
            action_id=ids.CHOSEN, options=[yes], initial_options=[yes] if filled else None
        ),
    )


def _reach(profile: Profile) -> Iterator[str]:
    """Yield the permissions of the application, in the words of the plan."""
    yield "*What the application could do*"
    for kind, names in ((Kind.ROLE, profile.roles), (Kind.SCOPE, profile.scopes)):
        word = "application" if kind is Kind.ROLE else "delegated"
        yield from (f"• {ui.code(name)} ({word}): {lookup(name, kind).meaning}" for name in names)


def _kept(filled: Form) -> str:
    """Return the input of fields that come and go, as text for the view to restore."""
    fields = dataclasses.asdict(filled)
    text = json.dumps({name: fields[name] for name in ("redirect", "secret_days", "options")})
    return text if filled != EMPTY and len(text) <= LONGEST_METADATA else ""


def _read_json(text: str, catalogue: Catalogue) -> Form:
    """Return the input that a button or view has held; nothing if it is not ours.

    None of it is trusted before the form is sent and checked.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return EMPTY
    fields, known = found if isinstance(found, dict) else {}, _options(catalogue)
    texts = {name: it for name, it in fields.items() if isinstance(it, str)}
    days, options = fields.get("secret_days"), fields.get("options")
    return Form(
        profile=texts.get("profile", ""),
        name=texts.get("name", ""),
        reason=texts.get("reason", ""),
        secret_days=days if isinstance(days, int) else 0,
        redirect=texts.get("redirect") or None,
        options={
            id: value
            for id, value in (options.items() if isinstance(options, dict) else ())
            if id in known and isinstance(value, list if known[id].kind == "domains" else bool)
        },
    )


def _options(catalogue: Catalogue) -> dict[str, ProfileOption]:
    return {option.id: option for each in catalogue.values() for option in each.options}


def _values(view: Mapping[str, Any]) -> dict[str, ui.Json]:
    """Return the state of each block, without blocks that have none."""
    state = view.get("state") or {}
    return {
        block: next(iter(states.values()))
        for block, states in (state.get("values") or {}).items()
        if states
    }


def _chosen_days(values: Mapping[str, ui.Json], profile: str) -> int:
    text = _selected(values, _days_block(profile))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _typed(values: Mapping[str, ui.Json], block: str) -> str:
    value = values.get(block, {}).get("value")
    return value.strip() if isinstance(value, str) else ""


def _selected(values: Mapping[str, ui.Json], block: str) -> str:
    return (values.get(block, {}).get("selected_option") or {}).get("value") or ""


def _read_option(option: ProfileOption, values: Mapping[str, ui.Json]) -> bool | list[str]:
    block = ids.OPTION_PREFIX + option.id
    if option.kind == "domains":
        return split_domains(_typed(values, block))
    return bool(values.get(block, {}).get("selected_options"))
