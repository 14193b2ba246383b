"""What an administrator does in Entra, and what must come of a look at it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bot.approval import Verb
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from graph.consent import Granted
from graph.errors import NotFound
from tests.reliability.state_machine.cast import Figure
from tests.reliability.state_machine.model import (
    AWAITED,
    FOREIGN,
    HARMLESS,
    REMINDERS,
    WAITING,
    Consent,
    Expected,
)
from tests.reliability.state_machine.play import Asked, Look, Play

MINUTE, EVER_AGO = timedelta(minutes=1), timedelta(days=-9999)
SETTLED = timedelta(minutes=15)
"""For so long Entra may not know what was made."""
GIVEN_UP = timedelta(days=1)
"""For so long after its end a wait bears an outage."""


def grant_one(consent: Consent) -> None:
    missing = AWAITED - consent.in_entra
    consent.in_entra.add(min(missing - consent.withdrawn or missing, default=HARMLESS))


def withdraw_one(consent: Consent) -> None:
    consent.in_entra.discard(min(consent.in_entra & consent.seen or consent.in_entra, default=""))


def lose(consent: Consent) -> None:
    """Delete the service principal, and with it all that it was granted."""
    consent.in_entra, consent.is_lost = set(), True


def stop_answering(consent: Consent) -> None:
    consent.is_unread = not consent.is_unread


DEEDS: Mapping[str, Callable[[Consent], None]] = {
    "grants all": lambda consent: consent.in_entra.update(AWAITED),
    "grants one": grant_one,
    "grants what was not asked for": lambda consent: consent.in_entra.add(FOREIGN),
    "grants something harmless": lambda consent: consent.in_entra.add(HARMLESS),
    "withdraws one": withdraw_one,
    "withdraws the foreign one": lambda consent: consent.in_entra.discard(FOREIGN),
    "deletes the service principal": lose,
    "has an outage": stop_answering,
}
"""What happens in Entra. Without a service principal nothing can be granted."""

OFTEN = [*["grants one"] * 3, *["withdraws one"] * 2, "grants all"]
ILL_TIMED = ["grants what was not asked for", "withdraws one"] * 2
"""Between the last grant and the secret."""


def administer(it: Expected, deed: str) -> None:
    if not it.consent.is_lost or deed == "has an outage":
        DEEDS[deed](it.consent)


def look_now(play: Play, it: Expected, who: Figure) -> None:
    """Press *Look now*."""
    allowed, planned = it.may(Verb.CHECK, who), it.consent.look_at
    play.attempt(allowed, play.registrar.recovery.check(it.id, by=who.person))
    if allowed and planned:
        then = min(planned - play.clock.at, MINUTE)
        play.looks_in(it, at_least=then, at_most=then)


def look_at_grants(play: Play) -> None:
    """Let the bot look at the grants, and expect what it must have found and done."""
    begin_look(play)
    if play.look is not None:
        end_look(play)


def begin_look(play: Play) -> None:
    """Let the bot ask for the grants that are due. Graph answers later."""
    now, watch = play.clock.at, play.world.consent_watch
    due = [it for it in play.known if it.status is WAITING and _is_due(it, now)]
    play.tell_entra()
    looking = play.do(watch.ask())
    assert sorted(watch.read) == sorted(it.id for it in due)
    for it in due:
        play.looks_in(it, at_most=MINUTE)
    if due:
        play.look = Look(looking, [Asked(it, play.found(it).version) for it in due])


def end_look(play: Play) -> None:
    """Let Graph answer. Of what has changed meanwhile, nothing is believed."""
    look, play.look = play.look, None
    assert look is not None
    is_same = [play.found(each.it).version == each.version for each in look.asked]
    play.world.consent_watch.answers.set()
    play.do(look.task)
    for each, same in zip(look.asked, is_same, strict=True):
        if same:
            _looked(play, each)
        elif each.it.status is WAITING:
            play.looks_in(each.it, at_least=EVER_AGO, at_most=SETTLED)


def remind(it: Expected, now: datetime) -> None:
    """Expect a reminder, if the scheduler has found one due, and the next in its time."""
    consent = it.consent
    if it.status is WAITING and consent.remind_at and consent.remind_at <= now:
        assert consent.began_at is not None
        consent.calls += 1
        later = [consent.began_at + each for each in REMINDERS]
        consent.remind_at = next((at for at in later if at > now), None)


def _is_due(it: Expected, now: datetime) -> bool:
    return it.consent.look_at is not None and it.consent.look_at <= now


def _looked(play: Play, asked: Asked) -> None:
    it, found = asked.it, asked.found
    now, consent = play.clock.at, it.consent
    is_late = it.until is not None and it.until <= now
    is_settled = consent.made_at is not None and consent.made_at + SETTLED <= now
    if found is None and it.until is not None and it.until + GIVEN_UP <= now:
        _fails(play, it, may_be_retried=False)
    elif isinstance(found, NotFound):
        if is_late or (is_settled and consent.is_missing):
            _fails(play, it, may_be_retried=False)
        consent.seen, consent.is_missing = set(), True
    elif isinstance(found, Granted):
        _noted(consent, found)
        is_news, consent.is_foreign = consent.is_foreign, bool(found.foreign)
        if found.foreign and is_news:
            consent.alarms += 1
            _fails(play, it, may_be_retried=True)
        elif not found.foreign and found.steps == AWAITED:
            consent.is_given, it.approved_at = True, now  # an administrator has decided, too
            it.status, it.run, it.until = Status.APPROVED, RunKind.REGISTER, None
        elif not found.foreign and is_late:
            _fails(play, it, may_be_retried=False)
    if it.status is WAITING and consent.look_at == asked.look_at:  # else somebody is in a hurry
        assert it.until is not None
        play.looks_in(it, at_most=min(SETTLED, max(it.until - now, MINUTE)))


def _fails(play: Play, it: Expected, *, may_be_retried: bool) -> None:
    it.status = Status.FAILED
    play.ends_in(it, timedelta(days=7) if may_be_retried else timedelta(0))
    failure = play.found(it).failure
    assert failure is not None
    assert failure.step == "Admin consent"


def _noted(consent: Consent, found: Granted) -> None:
    """Expect a loss at the second look only, and no step taken while more is granted."""
    lost, consent.is_missing = consent.granted - found.steps, False
    withdrawn = consent.withdrawn | (lost & consent.missed)
    consent.missed = lost - consent.missed
    consent.granted = set(found.steps) | consent.missed
    consent.withdrawn, consent.extras = withdrawn - found.steps, set(found.extras)
    consent.seen = set() if found.foreign else set(found.steps)
