"""The machine's own clock."""

from datetime import UTC, datetime, timedelta

from graph.clock import SystemClock


async def test_it_tells_the_time_in_utc_and_sleeps() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.001)
    assert before < clock.now()
    assert before.utcoffset() == timedelta(0)
    assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)
