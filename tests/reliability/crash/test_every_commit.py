"""Killed at a commit: before it, when nothing of it counts, and after it, with all that it owes.

The road writes about fifty times, in our database and in the engine's. Just before a commit is
also just after everything outside that came first: the answer is there, the facts are not.
"""

import pytest

from tests.support.crash_checks import holds
from tests.support.crash_process import NONCE, SEALED, TAKEN, Commit, Death, learnt, told
from tests.support.crash_story import CrashStory

pytestmark = pytest.mark.slow

STEPS = (
    *("application", "service_principal", "role:Directory.Read.All", "role:User.Read.All"),
    *("scopes", "secret", "sign_in", "directory"),
)
TOLD = (
    *("submitted", "planned", "approved", "ready", "secret claimed", "secret shown"),
    "secret masked",
)


ENDED = Commit(
    "the engine's record of its end", r"UPDATE main\.workflow_status SET status=[^\n]*\('SUCCESS'"
)
ANY = Commit(
    "any",
    r"(?m)^(INSERT INTO|UPDATE|DELETE FROM)"
    r" (registrations|approval_requests|votes|runs|steps|secrets|messages|dues)"
    r"|^INSERT INTO main\.workflow_status"
    r"|^UPDATE main\.workflow_status SET status=[^\n]*\('SUCCESS'",
)
"""A commit that changes anything; the engine's own polling is left out."""
COMMITS = 48
"""How many the road has. If Slack is slow they are fewer, and the last kill comes at its end."""

# Before each commit is below, by number: facts of steps and places of messages are among them.
NAMED = (
    *(Death(when="after", at=told(what)) for what in TOLD),
    *(Death(when="after", at=learnt(step)) for step in STEPS),
    *(Death(when="before", at=at) for at in (TAKEN, ENDED)),
    *(Death(when="after", at=at) for at in (NONCE, SEALED)),
    *(Death(when="before", at=at) for at in (NONCE, SEALED)),
)


@pytest.mark.parametrize("death", NAMED, ids=str)
async def test_a_kill_at_any_named_commit_loses_nothing(story: CrashStory, death: Death) -> None:
    await story.lives.begin(death)
    await story.walk()
    await story.until(lambda: story.lives.deaths == 1)
    # A post that Slack has taken and that was not written down is made again.
    await holds(story, cards=2)


@pytest.mark.parametrize("nth", range(1, COMMITS + 1))
async def test_a_kill_before_the_nth_commit_loses_nothing(story: CrashStory, nth: int) -> None:
    """Whatever was done outside since the commit before is done, and not written down."""
    await story.lives.begin(Death(when="before", at=ANY, nth=nth))
    await story.walk()
    if not story.lives.deaths:
        await story.lives.kill()
    await holds(story, cards=2)
