"""What people do about another secret beside the one in use, and what must come of it."""

from datetime import datetime, timedelta
from typing import Any

from bot.approval import Verb
from bot.domain.runs import RunKind
from tests.reliability.state_machine.cast import Figure, people
from tests.reliability.state_machine.model import WORKS, Expected, Wish
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.policy import STRICT


def rotate(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.ROTATE, who) and not it.waits and it.can_be_followed(play.clock.at)
    play.attempt(allowed, play.world.registrar.rotate(it.id, by=who.person))
    if allowed:
        it.wish = Wish(asked_by=who.key, until=play.clock.at + timedelta(hours=24))
        it.said.append(("rotation asked", who.key))


def confirm_rotation(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.wish, _rotation_of(play, it)
    allowed = (
        it.may(Verb.CONFIRM_ROTATION, who)
        and wish is not None
        and wish.waits
        and play.clock.at < wish.until
        and who.key != wish.asked_by
        and who.key not in wish.votes
        and it.can_be_followed(play.clock.at)
        and (who.party is not None or it.profile != STRICT)
    )
    seen = people(wish.votes if wish else ())
    confirm = play.world.registrar.confirm_rotation
    play.attempt(allowed, confirm(it.id, id, by=who.person, seen=seen))
    if not allowed or wish is None:
        return
    it.said.append(("rotation confirmed", who.key))
    it.confirmed_one.add(who.key)
    wish.votes[who.key] = who.party or ""
    if it.is_enough(list(wish.votes.values()), play.needed):
        wish.waits, it.run = False, RunKind.ADD_SECRET


def deny_rotation(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.wish, _rotation_of(play, it)
    allowed = (
        it.may(Verb.DENY_ROTATION, who)
        and wish is not None
        and wish.waits
        and play.clock.at < wish.until
    )
    play.attempt(allowed, play.world.registrar.deny_rotation(it.id, id, by=who.person))
    if allowed and wish is not None:
        wish.waits = False
        it.said.append(("rotation denied", who.key))


def cancel_rotation(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    wish, id = it.wish, _rotation_of(play, it)
    allowed = (
        it.may(Verb.CANCEL_ROTATION, who)
        and wish is not None
        and wish.waits
        and play.clock.at < wish.until
    )
    play.attempt(allowed, play.world.registrar.cancel_rotation(it.id, id, by=who.person))
    if allowed and wish is not None:
        wish.waits = False
        it.said.append(("rotation cancelled", who.key))


def retire(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    works = [old for old in it.held[:-1] if old.state in WORKS]
    at = works[-1].retires_at if works else None
    allowed = it.may(Verb.REMOVE_PREVIOUS, who) and at is not None and at > play.clock.at
    play.attempt(allowed, play.world.registrar.remove_previous(it.id, by=who.person))
    if allowed:
        works[-1].retires_at = _retires_now(play, it, works[-1].id)
        it.said.append(("previous secret over", who.key))


def _retires_now(play: Play, it: Expected, secret: str) -> datetime:
    """Return when this secret is removed, which must be now."""
    [old] = [each for each in play.found(it).other_secrets if each.id == secret]
    assert old.retires_at is not None
    assert abs(old.retires_at - play.clock.at) < timedelta(seconds=1)
    return old.retires_at


def _rotation_of(play: Play, it: Expected) -> str:
    rotation = play.found(it).rotation
    return rotation.id if rotation else "none"
