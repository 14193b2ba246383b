"""What happens by itself: time passes, the scheduler looks, masks are laid, the bot restarts."""

from datetime import datetime, timedelta

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.storage import messages, timers
from bot.storage.history import BOT
from tests.reliability.state_machine.audit import audit
from tests.reliability.state_machine.consent import end_look, look_at_grants, remind
from tests.reliability.state_machine.endings import end, given_up
from tests.reliability.state_machine.model import AT_REST, ON_SCREEN, WORKS, Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.secrets import forget_if_it_follows, was_seen
from tests.support.scripted_runs import Ending
from tests.support.secret_lives import SecretLife


def pass_time(play: Play, by: timedelta, *, looks: bool) -> None:
    """The scheduler notices at once, or people are faster."""
    play.clock.move(by)
    play.is_late = True
    if looks:
        look(play)


def look(play: Play) -> None:
    play.is_late = False
    _look(play)


def restart(play: Play) -> None:
    """Whatever the bot had only in mind is gone."""
    if play.look is not None:
        play.look.task.cancel()
        play.look = None
    play.do(play.world.close())
    play.do(play.world.open())
    play.unanswered.clear()


def give_up(play: Play, it: Expected) -> None:
    """Let the engine lose the registration's run."""
    _look(play)  # it is started
    if it.run is None:
        return
    play.world.engine.dead.add(play.run_of(it).id)
    _look(play, lost=it)


def lay_masks(play: Play, *, takes: bool) -> None:
    for message in play.owed_masks():
        play.do(play.world.database.write(messages.give_up, message))
        it = next(each for each in play.known if each.id == message.registration)
        noted = play.registrar.secrets.masked if takes else play.registrar.secrets.unmasked
        play.do(noted(it.id, message.subject.secret))
        for each in it.held:
            if each.id == message.subject.secret and each.state in ON_SCREEN:
                each.state = SecretLife.MASKED if takes else SecretLife.UNMASKED
                was_seen(play, it, each.id)


def let_it_end(play: Play) -> None:
    for it in play.known:
        it.consent.is_unread = False  # an outage ends, too
    if play.look is not None:
        end_look(play)
        audit(play)
    for _ in range(20):
        if all(_is_over(play, it) for it in play.known):
            return
        play.clock.move(timedelta(days=1))
        _look(play)
        look_at_grants(play)
        audit(play)
        lay_masks(play, takes=True)
        for it in play.known:
            if it.run:
                end(play, it, Ending.WELL)
        if all(it.status is not Status.PLANNING for it in play.known):
            audit(play)
    raise AssertionError([it for it in play.known if not _is_over(play, it)])


def _look(play: Play, lost: Expected | None = None) -> None:
    """Let the scheduler look, and expect what it must have found and may have begun."""
    before = play.clock.at
    play.do(play.world.scheduler.look())
    assert not play.do(play.world.database.read(timers.find_due, before, limit=1))
    if lost is not None:
        given_up(play, lost)
    for it in play.known:
        _expect_dues(play, it, before)


def _expect_dues(play: Play, it: Expected, now: datetime) -> None:
    is_over = it.until is not None and it.until <= now
    remind(it, now)
    for wish in it.wishes:
        wish.waits &= wish.until > now
    if it.status is Status.PENDING and is_over:
        it.status, it.until, it.decided_by = Status.EXPIRED, None, BOT.key
    if it.secret is SecretLife.CLAIMED and it.doubtful_at and it.doubtful_at <= now:
        it.secret = SecretLife.UNKNOWN
    began = play.found(it).run
    if it.run or began is None:
        return
    it.run = began
    match began:
        case RunKind.REMOVE_UNREAD:
            assert it.secret is SecretLife.SEALED
            assert is_over
            it.secret, it.until = SecretLife.CLOSED, None
            forget_if_it_follows(play, it)
        case RunKind.REMOVE_PREVIOUS:
            assert any(old.remove_at and old.remove_at <= now for old in it.held[:-1])
        case RunKind.UNDO:
            assert it.status is Status.FAILED
            assert is_over
        case RunKind.REVOKE:
            assert it.status is Status.REVOKING
            assert is_over
        case RunKind.CHECK:
            assert it.status is Status.READY
        case RunKind.REMOVE_STRAY:
            assert it.status in (Status.READY, Status.FAILED)
        case _:
            raise AssertionError(f"the scheduler began {began}")


def _is_over(play: Play, it: Expected) -> bool:
    goes = any(old.remove_at is not None for old in it.held[:-1] if old.state in WORKS)
    is_at_rest = it.status.is_end or it.status is Status.READY
    waits = any(it.waiting(kind) for kind in RequestKind)
    return is_at_rest and (it.secret is None or it.secret in AT_REST) and not goes and not waits
