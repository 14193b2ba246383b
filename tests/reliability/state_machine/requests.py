"""What people do about rotations, handovers and purges, and what must come of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from bot.domain.runs import RunKind
from tests.reliability.state_machine.cast import CAST, Figure, people
from tests.reliability.state_machine.model import Expected, Wish
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.policy import STRICT

Click = Callable[[Play, Expected, Figure, Any], None]
STARTS = {RequestKind.ROTATION: RunKind.ADD_SECRET, RequestKind.PURGE: RunKind.PURGE}


def rotate(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.ROTATE, who) and _may_be_asked(play, it, RequestKind.ROTATION)
    play.attempt(allowed, play.world.registrar.requests.rotation(it.id, by=who.person))
    if allowed:
        _asked(play, it, who, RequestKind.ROTATION)


def purge(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.PURGE, who) and _may_be_asked(play, it, RequestKind.PURGE)
    play.attempt(allowed, play.world.registrar.requests.purge(it.id, by=who.person))
    if allowed:
        _asked(play, it, who, RequestKind.PURGE)


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
    play.attempt(
        allowed, play.world.registrar.requests.handover(it.id, to=to.person, by=who.person)
    )
    if allowed:
        if waiting is not None:
            waiting.waits = False
        _asked(play, it, who, RequestKind.HANDOVER, to)


def approve_of(kind: RequestKind) -> Click:
    def approve(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.waiting(kind), _id_of(play, it, kind)
        allowed = (
            wish is not None
            and it.may(Verb.APPROVE, who, wish)
            and play.clock.at < wish.until
            and _may_vote(play, it, who, wish)
            and who.key not in wish.votes
            and _has_point(play, it, wish)
            and it.said.count((f"{kind} vote withdrawn", who.key)) < 5
        )
        seen = people([*wish.votes, *([wish.to] if wish.to else [])] if wish else ())
        play.attempt(
            allowed, play.world.registrar.approval.approve(it.id, id, by=who.person, seen=seen)
        )
        if not allowed or wish is None:
            return
        it.said.append((f"{kind} confirmed", who.key))
        wish.votes[who.key] = who.party or ""
        if kind is RequestKind.HANDOVER:
            _hand_over(it, who, wish)
        elif it.is_enough(list(wish.votes.values()), play.needed):
            wish.waits, it.run = False, STARTS[kind]

    return approve


def withdraw_of(kind: RequestKind) -> Click:
    def withdraw(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.waiting(kind), _id_of(play, it, kind)
        allowed = (
            wish is not None
            and it.may(Verb.WITHDRAW, who, wish)
            and play.clock.at < wish.until
            and who.key in wish.votes
        )
        play.attempt(allowed, play.world.registrar.approval.withdraw(it.id, id, by=who.person))
        if allowed and wish is not None:
            del wish.votes[who.key]
            it.said.append((f"{kind} vote withdrawn", who.key))

    return withdraw


def deny_of(kind: RequestKind) -> Click:
    def deny(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.waiting(kind), _id_of(play, it, kind)
        allowed = (
            wish is not None
            and it.may(Verb.DENY, who, wish)
            and play.clock.at < wish.until
            and who.key not in wish.votes
        )
        denied = play.world.registrar.approval.deny(it.id, id, by=who.person, reason="Not now")
        play.attempt(allowed, denied)
        if allowed and wish is not None:
            wish.waits, wish.denied_by = False, who.key
            it.said.append((f"{kind} denied", who.key))

    return deny


def cancel_of(kind: RequestKind) -> Click:
    def cancel(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.waiting(kind), _id_of(play, it, kind)
        allowed = wish is not None and it.may(Verb.CANCEL, who, wish)
        play.attempt(allowed, play.world.registrar.approval.cancel(it.id, id, by=who.person))
        if allowed and wish is not None:
            wish.waits = False
            it.said.append((f"{kind} cancelled", who.key))

    return cancel


def _asked(
    play: Play, it: Expected, who: Figure, kind: RequestKind, to: Figure | None = None
) -> None:
    until = play.clock.at + timedelta(hours=24)
    to_key = to.key if to else None
    it.wishes.append(Wish(kind=kind, asked_by=who.key, until=until, to=to_key))
    it.said.append((f"{kind} asked", who.key))


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
