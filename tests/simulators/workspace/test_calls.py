"""Tokens, scopes, arguments: how a call must be made before it is looked at."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient as Client

from bot.playground.workspace import Workspace
from bot.playground.workspace.methods import METHODS
from bot.playground.workspace.methods.method import Token
from tests.support.blocks import error_of
from tests.support.small_bot import client_of

KIND = {"event_type": "x"}
BARE = {**KIND, "event_payload": 1}
POST, WHISPER = "chat.postMessage", "chat.postEphemeral"


async def posted(
    workspace: Workspace, method: str, *, token: str | None = None, **body: Any
) -> dict[str, Any]:
    """Call a method without a client's help; return what is answered."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(workspace.api_url + method, **body) as answer,
    ):
        return dict(await answer.json())


async def test_the_app_learns_who_it_is(workspace: Workspace, client: Client) -> None:
    who = await client.auth_test()
    assert (who["team_id"], who["user_id"]) == (workspace.team_id, workspace.bot_user_id)


async def test_each_kind_of_token_has_its_methods(workspace: Workspace, client: Client) -> None:
    swapped = client.apps_connections_open(app_token=workspace.bot_token)
    assert await error_of(swapped) == "not_allowed_token_type"
    async with client_of(workspace, workspace.app_token) as app_level:
        assert await error_of(app_level.auth_test()) == "not_allowed_token_type"


async def test_a_missing_scope_is_named(workspace: Workspace, client: Client) -> None:
    general = workspace.channels["general"].id
    assert await error_of(client.conversations_info(channel=general)) == "missing_scope"
    workspace.installation.scopes.add("channels:read")
    assert not (await client.conversations_info(channel=general))["channel"]["is_ext_shared"]


@pytest.mark.parametrize(
    ("body", "error"),
    [("{", "invalid_json"), ("[]", "json_not_object"), ("{}", "not_authed")],
)
async def test_bodies_are_looked_at_first(workspace: Workspace, body: str, error: str) -> None:
    headers = {"Content-Type": "application/json"}
    told = await posted(workspace, "auth.test", data=body, headers=headers)
    assert told["error"] == error


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("chat.shout", {}, "unknown_method"),
    (POST, {"chanel": "C1"}, "invalid_arguments"),
    (POST, {"channel": "general", "attachments": [{"text": "y"}]}, "invalid_arguments"),
    (POST, {"channel": "general", "blocks": "[{"}, "invalid_blocks_format"),
    (POST, {"channel": "general", "metadata": KIND}, "invalid_metadata_format"),
    (POST, {"channel": "general", "metadata": BARE}, "invalid_metadata_schema"),
    (POST, {"channel": "general", "thread_ts": "1.1"}, "cannot_reply_to_message"),
    (POST, {"channel": "random"}, "not_in_channel"),
    (POST, {"channel": "C0"}, "channel_not_found"),
    (POST, {"channel": "dora"}, "channel_not_found"),
    (WHISPER, {"channel": "approvals", "user": "rosa"}, "user_not_in_channel"),
    (WHISPER, {"channel": "random", "user": "rosa"}, "not_in_channel"),
    (WHISPER, {"channel": "rosa", "user": "rosa"}, "channel_not_found"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("conversations.open", {"users": "dora"}, "user_disabled"),
    ("conversations.open", {"users": "stan"}, "user_not_visible"),
    ("conversations.open", {"users": "builder"}, "user_not_found"),
    ("users.info", {"user": "U0"}, "user_not_found"),
    ("users.info", {"user": ["U1"]}, "invalid_arguments"),
    ("bots.info", {"bot": "B0"}, "bot_not_found"),
    ("usergroups.users.list", {"usergroup": "S0"}, "no_such_subteam"),
]


@pytest.mark.parametrize(("method", "arguments", "error"), REFUSED)
async def test_what_cannot_be_done_has_slack_s_word_for_it(
    workspace: Workspace, client: Client, method: str, arguments: dict[str, Any], error: str
) -> None:
    named = {it.name: it.id for it in (*workspace.people, *workspace.channels)}
    said = {"text": "x"} if method.startswith("chat.") else {}
    known = {key: named.get(str(it), it) for key, it in arguments.items()}
    assert await error_of(client.api_call(method, json=said | known)) == error


