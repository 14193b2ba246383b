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
from handlers.views import ids, requests
from tests.support.bolt_harness import BoltHarness, filled, standing

Json = dict[str, Any]
URL = "response_url"
Wrong = Callable[[BoltHarness, Json], None]


@pytest.fixture
async def harness(tmp_path: Path, clock: MovableClock) -> AsyncIterator[BoltHarness]:
    async with standing(tmp_path, clock) as harness:
        yield harness


def sent_by(name: str) -> Wrong:
    def change(harness: BoltHarness, body: Json) -> None:
        who = harness.workspace.people[name]
        if "user_id" in body:
            body |= {"user_id": who.id}
        else:
            body["user"] = {"id": who.id, "team_id": who.team_id}

    return change


def of_another_team(harness: BoltHarness, body: Json) -> None:
    if "team_id" in body:
        body["team_id"] = "T0OTHER"
    else:
        body["team"] = {"id": "T0OTHER"}


def of_a_member_of_another_team(harness: BoltHarness, body: Json) -> None:
    """Slack says where the account belongs, and the payload says something else."""
    if "user" in body:
        body["user"]["team_id"] = "T0OTHER"
    else:
        body["team_id"] = "T0OTHER"


def for_another_app(harness: BoltHarness, body: Json) -> None:
    body["api_app_id"] = "A0OTHER"


def for_no_app(harness: BoltHarness, body: Json) -> None:
    del body["api_app_id"]


def of_nobody(harness: BoltHarness, body: Json) -> None:
    if "user" in body:
        body["user"] = None
    body["user_id"] = ""


def of_somebody_unknown(harness: BoltHarness, body: Json) -> None:
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


def envelope(harness: BoltHarness, kind: str, *, by: str) -> Json:
    who = harness.workspace.people[by]
    return {
        "type": kind,
        "user": {"id": who.id, "team_id": who.team_id},
        "team": {"id": harness.workspace.team_id},
        "api_app_id": harness.workspace.api_app_id,
        "trigger_id": "1.2.3",
    }


def click(harness: BoltHarness, action: str, id: str, *, by: str) -> Json:
    pressed = {"type": "button", "action_id": action, "block_id": "b", "value": id}
    return {**envelope(harness, "block_actions", by=by), "actions": [pressed]}


def command(harness: BoltHarness, text: str, *, by: str) -> Json:
    who = harness.workspace.people[by]
    return {
        "command": ids.COMMAND,
        "team_id": who.team_id,
        "user_id": who.id,
        "api_app_id": harness.workspace.api_app_id,
        "channel_id": "D0NOWHERE",
        "trigger_id": "1.2.3",
        "text": text,
    }


def wish(harness: BoltHarness) -> Json:
    return {**envelope(harness, "view_submission", by="rosa"), "view": filled(harness)}


def reason(harness: BoltHarness, value: str) -> Json:
    values = {ids.REASON: {ids.CHOSEN: {"value": "Not now"}}}
    about = requests.read_bound_value(value)
    view = {
        **requests.denial_form(*about),
        "id": "V0DENIAL",
        "hash": "1",
        "state": {"values": values},
    }
    return {**envelope(harness, "view_submission", by="ada"), "view": view}


async def approve(harness: BoltHarness) -> Json:
    return click(harness, ids.APPROVE, await harness.registrar_env.pending(), by="ada")


async def deny(harness: BoltHarness) -> Json:
    return reason(harness, await harness.registrar_env.pending())


async def cancel(harness: BoltHarness) -> Json:
    return click(harness, ids.CANCEL, await harness.registrar_env.pending(), by="rosa")


async def retry(harness: BoltHarness) -> Json:
    return click(harness, ids.RETRY, await harness.registrar_env.failed(), by="rosa")


async def undo(harness: BoltHarness) -> Json:
    return click(harness, ids.UNDO, await harness.registrar_env.failed(), by="rosa")


async def submit(harness: BoltHarness) -> Json:
    return wish(harness)


async def cancel_by_word(harness: BoltHarness) -> Json:
    return command(harness, f"cancel {await harness.registrar_env.pending()}", by="rosa")


async def check_by_word(harness: BoltHarness) -> Json:
    return command(harness, f"check {await harness.registrar_env.ready()}", by="rosa")


async def revoke(harness: BoltHarness) -> Json:
    return click(harness, ids.REVOKE, await harness.registrar_env.ready(), by="rosa")


async def revoke_asked(harness: BoltHarness) -> Json:
    return click(harness, ids.REVOKE_ASKED, await harness.registrar_env.ready(), by="rosa") | at(
        harness
    )


async def reveal(harness: BoltHarness) -> Json:
    return click(harness, ids.REVEAL, await harness.registrar_env.ready(), by="rosa") | at(harness)


