"""What people do about rotations, handovers and purges, and what must come of it."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from bot.domain.runs import RunKind
from tests.reliability.state_machine.cast import CAST, STRICT, Figure, people
from tests.reliability.state_machine.model import Expected, Wish
from tests.reliability.state_machine.play import Play
from tests.support.history_checks import Key

STARTS = {RequestKind.ROTATION: RunKind.ADD_SECRET, RequestKind.PURGE: RunKind.PURGE}


def rotate(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.ROTATE, who) and _may_be_asked(play, it, RequestKind.ROTATION)
    act = play.registrar.requests.rotation(it.id, by=who.person)
    _asks(play, it, who, RequestKind.ROTATION, allowed, act)


def purge(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.PURGE, who) and _may_be_asked(play, it, RequestKind.PURGE)
    act = play.registrar.requests.purge(it.id, by=who.person)
    _asks(play, it, who, RequestKind.PURGE, allowed, act)


def hand_over(play: Play, it: Expected, who: Figure, data: st.DataObject) -> None:
    to = CAST[data.draw(st.sampled_from(["carl", "ada", "olga", *CAST]))]
    waiting = it.waiting(RequestKind.HANDOVER)
    allowed = (
        it.may(Verb.HAND_OVER, who)
        and to.is_sure
        and to.asks
        and to.key not in (it.requester, waiting.to if waiting else None)
        and not it.has_voted(to.key)
        and _seldom(play, it, RequestKind.HANDOVER)
    )
    act = play.registrar.requests.handover(it.id, to=to.person, by=who.person)
    if allowed and waiting is not None:
        waiting.waits = False
    _asks(play, it, who, RequestKind.HANDOVER, allowed, act, to.key)


def approve_of(kind: RequestKind, play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.waiting(kind), _id_of(play, it, kind)
    allowed = (
        _may_decide(play, it, Verb.APPROVE, who, wish)
        and wish is not None
        and _may_vote(play, it, who, wish)
        and who.key not in wish.votes
        and _has_point(play, it, wish)
        and it.said.count((f"{kind} vote withdrawn", who.key)) < 5
    )
    seen = people([*wish.votes, *([wish.to] if wish.to else [])] if wish else ())
    act = play.registrar.approval.approve(it.id, id, by=who.person, seen=seen)
    if not play.does(it, who, f"{kind} confirmed", allowed, act) or wish is None:
        return
    wish.votes[who.key] = who.party or ""
    if kind is RequestKind.HANDOVER:
        _hand_over(it, who, wish)
    elif it.is_enough(list(wish.votes.values()), play.needed):
        wish.waits, it.run = False, STARTS[kind]


def withdraw_of(kind: RequestKind, play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.waiting(kind), _id_of(play, it, kind)
    may = _may_decide(play, it, Verb.WITHDRAW, who, wish)
    allowed = may and wish is not None and who.key in wish.votes
    act = play.registrar.approval.withdraw(it.id, id, by=who.person)
    if play.does(it, who, f"{kind} vote withdrawn", allowed, act) and wish is not None:
        del wish.votes[who.key]


def deny_of(kind: RequestKind, play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.waiting(kind), _id_of(play, it, kind)
    may = _may_decide(play, it, Verb.DENY, who, wish)
    allowed = may and wish is not None and who.key not in wish.votes
    act = play.registrar.approval.deny(it.id, id, by=who.person, reason="Not now")
    if play.does(it, who, f"{kind} denied", allowed, act) and wish is not None:
        wish.waits, wish.denied_by = False, who.key


def cancel_of(kind: RequestKind, play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.waiting(kind), _id_of(play, it, kind)
    allowed = wish is not None and it.may(Verb.CANCEL, who, wish)
    act = play.registrar.approval.cancel(it.id, id, by=who.person)
    if play.does(it, who, f"{kind} cancelled", allowed, act) and wish is not None:
        wish.waits = False


def _asks(
    play: Play,
    it: Expected,
    who: Figure,
    kind: RequestKind,
    allowed: bool,
    act: Awaitable[object],
    to: Key | None = None,
) -> None:
    if play.does(it, who, f"{kind} asked", allowed, act):
        until = play.clock.at + timedelta(hours=24)
        it.wishes.append(Wish(kind=kind, asked_by=who.key, until=until, to=to))


def _may_decide(play: Play, it: Expected, verb: Verb, who: Figure, wish: Wish | None) -> bool:
    """Whether this person may decide on it, and in time; a requester may cancel it later, too."""
    return wish is not None and it.may(verb, who, wish) and play.clock.at < wish.until


def _may_be_asked(play: Play, it: Expected, kind: RequestKind) -> bool:
    if it.waiting(kind) is not None or not _seldom(play, it, kind):
        return False
    return _has_point(play, it, Wish(kind=kind, asked_by=it.requester, until=play.clock.at))


def _seldom(play: Play, it: Expected, kind: RequestKind) -> bool:
    return play.told(it, since=timedelta(days=1)).count(f"{kind} asked") < 5


def _has_point(play: Play, it: Expected, wish: Wish) -> bool:
    match wish.kind:
        case RequestKind.ROTATION:
            return it.can_be_followed(play.clock.at)
        case RequestKind.PURGE:
            return it.run is None and it.is_in_bin and not it.is_purged
        case _:
            return wish.to is not None and not it.has_voted(wish.to)


def _may_vote(play: Play, it: Expected, who: Figure, wish: Wish) -> bool:
    if wish.kind is not RequestKind.HANDOVER:
        is_somebodys = who.party is not None or it.profile != STRICT
        return who.key != wish.asked_by and is_somebodys
    takes_one = play.needed == 1 and it.profile != STRICT
    return who.key != wish.to and (takes_one or who.key != wish.asked_by)


def _hand_over(it: Expected, who: Figure, wish: Wish) -> None:
    assert wish.to is not None
    it.former.add(it.requester)
    it.requester, wish.waits = wish.to, False
    rotation = it.waiting(RequestKind.ROTATION)
    if rotation is not None:
        rotation.waits = False
    it.said.append(("handed over", who.key))


def _id_of(play: Play, it: Expected, kind: RequestKind) -> str:
    latest = play.found(it).latest(kind)
    return latest.id if latest else "none"
