"""Malformed commands, clicks, forms and events: a sentence or a 4xx, and nothing has changed.

Payloads are drawn by a seed, so that what fails once fails again.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from slack_bolt.response import BoltResponse
from structlog.testing import capture_logs

from handlers.listeners.commands import LISTS
from handlers.views import ids
from tests.support.bolt_harness import BoltHarness, filled, harness
from tests.support.command_story import WITH_ID
from tests.support.registrar_env import RegistrarEnv

__all__ = ["harness"]

Json = dict[str, Any]

FEW, MANY, BATCH = 240, 2000, 50
ODD = ("<@U1|x>", "<!here>", "&lt;", "\u202e", "\0", "'; --", "*", "`", "{}", "%s", "﷽", "-1")
WORDS = (*WITH_ID, *LISTS, *ODD, "list", "public", "help", "mimecast", "AAD", "AAD-", "7K3F7K3F")
TEXTS = ("", " ", "AAD-", "AAD-0000", "aad-7k3f", "x" * 3000, "\0", "\u202e", "<!channel>", "../..")
PAGES = ("mine:0", "mine:99999", "nobody:1", ":", "mine:", "mine:²")
NO_TEXTS: tuple[Any, ...] = (None, 0, -1, 1.5, True, [], {}, ["AAD-0000"], {"value": "AAD-0000"})
JUNK: tuple[Any, ...] = (*TEXTS, *PAGES, *NO_TEXTS)
URLS = (
    *(None, "", "https://evil.example/", "http://slack.com@evil.example/", "file:///etc/passwd"),
    7,
)
ACTIONS = tuple(
    value
    for name, value in vars(ids).items()
    if name.isupper() and value not in (ids.COMMAND, ids.REPLACED)
)
BUTTONS = (
    *(ids.APPROVE, ids.DENY, ids.CANCEL, ids.RETRY, ids.UNDO, ids.UNDO_ASKED),
    *(ids.REVOKE, ids.REVOKE_ASKED, ids.REPLACED[0], ids.VALUES),
)
Draw = Callable[[Random, BoltHarness, list[str]], Json]


async def registrations(env: RegistrarEnv) -> list[str]:
    """Make one registration in each state in which somebody could do something."""
    return [await make() for make in (env.submitted, env.pending, env.failed, env.ready)]


def sender(rng: Random, harness: BoltHarness) -> Json:
    """Return who sends it: somebody who may do nothing, or who is nobody."""
    name = rng.choice(["ben", "ben", "ben", "gus", "ext", "dora", "builder"])
    who = harness.workspace.people[name]
    return {"id": rng.choice([who.id, who.id, who.id, "", "U0NOBODY"]), "team_id": who.team_id}


def envelope(rng: Random, harness: BoltHarness, kind: str) -> Json:
    team = rng.choice([harness.workspace.team_id] * 5 + ["T0OTHER", ""])
    return {
        "type": kind,
        "user": rng.choice([sender(rng, harness)] * 9 + [None, {}]),
        "team": {"id": team},
        "api_app_id": harness.workspace.api_app_id,
        "trigger_id": rng.choice(["1.2.3", "", None]),
    }


def command(rng: Random, harness: BoltHarness, known: list[str]) -> Json:
    who = sender(rng, harness)
    meant = f"{rng.choice(WITH_ID)} {rng.choice(known)} {rng.choice(['', 'public', 'now'])}"
    text = rng.choice([meant, " ".join(rng.choices([*WORDS, *known], k=rng.randrange(6)))])
    return {
        "command": ids.COMMAND,
        "team_id": harness.workspace.team_id,
        "user_id": who["id"],
        "api_app_id": harness.workspace.api_app_id,
        "channel_id": "D0NOWHERE",
        "trigger_id": rng.choice(["1.2.3", "", None]),
        "text": rng.choice([text] * 8 + [None, text * 400]),
    }


def click(rng: Random, harness: BoltHarness, known: list[str]) -> Json:
    action: Json = {
        "type": "button",
        "action_id": rng.choice([rng.choice(BUTTONS), rng.choice(ACTIONS), "unknown"]),
        "block_id": "b",
        "value": rng.choice([rng.choice(JUNK), rng.choice(known)]),
    }
    if rng.random() < 0.3:
        action["selected_option"] = rng.choice([None, {}, {"value": "mimecast"}, {"value": "x"}])
    if rng.random() < 0.1:
        del action["value"]
    payload = {**envelope(rng, harness, "block_actions"), "actions": [action]}
    if rng.random() < 0.6:
        payload["response_url"] = rng.choice(URLS)
    if rng.random() < 0.4:
        kind = rng.choice(["home", "modal", "other"])
        payload["view"] = rng.choice([None, {}, {"type": kind}, {"type": kind, "id": "V1"}])
    return payload


def bystander(rng: Random, harness: BoltHarness, known: list[str]) -> Json:
    """A click in order in everything, but that it comes from somebody who may not.

    Of the others hardly one gets past the first guard: this one meets the last.
    """
    ben = harness.workspace.people["ben"]
    action = {"type": "button", "action_id": rng.choice(BUTTONS), "block_id": "b"}
    return {
        **envelope(rng, harness, "block_actions"),
        "user": {"id": ben.id, "team_id": ben.team_id},
        "team": {"id": harness.workspace.team_id},
        "actions": [{**action, "value": rng.choice(known)}],
    }


def submission(rng: Random, harness: BoltHarness, known: list[str]) -> Json:
    """A form of Rosa's, who may ask, with something wrong in it."""
    view = filled(harness)
    rng.choice(DEFECTS)(rng, view)
    payload = envelope(rng, harness, "view_submission")
    if rng.random() < 0.8:
        rosa = harness.workspace.people["rosa"]
        payload |= {
            "user": {"id": rosa.id, "team_id": rosa.team_id},
            "team": {"id": harness.workspace.team_id},
        }
    return {**payload, "view": view}


