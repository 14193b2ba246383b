"""Removing the secret before the one in use, and what must come of it."""

from datetime import datetime, timedelta
from typing import Any

from bot.approval import Verb
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.model import WORKS, Expected
from tests.reliability.state_machine.play import Play


def retire(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    works = [old for old in it.held[:-1] if old.state in WORKS]
    at = works[-1].remove_at if works else None
    allowed = it.may(Verb.REMOVE_PREVIOUS, who) and at is not None and at > play.clock.at
    play.attempt(allowed, play.world.registrar.secrets.remove_previous(it.id, by=who.person))
    if allowed:
        works[-1].remove_at = _retires_now(play, it, works[-1].id)
        it.said.append(("previous secret over", who.key))


def _retires_now(play: Play, it: Expected, secret: str) -> datetime:
    """Return when this secret is removed, which must be now."""
    [old] = [each for each in play.found(it).other_secrets if each.id == secret]
    assert old.remove_at is not None
    assert abs(old.remove_at - play.clock.at) < timedelta(seconds=1)
    return old.remove_at