async def renew(harness: BoltHarness) -> Json:
    return click(harness, ids.RENEW, await in_use(harness), by="rosa") | at(harness)


async def rotate(harness: BoltHarness) -> Json:
    return click(harness, ids.ROTATE, await in_use(harness), by="rosa")


async def rotate_by_word(harness: BoltHarness) -> Json:
    return command(harness, f"rotate {await in_use(harness)}", by="rosa")


async def confirm_rotation(harness: BoltHarness) -> Json:
    return click(harness, ids.APPROVE, await asked_to_rotate(harness), by="ada")


async def deny_rotation(harness: BoltHarness) -> Json:
    return reason(harness, await asked_to_rotate(harness))


async def cancel_rotation(harness: BoltHarness) -> Json:
    return click(harness, ids.CANCEL, await asked_to_rotate(harness), by="rosa")


async def in_use(harness: BoltHarness) -> str:
    """Return the id of a registration whose secret was seen and is masked."""
    registrar_env = harness.registrar_env
    id = await registrar_env.ready()
    look = await registrar_env.registrar.secrets.reveal(
        id, by=registrar_env.requester, answer_to=at(harness)[URL]
    )
    await registrar_env.registrar.secrets.shown(id, look.secret, by=registrar_env.requester)
    await registrar_env.registrar.secrets.masked(id, look.secret)
    return id


async def asked_to_rotate(harness: BoltHarness) -> str:
    """Return the value of the buttons that decide on a rotation."""
    id = await in_use(harness)
    await harness.registrar_env.registrar.requests.rotation(id, by=harness.registrar_env.requester)
    asked = await harness.registrar_env.asked(id)
    return requests.bound_value(id, asked.id)


def at(harness: BoltHarness) -> Json:
    """Return where a click in an ephemeral message is answered; nobody is there any more."""
    return {
        URL: f"{harness.workspace.url}/actions/{harness.workspace.team_id}/1/none",
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
async def test_one_thing_wrong_is_enough(harness: BoltHarness, act: Any) -> None:
    in_order = await act(harness)
    before = await harness.state()
    for what, change in WRONG.items():
        body = deepcopy(in_order)
        change(harness, body)
        answer = await harness.deliver(body)
        assert answer.status == 200
        assert await harness.state() == before, what
    assert (await harness.deliver(in_order)).status == 200
    assert await harness.state() != before


@pytest.mark.parametrize("act", DECISIONS, ids=lambda act: str(act.__name__))
async def test_the_requester_decides_nothing(harness: BoltHarness, act: Any) -> None:
    body = await act(harness)
    before = await harness.state()
    sent_by("rosa")(harness, body)
    assert (await harness.deliver(body)).status == 200
    assert await harness.state() == before


def mention(harness: BoltHarness, id: str, user: str, **more: str) -> Json:
    said = {"type": "app_mention", "user": user, "text": f"status {id}", "ts": "1.0", **more}
    return {
        "type": "event_callback",
        "team_id": harness.workspace.team_id,
        "api_app_id": harness.workspace.api_app_id,
        "event_id": f"Ev{user}{len(more)}",
        "event": {**said, "channel": harness.workspace.channels["general"].id},
    }


async def told(harness: BoltHarness, body: Json, id: str) -> bool:
    """Deliver it, and return whether anything that was said in answer names the registration."""
    since = len(harness.workspace.log)
    assert (await harness.deliver(body)).status == 200
    return any(id in str(entry.sent) for entry in harness.workspace.log[since:])


async def test_a_mention_of_whose_team_there_is_doubt_is_told_nothing(harness: BoltHarness) -> None:
    """Slackbot looks like a person, and in a shared channel Slack says whose member somebody is."""
    id, ada = await harness.registrar_env.pending(), harness.workspace.people["ada"].id
    assert not await told(harness, mention(harness, id, "USLACKBOT"), id)
    assert not await told(harness, mention(harness, id, ada, user_team="T0OTHER"), id)
    assert not await told(harness, mention(harness, id, ada, team="T0OTHER"), id)
    assert await told(harness, mention(harness, id, ada), id)


async def test_hiding_is_judged_by_itself(harness: BoltHarness) -> None:
    """A click on it asks for the values first, which is another verb."""
    id = await harness.registrar_env.ready()
    before = await harness.state()
    with pytest.raises(Refusal, match="Only the requester gets the values"):
        await harness.registrar_env.registrar.secrets.mask(id, by=harness.registrar_env.approver)
    assert await harness.state() == before
    await harness.registrar_env.registrar.secrets.mask(id, by=harness.registrar_env.requester)
    assert await harness.state() != before
