"""The machine: what happens next is drawn, and after each step all must be as expected."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.approval import Verb
from bot.domain.approval_requests import RequestKind
from graph.rights import ConsentMode
from tests.reliability.state_machine.audit import audit
from tests.reliability.state_machine.cast import CAST
from tests.reliability.state_machine.clicks import DONE, LOOKS, RARE, Act
from tests.reliability.state_machine.consent import (
    DEEDS,
    ILL_TIMED,
    OFTEN,
    administer,
    begin_look,
    end_look,
)
from tests.reliability.state_machine.endings import end
from tests.reliability.state_machine.lifecycle import submit
from tests.reliability.state_machine.model import ON_SCREEN, WAITING, Expected
from tests.reliability.state_machine.passing import (
    give_up,
    lay_masks,
    let_it_end,
    look,
    pass_time,
    restart,
)
from tests.reliability.state_machine.paths import Go
from tests.reliability.state_machine.play import Play
from tests.reliability.state_machine.secrets import answer
from tests.support.scripted_runs import Ending

NAMES = ("billing", "crm")
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


class Bot(RuleBasedStateMachine):
    """What people, runs and time do to a few registrations."""

    empty: Path
    """A migrated database without anything in it."""
    road: Sequence[Go] = ()
    """What is done before anything else."""
    consent_mode = ConsentMode.AUTONOMOUS

    def __init__(self) -> None:
        super().__init__()
        self.play = Play()

    @initialize(
        needed=st.integers(1, 2),
        name=st.sampled_from(NAMES),
        who=st.sampled_from(["rosa", "ada"]),  # who only asks, and who decides, too
    )
    def begin(self, needed: int, name: str, who: str) -> None:
        """Go so far on the straight road: steps from there meet more than a wish that waits."""
        self.play.begin(self.empty, needed=needed, consent_mode=self.consent_mode)
        submit(self.play, who, name)
        [it] = self.play.known
        for go in self.road:
            go(self.play, it)
            audit(self.play)

    def teardown(self) -> None:
        """Nobody does anything any more: every registration comes to an end all the same."""
        try:
            if self.play.has_begun():
                let_it_end(self.play)
                self.play.close()
        finally:
            self.play.discard()

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One rule, because of many Hypothesis leaves half out, and examples get nowhere."""
        play = self.play
        may_happen = {"does what fits": 12, "does anything": 3, "time passes": 2}
        # Not by SQLite's own version: that also changes whenever a thread has cleaned up the log.
        may_happen["restarts"] = int(not play.has_restarted)
        may_happen["asks"] = int(len(play.known) < 3)
        may_happen["the scheduler looks"] = 1 + play.is_late
        may_happen["slack answers"] = 3 * bool(play.unanswered)
        may_happen["a run ends"] = 6 * any(it.run for it in play.known)
        may_happen["a run is given up"] = int(any(it.run for it in play.known))
        may_happen["masks are laid"] = 3 * any(it.secret in ON_SCREEN for it in play.known)
        waiting = [it for it in play.known if it.status is WAITING]
        granted = waiting + play.carried_on()
        may_happen["an administrator acts"] = 8 * bool(granted)
        may_happen["the grants are looked at"] = 6 * (bool(waiting) and play.look is None)
        may_happen["graph answers"] = 4 * (play.look is not None)
        weighted = [what for what, weight in may_happen.items() for _ in range(weight)]
        what = data.draw(st.sampled_from(weighted), label="what")
        play.has_restarted = what == "restarts"
        match what:
            case "asks":
                who = data.draw(st.sampled_from(["rosa", "carl", "ada", *CAST]))
                submit(play, who, data.draw(st.sampled_from(NAMES)))
            case "does what fits":
                _do_what_fits(play, data, _any(data, play.known))
            case "does anything":
                act = data.draw(st.sampled_from(list(DONE)))
                who = data.draw(st.sampled_from(list(CAST)))
                _click(play, act, who, _any(data, play.known), data)
            case "slack answers":
                answer(play, took=data.draw(st.booleans()))
            case "a run ends":
                ending = data.draw(st.sampled_from([Ending.WELL] * 12 + list(Ending)))
                end(play, _any(data, [it for it in play.known if it.run]), ending)
            case "a run is given up":
                give_up(play, _any(data, [it for it in play.known if it.run]))
            case "time passes":
                pass_time(play, data.draw(st.sampled_from(JUMPS)), looks=data.draw(st.booleans()))
            case "the scheduler looks":
                look(play)
            case "an administrator acts":
                it = _any(data, granted)
                often = OFTEN if it.status is WAITING else ILL_TIMED
                administer(it, data.draw(st.sampled_from(often + list(DEEDS))))
            case "the grants are looked at":
                if data.draw(st.booleans()):  # else it is mostly too early
                    pass_time(play, data.draw(st.sampled_from(JUMPS[2:4])), looks=False)
                begin_look(play)
                if play.look is not None and data.draw(st.booleans()):
                    end_look(play)
            case "graph answers":
                end_look(play)
            case "masks are laid":
                lay_masks(play, takes=data.draw(st.booleans()))
            case "restarts":
                restart(play)

    @invariant()
    def everything_is_as_expected(self) -> None:
        audit(self.play)


def _any(data: st.DataObject, some: list[Expected]) -> Expected:
    return data.draw(st.sampled_from(some)) if len(some) > 1 else some[0]


def _do_what_fits(play: Play, data: st.DataObject, it: Expected) -> None:
    """Let somebody, mostly one who may or who just may not, do what the state allows."""
    fitting = [act for act in DONE if act.fits(it) and act.verb not in LOOKS]
    if not fitting:
        return
    waits = it.waiting(RequestKind.HANDOVER), it.waiting(RequestKind.ROTATION)
    rare = RARE | ({Verb.HAND_OVER} if waits[0] else set()) | ({Verb.ROTATE} if waits[1] else set())
    often = [act for act in fitting if act.verb not in rare]
    act = data.draw(st.sampled_from(often * 3 + fitting))
    wish = it.waiting(act.kind) if act.kind else None
    may = [name for name, figure in CAST.items() if it.may(act.verb, figure, wish)]
    own = [name for name, figure in CAST.items() if it.is_own(act.verb, figure)]
    _click(play, act, data.draw(st.sampled_from((may + own) * 5 + list(CAST))), it, data)


def _click(play: Play, act: Act, who: str, it: Expected, data: st.DataObject) -> None:
    DONE[act](play, it, CAST[who], data)
