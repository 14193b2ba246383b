"""Which click is which verb."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.approval import Verb
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.lifecycle import (
    approve,
    ask_again,
    cancel,
    check,
    confirm,
    deny,
    hand_over,
    purge,
    retry,
    revoke,
    see,
    undo,
    withdraw,
)
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.rotating import (
    cancel_rotation,
    confirm_rotation,
    deny_rotation,
    retire,
    rotate,
)
from tests.reliability.state_machine.secrets import renew, reveal, values

LOOKS = {Verb.SEE, Verb.VALUES, Verb.ASK_AGAIN}
"""Verbs that change nothing."""

RARE = {
    Verb.CHECK,
    Verb.DENY,
    Verb.CANCEL,
    Verb.REVOKE,
    Verb.DENY_ROTATION,
    Verb.CANCEL_ROTATION,
    Verb.REMOVE_PREVIOUS,
}
"""Verbs that would be most of what happens, or the early end of it."""

DONE: Mapping[Verb, Callable[[Play, Expected, Figure, Any], None]] = {
    Verb.SEE: see,
    Verb.ASK_AGAIN: ask_again,
    Verb.APPROVE: approve,
    Verb.DENY: deny,
    Verb.WITHDRAW: withdraw,
    Verb.CANCEL: cancel,
    Verb.RETRY: retry,
    Verb.UNDO: undo,
    Verb.REVOKE: revoke,
    Verb.PURGE: purge,
    Verb.VALUES: values,
    Verb.REVEAL: reveal,
    Verb.REPLACE_SECRET: renew,
    Verb.CHECK: check,
    Verb.HAND_OVER: hand_over,
    Verb.CONFIRM: confirm,
    Verb.ROTATE: rotate,
    Verb.CONFIRM_ROTATION: confirm_rotation,
    Verb.DENY_ROTATION: deny_rotation,
    Verb.CANCEL_ROTATION: cancel_rotation,
    Verb.REMOVE_PREVIOUS: retire,
}
