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


def form(catalogue: Catalogue, profile: Profile, filled: Form | None = None) -> Json:
    """Return the modal for a profile, empty or filled in as a form that was sent before."""
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
            _text(
                "Application name",
                ids.NAME,
                hint="As it will be listed in Entra.",
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
        # What was chosen is kept while the block's id stays, and profiles offer other choices.
        block_id=f"{ids.SECRET_DAYS}:{profile.id}",
        label="The secret works for",
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


def _typed(state: Mapping[str, Any]) -> str:
    return (state.get("value") or "").strip()


def _selected(state: Mapping[str, Any]) -> str:
    return (state.get("selected_option") or {}).get("value") or ""


def _read_option(option: ProfileOption, state: Mapping[str, Any]) -> bool | list[str]:
    if option.kind == "domains":
        return split_domains(_typed(state))
    return bool(state.get("selected_options"))
