"""Every call meets every fault; it ends READY, or FAILED with a sentence, and nothing is left."""

import pytest

from bot.domain.registration import Status
from tests.reliability.matrix import promises
from tests.reliability.matrix.cases import SAMPLE, Case, cases
from tests.reliability.matrix.scenario import play, retry, sweeps
from tests.support.story import Story

AT_LEAST = 280

MATRIX = [
    pytest.param(case, id=case.id, marks=() if case.id in SAMPLE else pytest.mark.slow)
    for case in cases()
]


@pytest.mark.parametrize("case", MATRIX)
async def test_it_ends_well_or_with_a_sentence(story: Story, case: Case) -> None:
    ended = await play(story, case)
    assert ended is case.ends, story.direct("rosa")
    promises.nobody_was_impatient(story, case)
    promises.there_is_one_application(story)
    if ended is Status.FAILED:
        promises.a_failure_is_told(story)
        story.tenant.faults.failures.clear()
        story.tenant.faults.throttles.clear()  # what lags goes on lagging
    await sweeps(story)
    promises.screens_and_storage_agree(story, ended)
    if ended is Status.FAILED:
        promises.no_secret_is_left(story)
        await retry(story)
        promises.there_is_one_application(story)
    promises.all_is_complete(story)


def test_the_matrix_is_large_and_the_sample_is_part_of_it() -> None:
    ids = [case.id for case in cases()]
    assert len(ids) == len(set(ids)) >= AT_LEAST
    assert set(ids) >= SAMPLE
