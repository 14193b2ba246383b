"""The form that starts a registration, and how it is read back."""

from collections.abc import Mapping
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

from bot.catalogue import Catalogue, Profile
from bot.catalogue import Option as ProfileOption
from bot.forms import split_domains
from bot.plan_words import days
from bot.registration import Form
from handlers.views import ids
from handlers.views.words import Json, context, section

FLAG_ON = "yes"


def form(catalogue: Catalogue, profile: Profile) -> Json:
    """Return the modal for a profile."""
    view = View(
        type="modal",
        callback_id=ids.FORM,
        title="New Entra application",
        submit="Ask for approval",
        close="Cancel",
        blocks=[
            section(
                "An approver sees exactly what would be created. Nothing changes in Entra before"
                " somebody has approved it."
            ),
            _profile(catalogue, profile),
            _text("Application name", ids.NAME, hint="As it will be listed in Entra."),
            _text(
                "Reason", ids.REASON, hint="What it is for. The approver reads this.", lines=True
            ),
            _secret_days(profile),
            *_redirect(profile),
            *(_option(option) for option in profile.options),
        ],
    )
    return dict(view.to_dict())


def read_form(view: Mapping[str, Any], catalogue: Catalogue) -> Form:
    """Return what was filled in, as it was filled in; checking it comes later."""
    values = {block: next(iter(state.values())) for block, state in view["state"]["values"].items()}
    profile = _selected(values[ids.PROFILE])
    days = values.get(f"{ids.SECRET_DAYS}:{profile}", {})
    known = catalogue[profile].options if profile in catalogue else ()
    return Form(
        profile=profile,
        name=_typed(values[ids.NAME]),
        reason=_typed(values[ids.REASON]),
        secret_days=int(_selected(days) or 0),
        redirect=_typed(values.get(ids.REDIRECT, {})) or None,
        options={
            option.id: _read_option(option, values.get(ids.OPTION_PREFIX + option.id, {}))
            for option in known
        },
    )


def block_of(field: str, view: Mapping[str, Any]) -> str:
    """Return the block of this view that shows a field's problem."""
    blocks = [block["block_id"] for block in view["blocks"]]
    names = (field, ids.OPTION_PREFIX + field)
    return next(
        (id for id in blocks if id in names or id.startswith(f"{field}:")),
        ids.NAME,  # a field that this form does not show
    )


def _profile(catalogue: Catalogue, chosen: Profile) -> Block:
    options = [Option(text=each.title[:75], value=each.id) for each in catalogue.values()]
    return InputBlock(
        block_id=ids.PROFILE,
        label="Connector",
        element=StaticSelectElement(
            action_id=ids.CHOOSE_PROFILE,
            options=options,
            initial_option=next(each for each in options if each.value == chosen.id),
        ),
        dispatch_action=True,
        hint=chosen.summary,
    )


def _text(
    label: str, block: str, *, hint: str, lines: bool = False, optional: bool = False
) -> Block:
    return InputBlock(
        block_id=block,
        label=label,
        hint=hint,
        optional=optional,
        element=PlainTextInputElement(action_id=ids.CHOSEN, multiline=lines),
    )


def _secret_days(profile: Profile) -> Block:
    options = [Option(text=days(each), value=str(each)) for each in profile.secret_choices]
    initial = next(each for each in options if each.value == str(profile.secret_days))
    return InputBlock(
        # What was chosen is kept while the block's id stays, and profiles offer other choices.
        block_id=f"{ids.SECRET_DAYS}:{profile.id}",
        label="The secret works for",
        hint="The tenant's policy may shorten this; the plan will say so.",
        element=StaticSelectElement(action_id=ids.CHOSEN, options=options, initial_option=initial),
    )


def _redirect(profile: Profile) -> list[Block]:
    if profile.redirect_rule == "none":
        return []
    return [
        _text("Redirect URL", ids.REDIRECT, hint="https://…", optional=True),
        context(profile.redirect_caution),
    ]


def _option(option: ProfileOption) -> Block:
    block = ids.OPTION_PREFIX + option.id
    if option.kind == "domains":
        return _text(option.label, block, hint=option.hint, optional=True)
    return InputBlock(
        block_id=block,
        label=option.label,
        hint=option.hint,
        optional=True,
        element=CheckboxesElement(
            action_id=ids.CHOSEN, options=[Option(text="Yes", value=FLAG_ON)]
        ),
    )


def _typed(state: Mapping[str, Any]) -> str:
    return (state.get("value") or "").strip()


def _selected(state: Mapping[str, Any]) -> str:
    return (state.get("selected_option") or {}).get("value") or ""


def _read_option(option: ProfileOption, state: Mapping[str, Any]) -> bool | list[str]:
    if option.kind == "domains":
        return split_domains(_typed(state))
    return bool(state.get("selected_options"))
