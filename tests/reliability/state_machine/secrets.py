"""What people do about a secret, and what must come of it."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from bot.approval import Verb
from bot.domain.runs import RunKind
from bot.registrar import Reveal
from bot.storage.timers import TimerKind
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.model import CAN_BE_RENEWED, WORKS, Expected
from tests.reliability.state_machine.play import Play
from tests.support.concurrency import URL
from tests.support.secret_lives import SecretLife


def values(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    found = play.attempt(
        it.may(Verb.VALUES, who), play.registrar.secrets.values(it.id, by=who.person)
    )
    assert found is None or not found.is_open


def reveal(play: Play, it: Expected, who: Figure, data: st.DataObject | None = None) -> None:
    allowed = it.may(Verb.REVEAL, who) and it.secret is SecretLife.SEALED and play.in_time(it)
    look: Reveal | None = play.attempt(
        allowed, play.registrar.secrets.reveal(it.id, by=who.person, answer_to=URL)
    )
    if look is None:
        return
    assert look.secret == play.newest[it.id]
    assert look.secret not in play.revealed, "the secret was revealed twice"
    play.revealed.add(look.secret)
    it.secret, it.until = SecretLife.CLAIMED, None
    it.doubtful_at = play.clock.at + timedelta(seconds=30)
    it.said.append(("secret claimed", who.key))
    play.unanswered.append((it, look.secret, who.person))
    if data is not None and data.draw(st.booleans()):
        answer(play, took=True)


def answer(play: Play, *, took: bool) -> None:
    """Let the oldest reveal learn whether Slack took the secret."""
    it, secret, by = play.unanswered.pop(0)
    registrar = play.registrar
    confirm = registrar.secrets.shown if took else registrar.secrets.lost
    play.do(confirm(it.id, secret, by=by))
    if play.newest[it.id] == secret and it.secret is SecretLife.CLAIMED:
        it.secret = SecretLife.SHOWN if took else SecretLife.UNKNOWN
        it.said.append(("secret shown" if took else "secret doubtful", by.key))
        if took:
            was_seen(play, it, secret)


def renew(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    lasts = bool(it.held) and it.held[-1].expires_at >= play.clock.at + timedelta(days=1)
    is_idle = it.run is None and it.secret in CAN_BE_RENEWED
    allowed = it.may(Verb.REPLACE_SECRET, who) and is_idle and lasts
    act = play.registrar.secrets.replace(it.id, by=who.person)
    if play.does(it, who, "new secret asked", allowed, act):
        it.run = RunKind.REPLACE_SECRET


def mask(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.VALUES, who)
    is_open = any(each.kind is TimerKind.MASK and each.at > play.clock.at for each in play.due(it))
    play.attempt(allowed, play.registrar.secrets.mask(it.id, by=who.person))
    if allowed and is_open:
        it.said.append(("hidden by hand", who.key))


def retire(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    """Remove the secret before the one in use, which must be at once."""
    works = [old for old in it.held[:-1] if old.state in WORKS]
    at = works[-1].remove_at if works else None
    allowed = it.may(Verb.REMOVE_PREVIOUS, who) and at is not None and at > play.clock.at
    act = play.registrar.secrets.remove_previous(it.id, by=who.person)
    if play.does(it, who, "previous secret over", allowed, act):
        [old] = [each for each in play.found(it).other_secrets if each.id == works[-1].id]
        assert old.remove_at is not None
        assert abs(old.remove_at - play.clock.at) < timedelta(seconds=1)
        works[-1].remove_at = old.remove_at


def was_seen(play: Play, it: Expected, secret: str) -> None:
    """Expect that whatever this secret follows is removed in a week, or when it ends."""
    at = next(index for index, each in enumerate(it.held) if each.id == secret)
    known = {old.id: old for old in play.found(it).other_secrets}
    for old in it.held[:at]:
        if old.state in WORKS and old.remove_at is None:
            old.remove_at = known[old.id].remove_at
            assert old.remove_at is not None
            week = play.clock.at + timedelta(days=7)
            assert abs(old.remove_at - min(week, old.expires_at)) < timedelta(seconds=1)


def forget_if_it_follows(play: Play, it: Expected) -> None:
    """Nobody has seen what was to follow another: then it is as if it had never been."""
    if it.held[-1].follows:
        it.held.pop()
        play.newest[it.id] = it.held[-1].id
