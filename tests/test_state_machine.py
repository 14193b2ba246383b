"""A state machine: any people click anything, at any time, while runs end, time passes, and the bot
restarts; beside it a model, written without a look at the code's table, that knows what must come.
"""

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bot.approval import Policy, Role, Verb
from bot.bell import Bells
from bot.catalogue import Approval, read_catalogue
from bot.engine import Outcome
from bot.keeper import Keeper
from bot.playground.clock import MovableClock
from bot.registrar import Reveal
from bot.registration import MOVES, Person, Refusal, Registration, RunKind, SecretState, Status
from bot.storage import dues, history, installation, messages, registrations, runs
from bot.storage.database import opened
from bot.storage.dues import DueKind
from bot.storage.history import BOT, Entry
from bot.storage.messages import MessageKind
from tests.chain import Key, is_whole, winners
from tests.office import IdleEngine, Office, office
from tests.pieces import ADA, BEN, GRACE, NOON, ROSA, TEAM, form
from tests.played_runs import Ending, PlayedRuns
from tests.test_approval import ALLOWED, NEVER_OWN

T = TypeVar("T")

TICK = timedelta(milliseconds=1)
URL = "https://hooks.slack.com/actions/x"
NAMES = ("billing", "crm")
MOST = 2
"""How many registrations one person may have open."""


class StillClock(MovableClock):
    """A clock that moves only when somebody moves it, and a tick whenever somebody looks."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON

    def now(self) -> datetime:
        self.at += TICK
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


class Figure(NamedTuple):
    """Somebody, and what the settings and Slack make of them."""

    person: Person
    is_sure: bool = True  # no doubt about who it is
    asks: bool = False
    decides: bool = False
    party: str | None = ""  # whom a vote speaks for; None: Slack did not say
    heirs: bool | None = None  # whether a registration may be handed over to them, if not as `asks`

    @property
    def key(self) -> Key:
        return self.person.key


def member(id: str, *groups: str) -> Person:
    return Person(team_id=TEAM, user_id=id, name=id.title(), groups=frozenset(groups))


CARL = member("U0CARL", "S0ASKERS")
EVE = member("U0EVE", "S0ADMINS")
OLGA = member("U0OLGA", "S0SECURITY", "S0ASKERS")
UNREAD = frozenset({"S0ASKERS", "S0ADMINS", "S0SECURITY"})
GONE = ("is deactivated",)

CAST: Mapping[str, Figure] = {
    "rosa": Figure(ROSA, asks=True),
    "carl": Figure(CARL, asks=True),
    "ada": Figure(ADA, asks=True, decides=True),
    "grace": Figure(GRACE, decides=True),
    "eve": Figure(EVE, decides=True, party="S0ADMINS"),
    "olga": Figure(OLGA, asks=True, decides=True, party="S0SECURITY"),
    "ben": Figure(BEN),
    "ada, groups unread": Figure(replace(ADA, unread=UNREAD), asks=True, decides=True, party=None),
    "eve, groups unread": Figure(replace(EVE, groups=frozenset(), unread=UNREAD)),
    "carl, groups unread": Figure(replace(CARL, groups=frozenset(), unread=UNREAD)),
    "a guest": Figure(replace(BEN, doubts=("is a guest's",)), is_sure=False, asks=True),
    "ada of another team": Figure(replace(ADA, team_id="T0ELSE"), is_sure=False, decides=True),
    "rosa, who left": Figure(replace(ROSA, doubts=GONE), is_sure=False, asks=True),
    "grace, who left": Figure(replace(GRACE, doubts=GONE), is_sure=False, decides=True),
}
POLICY = Policy(
    team_id=TEAM,
    requesters=frozenset({ROSA.user_id, ADA.user_id}),
    approvers=frozenset({ADA.user_id, GRACE.user_id}),
    approvals_needed=1,
    requester_groups=frozenset({"S0ASKERS"}),
    approver_groups=frozenset({"S0ADMINS", "S0SECURITY"}),
    open_limit=MOST,
    person_daily_limit=20,
)
PLAIN, STRICT = "mimecast", "directory-read"
"""A profile as the settings say, and one that asks for two approvals of distinct groups."""

OPEN = {Status.PLANNING, Status.PENDING, Status.APPROVED, Status.FAILED}
TAKEN = OPEN | {Status.READY, Status.REVOKING}
AT_REST = {
    SecretState.MASKED,
    SecretState.UNMASKED,
    SecretState.UNKNOWN,
    SecretState.REMOVED,
    SecretState.REPLACED,
}
LOOKS = {Verb.SEE, Verb.VALUES, Verb.ASK_AGAIN}
"""Verbs that change nothing."""
RARE = {
    Verb.CHECK,
    Verb.DENY,
    Verb.CANCEL,
    Verb.REVOKE,
    Verb.DENY_ROTATION,
    Verb.CANCEL_ROTATION,
    Verb.RETIRE,
}
"""Verbs that would be most of what happens, or the early end of it."""
ON_SCREEN = {SecretState.CLAIMED, SecretState.SHOWN}
IN_ENTRA = {
    SecretState.SEALED,
    SecretState.CLAIMED,
    SecretState.SHOWN,
    SecretState.MASKED,
    SecretState.UNMASKED,
    SecretState.UNKNOWN,
    SecretState.CLOSED,
}
CAN_BE_RENEWED = AT_REST | {SecretState.CLOSED}
CAN_BE_FOLLOWED = CAN_BE_RENEWED | {SecretState.SHOWN}
WORKS = ON_SCREEN | {
    SecretState.SEALED,
    SecretState.MASKED,
    SecretState.UNMASKED,
    SecretState.UNKNOWN,
}
IN_USE = {SecretState.SHOWN, SecretState.MASKED, SecretState.UNMASKED, SecretState.UNKNOWN}
JUMPS = [
    timedelta(seconds=2),
    timedelta(seconds=31),
    timedelta(seconds=61),
    timedelta(minutes=16),
    timedelta(hours=2),
    timedelta(hours=25),
    timedelta(days=8),
    timedelta(days=100),
]


@dataclass
class Held:
    """A secret that the model knows of."""

    id: str
    state: SecretState
    expires_at: datetime
    follows: bool = False  # whether a rotation has made it
    retires_at: datetime | None = None


@dataclass
class Wish:
    """A rotation that was asked for."""

    asked_by: Key
    until: datetime
    votes: dict[Key, str] = field(default_factory=dict)
    waits: bool = True


@dataclass
class Expected:
    """What the model knows of one registration."""

    id: str
    profile: str
    name: str
    requester: Key
    status: Status = Status.PLANNING
    former: set[Key] = field(default_factory=set)
    votes: dict[Key, str] = field(default_factory=dict)  # whom each approval speaks for
    decided_by: Key | None = None
    heir: Key | None = None
    named_by: Key | None = None
    run: RunKind | None = RunKind.PLAN
    has_plan: bool = False
    has_application: bool = False
    is_in_bin: bool = False
    is_purged: bool = False
    held: list[Held] = field(default_factory=list)  # the newest is the last
    wish: Wish | None = None
    confirmed_one: set[Key] = field(default_factory=set)  # who has ever voted on a rotation
    until: datetime | None = None  # when the present state of it, or of its secret, ends by itself
    doubtful_at: datetime | None = None
    said: list[tuple[str, Key]] = field(default_factory=list)  # what people did, in order

    def may(self, verb: Verb, figure: Figure) -> bool:
        """Whether the table lets this person do it now."""
        if not figure.is_sure:
            return False
        if verb in NEVER_OWN and figure.key in self.former | {self.requester}:
            return False
        is_requester = {Role.REQUESTER} if figure.key == self.requester else set()
        is_approver = {Role.APPROVER} if figure.decides else set()
        is_asker = {Role.ASKER} if self.wish and figure.key == self.wish.asked_by else set()
        roles, states = ALLOWED[verb]
        held = is_requester | is_asker | is_approver or {Role.BYSTANDER}
        return bool(roles & held) and self.status in states

    @property
    def secret(self) -> SecretState | None:
        return self.held[-1].state if self.held else None

    @secret.setter
    def secret(self, state: SecretState) -> None:
        self.held[-1].state = state

    @property
    def waits(self) -> bool:
        """Whether a rotation waits for its approvers."""
        return self.wish is not None and self.wish.waits

    def can_be_followed(self, now: datetime) -> bool:
        """Whether another secret may be made beside the newest."""
        others = [it for it in self.held[:-1] if it.state in WORKS and it.expires_at > now]
        return self.run is None and self.secret in CAN_BE_FOLLOWED and not others

    def is_enough(self, parties: list[str], needed: int) -> bool:
        if self.profile == STRICT:
            return len(set(parties)) >= 2 and len(parties) >= needed
        return len(parties) >= needed


class ScriptedEngine(IdleEngine):
    """Has given up the runs that it is told to have given up."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()

    async def outcome(self, run: str) -> Outcome:
        return Outcome.DEAD if run in self.dead else Outcome.OPEN


