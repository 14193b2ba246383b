"""Which click is which verb, and of what."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.lifecycle import (
    approve,
    ask_again,
    cancel,
    check,
    deny,
    retry,
    revoke,
    see,
    undo,
    withdraw,
)
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.requests import (
    approve_of,
    cancel_of,
    deny_of,
    hand_over,
    purge,
    rotate,
    withdraw_of,
)
from tests.reliability.state_machine.retiring import retire
from tests.reliability.state_machine.secrets import renew, reveal, values
from tests.support.approval_table import ALLOWED


class Act(NamedTuple):
    """A verb, and the kind of request that it decides on, if it is not the plan's."""

    verb: Verb
    kind: RequestKind | None = None

    def fits(self, it: Expected) -> bool:
        if self.kind is not None:
            return it.waiting(self.kind) is not None
        return it.status in ALLOWED[self.verb][1]


LOOKS = {Verb.SEE, Verb.VALUES, Verb.ASK_AGAIN}
"""Verbs that change nothing."""

RARE = {Verb.CHECK, Verb.DENY, Verb.CANCEL, Verb.REVOKE, Verb.REMOVE_PREVIOUS}
"""Verbs that would be most of what happens, or the early end of it."""

OTHERS = (RequestKind.ROTATION, RequestKind.HANDOVER, RequestKind.PURGE)
DONE: Mapping[Act, Callable[[Play, Expected, Figure, Any], None]] = {
    Act(Verb.SEE): see,
    Act(Verb.ASK_AGAIN): ask_again,
    Act(Verb.APPROVE): approve,
    Act(Verb.DENY): deny,
    Act(Verb.WITHDRAW): withdraw,
    Act(Verb.CANCEL): cancel,
    Act(Verb.RETRY): retry,
    Act(Verb.UNDO): undo,
    Act(Verb.REVOKE): revoke,
    Act(Verb.PURGE): purge,
    Act(Verb.VALUES): values,
    Act(Verb.REVEAL): reveal,
    Act(Verb.REPLACE_SECRET): renew,
    Act(Verb.CHECK): check,
    Act(Verb.HAND_OVER): hand_over,
    Act(Verb.ROTATE): rotate,
    Act(Verb.REMOVE_PREVIOUS): retire,
    **{Act(Verb.APPROVE, kind): approve_of(kind) for kind in OTHERS},
    **{Act(Verb.DENY, kind): deny_of(kind) for kind in OTHERS},
    **{Act(Verb.WITHDRAW, kind): withdraw_of(kind) for kind in OTHERS},
    **{Act(Verb.CANCEL, kind): cancel_of(kind) for kind in OTHERS},
}
