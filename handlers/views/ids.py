"""The ids of forms and buttons.

A button's value is a registration's id and nothing else; but for those of the App Home, which hold
a page, those that open the form or preview it, which hold a profile, and those that confirm a
handover, which also hold the heir: whoever confirms means the one they have read of.
"""

COMMAND = "/aad-setup"

FORM = "registration_form"
PROFILE = "profile"
NAME = "name"
REASON = "reason"
SECRET_DAYS = "secret_days"
REDIRECT = "redirect"
OPTION_PREFIX = "option:"
CHOSEN = "chosen"  # the one action inside each input block, but for the profile's
CHOOSE_PROFILE = "choose_profile"  # redraws the form
PREVIEW = "preview"  # shows what the form would come to

APPROVE = "approve"
DENY = "deny"
DENIAL = "denial"  # the form in which an approver says why
WITHDRAW = "withdraw"
CANCEL = "cancel"
AGAIN = "ask_again"
CONFIRM_HANDOVER = "confirm_handover"
RETRY = "retry"
UNDO = "undo"
VALUES = "values"
REVEAL = "reveal"
HIDE = "hide"
RENEW = "renew"
UNDO_ASKED = "undo_asked"  # asked for by a word, and confirmed by this button
REVOKE = "revoke"
REVOKE_ASKED = "revoke_asked"
PURGE_ASKED = "purge_asked"
OPEN_FORM = "open_form"
ANY_PROFILE = "any"  # the value of a button that opens the form for the first profile
HOME_BACK = "home_back"
HOME_ON = "home_on"


def handover_value(id: str, heir: str) -> str:
    """Return the value of the button that confirms a handover to this user id."""
    return f"{id}:{heir}"


def read_handover_value(value: str) -> tuple[str, str]:
    """Return the registration's id and the heir's user id."""
    id, _, heir = value.partition(":")
    return id, heir