class World:
    """The bot's own parts over one file, which outlives them."""

    def __init__(self, file: Path, clock: StillClock, policy: Policy) -> None:
        self.clock = clock
        self._url = f"sqlite+aiosqlite:///{file}"
        self._policy = policy
        self._ids = (f"AAD-{number:04}" for number in itertools.count(1))
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        catalogue = dict(read_catalogue())
        strict = Approval(needed=2, distinct_groups=True)
        catalogue[STRICT] = replace(catalogue[STRICT], approval=strict)
        self.office: Office = office(
            await self._stack.enter_async_context(opened(self._url)),
            self.clock,
            policy=self._policy,
            catalogue=catalogue,
            next_id=self._ids.__next__,
        )
        self.database = self.office.database
        self.registrar = self.office.registrar
        self.runs = PlayedRuns(self.office.parts())
        self.engine = ScriptedEngine()
        self.keeper = Keeper(
            database=self.database,
            engine=self.engine,
            died=self.runs.died,
            clock=self.clock,
            bells=Bells(),
            approval_channel="C0APPROVE",
            every=3600,
        )

    async def close(self) -> None:
        await self._stack.aclose()


def template(folder: Path) -> Path:
    """Return a database with all its tables, to be copied: to migrate takes a while."""
    file = folder / "template.db"

    async def make() -> None:
        world = World(file, StillClock(), POLICY)
        await world.open()
        async with world.database.transaction() as tx:
            await installation.ensure_id(tx, new="aaaabbbbcccc", now=NOON)
        await world.close()

    asyncio.run(make())
    return file


Go = Callable[["Bot", "Expected"], None]


def planned(bot: "Bot", it: Expected) -> None:
    bot.end(it, Ending.WELL)


def approved(bot: "Bot", it: Expected) -> None:
    bot.approve(it, CAST["eve"])
    if it.status is Status.PENDING:
        bot.approve(it, CAST["grace"])


def half_approved(bot: "Bot", it: Expected) -> None:
    bot.approve(it, CAST["eve"])


def made(bot: "Bot", it: Expected) -> None:
    bot.end(it, Ending.WELL)


def failed(bot: "Bot", it: Expected) -> None:
    bot.end(it, Ending.FAILS_LATE)


def revoking(bot: "Bot", it: Expected) -> None:
    bot.revoke(it, CAST["grace"])


def read(bot: "Bot", it: Expected) -> None:
    who = next(each for each in CAST.values() if each.key == it.requester)
    bot._reveal(it, who)
    bot.answer(took=True)


def asked(bot: "Bot", it: Expected) -> None:
    bot._rotate(it, CAST["olga"])


def rotated(bot: "Bot", it: Expected) -> None:
    bot._confirm_rotation(it, CAST["eve"])
    if it.waits:
        bot._confirm_rotation(it, CAST["grace"])
    bot.end(it, Ending.WELL)


