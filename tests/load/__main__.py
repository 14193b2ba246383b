"""Many registrations in flight while Slack's limits are enforced.

    python -m tests.load [--registrations 200] [--people 20] [--a-minute 45] [--answer 300]

People ask, so many a minute, until all registrations wait; then approvers approve all of them, so
many a minute, and the cards are watched until each shows its final state. Simulators are in this
process, the bot in one of its own, and nothing is simulated but them: with 200 registrations it
takes a quarter of an hour, because Slack lets no app update more than 50 messages a minute.

How fast people may act is Slack's limit, too: each command, form and click costs a users.info, of
which there are 100 a minute. Acknowledgements are timed as people see them. "Overtakings"
are updates on the way that were sent while some message waited for its final state.
"""

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.bench.readiness import bench_stage
from tests.load import report
from tests.load.crowd import Crowd
from tests.load.report import UPDATE
from tests.support.bench_process import serving

PATIENCE = 3600.0
METHODS = (UPDATE, "chat.postMessage", "users.info", "views.open")


async def load(registrations: int, people: int, a_minute: float, answer: int) -> None:
    async with bench_stage() as stage, serving(stage, log_level="ERROR"):
        crowd = Crowd(stage, people=people, every=60 / a_minute, patience=PATIENCE)
        stage.tenant.faults.latency = answer / 1000
        stage.workspace.rates.clear()
        stage.workspace.rates.enforced = True
        begun = stage.clock.now()
        ids = await crowd.ask(registrations)
        clicked = stage.clock.now()
        print(f"{registrations} asked and posted after {_minutes(clicked - begun)}")
        await crowd.approve(ids)
        approved = stage.clock.now()
        await crowd.see_all_ready(ids)
        tell(crowd, ids, clicked=clicked, approved=approved)


def tell(crowd: Crowd, ids: Sequence[str], *, clicked: datetime, approved: datetime) -> None:
    """Print what has come of it."""
    workspace, stage = crowd.workspace, crowd.stage
    print("\nacknowledged      count      p50      p99      max")
    for kind, seconds in crowd.took.items():
        marks = (report.percentile(seconds, share) * 1000 for share in (0.5, 0.99, 1.0))
        print(f"{kind:<15} {len(seconds):>7} " + " ".join(f"{mark:>5.0f} ms" for mark in marks))
    print(f"not acknowledged in time: {len(workspace.unacked)}; told to try again: {crowd.refused}")

    print("\nmethod              allowed   429")
    for method in METHODS:
        count = workspace.rates.count(method)
        print(f"{method:<18} {len(count.allowed):>8} {len(count.refused):>5}")

    shown = report.updates(workspace)
    ready = report.ready_at(stage.folder)
    last = max(each.at for each in shown)
    share = workspace.rates.share(UPDATE, since=clicked, until=last)
    waits = [
        (each.at - ready[each.id]).total_seconds()
        for each in shown
        if each.is_final and each.id in ready
    ]
    where = ["approvals", *crowd.names]
    print(f"\nchat.update used, first click to last update: {share:.0%} of what is allowed")
    print(
        f"approving took {_minutes(approved - clicked)}, draining {_minutes(last - approved)} more"
    )
    median, longest = (report.percentile(waits, part) for part in (0.5, 1.0))
    print(f"from READY to being shown: median {median:.0f} s, longest {longest:.0f} s")
    print(f"updates: {len(shown)}, of these final {sum(each.is_final for each in shown)}")
    print(f"overtakings of final states: {report.overtaken(shown, ready)}")
    print(f"final states lost: {report.lost(workspace, where, ids)}")
    print(f"posted twice: {report.doubles(workspace, where)}")


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} min {seconds % 60:02} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load")
    parser.add_argument("--registrations", type=int, default=200)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--a-minute", type=float, default=45.0, help="forms sent, then approvals")
    parser.add_argument("--answer", type=int, default=300, help="milliseconds of each Graph call")
    given = parser.parse_args()
    asyncio.run(load(given.registrations, given.people, given.a_minute, given.answer))


main()