async def test_forms_carry_structures_as_json(workspace: Workspace) -> None:
    form = {
        "token": workspace.bot_token,
        "channel": workspace.channels["general"].id,
        "blocks": '[{"type": "divider"}]',
    }
    assert (await posted(workspace, "chat.postMessage", data=form))["ok"]


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("gus", {"is_restricted": True}),
        ("una", {"is_restricted": True, "is_ultra_restricted": True}),
        ("dora", {"deleted": True}),
        ("builder", {"is_bot": True}),
        ("stan", {"is_stranger": True}),
    ],
)
async def test_slack_says_what_somebody_is(
    workspace: Workspace, client: Client, name: str, flags: dict[str, bool]
) -> None:
    user = (await client.users_info(user=workspace.people[name].id))["user"]
    assert {key: user[key] for key in flags} == flags
    assert (user["team_id"] == workspace.team_id) is (name != "stan")


async def test_a_private_channel_is_hidden_from_those_outside(
    workspace: Workspace, client: Client
) -> None:
    workspace.installation.scopes |= {"groups:read", "im:read"}
    approvals = workspace.channels["approvals"]
    assert (await client.conversations_info(channel=approvals.id))["channel"]["is_private"]
    opened = await client.conversations_open(users=workspace.people["rosa"].id)
    im = await client.conversations_info(channel=opened["channel"]["id"])
    assert im["channel"]["user"] == workspace.people["rosa"].id
    approvals.members.discard(workspace.bot_user_id)
    for call in (
        client.conversations_info(channel=approvals.id),
        client.chat_postMessage(channel=approvals.id, text="x"),
    ):
        assert await error_of(call) == "channel_not_found"


async def test_the_history_of_direct_messages_is_read_with_its_scope_newest_first(
    workspace: Workspace, client: Client
) -> None:
    rosa = workspace.people["rosa"].id
    metadata = {"event_type": "a_kind", "event_payload": {"message": "1"}}
    first = await client.chat_postMessage(channel=rosa, text="first", metadata=metadata)
    await client.chat_postMessage(channel=rosa, text="second")
    im = first["channel"]
    workspace.installation.scopes -= {"im:history"}
    assert await error_of(client.conversations_history(channel=im)) == "missing_scope"
    workspace.installation.scopes |= {"im:history"}
    plain = (await client.conversations_history(channel=im))["messages"]
    assert [it["text"] for it in plain] == ["second", "first"]
    assert "metadata" not in plain[1]
    full = await client.conversations_history(channel=im, limit=100, include_all_metadata=True)
    assert full["messages"][1]["metadata"] == metadata
    one = await client.conversations_history(channel=im, limit=1)
    assert (len(one["messages"]), one["has_more"]) == (1, True)
    general = workspace.channels["general"].id
    assert await error_of(client.conversations_history(channel=general)) == "missing_scope"


FREE = {"auth.test", "views.open", "views.publish", "views.push", "views.update"}
BY_ARGUMENTS = {"conversations.history", "conversations.info", "conversations.open"}


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive"])
async def test_a_token_ends(workspace: Workspace, client: Client, error: str) -> None:
    await client.auth_test()
    workspace.revoke_token(error)
    assert await error_of(client.auth_test()) == error
    answer = await client.apps_connections_open(app_token=workspace.app_token)
    assert answer["ok"]


@pytest.mark.parametrize("name", sorted(set(METHODS) - FREE - BY_ARGUMENTS))
async def test_every_method_wants_its_scope(workspace: Workspace, name: str) -> None:
    method = METHODS[name]
    app = workspace.installation
    bot = method.token is Token.BOT
    granted = app.scopes if bot else app.app_scopes
    assert method.scope
    granted.discard(method.scope)
    token = app.bot_token if bot else app.app_token
    body = await posted(workspace, name, token=token)
    assert body["error"] == "missing_scope"
    assert body["needed"] == method.scope
    assert body["provided"] == ",".join(sorted(granted))


async def test_scopes_can_depend_on_what_is_asked(workspace: Workspace, client: Client) -> None:
    rosa, ada = workspace.people["rosa"].id, workspace.people["ada"].id
    assert await error_of(client.conversations_open(users=[rosa, ada])) == "missing_scope"
    im = (await client.conversations_open(users=rosa))["channel"]["id"]
    workspace.installation.scopes -= {"im:write", "im:read"}
    assert await error_of(client.conversations_open(users=rosa)) == "missing_scope"
    assert await error_of(client.conversations_info(channel=im)) == "missing_scope"


async def test_an_answer_names_the_scopes(workspace: Workspace, client: Client) -> None:
    group = workspace.groups["directory-admins"].id
    answer = await client.usergroups_users_list(usergroup=group)
    assert set(answer.headers["X-OAuth-Scopes"].split(",")) == workspace.installation.scopes
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "usergroups:read"


async def test_a_blank_token_is_none(workspace: Workspace) -> None:
    assert (await posted(workspace, "auth.test", data={"token": ""}))["error"] == "not_authed"
