"""The ids of forms and buttons.

A button's value is a registration's id. There are five exceptions:

- A button that turns a page of the App Home holds the part and the page.
- A button that opens or previews the form holds a profile, or the input of a form that was closed.
- A button that decides on an approval request also holds the request's id, unless it is the plan's:
  a vote counts for the request that the approver has read.
- The button in the App Home that chooses how cards look holds that choice.
- An entry of a menu holds the id of the button that it stands for, too.
"""

COMMAND = "/aad-setup"

FORM = "registration_form"
PROFILE = "profile"
NAME = "name"
REASON = "reason"
SECRET_DAYS = "secret_days"
REDIRECT = "redirect"
OPTION_PREFIX = "option:"
CHOSEN = "chosen"  # the action inside each input block but the profile's
CHOOSE_PROFILE = "choose_profile"  # redraws the form
PREVIEW = "preview"  # shows the plan for the form

APPROVE = "approve"
DENY = "deny"
DENIAL = "denial"  # the form in which an approver says why
WITHDRAW = "withdraw"
CANCEL = "cancel"
AGAIN = "ask_again"
ROTATE = "rotate"
RETRY = "retry"
UNDO = "undo"
VALUES = "values"
REVEAL = "reveal"
MASK = "hide"  # its name in older versions, whose messages may be clicked
RENEW = "renew"
CHECK_CONSENT = "check_consent"
GRANT = "grant"
GRANT_WITH_CODE = "grant_with_code"
UNDO_ASKED = "undo_asked"  # asked for by a word, and confirmed by this button
RETIRE = "retire"
RETIRE_ASKED = "retire_asked"
REVOKE = "revoke"
REVOKE_ASKED = "revoke_asked"
MINE = "mine"  # lists the user's registrations
HELP = "help"
DETAILS = "details"  # opens the whole plan
MORE = "more"  # a menu of rare actions, whose values begin with the id of a button
CONFIRMED = "confirmed"  # the form that asks before one of them is carried out
REPLACED = (
    *("confirm_handover", "confirm_rotation", "deny_rotation", "cancel_rotation"),
    "purge_asked",
)
"""Buttons of older versions, which may still stand in messages."""
OPEN_FORM = "open_form"
ANY_PROFILE = "any"  # the value of a button that opens the form for the first profile
PLAIN = "plain"  # whether cards for this user are drawn plainly: "on" or "off"
HOME_BACK = "home_back"
HOME_ON = "home_on"
