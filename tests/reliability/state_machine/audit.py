"""What must hold after each step: storage says what the model says, and goes on by itself."""

from collections.abc import Sequence

from bot.domain.approval_requests import RequestKind
from bot.domain.registration import MOVES, Registration, Status
from bot.domain.runs import RunKind
from bot.storage import runs
from bot.storage.history import BOT, Entry
from bot.storage.messages import MessageKind
from bot.storage.timers import TimerKind
from graph.rights import ConsentMode
from tests.reliability.state_machine.cast import CAST
from tests.reliability.state_machine.model import AWAITED, GRANTED_BY, WORKS, Expected
from tests.reliability.state_machine.play import Play
from tests.support.history_checks import is_whole, winners
from tests.support.secret_lives import SecretLife, life_of

ASKED = {f"{kind} asked" for kind in RequestKind}


def audit(play: Play) -> None:
    [(version,)] = play.watch.execute("PRAGMA data_version")
    if version == play.audited:  # nobody has committed anything
        return
    play.audited = version
    for it in play.known:
        _registration(play, it)


def _registration(play: Play, it: Expected) -> None:
    found, entries = play.found(it), play.history(it)
    owed = play.do(play.world.database.read(runs.pending))
    due = {each.kind for each in play.due(it)}
    before = play.seen.get(it.id, Status.PLANNING)
    play.seen[it.id] = found.status
    assert found.status is before or found.status in MOVES.get(before, ())
    assert found.status is it.status
    assert found.requester.key == it.requester
    assert sum(run.registration == it.id for run in owed) <= 1
    assert found.run is it.run
    _votes(play, it, found, entries)
    _requests(it, found)
    _history(play, it, entries)
    _secret(play, it, found, due)
    _consent(play, it, found)
    _end(found, due)


def _votes(play: Play, it: Expected, found: Registration, entries: Sequence[Entry]) -> None:
    approvals = {vote.person.key for vote in found.approvals()}
    assert approvals == set(it.votes)
    assert not approvals & (it.former | {it.requester})
    denials = {vote.person.key for vote in found.votes} - approvals
    assert denials == ({it.decided_by} if it.status is Status.DENIED else set())
    spoken = {figure.key: figure.party or "" for figure in CAST.values() if figure.decides}
    won = winners(entries, lambda who: it.is_enough([spoken[each] for each in who], play.needed))
    assert len(won) <= 1
    is_decided = it.has_plan and it.status is not Status.PENDING
    assert len(won) == is_decided
    if it.decided_by is not None:
        assert (won[0].team_id, won[0].user_id) == it.decided_by


def _requests(it: Expected, found: Registration) -> None:
    others = [each for each in found.requests if each.kind is not RequestKind.PLAN]
    voted = {vote.person.key for each in others for vote in each.votes}
    assert voted == {who for each in it.wishes for who in (*each.votes, each.denied_by)} - {None}
    for kind in set(RequestKind) - {RequestKind.PLAN}:
        wish, latest, waiting = it.latest(kind), found.latest(kind), found.waiting(kind)
        assert (waiting is not None) == (it.waiting(kind) is not None)
        if wish is None or latest is None:
            assert wish is None
            assert latest is None
            continue
        approvals = {vote.person.key for vote in latest.approvals()}
        assert approvals == set(wish.votes)
        assert (latest.to.key if latest.to else None) == wish.to
        if kind is not RequestKind.HANDOVER:
            assert wish.asked_by not in approvals
        if waiting is not None:
            assert not approvals & (it.former | {it.requester})


def _history(play: Play, it: Expected, entries: Sequence[Entry]) -> None:
    assert is_whole(it.id, entries)
    by_people = [
        (entry.what, (entry.team_id, entry.user_id))
        for entry in entries
        if (entry.team_id, entry.user_id) != BOT.key
    ]
    assert by_people == it.said
    wishes = 1 + sum(entry.what in ASKED for entry in entries)
    waits = sum(entry.what == "consent awaited" for entry in entries)
    assert sum(entry.what == "reminded" for entry in entries) <= 4 * wishes + 3 * waits


def _secret(play: Play, it: Expected, found: Registration, due: set[TimerKind]) -> None:
    assert (life_of(found.secret) if found.secret else None) is it.secret
    if found.secret is None:
        return
    works = {(old.id, old.remove_at) for old in found.other_secrets if old.is_live}
    assert works == {(old.id, old.remove_at) for old in it.held[:-1] if old.state in WORKS}
    for old in it.held[:-1]:
        is_ready = it.status is Status.READY
        if is_ready and old.remove_at is not None and old.state in WORKS:
            assert TimerKind.REMOVE_PREVIOUS in due or it.run is RunKind.REMOVE_PREVIOUS
    assert (TimerKind.TELL_EXPIRY in due) >= it.is_to_be_told(play.clock.at)
    match it.secret:
        case SecretLife.SEALED:
            assert TimerKind.REMOVE_UNREAD in due
            assert found.deadline is not None
        case SecretLife.CLAIMED if it.status is not Status.REVOKING:
            assert TimerKind.UNKNOWN in due
        case SecretLife.SHOWN:
            masks = {each.subject.secret for each in play.owed_masks()}
            assert TimerKind.MASK in due or found.secret.id in masks
        case SecretLife.CLOSED:
            assert it.run or due & {TimerKind.REMOVE_STRAY, TimerKind.REVOKE}


def _consent(play: Play, it: Expected, found: Registration) -> None:
    """See that it waits for what an administrator has to grant, and makes no secret before."""
    if play.consent_mode is ConsentMode.AUTONOMOUS:
        return
    consent, waits = it.consent, it.status is Status.WAITING_FOR_CONSENT
    assert AWAITED & found.facts.keys() == consent.seen
    assert consent.is_given or not _count(play, "secrets WHERE registration = ?", it.id)
    looks = {each.at for each in play.due(it, of_consent=True)}
    assert looks == ({consent.look_at} if waits else set())
    if not waits:
        return
    assert found.run is None
    assert found.secret is None
    of_kind = "messages WHERE registration = ? AND kind = ?"
    assert _count(play, of_kind, it.id, MessageKind.CONSENT) == consent.calls
    assert _count(play, of_kind, it.id, MessageKind.ALARM) == consent.alarms
    if found.consent is not None:
        assert set(found.consent.extras) == consent.extras
        assert set(found.consent.withdrawn) == {str(GRANTED_BY[it]) for it in consent.withdrawn}
        assert set(found.consent.granted) == {str(GRANTED_BY[it]) for it in consent.granted}


def _count(play: Play, what: str, *values: str) -> int:
    [(count,)] = play.watch.execute(f"SELECT count(*) FROM {what}", values)
    return int(count)


def _end(found: Registration, due: set[TimerKind]) -> None:
    """Whatever is no end goes on by itself; nothing goes on after an end."""
    if not found.status.is_end and found.status not in (Status.READY, Status.PENDING):
        assert found.run is not None or found.deadline is not None
    if found.status is Status.PENDING:
        assert TimerKind.EXPIRE in due
    elif found.status is Status.FAILED:
        assert TimerKind.UNDO in due or found.run is RunKind.UNDO
    elif found.status is Status.REVOKING:
        assert TimerKind.REVOKE in due or found.run is RunKind.REVOKE
    elif found.status.is_end:
        waits = {TimerKind.EXPIRE, TimerKind.REMIND} if found.waiting_requests else set()
        assert due <= {TimerKind.MASK} | waits
        assert found.run in (None, RunKind.PURGE)
