"""What people do about a registration, and what must come of it."""

from datetime import timedelta
from typing import Any

from bot.approval import Verb
from bot.domain.lifetimes import APPROVAL_VALID
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from tests.reliability.state_machine.cast import CAST, MOST, PLAIN, STRICT, Figure, people
from tests.reliability.state_machine.consent import look_now
from tests.reliability.state_machine.model import OPEN, TAKEN, Expected
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.secrets import forget_if_it_follows
from tests.support.factories import form
from tests.support.secret_lives import SecretLife


def submit(play: Play, who: str, name: str) -> None:
    figure = CAST[who]
    profile = STRICT if name == "crm" else PLAIN
    twins = [each for each in play.known if each.name == name and each.status in TAKEN]
    own = [it for it in play.known if it.requester == figure.key and it.status in OPEN]
    allowed = figure.is_sure and figure.asks and not twins and len(own) < MOST
    wish = form(name=name, profile=profile)
    origin = f"V{next(play.forms)}"
    id = play.attempt(
        allowed, play.registrar.submission.submit(wish, by=figure.person, origin=origin)
    )
    if id is None:
        return
    made = Expected(id=id, profile=profile, name=name, requester=figure.key)
    made.said.append(("submitted", figure.key))
    play.known.append(made)


def approve(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = (
        it.may(Verb.APPROVE, who)
        and play.in_time(it)
        and who.key not in it.votes
        and (who.party is not None or it.profile != STRICT)
    )
    act = play.registrar.approval.approve(it.id, by=who.person, seen=people(it.votes))
    if not play.does(it, who, "approved", allowed, act):
        return
    it.votes[who.key] = who.party or ""
    if it.is_enough(list(it.votes.values()), play.needed):
        it.status, it.run, it.until = Status.APPROVED, RunKind.REGISTER, None
        it.decided_by, it.approved_at = who.key, play.clock.at


def withdraw(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.WITHDRAW, who) and play.in_time(it) and who.key in it.votes
    act = play.registrar.approval.withdraw(it.id, by=who.person)
    if play.does(it, who, "withdrawn", allowed, act):
        del it.votes[who.key]


def deny(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.DENY, who) and play.in_time(it) and who.key not in it.votes
    act = play.registrar.approval.deny(it.id, by=who.person, reason="Not now")
    if play.does(it, who, "denied", allowed, act):
        it.status, it.until, it.decided_by = Status.DENIED, None, who.key


def cancel(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    act = play.registrar.approval.cancel(it.id, by=who.person)
    if play.does(it, who, "cancelled", it.may(Verb.CANCEL, who), act):
        it.status, it.until, it.decided_by = Status.CANCELLED, None, who.key


def retry(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    is_fresh = it.approved_at is None or play.clock.at < it.approved_at + APPROVAL_VALID
    allowed = it.may(Verb.RETRY, who) and it.run is None and is_fresh
    act = play.registrar.recovery.retry(it.id, by=who.person, seen=people(it.votes))
    if play.does(it, who, "retried", allowed, act):
        it.status = Status.APPROVED if it.has_plan else Status.PLANNING
        it.run = RunKind.REGISTER if it.has_plan else RunKind.PLAN
        it.until = it.consent.since = None


def undo(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.UNDO, who) and it.run is None
    act = play.registrar.recovery.undo(it.id, by=who.person)
    if play.does(it, who, "undo asked", allowed, act):
        it.run = RunKind.UNDO


def revoke(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.REVOKE, who) and it.run is not RunKind.REVOKE
    act = play.registrar.revocation.revoke(it.id, by=who.person)
    if not play.does(it, who, "revoke asked", allowed, act):
        return
    if it.secret is SecretLife.SEALED:
        it.secret = SecretLife.CLOSED
        forget_if_it_follows(play, it)
    it.status, it.run, it.until = Status.REVOKING, RunKind.REVOKE, None
    it.doubtful_at = None


def check(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    if it.status is Status.WAITING_FOR_CONSENT:
        look_now(play, it, who)
        return
    lately = play.told(it, since=timedelta(minutes=5))
    allowed = (
        it.may(Verb.CHECK, who)
        and it.run is None
        and lately.count("check asked") <= lately.count("ready")
    )
    act = play.registrar.recovery.check(it.id, by=who.person)
    if play.does(it, who, "check asked", allowed, act):
        it.run = RunKind.CHECK


def ask_again(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    allowed = it.may(Verb.ASK_AGAIN, who) and who.asks
    play.attempt(allowed, play.registrar.submission.form_of(it.id, by=who.person))


def see(play: Play, it: Expected, who: Figure, _: Any = None) -> None:
    play.attempt(it.may(Verb.SEE, who), play.registrar.queries.status(it.id, by=who.person))
