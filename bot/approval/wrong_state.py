"""Too late, or too early: why a registration's state does not allow a verb, as a sentence."""

from collections.abc import Mapping

from bot.approval.rules import Verb
from bot.domain.registration import Registration, Status

TO_BE_TAKEN_BACK = frozenset({Status.READY, Status.FAILED})
"""States in which there is something in Entra still, which has to go before it can go for good."""

TAKEN_BACK_BY: Mapping[Status, str] = {
    Status.PENDING: "Its requester can cancel it, and an approver can deny it.",
    Status.FAILED: "`/aad-setup undo {id}` removes what it has made.",
    Status.READY: "`/aad-setup revoke {id}` takes it back, if nobody needs it.",
}
"""By the state, how what is no longer wanted is taken back."""

BY_STATE: Mapping[Status, str] = {
    Status.PLANNING: "{id} is still being checked. Its card will change by itself.",
    Status.PENDING: "{id} waits for approval. Its card will change by itself.",
    Status.APPROVED: "{id} is being set up. Its card will change by itself.",
    Status.READY: "Too late: {id} is ready already.",
    Status.FAILED: "{id} has failed. Its card says why; *Retry* goes on where it stopped.",
    Status.REFUSED: "{id} was refused. Its card says why; ask again with `/aad-setup`.",
    Status.EXPIRED: "Too late: {id} has expired. Ask again with `/aad-setup`.",
    Status.REVOKING: "{id} is being revoked. Its card says when that is done.",
}


def wrong_state(verb: Verb, registration: Registration) -> str:
    """Say why the registration's state does not allow the verb, who decided if somebody did, and
    what takes it back in this state for whoever wanted that.
    """
    why = _too_late(verb, registration)
    taking_back = verb in (Verb.CANCEL, Verb.UNDO, Verb.REVOKE)
    hint = TAKEN_BACK_BY.get(registration.status, "") if taking_back else ""
    return f"{why} {hint.format(id=registration.id)}".rstrip()


def _too_late(verb: Verb, registration: Registration) -> str:
    id, status = registration.id, registration.status
    if verb in (Verb.APPROVE, Verb.DENY, Verb.WITHDRAW, Verb.CANCEL):
        # By its verdict, not by its time: the clocks of two replicas may differ.
        verdict, done = ("deny", "denied") if status is Status.DENIED else ("approve", "approved")
        decisive = [
            vote for vote in registration.votes if vote.verdict == verdict and vote.void is None
        ]
        if decisive and status not in (Status.PENDING, Status.CANCELLED, Status.EXPIRED):
            return f"Too late: <@{decisive[-1].person.user_id}> has {done} {id} already."
    if verb is Verb.PURGE and status in TO_BE_TAKEN_BACK:
        first = "undo" if status is Status.FAILED else "revoke"
        return (
            f"{id} has not been deleted, and only what was can be deleted for good."
            f" `/aad-setup {first} {id}` comes first."
        )
    return BY_STATE.get(status, "Too late: {id} was {status} already.").format(id=id, status=status)
