"""App Homes of a requester, of an approver, and of users who may see nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.approval_requests import Quorum, RequestKind
from bot.domain.catalogue import Catalogue
from bot.domain.registration import Registration, Status
from bot.playground.gallery.registrations import HOSTILE, ID, NOON, ROSA, STATES, entry
from bot.registrar.queries import Home, Part
from bot.storage.history import HistoryPage
from bot.storage.queries import Health, ListLine, ListPage, Mark, Unshown
from handlers.views import ui
from handlers.views.home import CHOSEN, GREETING, home

NOTHING = Home(
    may_ask=True,
    contact="#it-help",
    is_approver=False,
    pages=dict.fromkeys(Part, 1),
    mine=(),
    waiting=(),
    expiring=ListPage(lines=(), total=0),
    history=HistoryPage(entries=(), total=0),
    totals=dict.fromkeys(Part, 0),
    health=None,
    mark=Mark(versions=(), unshown=()),
    at=NOON,
)
HEALTH = Health(
    open_runs=1,
    owed_messages=2,
    sealed_secrets=3,
    last_run_at=NOON,
    last_run_failed="Authorization_RequestDenied",
    unshown=(Unshown(audience="C0APPROVALS", code="is_archived"),),
)


def homes(catalogue: Catalogue) -> Iterator[tuple[str, ui.Json]]:
    def drawn(found: Home, said: str = "") -> ui.Json:
        return home(found, catalogue, quorum_of=_quorum, said=said)

    yield "First visit", drawn(NOTHING, GREETING)
    yield "May not ask", drawn(replace(NOTHING, may_ask=False, may_choose_cards=False))
    mine = [STATES[name] for name in ("Approval needed", "Failed", "Ready", "Ready, hostile names")]
    expired = list_line(has_expired=True, waits=RequestKind.ROTATION)
    requester = replace(
        NOTHING,
        mine=mine,
        expiring=ListPage(lines=[list_line(), expired], total=2),
        history=HistoryPage(entries=[(ID, entry("failed", why=HOSTILE))], total=1),
        totals={Part.MINE: 9, Part.WAITING: 0, Part.EXPIRING: 2, Part.HISTORY: 1},
        pages={**dict.fromkeys(Part, 1), Part.MINE: 2},
    )
    yield "Requester", drawn(requester)
    plain = replace(requester, plain_cards=True)
    yield "Requester, plain cards", drawn(plain, CHOSEN.format(how="text"))
    waiting = [
        STATES[name]
        for name in ("Approval needed", "Approval needed, hostile names", "Ready, a rotation waits")
    ]
    totals = {Part.MINE: 0, Part.WAITING: 4, Part.EXPIRING: 2, Part.HISTORY: 1}
    approver = replace(
        requester, is_approver=True, mine=(), waiting=waiting, health=HEALTH, totals=totals
    )
    yield "Approver", drawn(approver)
    yield "Guest", ui.sentence_home("Guest accounts can't use this bot.")


def _quorum(_: Registration) -> Quorum:
    return Quorum(needed=1)


def list_line(**changes: Any) -> ListLine:
    """Return the line of a registration that is ready, with these changes."""
    usual: dict[str, Any] = {
        "id": ID,
        "status": Status.READY,
        "run": None,
        "requester": ROSA,
        "name": HOSTILE,
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=9),
    }
    return ListLine(**{**usual, **changes})