TYPED: Mapping[str, tuple[Any, ...]] = {
    ids.NAME: ("", " ", None, "n" * 121, "a\nb", "\0", "\u202e", 7, [], {}),
    ids.REASON: ("", None, "r" * 501, "\0", "a\n" * 20, 7.5, ["x"]),
    ids.REDIRECT: ("http://example.com", "javascript:x", "https://", "https://e.com/#x", "\0"),
    f"{ids.OPTION_PREFIX}domains": ("not a domain", "x" * 3000, "*.example.com", "\0"),
}
"""What is wrong in a field of the form."""
DAYS = ("0", "-1", "9999999", "never", "", "²", "1e3")
PROFILES = (None, {}, *({"value": it} for it in ("", "unknown", "directory-read")))


def bad_field(rng: Random, view: Json) -> None:
    block = rng.choice(list(TYPED))
    view["state"]["values"][block] = {ids.CHOSEN: {"value": rng.choice(TYPED[block])}}


def bad_days(rng: Random, view: Json) -> None:
    chosen = {"selected_option": {"value": rng.choice(DAYS)}}
    view["state"]["values"][f"{ids.SECRET_DAYS}:mimecast"] = {ids.CHOSEN: chosen}


def bad_profile(rng: Random, view: Json) -> None:
    chosen = {"selected_option": rng.choice(PROFILES)}
    view["state"]["values"][ids.PROFILE] = {ids.CHOOSE_PROFILE: chosen}


def lost_fields(rng: Random, view: Json) -> None:
    """Take away the name, and anything else with it."""
    values = view["state"]["values"]
    for block in [ids.NAME, *rng.sample(sorted(values), rng.randrange(len(values)))]:
        values.pop(block, None)


def lost_state(rng: Random, view: Json) -> None:
    view["state"] = rng.choice([{}, {"values": {}}, {"values": None}, None])


def empty_states(rng: Random, view: Json) -> None:
    for block in view["state"]["values"]:
        view["state"]["values"][block] = rng.choice([{}, {ids.CHOSEN: {}}, {"other": {}}])


DEFECTS = (
    *(bad_field,) * len(TYPED),
    *(bad_days, bad_profile, lost_fields, lost_state, empty_states),
)


