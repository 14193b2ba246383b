"""One thing wrong with what is otherwise in order is enough: nothing changes.

Each act is tried with every wrong thing by itself, and then in order, which must change something:
else its refusals would prove nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from bot.domain.people import Refusal
from handlers.views import ids, requests
from tests.support.bolt_harness import BoltHarness, filled, harness
from tests.support.registrar_env import RegistrarEnv

__all__ = ["harness"]

Json = dict[str, Any]
URL = "response_url"
Wrong = Callable[[BoltHarness, Json], None]
State = Callable[[RegistrarEnv], Awaitable[str]]
"""Makes a registration to act on, and returns what its buttons carry."""


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


async def asked_to_rotate(env: RegistrarEnv) -> str:
    """Return the value of the buttons that decide on a rotation."""
    id = await env.in_use()
    await env.registrar.requests.rotation(id, by=env.requester)
    return requests.bound_value(id, (await env.asked(id)).id)


def at(harness: BoltHarness) -> Json:
    """Return where a click in an ephemeral message is answered; nobody is there any more."""
    return {
        URL: f"{harness.workspace.url}/actions/{harness.workspace.team_id}/1/none",
        "container": {"type": "message", "is_ephemeral": True},
    }


PENDING, READY, IN_USE = RegistrarEnv.pending, RegistrarEnv.ready, RegistrarEnv.in_use
CLICKS: Mapping[str, tuple[str, State, str]] = {
    "approve": (ids.APPROVE, PENDING, "ada"),
    "confirm_rotation": (ids.APPROVE, asked_to_rotate, "ada"),
    "cancel": (ids.CANCEL, PENDING, "rosa"),
    "cancel_rotation": (ids.CANCEL, asked_to_rotate, "rosa"),
    "retry": (ids.RETRY, RegistrarEnv.failed, "rosa"),
    "undo": (ids.UNDO, RegistrarEnv.failed, "rosa"),
    "revoke": (ids.REVOKE, READY, "rosa"),
    "revoke_asked": (ids.REVOKE_ASKED, READY, "rosa"),
    "reveal": (ids.REVEAL, READY, "rosa"),
    "renew": (ids.RENEW, IN_USE, "rosa"),
    "rotate": (ids.ROTATE, IN_USE, "rosa"),
}
DENIALS: Mapping[str, State] = {"deny": PENDING, "deny_rotation": asked_to_rotate}
COMMANDS: Mapping[str, State] = {"cancel": PENDING, "check": READY, "rotate": IN_USE}
DECISIONS = ("approve", "confirm_rotation", *DENIALS)
ACTS = (*CLICKS, *DENIALS, *(f"/{word}" for word in COMMANDS), "submit")
EPHEMERAL = ("revoke_asked", "reveal", "renew")
"""What is pressed in messages that only one person sees."""


async def body_of(harness: BoltHarness, act: str) -> Json:
    """Return the payload of an act that is in order, on a registration made for it."""
    if act == "submit":
        return {**envelope(harness, "view_submission", by="rosa"), "view": filled(harness)}
    if act in DENIALS:
        return reason(harness, await DENIALS[act](harness.registrar_env))
    if act.startswith("/"):
        word = act.removeprefix("/")
        return command(harness, f"{word} {await COMMANDS[word](harness.registrar_env)}", by="rosa")
    action, state, by = CLICKS[act]
    pressed = click(harness, action, await state(harness.registrar_env), by=by)
    return pressed | at(harness) if act in EPHEMERAL else pressed


@pytest.mark.parametrize("act", ACTS)
async def test_one_thing_wrong_is_enough(harness: BoltHarness, act: str) -> None:
    in_order = await body_of(harness, act)
    before = await harness.state()
    for what, change in WRONG.items():
        body = deepcopy(in_order)
        change(harness, body)
        answer = await harness.deliver(body)
        assert answer.status == 200
        assert await harness.state() == before, what
    assert (await harness.deliver(in_order)).status == 200
    assert await harness.state() != before


@pytest.mark.parametrize("act", DECISIONS)
async def test_the_requester_decides_nothing(harness: BoltHarness, act: str) -> None:
    body = await body_of(harness, act)
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
