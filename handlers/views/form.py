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
from slack_sdk.models.views import View

from bot.domain.catalogue import Catalogue, Profile
from bot.domain.catalogue import Option as ProfileOption
from bot.domain.form_validation import split_domains
from bot.domain.registration import Form
from bot.planning.plan_text import days
from graph.permissions import Kind, lookup
from handlers.views import ids
from handlers.views.blocks import Json, actions, button, code, context, section

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


def form(
    catalogue: Catalogue,
    profile: Profile,
    filled: Form | None = None,
    *,
    introduction: str = INTRODUCTION,
) -> Json:
    """Return the modal for a profile, empty or filled in as a form that was sent before."""
    view = View(
        type="modal",
        callback_id=ids.FORM,
        title="New Entra application",
        submit="Ask for approval",
        close="Cancel",
        private_metadata=_kept(filled),
        blocks=[
            section(introduction),
            _profile(catalogue, profile),
            section("\n".join(_reach(profile))),
            _text(
                "Application name",
                ids.NAME,
                hint="Shown in Entra under App registrations.",
                filled=filled.name if filled else "",
            ),
            _text(
                "Reason",
                ids.REASON,
                hint="What it is for. The approver reads this.",
                lines=True,
                filled=filled.reason if filled else "",
            ),
            _secret_days(profile, filled),
            *_redirect(profile, filled),
            *(_option(option, filled) for option in profile.options),
            *actions([button("Preview", ids.PREVIEW, profile.id)]),
        ],
    )
    return dict(view.to_dict())


def read_form(view: Mapping[str, Any], catalogue: Catalogue) -> Form:
    """Return the form as it was filled in, unchecked."""
    values = _values(view)
    profile = _selected(values.get(ids.PROFILE, {}))
    known = catalogue[profile].options if profile in catalogue else ()
    return Form(
        profile=profile,
        name=_typed(values.get(ids.NAME, {})),
        reason=_typed(values.get(ids.REASON, {})),
        secret_days=_number(_selected(values.get(f"{ids.SECRET_DAYS}:{profile}", {}))),
        redirect=_typed(values.get(ids.REDIRECT, {})) or None,
        options={
            option.id: _read_option(option, values.get(ids.OPTION_PREFIX + option.id, {}))
            for option in known
        },
    )


def typed_so_far(view: Mapping[str, Any], catalogue: Catalogue) -> Form:
    """Return all input of a form, also of fields that it no longer shows.

    `secret_days` is 0 unless it differs from the profile's default.
    """
    values, before = _values(view), _read_kept(view)
    options = {option.id: option for each in catalogue.values() for option in each.options}
    shown = {
        id: _read_option(option, values[ids.OPTION_PREFIX + id])
        for id, option in options.items()
        if ids.OPTION_PREFIX + id in values
    }
    redirect = _typed(values[ids.REDIRECT]) if ids.REDIRECT in values else before.get("redirect")
    kept = {id: it for id, it in before.get("options", {}).items() if _fits(options.get(id), it)}
    return Form(
        profile=_selected(values.get(ids.PROFILE, {})),
        name=_typed(values.get(ids.NAME, {})),
        reason=_typed(values.get(ids.REASON, {})),
        secret_days=_days_chosen(values, catalogue) or before.get("secret_days", 0),
        redirect=redirect or None,
        options={**kept, **shown},
    )


def is_drawn_for(view: Mapping[str, Any], profile: str) -> bool:
    """Whether the form shows the fields of this profile, or still those of another."""
    return f"{ids.SECRET_DAYS}:{profile}" in _values(view)


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
    """Return the profile of a button that opens the form, or any, and the input, if given.

    None of it is trusted before the form is sent and checked.
    """
    if not value.startswith("{"):
        return None if value == ids.ANY_PROFILE else value, None
    said = _read_json(value)
    options = {option.id: option for each in catalogue.values() for option in each.options}
    kept = said.get("options")
    days = said.get("secret_days")
    filled = Form(
        profile=_text_of(said, "profile"),
        name=_text_of(said, "name"),
        reason=_text_of(said, "reason"),
        secret_days=days if isinstance(days, int) else 0,
        redirect=_text_of(said, "redirect") or None,
        options={
            id: it
            for id, it in (kept.items() if isinstance(kept, dict) else ())
            if _fits(options.get(id), it)
        },
    )
    return filled.profile, filled