def event(rng: Random, harness: BoltHarness, known: list[str]) -> Json:
    who = sender(rng, harness)
    text = " ".join(rng.choices([*WORDS, *known], k=rng.randrange(6)))
    inner: Json = {
        "type": rng.choice(["app_mention", "message", "app_home_opened", "team_join"]),
        "user": who["id"],
        "text": rng.choice([text, text, None]),
        "channel": rng.choice([harness.workspace.channels["general"].id, "C0NONE", "D0NONE"]),
        "channel_type": rng.choice(["im", "channel", None]),
        "ts": "1.0",
        "tab": rng.choice(["home", "messages", None]),
    }
    for key in ("bot_id", "subtype", "edited", "user_team"):
        if rng.random() < 0.1:
            inner[key] = "T0OTHER"
    for key in rng.sample(sorted(inner.keys() - {"type"}), rng.choice([0, 0, 0, 1, 2])):
        del inner[key]
    return {
        "type": "event_callback",
        "team_id": rng.choice([harness.workspace.team_id] * 5 + ["T0OTHER"]),
        "api_app_id": harness.workspace.api_app_id,
        "event_id": f"Ev{rng.randrange(10**9)}",
        "event": inner,
    }


DRAWS: tuple[Draw, ...] = (
    *(command, command, click, click, bystander, bystander, submission, submission, event),
)


def check(body: Json, answer: BoltResponse, told: list[Any]) -> None:
    """See that whoever reads the answer reads a sentence."""
    assert answer.status == 200 or 400 <= answer.status < 500, (answer.status, body)
    said = json.loads(answer.body) if answer.body.startswith("{") else {}
    if "command" in body and "error" not in said:
        assert said["text"].strip(), body
        assert said.get("response_type") == "ephemeral" or "public" in body["text"], body
    if body.get("type") == "view_submission":
        redrawn = said.get("response_action") == "update"
        assert redrawn or all(it.strip() for it in said["errors"].values()), (body, said)
    words = json.dumps([said, told], default=str)
    assert "Traceback" not in words
    assert "Error(" not in words
    assert ".py" not in words


async def endure(harness: BoltHarness, *, seed: int, count: int) -> None:
    rng = Random(seed)
    known = await registrations(harness.registrar_env)
    before = await harness.state()
    with capture_logs() as logs:
        for number in range(count):
            body = rng.choice(DRAWS)(rng, harness, known)
            since = len(harness.workspace.log)
            answer = await harness.deliver(deepcopy(body))
            check(body, answer, [entry.sent for entry in harness.workspace.log[since:]])
            if number % BATCH == BATCH - 1:
                assert await harness.state() == before, body
    assert await harness.state() == before
    bugs = [entry for entry in logs if entry["event"] == "bug"]
    assert [bug for bug in bugs if not is_theirs(bug)] == []


@pytest.mark.slow
async def test_a_few_malformed_payloads(harness: BoltHarness) -> None:
    await endure(harness, seed=1, count=FEW)


def is_theirs(bug: Mapping[str, Any]) -> bool:
    """Whether Slack refused a channel or trigger that is none, or Bolt stumbled while it logged."""
    return bug["type"] == "SlackApiError" or "slack_bolt/logger/messages.py" in bug["where"][-1]


@pytest.mark.slow
async def test_two_thousand_malformed_payloads(harness: BoltHarness) -> None:
    await endure(harness, seed=20261123, count=MANY)


async def test_a_forged_click_without_a_trigger_opens_nothing(harness: BoltHarness) -> None:
    ada, id = harness.workspace.people["ada"], await harness.registrar_env.pending()
    payload = {
        "type": "block_actions",
        "user": {"id": ada.id, "team_id": ada.team_id},
        "team": {"id": harness.workspace.team_id},
        "api_app_id": harness.workspace.api_app_id,
    }
    button = {"type": "button", "block_id": "b", "value": id}
    modal = {"type": "modal", "id": "V1"}
    with capture_logs() as logged:
        for action in (ids.DENY, ids.OPEN_FORM, ids.AGAIN, ids.PREVIEW, ids.APPROVE):
            actions = [{**button, "action_id": action}]
            for view in ({}, {"view": modal}):
                answer = await harness.deliver({**payload, "actions": actions, **view})
                assert answer.status == 200
    opened = [it for it in harness.workspace.log if it.what.startswith("views.")]
    assert opened == []
    assert [it for it in logged if it["event"] == "bug"] == []
