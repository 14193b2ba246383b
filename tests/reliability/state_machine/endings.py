"""How runs end, and what must come of it."""

from datetime import timedelta

from bot.domain.registration import Status
from bot.domain.runs import RunKind
from graph.rights import ConsentMode
from tests.reliability.state_machine.model import (
    AWAITED,
    FOREIGN,
    IN_ENTRA,
    REMINDERS,
    Expected,
    Held,
)
from tests.reliability.state_machine.play import Play
from tests.support.scripted_runs import Ending
from tests.support.secret_lives import SecretLife


def end(play: Play, it: Expected, ending: Ending) -> None:
    play.tell_entra()
    run = play.run_of(it)
    assert run.kind is it.run
    is_old_live = it.secret in (SecretLife.MASKED, SecretLife.UNMASKED, SecretLife.UNKNOWN)
    play.do(play.world.runs.play(run, ending))
    it.run = None
    match run.kind:
        case RunKind.REGISTER if _awaits(play, it, ending):
            _waits(play, it)
        case RunKind.REGISTER if _is_in_doubt(play, it):
            failed(play, it)
        case RunKind.REGISTER:
            it.has_application |= ending is not Ending.FAILS_EARLY
            _made(play, it, ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST))
        case RunKind.REPLACE_SECRET:
            last = ending is Ending.FAILS_LAST and not is_old_live
            if last or ending in (Ending.WELL, Ending.REFUSED):
                it.held.pop()
                _made(play, it, True)
        case RunKind.ADD_SECRET:
            if ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST):
                _made(play, it, True, follows=True)
        case RunKind.REMOVE_PREVIOUS:
            if ending in (Ending.WELL, Ending.REFUSED):
                it.held = [each for each in it.held if each.id != run.subject]
        case RunKind.UNDO:
            _emptied(play, it, ending)
            _undone(play, it, not it.has_plan or ending in (Ending.WELL, Ending.REFUSED))
        case RunKind.REVOKE:
            _emptied(play, it, ending)
            _revoked(play, it, ending in (Ending.WELL, Ending.REFUSED))
        case RunKind.PURGE:
            it.is_purged = ending in (Ending.WELL, Ending.REFUSED)
        case RunKind.PLAN:
            _planned(play, it, ending)
        case RunKind.REMOVE_UNREAD | RunKind.REMOVE_STRAY:
            well = ending in (Ending.WELL, Ending.REFUSED)
            for each in it.held:
                is_it = run.kind is RunKind.REMOVE_STRAY or each.id == run.subject
                if well and is_it and each.state is SecretLife.CLOSED:
                    each.state = SecretLife.REMOVED


def _planned(play: Play, it: Expected, ending: Ending) -> None:
    match ending:
        case Ending.WELL:
            it.status, it.has_plan = Status.PENDING, True
            play.ends_in(it, timedelta(hours=24))
        case Ending.REFUSED:
            it.status = Status.REFUSED
        case _:
            failed(play, it)


def _awaits(play: Play, it: Expected, ending: Ending) -> bool:
    """Whether an administrator has to consent before the run comes to where it ends so."""
    if play.consent_mode is ConsentMode.AUTONOMOUS:
        return False
    if not it.consent.seen >= AWAITED:
        return it.has_application or ending is not Ending.FAILS_EARLY
    # A run looks once more before it makes a secret.
    return not it.consent.is_unread and not it.consent.in_entra >= AWAITED


def _is_in_doubt(play: Play, it: Expected) -> bool:
    """Whether a run that looks once more finds nothing out, or more than was approved."""
    return it in play.carried_on() and (it.consent.is_unread or FOREIGN in it.consent.in_entra)


def _waits(play: Play, it: Expected) -> None:
    consent, now = it.consent, play.clock.at
    if not it.has_application:
        it.has_application, consent.made_at = True, now
    it.status = Status.WAITING_FOR_CONSENT
    consent.since = consent.since or now
    until = max(consent.since + timedelta(days=7), now + timedelta(days=1))
    consent.began_at = until - timedelta(days=7)
    later = [consent.began_at + each for each in REMINDERS]
    consent.remind_at = next((at for at in later if at > now), None)
    consent.calls += 1
    consent.seen, consent.granted, consent.missed = set(), set(), set()
    consent.extras, consent.withdrawn = set(), set()
    consent.is_foreign = consent.is_missing = False
    play.ends_in(it, until - now)
    play.looks_in(it, at_most=timedelta(minutes=1))


def _made(play: Play, it: Expected, well: bool, *, follows: bool = False) -> None:
    if not well:
        failed(play, it)
        return
    it.status = Status.READY
    secret = play.found(it).secret
    assert secret is not None
    assert secret.expires_at is not None
    assert secret.id not in play.revealed
    for each in it.held:
        if each.remove_at is not None and each.remove_at > play.clock.at:
            each.remove_at = None
    new = Held(secret.id, SecretLife.SEALED, secret.expires_at, follows=follows)
    it.held.append(new)
    play.newest[it.id] = secret.id
    play.ends_in(it, timedelta(days=7))


def _undone(play: Play, it: Expected, well: bool) -> None:
    if well:
        it.status, it.until = Status.UNDONE, None
    else:
        play.ends_in(it, timedelta(hours=1))


def _emptied(play: Play, it: Expected, ending: Ending) -> None:
    """Expect the application in the bin, if the run has come so far."""
    if ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST):
        it.is_in_bin |= it.has_application
        it.has_application, it.consent.seen = False, set()
        it.consent.in_entra, it.consent.is_lost = set(), False


def _revoked(play: Play, it: Expected, well: bool) -> None:
    if not well:
        play.ends_in(it, timedelta(hours=1))
        return
    it.status, it.until = Status.REVOKED, None
    for each in it.held:
        if each.state in IN_ENTRA:
            each.state = SecretLife.REMOVED


def failed(play: Play, it: Expected) -> None:
    it.status = Status.FAILED
    play.ends_in(it, timedelta(days=7))


def given_up(play: Play, it: Expected) -> None:
    kind, it.run = it.run, None
    match kind:
        case RunKind.PLAN | RunKind.REGISTER:
            failed(play, it)
        case RunKind.UNDO:
            _undone(play, it, well=False)
        case RunKind.REVOKE:
            _revoked(play, it, well=False)
