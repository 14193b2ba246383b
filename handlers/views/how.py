"""How people ask for each verb: by a word behind the command, or by a button. README prints it."""

from collections.abc import Mapping

from bot.approval import Verb

HOW: Mapping[str, str] = {
    "preview": "`preview`, *Preview*",
    "ask": "no word, *New application*, *Open the form*",
    Verb.SEE: "`status`, `details`, `list`",
    Verb.HISTORY: "`history`",
    Verb.ASK_AGAIN: "*Ask again*",
    Verb.APPROVE: "*Approve*",
    Verb.DENY: "*Deny*",
    Verb.WITHDRAW: "*Withdraw my approval*",
    Verb.CANCEL: "`cancel`, *Cancel*",
    Verb.RETRY: "`retry`, *Retry*",
    Verb.UNDO: "`undo`, *Undo*",
    Verb.REVOKE: "`revoke`, *Revoke*, *Try again*",
    Verb.PURGE: "`purge`",
    Verb.VALUES: "`values`, *Get the values*",
    Verb.REVEAL: "*Show the secret*",
    Verb.RENEW: "*Make a new one*",
    Verb.CHECK: "`check`",
    Verb.HAND_OVER: "`handover`",
    Verb.CONFIRM: "*Confirm the handover*",
    Verb.ROTATE: "`rotate`, *Rotate*",
    Verb.CONFIRM_ROTATION: "*Confirm the rotation*",
    Verb.DENY_ROTATION: "*Deny the rotation*",
}
"""For each verb the words, the buttons, or both."""
