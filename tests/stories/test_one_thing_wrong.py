"""One thing wrong with what is otherwise in order is enough: nothing changes.

Each act is tried with every wrong thing by itself, and then in order, which must change something:
else its refusals would prove nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bot.domain.people import Refusal
from bot.playground.clock import MovableClock
from handlers.views import denial, ids
from tests.stories.test_malformed import filled
from tests.support.bolt_harness import Switchboard, standing

Json = dict[str, Any]
URL = "response_url"
Wrong = Callable[[Switchboard, Json], None]


@pytest.fixture
async def board(tmp_path: Path, clock: MovableClock) -> AsyncIterator[Switchboard]:
    async with standing(tmp_path, clock) as board:
        yield board


def sent_by(name: str) -> Wrong:
    def change(board: Switchboard, body: Json) -> None:
        who = board.workspace.people[name]
        if "user_id" in body:
            body |= {"user_id": who.id}
        else:
            body["user"] = {"id": who.id, "team_id": who.team_id}

    return change


def of_another_team(board: Switchboard, body: Json) -> None:
    if "team_id" in body:
        body["team_id"] = "T0OTHER"
    else:
        body["team"] = {"id": "T0OTHER"}


def of_a_member_of_another_team(board: Switchboard, body: Json) -> None:
    """Slack says where the account belongs, and the payload says something else."""
    if "user" in body:
        body["user"]["team_id"] = "T0OTHER"
    else:
        body["team_id"] = "T0OTHER"


def for_another_app(board: Switchboard, body: Json) -> None:
    body["api_app_id"] = "A0OTHER"


def for_no_app(board: Switchboard, body: Json) -> None:
    del body["api_app_id"]


def of_nobody(board: Switchboard, body: Json) -> None:
    if "user" in body:
        body["user"] = None
    body["user_id"] = ""


def of_somebody_unknown(board: Switchboard, body: Json) -> None:
    if "user_id" in body:
        body["user_id"] = "U0NOBODY"
    else:
        body["user"]["id"] = "U0NOBODY"


WRONG: Mapping[str, Wrong] = {
    "a bystander": sent_by("ben"),
    "a guest": sent_by("gus"),
    "somebody from outside": sent_by("ext"),
    "a deactivated account": sent_by("dora"),
    "a bot": sent_by("builder"),
    "another team": of_another_team,
    "a member of another team": of_a_member_of_another_team,
    "another app": for_another_app,
    "no app": for_no_app,
    "nobody": of_nobody,
    "somebody unknown": of_somebody_unknown,
}


def envelope(board: Switchboard, kind: str, *, by: str) -> Json:
    who = board.workspace.people[by]
    return {
        "type": kind,
        "user": {"id": who.id, "team_id": who.team_id},
        "team": {"id": board.workspace.team_id},
        "api_app_id": board.workspace.api_app_id,
        "trigger_id": "1.2.3",
    }


def click(board: Switchboard, action: str, id: str, *, by: str) -> Json:
    pressed = {"type": "button", "action_id": action, "block_id": "b", "value": id}
    return {**envelope(board, "block_actions", by=by), "actions": [pressed]}


def command(board: Switchboard, text: str, *, by: str) -> Json:
    who = board.workspace.people[by]
    return {
        "command": ids.COMMAND,
        "team_id": who.team_id,
        "user_id": who.id,
        "api_app_id": board.workspace.api_app_id,
        "channel_id": "D0NOWHERE",
        "trigger_id": "1.2.3",
        "text": text,
    }


def wish(board: Switchboard) -> Json:
    return {**envelope(board, "view_submission", by="rosa"), "view": filled(board)}


def reason(board: Switchboard, id: str) -> Json:
    values = {ids.REASON: {ids.CHOSEN: {"value": "Not now"}}}
    view = {**denial.denial(id), "id": "V0DENIAL", "hash": "1", "state": {"values": values}}
    return {**envelope(board, "view_submission", by="ada"), "view": view}


async def approve(board: Switchboard) -> Json:
    return click(board, ids.APPROVE, await board.office.pending(), by="ada")


async def deny(board: Switchboard) -> Json:
    return reason(board, await board.office.pending())


async def cancel(board: Switchboard) -> Json:
    return click(board, ids.CANCEL, await board.office.pending(), by="rosa")


async def retry(board: Switchboard) -> Json:
    return click(board, ids.RETRY, await board.office.failed(), by="rosa")


async def undo(board: Switchboard) -> Json:
    return click(board, ids.UNDO, await board.office.failed(), by="rosa")


async def submit(board: Switchboard) -> Json:
    return wish(board)


async def cancel_by_word(board: Switchboard) -> Json:
    return command(board, f"cancel {await board.office.pending()}", by="rosa")


async def check_by_word(board: Switchboard) -> Json:
    return command(board, f"check {await board.office.ready()}", by="rosa")


async def revoke(board: Switchboard) -> Json:
    return click(board, ids.REVOKE, await board.office.ready(), by="rosa")


async def revoke_asked(board: Switchboard) -> Json:
    return click(board, ids.REVOKE_ASKED, await board.office.ready(), by="rosa") | at(board)


async def reveal(board: Switchboard) -> Json:
    return click(board, ids.REVEAL, await board.office.ready(), by="rosa") | at(board)


async def renew(board: Switchboard) -> Json:
    return click(board, ids.RENEW, await in_use(board), by="rosa") | at(board)


async def rotate(board: Switchboard) -> Json:
    return click(board, ids.ROTATE, await in_use(board), by="rosa")


async def rotate_by_word(board: Switchboard) -> Json:
    return command(board, f"rotate {await in_use(board)}", by="rosa")


async def confirm_rotation(board: Switchboard) -> Json:
    return click(board, ids.CONFIRM_ROTATION, await asked_to_rotate(board), by="ada")


async def deny_rotation(board: Switchboard) -> Json:
    return click(board, ids.DENY_ROTATION, await asked_to_rotate(board), by="ada")


async def cancel_rotation(board: Switchboard) -> Json:
    return click(board, ids.CANCEL_ROTATION, await asked_to_rotate(board), by="rosa")


async def in_use(board: Switchboard) -> str:
    """Return the id of a registration whose secret was seen and is masked."""
    office = board.office
    id = await office.ready()
    look = await office.registrar.reveal(id, by=office.requester, answer_to=at(board)[URL])
    await office.registrar.shown(id, look.secret, by=office.requester)
    await office.registrar.masked(id, look.secret)
    return id


async def asked_to_rotate(board: Switchboard) -> str:
    """Return the value of the buttons that decide on a rotation."""
    id = await in_use(board)
    await board.office.registrar.rotate(id, by=board.office.requester)
    asked = (await board.office.found(id)).asked_rotation
    assert asked is not None
    return ids.bound_value(id, asked.id)


def at(board: Switchboard) -> Json:
    """Return where a click in an ephemeral message is answered; nobody is there any more."""
    return {
        URL: f"{board.workspace.url}/actions/{board.workspace.team_id}/1/none",
        "container": {"type": "message", "is_ephemeral": True},
    }


DECISIONS = (approve, deny, confirm_rotation, deny_rotation)
ACTS = (
    *DECISIONS,
    cancel,
    retry,
    undo,
    submit,
    revoke,
    revoke_asked,
    reveal,
    renew,
    rotate,
    cancel_rotation,
    cancel_by_word,
    check_by_word,
    rotate_by_word,
)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.__name__))
async def test_one_thing_wrong_is_enough(board: Switchboard, act: Any) -> None:
    in_order = await act(board)
    before = await board.state()
    for what, change in WRONG.items():
        body = deepcopy(in_order)
        change(board, body)
        answer = await board.deliver(body)
        assert answer.status == 200
        assert await board.state() == before, what
    assert (await board.deliver(in_order)).status == 200
    assert await board.state() != before


@pytest.mark.parametrize("act", DECISIONS, ids=lambda act: str(act.__name__))
async def test_the_requester_decides_nothing(board: Switchboard, act: Any) -> None:
    body = await act(board)
    before = await board.state()
    sent_by("rosa")(board, body)
    assert (await board.deliver(body)).status == 200
    assert await board.state() == before


def mention(board: Switchboard, id: str, user: str, **more: str) -> Json:
    said = {"type": "app_mention", "user": user, "text": f"status {id}", "ts": "1.0", **more}
    return {
        "type": "event_callback",
        "team_id": board.workspace.team_id,
        "api_app_id": board.workspace.api_app_id,
        "event_id": f"Ev{user}{len(more)}",
        "event": {**said, "channel": board.workspace.channels["general"].id},
    }


async def told(board: Switchboard, body: Json, id: str) -> bool:
    """Deliver it, and return whether anything that was said in answer names the registration."""
    since = len(board.workspace.log)
    assert (await board.deliver(body)).status == 200
    return any(id in str(entry.sent) for entry in board.workspace.log[since:])


async def test_a_mention_of_whose_team_there_is_doubt_is_told_nothing(board: Switchboard) -> None:
    """Slackbot looks like a person, and in a shared channel Slack says whose member somebody is."""
    id, ada = await board.office.pending(), board.workspace.people["ada"].id
    assert not await told(board, mention(board, id, "USLACKBOT"), id)
    assert not await told(board, mention(board, id, ada, user_team="T0OTHER"), id)
    assert not await told(board, mention(board, id, ada, team="T0OTHER"), id)
    assert await told(board, mention(board, id, ada), id)


async def test_hiding_is_judged_by_itself(board: Switchboard) -> None:
    """A click on it asks for the values first, which is another verb."""
    id = await board.office.ready()
    before = await board.state()
    with pytest.raises(Refusal, match="Only the requester gets the values"):
        await board.office.registrar.hide(id, by=board.office.approver)
    assert await board.state() == before
    await board.office.registrar.hide(id, by=board.office.requester)
    assert await board.state() != before