def _profile(catalogue: Catalogue, chosen: Profile) -> Block:
    options = [Option(text=each.title[:75], value=each.id) for each in catalogue.values()]
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


def _text(
    label: str,
    block: str,
    *,
    hint: str,
    lines: bool = False,
    optional: bool = False,
    filled: str = "",
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


def _secret_days(profile: Profile, filled: Form | None) -> Block:
    options = [Option(text=days(each), value=str(each)) for each in profile.secret_choices]
    wanted = profile.secret_days
    if filled is not None and filled.secret_days in profile.secret_choices:
        wanted = filled.secret_days
    initial = next(each for each in options if each.value == str(wanted))
    return InputBlock(
        # A choice is kept while the block's id stays, and profiles offer other choices.
        block_id=f"{ids.SECRET_DAYS}:{profile.id}",
        label="Secret valid for",
        hint="The tenant's policy may shorten this; the plan will say so.",
        element=StaticSelectElement(action_id=ids.CHOSEN, options=options, initial_option=initial),
    )


def _redirect(profile: Profile, filled: Form | None) -> list[Block]:
    if profile.redirect_rule == "none":
        return []
    return [
        _text(
            "Redirect URL",
            ids.REDIRECT,
            hint="https://…",
            optional=True,
            filled=(filled.redirect if filled else None) or "",
        ),
        context(profile.redirect_caution),
    ]


def _option(option: ProfileOption, filled: Form | None) -> Block:
    block = ids.OPTION_PREFIX + option.id
    value = filled.options.get(option.id) if filled else None
    if option.kind == "domains":
        domains = ", ".join(value or ())
        return _text(option.label, block, hint=option.hint, optional=True, filled=domains)
    yes = Option(text="Yes", value=FLAG_ON)
    return InputBlock(
        block_id=block,
        label=option.label,
        hint=option.hint,
        optional=True,
        element=CheckboxesElement(
            action_id=ids.CHOSEN, options=[yes], initial_options=[yes] if value else None
        ),
    )


def _reach(profile: Profile) -> Iterator[str]:
    """Yield the permissions of the application, in the words of the plan."""
    yield "*What the application could do*"
    for kind, names in ((Kind.ROLE, profile.roles), (Kind.SCOPE, profile.scopes)):
        word = "application" if kind is Kind.ROLE else "delegated"
        yield from (f"• {code(name)} ({word}): {lookup(name, kind).meaning}" for name in names)


def _kept(filled: Form | None) -> str:
    """Return the input of fields that come and go, as text for the view to restore."""
    if filled is None:
        return ""
    kept = {
        "redirect": filled.redirect,
        "secret_days": filled.secret_days,
        "options": dict(filled.options),
    }
    text = json.dumps(kept)
    return text if len(text) <= LONGEST_METADATA else ""


def _read_kept(view: Mapping[str, Any]) -> Json:
    return _read_json(view.get("private_metadata") or "{}")


def _read_json(text: str) -> Json:
    """Return the fields of an object; none if it is no object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text_of(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _fits(option: ProfileOption | None, value: object) -> bool:
    if option is None:
        return False
    return isinstance(value, list if option.kind == "domains" else bool)


def _days_chosen(values: Mapping[str, Json], catalogue: Catalogue) -> int:
    """Return the chosen lifetime of the secret, unless it is the form's default."""
    for profile in catalogue.values():
        chosen = _number(_selected(values.get(f"{ids.SECRET_DAYS}:{profile.id}", {})))
        if chosen not in (0, profile.secret_days):
            return chosen
    return 0


def _values(view: Mapping[str, Any]) -> dict[str, Json]:
    """Return the state of each block that has one."""
    state = view.get("state") or {}
    return {
        block: next(iter(states.values()))
        for block, states in (state.get("values") or {}).items()
        if states
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _typed(state: Mapping[str, Any]) -> str:
    value = state.get("value")
    return value.strip() if isinstance(value, str) else ""


def _selected(state: Mapping[str, Any]) -> str:
    return (state.get("selected_option") or {}).get("value") or ""


def _read_option(option: ProfileOption, state: Mapping[str, Any]) -> bool | list[str]:
    if option.kind == "domains":
        return split_domains(_typed(state))
    return bool(state.get("selected_options"))