ROADS: Mapping[str, Sequence[Go]] = {
    "planning": [],
    "pending": [planned],
    "half approved": [planned, half_approved],
    "ready": [planned, approved, made],
    "failed": [planned, approved, failed],
    "revoking": [planned, approved, made, revoking],
    "revoked": [planned, approved, made, revoking, made],
    "asked to rotate": [planned, approved, made, read, asked],
    "rotated": [planned, approved, made, read, asked, rotated],
    "rotated and seen": [planned, approved, made, read, asked, rotated, read],
}
"""Where an example begins, and how it gets there."""


class Bot(RuleBasedStateMachine):
    """What people, runs and time do to a few registrations."""

    empty: Path
    """A migrated database without anything in it."""
    road: Sequence[Go] = ()
    """What is done before anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = StillClock()
        self.loop = asyncio.Runner()
        self.folder = tempfile.mkdtemp()
        self.known: list[Expected] = []
        self.seen: dict[str, Status] = {}
        self.revealed: set[str] = set()
        self.newest: dict[str, str] = {}  # by registration: the secret that it is about
        self.unanswered: list[tuple[Expected, str, Person]] = []  # reveals on their way to Slack
        self.forms = itertools.count(1)
        self.audited = self.reopened = -1  # the database as it was then
        self.is_late = False  # time has passed since the keeper has looked

    @initialize(
        needed=st.integers(1, 2),
        name=st.sampled_from(NAMES),
        who=st.sampled_from(["rosa", "ada"]),  # who only asks, and who decides, too
    )
    def begin(self, needed: int, name: str, who: str) -> None:
        """Go so far on the straight road: steps from there meet more than a wish that waits."""
        self.needed = needed
        file = Path(self.folder) / "aad-setup.db"
        shutil.copy(self.empty, file)
        policy = replace(POLICY, approvals_needed=needed)
        self.world = World(file, self.clock, policy)
        self._do(self.world.open())
        self.watch = sqlite3.connect(file)
        self.submit(who, name)
        [it] = self.known
        for go in self.road:
            go(self, it)
            self.everything_is_as_expected()

    def teardown(self) -> None:
        """Nobody does anything any more: every registration comes to an end all the same."""
        try:
            if hasattr(self, "world"):
                self._let_it_end()
                self._do(self.world.close())
                self.watch.close()
        finally:
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One rule, because of many Hypothesis leaves half out, and examples get nowhere."""
        may_happen = {"does what fits": 12, "does anything": 3, "time passes": 2}
        may_happen["restarts"] = int(self.audited != self.reopened)
        may_happen["asks"] = int(len(self.known) < 3)
        may_happen["the keeper looks"] = 1 + self.is_late
        may_happen["slack answers"] = 3 * bool(self.unanswered)
        may_happen["a run ends"] = 6 * any(it.run for it in self.known)
        may_happen["a run is given up"] = int(any(it.run for it in self.known))
        may_happen["masks are laid"] = 3 * any(it.secret in ON_SCREEN for it in self.known)
        weighted = [what for what, weight in may_happen.items() for _ in range(weight)]
        match data.draw(st.sampled_from(weighted), label="what"):
            case "asks":
                who = data.draw(st.sampled_from(["rosa", "carl", "ada", *CAST]))
                self.submit(who, data.draw(st.sampled_from(NAMES)))
            case "does what fits":
                self.do_what_fits(data, self._any(data, self.known))
            case "does anything":
                verb = data.draw(st.sampled_from(list(DONE)))
                who = data.draw(st.sampled_from(list(CAST)))
                self.click(verb, who, self._any(data, self.known), data)
            case "slack answers":
                self.answer(took=data.draw(st.booleans()))
            case "a run ends":
                ending = data.draw(st.sampled_from([Ending.WELL] * 12 + list(Ending)))
                self.end(self._any(data, [it for it in self.known if it.run]), ending)
            case "a run is given up":
                self.give_up(self._any(data, [it for it in self.known if it.run]))
            case "time passes":
                self.pass_time(data.draw(st.sampled_from(JUMPS)), looks=data.draw(st.booleans()))
            case "the keeper looks":
                self.look()
            case "masks are laid":
                self.lay_masks(takes=data.draw(st.booleans()))
            case "restarts":
                self.restart()

    def _any(self, data: st.DataObject, some: list[Expected]) -> Expected:
        return data.draw(st.sampled_from(some)) if len(some) > 1 else some[0]

    # What people do.

    def submit(self, who: str, name: str) -> None:
        figure = CAST[who]
        profile = STRICT if name == "crm" else PLAIN
        twins = [each for each in self.known if each.name == name and each.status in TAKEN]
        own = [it for it in self.known if it.requester == figure.key and it.status in OPEN]
        allowed = figure.is_sure and figure.asks and not twins and len(own) < MOST
        wish = form(name=name, profile=profile)
        origin = f"V{next(self.forms)}"
        id = self._try(allowed, self.world.registrar.submit(wish, by=figure.person, origin=origin))
        if id is None:
            return
        made = Expected(id=id, profile=profile, name=name, requester=figure.key)
        made.said.append(("submitted", figure.key))
        self.known.append(made)

    def do_what_fits(self, data: st.DataObject, it: Expected) -> None:
        """Let somebody, mostly one who may, do what the state allows."""
        fitting = [verb for verb in DONE if it.status in ALLOWED[verb][1] and verb not in LOOKS]
        if not fitting:
            return
        rare = RARE | ({Verb.CONFIRM} if it.heir is None else {Verb.HAND_OVER})
        rare |= {Verb.ROTATE} if it.waits else {Verb.CONFIRM_ROTATION}
        often = [verb for verb in fitting if verb not in rare]
        verb = data.draw(st.sampled_from(often * 3 + fitting))
        may = [name for name, figure in CAST.items() if it.may(verb, figure)]
        self.click(verb, data.draw(st.sampled_from(may * 5 + list(CAST))), it, data)

    def click(self, verb: Verb, who: str, it: Expected, data: st.DataObject) -> None:
        DONE[verb](self, it, CAST[who], data)

    def answer(self, *, took: bool) -> None:
        """Let the oldest reveal learn whether Slack took the secret."""
        it, secret, by = self.unanswered.pop(0)
        registrar = self.world.registrar
        confirm = registrar.shown if took else registrar.lost
        self._do(confirm(it.id, secret, by=by))
        if self.newest[it.id] == secret and it.secret is SecretState.CLAIMED:
            it.secret = SecretState.SHOWN if took else SecretState.UNKNOWN
            it.said.append(("secret shown" if took else "secret doubtful", by.key))
            if took:
                self._seen(it, secret)

    # What happens by itself.

    def give_up(self, it: Expected) -> None:
        """Let the engine lose the registration's run."""
        self._looks()  # it is started
        if it.run is None:
            return
        self.world.engine.dead.add(self._run_of(it).id)
        self._looks(lost=it)

    def pass_time(self, by: timedelta, *, looks: bool) -> None:
        """The keeper notices at once, or people are faster."""
        self.clock.move(by)
        self.is_late = True
        if looks:
            self.look()

    def look(self) -> None:
        self.is_late = False
        self._looks()

    def restart(self) -> None:
        """Whatever the bot had only in mind is gone."""
        self._do(self.world.close())
        self._do(self.world.open())
        self.unanswered.clear()
        self.reopened = self.audited

    # What must hold after each step.

    @invariant()
    def everything_is_as_expected(self) -> None:
        [(version,)] = self.watch.execute("PRAGMA data_version")
        if version == self.audited:  # nobody has committed anything
            return
        self.audited = version
        for it in self.known:
            self._do(self._audit(it))

    async def _audit(self, it: Expected) -> None:
        async with self.world.database.reading() as tx:
            found = await registrations.get(tx, it.id)
            entries = await history.read(tx, it.id)
            owed = [run for run in await runs.owed(tx) if run.registration == it.id]
            ahead = await dues.come(tx, self.clock.at + timedelta(days=9999), limit=9999)
            masks = await self._owed_masks(tx)
        assert found is not None
        due = {each.kind for each in ahead if each.registration == it.id}
        before = self.seen.get(it.id, Status.PLANNING)
        self.seen[it.id] = found.status
        assert found.status is before or found.status in MOVES[before]
        assert found.status is it.status
        assert found.requester.key == it.requester
        assert (found.heir.key if found.heir else None) == it.heir
        assert len(owed) <= 1
        assert found.run is it.run
        self._audit_votes(it, found, entries)
        self._audit_rotation(it, found)
        self._audit_history(it, entries)
        self._audit_secret(it, found, due, masks)
        _audit_end(found, due)

    def _audit_votes(self, it: Expected, found: Registration, entries: Sequence[Entry]) -> None:
        approvals = {vote.person.key for vote in found.approvals()}
        assert approvals == set(it.votes)
        assert not approvals & (it.former | {it.requester})
        denials = {vote.person.key for vote in found.votes} - approvals
        assert denials == ({it.decided_by} if it.status is Status.DENIED else set())
        spoken = {figure.key: figure.party or "" for figure in CAST.values() if figure.decides}
        won = winners(
            entries, lambda who: it.is_enough([spoken[each] for each in who], self.needed)
        )
        assert len(won) <= 1
        is_decided = it.has_plan and it.status is not Status.PENDING
        assert len(won) == is_decided
        if it.decided_by is not None:
            assert (won[0].team_id, won[0].user_id) == it.decided_by

    def _audit_rotation(self, it: Expected, found: Registration) -> None:
        assert (found.asked_rotation is not None) == it.waits
        voted = {vote.person.key for vote in found.rotation_votes}
        assert voted == it.confirmed_one
        if it.wish is None:
            return
        confirmed = {vote.person.key for vote in found.confirmations()}
        assert confirmed == set(it.wish.votes)
        assert it.wish.asked_by not in confirmed
        if it.waits:
            assert not confirmed & (it.former | {it.requester})

    def _audit_history(self, it: Expected, entries: Sequence[Entry]) -> None:
        assert is_whole(it.id, entries)
        by_people = [
            (entry.what, (entry.team_id, entry.user_id))
            for entry in entries
            if (entry.team_id, entry.user_id) != BOT.key
        ]
        assert by_people == it.said
        wishes = 1 + sum(entry.what == "rotation asked" for entry in entries)
        assert sum(entry.what == "reminded" for entry in entries) <= 4 * wishes

    def _audit_secret(
        self, it: Expected, found: Registration, due: set[DueKind], masks: set[str]
    ) -> None:
        assert (found.secret.state if found.secret else None) is it.secret
        if found.secret is None:
            return
        works = {(old.id, old.retires_at) for old in found.other_secrets if old.is_live}
        assert works == {(old.id, old.retires_at) for old in it.held[:-1] if old.state in WORKS}
        for old in it.held[:-1]:
            is_ready = it.status is Status.READY
            if is_ready and old.retires_at is not None and old.state in WORKS:
                assert DueKind.RETIRE in due or it.run is RunKind.RETIRE
        assert (DueKind.EXPIRING in due) >= self._is_to_be_told(it)
        match it.secret:
            case SecretState.SEALED:
                assert DueKind.UNREAD in due
                assert found.deadline is not None
            case SecretState.CLAIMED if it.status is not Status.REVOKING:
                assert DueKind.UNKNOWN in due
            case SecretState.SHOWN:
                assert DueKind.MASK in due or found.secret.id in masks
            case SecretState.CLOSED:
                assert it.run or due & {DueKind.SWEEP, DueKind.REVOKE}

    def _is_to_be_told(self, it: Expected) -> bool:
        """Whether somebody has to be told when a secret expires that works and may be in use."""
        used = [old for old in it.held if old.state in IN_USE and old.retires_at is None]
        return it.status is Status.READY and any(old.expires_at > self.clock.at for old in used)

    # How it is done.

    def _do(self, act: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await act

        return self.loop.run(awaited())

    def _try(self, allowed: bool, act: Awaitable[Any]) -> Any:
        """Do it; see that it is refused exactly if it must be. Return what it returned."""
        refused, done = "", None
        try:
            done = self._do(act)
        except Refusal as refusal:
            refused = str(refusal)
            assert_sentence(refused)
        assert allowed is not bool(refused), refused or "this had to be refused"
        return done

    def _found(self, it: Expected) -> Registration:
        return self._do(self.world.office.found(it.id))

    def _run_of(self, it: Expected) -> runs.Run:
        return self._do(self.world.office.run_of(it.id))

    def _in_time(self, it: Expected) -> bool:
        return it.until is None or self.clock.at < it.until

    def approve(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = (
            it.may(Verb.APPROVE, who)
            and self._in_time(it)
            and who.key not in it.votes
            and (who.party is not None or it.profile != STRICT)
            and it.said.count(("withdrawn", who.key)) < 5
        )
        seen = _people(it.votes)
        self._try(allowed, self.world.registrar.approve(it.id, by=who.person, seen=seen))
        if not allowed:
            return
        it.said.append(("approved", who.key))
        it.votes[who.key] = who.party or ""
        if it.is_enough(list(it.votes.values()), self.needed):
            it.status, it.run, it.until = Status.APPROVED, RunKind.REGISTER, None
            it.decided_by = who.key

    def _withdraw(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.WITHDRAW, who) and self._in_time(it) and who.key in it.votes
        self._try(allowed, self.world.registrar.withdraw(it.id, by=who.person))
        if allowed:
            del it.votes[who.key]
            it.said.append(("withdrawn", who.key))

    def _deny(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.DENY, who) and self._in_time(it) and who.key not in it.votes
        self._try(allowed, self.world.registrar.deny(it.id, by=who.person, reason="Not now"))
        if allowed:
            it.status, it.until, it.decided_by = Status.DENIED, None, who.key
            it.said.append(("denied", who.key))

    def _cancel(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.CANCEL, who)
        self._try(allowed, self.world.registrar.cancel(it.id, by=who.person))
        if allowed:
            it.status, it.until = Status.CANCELLED, None
            it.decided_by = who.key
            it.said.append(("cancelled", who.key))

    def _retry(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.RETRY, who) and it.run is None
        self._try(allowed, self.world.registrar.retry(it.id, by=who.person))
        if allowed:
            it.status = Status.APPROVED if it.has_plan else Status.PLANNING
            it.run = RunKind.REGISTER if it.has_plan else RunKind.PLAN
            it.until = None
            it.said.append(("retried", who.key))

    def _undo(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.UNDO, who) and it.run is None
        self._try(allowed, self.world.registrar.undo(it.id, by=who.person))
        if allowed:
            it.run = RunKind.UNDO
            it.said.append(("undo asked", who.key))

    def revoke(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.REVOKE, who) and it.run is not RunKind.REVOKE
        self._try(allowed, self.world.registrar.revoke(it.id, by=who.person))
        if not allowed:
            return
        if it.secret is SecretState.SEALED:
            it.secret = SecretState.CLOSED
            self._forget_if_it_follows(it)
        if it.wish is not None:
            it.wish.waits = False
        it.status, it.run, it.until = Status.REVOKING, RunKind.REVOKE, None
        it.heir = it.doubtful_at = None
        it.said.append(("revoke asked", who.key))

    def _purge(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.PURGE, who) and it.run is None and it.is_in_bin and not it.is_purged
        self._try(allowed, self.world.registrar.purge(it.id, by=who.person))
        if allowed:
            it.run = RunKind.PURGE
            it.said.append(("purge asked", who.key))

    def _check(self, it: Expected, who: Figure, _: Any = None) -> None:
        lately = self._told(it, since=timedelta(minutes=5))
        allowed = (
            it.may(Verb.CHECK, who)
            and it.run is None
            and lately.count("check asked") <= lately.count("ready")
        )
        self._try(allowed, self.world.registrar.check(it.id, by=who.person))
        if allowed:
            it.run = RunKind.CHECK
            it.said.append(("check asked", who.key))

    def _hand_over(self, it: Expected, who: Figure, data: st.DataObject) -> None:
        to = CAST[data.draw(st.sampled_from(["carl", "ada", "olga", *CAST]))]
        allowed = (
            it.may(Verb.HAND_OVER, who)
            and to.is_sure
            and to.asks
            and to.key not in (it.requester, it.heir)
            and to.key not in it.votes
            and self._told(it, since=timedelta(days=1)).count("handover asked") < 5
            and to.key not in it.confirmed_one
        )
        self._try(allowed, self.world.registrar.hand_over(it.id, to=to.person, by=who.person))
        if allowed:
            it.heir, it.named_by = to.key, who.key
            it.said.append(("handover asked", who.key))

    def _confirm(self, it: Expected, who: Figure, _: Any = None) -> None:
        heir = it.heir
        allowed = (
            it.may(Verb.CONFIRM, who)
            and heir is not None
            and heir != who.key
            and heir not in it.votes
            and heir not in it.confirmed_one
            and ((self.needed == 1 and it.profile != STRICT) or it.named_by != who.key)
        )
        named = next((each for each in CAST.values() if each.key == heir), who)
        self._try(
            allowed,
            self.world.registrar.confirm_handover(it.id, to=named.person, by=who.person),
        )
        if allowed and heir is not None:
            it.former.add(it.requester)
            it.requester, it.heir = heir, None
            if it.wish is not None:
                it.wish.waits = False
            it.said.append(("handed over", who.key))

    def _values(self, it: Expected, who: Figure, _: Any = None) -> None:
        found = self._try(
            it.may(Verb.VALUES, who), self.world.registrar.values(it.id, by=who.person)
        )
        assert found is None or not found.is_open

    def _ask_again(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.ASK_AGAIN, who) and who.asks
        self._try(allowed, self.world.registrar.form_of(it.id, by=who.person))

    def _see(self, it: Expected, who: Figure, _: Any = None) -> None:
        self._try(it.may(Verb.SEE, who), self.world.registrar.status(it.id, by=who.person))

    def _reveal(self, it: Expected, who: Figure, data: st.DataObject | None = None) -> None:
        allowed = it.may(Verb.REVEAL, who) and it.secret is SecretState.SEALED and self._in_time(it)
        look: Reveal | None = self._try(
            allowed, self.world.registrar.reveal(it.id, by=who.person, answer_to=URL)
        )
        if look is None:
            return
        assert look.secret == self.newest[it.id]
        assert look.secret not in self.revealed, "the secret was revealed twice"
        self.revealed.add(look.secret)
        it.secret, it.until = SecretState.CLAIMED, None
        it.doubtful_at = self.clock.at + timedelta(seconds=30)
        it.said.append(("secret claimed", who.key))
        self.unanswered.append((it, look.secret, who.person))
        if data is not None and data.draw(st.booleans()):
            self.answer(took=True)

    def _renew(self, it: Expected, who: Figure, _: Any = None) -> None:
        lasts = bool(it.held) and it.held[-1].expires_at >= self.clock.at + timedelta(days=1)
        is_idle = it.run is None and it.secret in CAN_BE_RENEWED
        allowed = it.may(Verb.RENEW, who) and is_idle and lasts
        self._try(allowed, self.world.registrar.renew(it.id, by=who.person))
        if allowed:
            it.run = RunKind.RENEW
            it.said.append(("new secret asked", who.key))

    def _rotate(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed = it.may(Verb.ROTATE, who) and not it.waits and it.can_be_followed(self.clock.at)
        self._try(allowed, self.world.registrar.rotate(it.id, by=who.person))
        if allowed:
            it.wish = Wish(asked_by=who.key, until=self.clock.at + timedelta(hours=24))
            it.said.append(("rotation asked", who.key))

    def _rotation_of(self, it: Expected) -> str:
        rotation = self._found(it).rotation
        return rotation.id if rotation else "none"

    def _confirm_rotation(self, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.wish, self._rotation_of(it)
        allowed = (
            it.may(Verb.CONFIRM_ROTATION, who)
            and wish is not None
            and wish.waits
            and self.clock.at < wish.until
            and who.key != wish.asked_by
            and who.key not in wish.votes
            and it.can_be_followed(self.clock.at)
            and (who.party is not None or it.profile != STRICT)
        )
        seen = _people(wish.votes if wish else ())
        confirm = self.world.registrar.confirm_rotation
        self._try(allowed, confirm(it.id, id, by=who.person, seen=seen))
        if not allowed or wish is None:
            return
        it.said.append(("rotation confirmed", who.key))
        it.confirmed_one.add(who.key)
        wish.votes[who.key] = who.party or ""
        if it.is_enough(list(wish.votes.values()), self.needed):
            wish.waits, it.run = False, RunKind.ROTATE

    def _deny_rotation(self, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.wish, self._rotation_of(it)
        allowed = (
            it.may(Verb.DENY_ROTATION, who)
            and wish is not None
            and wish.waits
            and self.clock.at < wish.until
        )
        self._try(allowed, self.world.registrar.deny_rotation(it.id, id, by=who.person))
        if allowed and wish is not None:
            wish.waits = False
            it.said.append(("rotation denied", who.key))

    def _cancel_rotation(self, it: Expected, who: Figure, _: Any = None) -> None:
        wish, id = it.wish, self._rotation_of(it)
        allowed = (
            it.may(Verb.CANCEL_ROTATION, who)
            and wish is not None
            and wish.waits
            and self.clock.at < wish.until
        )
        self._try(allowed, self.world.registrar.cancel_rotation(it.id, id, by=who.person))
        if allowed and wish is not None:
            wish.waits = False
            it.said.append(("rotation cancelled", who.key))

    def _retire(self, it: Expected, who: Figure, _: Any = None) -> None:
        works = [old for old in it.held[:-1] if old.state in WORKS]
        at = works[-1].retires_at if works else None
        allowed = it.may(Verb.RETIRE, who) and at is not None and at > self.clock.at
        self._try(allowed, self.world.registrar.retire(it.id, by=who.person))
        if allowed:
            works[-1].retires_at = self._retires_at(it, works[-1].id)
            it.said.append(("previous secret over", who.key))

    def _retires_at(self, it: Expected, secret: str) -> datetime:
        """Return when this secret is removed, which must be now."""
        [old] = [each for each in self._found(it).other_secrets if each.id == secret]
        assert old.retires_at is not None
        assert abs(old.retires_at - self.clock.at) < timedelta(seconds=1)
        return old.retires_at

    def _seen(self, it: Expected, secret: str) -> None:
        """Expect that whatever this secret follows is removed in a week, or when it ends."""
        at = next(index for index, each in enumerate(it.held) if each.id == secret)
        known = {old.id: old for old in self._found(it).other_secrets}
        for old in it.held[:at]:
            if old.state in WORKS and old.retires_at is None:
                old.retires_at = known[old.id].retires_at
                assert old.retires_at is not None
                week = self.clock.at + timedelta(days=7)
                assert abs(old.retires_at - min(week, old.expires_at)) < timedelta(seconds=1)

    def _hide(self, it: Expected, who: Figure, _: Any = None) -> None:
        allowed, is_open = it.may(Verb.VALUES, who), self._do(self._is_to_be_masked(it))
        self._try(allowed, self.world.registrar.hide(it.id, by=who.person))
        if allowed and is_open:
            it.said.append(("hidden by hand", who.key))

    async def _is_to_be_masked(self, it: Expected) -> bool:
        async with self.world.database.reading() as tx:
            ahead = await dues.come(tx, self.clock.at + timedelta(days=400), limit=9999)
        masks = [each for each in ahead if (each.kind, each.registration) == (DueKind.MASK, it.id)]
        return any(each.at > self.clock.at for each in masks)

    def _told(self, it: Expected, *, since: timedelta) -> list[str]:
        """Return what history says of so long a time, up to now."""

        async def read() -> list[str]:
            async with self.world.database.reading() as tx:
                entries = await history.read(tx, it.id)
            return [entry.what for entry in entries if entry.at > self.clock.at - since]

        return list(self._do(read()))

    def end(self, it: Expected, ending: Ending) -> None:
        run = self._run_of(it)
        assert run.kind is it.run
        is_old_live = it.secret in (
            SecretState.MASKED,
            SecretState.UNMASKED,
            SecretState.UNKNOWN,
        )
        self._do(self.world.runs.play(run, ending))
        it.run = None
        match run.kind:
            case RunKind.REGISTER:
                it.has_application |= ending is not Ending.FAILS_EARLY
                self._made(it, ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST))
            case RunKind.RENEW:
                last = ending is Ending.FAILS_LAST and not is_old_live
                if last or ending in (Ending.WELL, Ending.REFUSED):
                    it.held.pop()
                    self._made(it, True)
            case RunKind.ROTATE:
                if ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST):
                    self._made(it, True, follows=True)
            case RunKind.RETIRE:
                if ending in (Ending.WELL, Ending.REFUSED):
                    it.held = [each for each in it.held if each.id != run.subject]
            case RunKind.UNDO:
                self._emptied(it, ending)
                self._undone(it, not it.has_plan or ending in (Ending.WELL, Ending.REFUSED))
            case RunKind.REVOKE:
                self._emptied(it, ending)
                self._revoked(it, ending in (Ending.WELL, Ending.REFUSED))
            case RunKind.PURGE:
                it.is_purged = ending in (Ending.WELL, Ending.REFUSED)
            case RunKind.PLAN:
                self._planned(it, ending)
            case RunKind.REMOVE | RunKind.SWEEP:
                well = ending in (Ending.WELL, Ending.REFUSED)
                for each in it.held:
                    is_it = run.kind is RunKind.SWEEP or each.id == run.subject
                    if well and is_it and each.state is SecretState.CLOSED:
                        each.state = SecretState.REMOVED

    def _planned(self, it: Expected, ending: Ending) -> None:
        match ending:
            case Ending.WELL:
                it.status, it.has_plan = Status.PENDING, True
                self._ends_in(it, timedelta(hours=24))
            case Ending.REFUSED:
                it.status = Status.REFUSED
            case _:
                self._failed(it)

    def _made(self, it: Expected, well: bool, *, follows: bool = False) -> None:
        if not well:
            self._failed(it)
            return
        it.status = Status.READY
        secret = self._found(it).secret
        assert secret is not None
        assert secret.expires_at is not None
        assert secret.id not in self.revealed
        for each in it.held:
            each.retires_at = None
        new = Held(secret.id, SecretState.SEALED, secret.expires_at, follows=follows)
        it.held.append(new)
        self.newest[it.id] = secret.id
        self._ends_in(it, timedelta(days=7))

    def _undone(self, it: Expected, well: bool) -> None:
        if well:
            it.status, it.until = Status.UNDONE, None
        else:
            self._ends_in(it, timedelta(hours=1))

    def _emptied(self, it: Expected, ending: Ending) -> None:
        """Expect the application in the bin, if the run has come so far."""
        if ending in (Ending.WELL, Ending.REFUSED, Ending.FAILS_LAST):
            it.is_in_bin |= it.has_application
            it.has_application = False

    def _revoked(self, it: Expected, well: bool) -> None:
        if not well:
            self._ends_in(it, timedelta(hours=1))
            return
        it.status, it.until = Status.REVOKED, None
        for each in it.held:
            if each.state in IN_ENTRA:
                each.state = SecretState.REMOVED

    def _failed(self, it: Expected) -> None:
        it.status = Status.FAILED
        self._ends_in(it, timedelta(days=7))

    def _ends_in(self, it: Expected, after: timedelta) -> None:
        """Expect the registration's deadline to be then."""
        deadline = self._found(it).deadline
        assert deadline is not None
        assert abs(deadline - self.clock.at - after) < timedelta(seconds=1)
        it.until = deadline

    def _looks(self, lost: Expected | None = None) -> None:
        """Let the keeper look, and expect what it must have found and may have begun."""
        before = self.clock.at
        self._do(self.world.keeper.look())
        self._do(self._nothing_is_left_due(before))
        if lost is not None:
            self._given_up(lost)
        for it in self.known:
            self._expect_dues(it, before)

    async def _nothing_is_left_due(self, before: datetime) -> None:
        async with self.world.database.reading() as tx:
            assert not await dues.come(tx, before, limit=1)

    def _expect_dues(self, it: Expected, now: datetime) -> None:
        is_over = it.until is not None and it.until <= now
        if it.wish is not None and it.wish.until <= now:
            it.wish.waits = False
        if it.status is Status.PENDING and is_over:
            it.status, it.until, it.decided_by = Status.EXPIRED, None, BOT.key
        if it.secret is SecretState.CLAIMED and it.doubtful_at and it.doubtful_at <= now:
            it.secret = SecretState.UNKNOWN
        began = self._found(it).run
        if it.run or began is None:
            return
        it.run = began
        match began:
            case RunKind.REMOVE:
                assert it.secret is SecretState.SEALED
                assert is_over
                it.secret, it.until = SecretState.CLOSED, None
                self._forget_if_it_follows(it)
            case RunKind.RETIRE:
                assert any(old.retires_at and old.retires_at <= now for old in it.held[:-1])
            case RunKind.UNDO:
                assert it.status is Status.FAILED
                assert is_over
            case RunKind.REVOKE:
                assert it.status is Status.REVOKING
                assert is_over
            case RunKind.CHECK:
                assert it.status is Status.READY
            case RunKind.SWEEP:
                assert it.status in (Status.READY, Status.FAILED)
            case _:
                raise AssertionError(f"the keeper began {began}")

    def _forget_if_it_follows(self, it: Expected) -> None:
        """Nobody has seen what was to follow another: then it is as if it had never been."""
        if it.held[-1].follows:
            it.held.pop()
            self.newest[it.id] = it.held[-1].id

    def _given_up(self, it: Expected) -> None:
        kind, it.run = it.run, None
        match kind:
            case RunKind.PLAN | RunKind.REGISTER:
                self._failed(it)
            case RunKind.UNDO:
                self._undone(it, well=False)
            case RunKind.REVOKE:
                self._revoked(it, well=False)

    def lay_masks(self, *, takes: bool) -> None:
        for message in self._do(self._claimed_masks()):
            it = next(each for each in self.known if each.id == message.registration)
            noted = self.world.registrar.masked if takes else self.world.registrar.unmasked
            self._do(noted(it.id, message.subject or ""))
            for each in it.held:
                if each.id == message.subject and each.state in ON_SCREEN:
                    each.state = SecretState.MASKED if takes else SecretState.UNMASKED
                    self._seen(it, each.id)

    async def _claimed_masks(self) -> list[messages.Message]:
        """Take the masks that are owed, as whoever posts messages does."""
        async with self.world.database.transaction() as tx:
            now = self.clock.now()
            stale = await messages.stale(tx, now, drawn_before=now, limit=9999)
            owed = [each.message for each in stale]
            masks = [each for each in owed if each.kind is MessageKind.MASK]
            for each in masks:
                await messages.give_up(tx, each)
        return masks

    async def _owed_masks(self, tx: Any) -> set[str]:
        now = self.clock.at
        stale = await messages.stale(tx, now, drawn_before=now, limit=9999)
        owed = [each.message for each in stale]
        return {each.subject or "" for each in owed if each.kind is MessageKind.MASK}

    def _let_it_end(self) -> None:
        for _ in range(20):
            if all(self._is_over(it) for it in self.known):
                return
            self.clock.move(timedelta(days=1))
            self._looks()
            self.lay_masks(takes=True)
            for it in self.known:
                if it.run:
                    self.end(it, Ending.WELL)
            if all(it.status is not Status.PLANNING for it in self.known):
                self.everything_is_as_expected()
        raise AssertionError([it for it in self.known if not self._is_over(it)])

    def _is_over(self, it: Expected) -> bool:
        goes = any(old.retires_at is not None for old in it.held[:-1] if old.state in WORKS)
        is_at_rest = it.status.is_end or it.status is Status.READY
        return (
            is_at_rest and (it.secret is None or it.secret in AT_REST) and not goes and not it.waits
        )


def _people(keys: Iterable[Key]) -> list[Person]:
    return [next(it.person for it in CAST.values() if it.key == key) for key in keys]


def assert_sentence(text: str) -> None:
    assert text.endswith((".", "!")), text


def _audit_end(found: Registration, due: set[DueKind]) -> None:
    """Whatever is no end goes on by itself; nothing goes on after an end."""
    if not found.status.is_end and found.status is not Status.READY:
        assert found.run is not None or found.deadline is not None
    if found.status is Status.PENDING:
        assert DueKind.EXPIRE in due
    elif found.status is Status.FAILED:
        assert DueKind.UNDO in due or found.run is RunKind.UNDO
    elif found.status is Status.REVOKING:
        assert DueKind.REVOKE in due or found.run is RunKind.REVOKE
    elif found.status.is_end:
        assert due <= {DueKind.MASK}
        assert found.run in (None, RunKind.PURGE)


DONE: Mapping[Verb, Callable[[Bot, Expected, Figure, Any], None]] = {
    Verb.SEE: Bot._see,
    Verb.ASK_AGAIN: Bot._ask_again,
    Verb.APPROVE: Bot.approve,
    Verb.DENY: Bot._deny,
    Verb.WITHDRAW: Bot._withdraw,
    Verb.CANCEL: Bot._cancel,
    Verb.RETRY: Bot._retry,
    Verb.UNDO: Bot._undo,
    Verb.REVOKE: Bot.revoke,
    Verb.PURGE: Bot._purge,
    Verb.VALUES: Bot._values,
    Verb.REVEAL: Bot._reveal,
    Verb.RENEW: Bot._renew,
    Verb.CHECK: Bot._check,
    Verb.HAND_OVER: Bot._hand_over,
    Verb.CONFIRM: Bot._confirm,
    Verb.ROTATE: Bot._rotate,
    Verb.CONFIRM_ROTATION: Bot._confirm_rotation,
    Verb.DENY_ROTATION: Bot._deny_rotation,
    Verb.CANCEL_ROTATION: Bot._cancel_rotation,
    Verb.RETIRE: Bot._retire,
}


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield template(Path(folder))


def play(empty: Path, start: str, *, seeds: int, examples: int, steps: int) -> None:
    """Try so many examples of so many steps for each seed, the same ones every time.

    Many seeds, because after ten examples Hypothesis mostly varies those that it has tried.
    """
    for number in range(seeds):
        machine = type("Bot", (Bot,), {"empty": empty, "road": ROADS[start]})
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_nothing_that_people_and_time_do_breaks_the_rules(empty: Path) -> None:
    play(empty, "half approved", seeds=1, examples=3, steps=10)


@pytest.mark.slow
@pytest.mark.parametrize("start", ROADS)
def test_not_even_if_they_go_on_for_long(empty: Path, start: str) -> None:
    play(empty, start, seeds=5, examples=8, steps=50)
