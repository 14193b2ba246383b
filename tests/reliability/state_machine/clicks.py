"""Which click is which verb, and of what."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from tests.reliability.state_machine import lifecycle, requests, secrets
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.model import Expected
from tests.reliability.state_machine.play import Play
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
DECISIONS = {
    Verb.APPROVE: (lifecycle.approve, requests.approve_of),
    Verb.DENY: (lifecycle.deny, requests.deny_of),
    Verb.WITHDRAW: (lifecycle.withdraw, requests.withdraw_of),
    Verb.CANCEL: (lifecycle.cancel, requests.cancel_of),
}
"""On a plan, and on another request."""
DONE: Mapping[Act, Callable[[Play, Expected, Figure, Any], None]] = {
    Act(Verb.SEE): lifecycle.see,
    Act(Verb.ASK_AGAIN): lifecycle.ask_again,
    **{Act(verb): of_plan for verb, (of_plan, _) in DECISIONS.items()},
    Act(Verb.RETRY): lifecycle.retry,
    Act(Verb.UNDO): lifecycle.undo,
    Act(Verb.REVOKE): lifecycle.revoke,
    Act(Verb.PURGE): requests.purge,
    Act(Verb.VALUES): secrets.values,
    Act(Verb.REVEAL): secrets.reveal,
    Act(Verb.REPLACE_SECRET): secrets.renew,
    Act(Verb.CHECK): lifecycle.check,
    Act(Verb.HAND_OVER): requests.hand_over,
    Act(Verb.ROTATE): requests.rotate,
    Act(Verb.REMOVE_PREVIOUS): secrets.retire,
    **{
        Act(verb, kind): partial(of_other, kind)
        for verb, (_, of_other) in DECISIONS.items()
        for kind in OTHERS
    },
}
