"""Tokens: which scopes they carry, and how they end."""

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from bot.playground.workspace.methods import METHODS
from bot.playground.workspace.methods.method import Token
from tests.support.blocks import error_of

FREE = {"auth.test", "views.open", "views.publish", "views.push", "views.update"}
BY_ARGUMENTS = {"conversations.history", "conversations.info", "conversations.open"}


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive"])
async def test_a_token_ends(workspace: Workspace, client: AsyncWebClient, error: str) -> None:
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
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(workspace.api_url + name) as answer,
    ):
        body = await answer.json()
    assert body["error"] == "missing_scope"
    assert body["needed"] == method.scope
    assert body["provided"] == ",".join(sorted(granted))


async def test_scopes_can_depend_on_what_is_asked(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    rosa, ada = workspace.people["rosa"].id, workspace.people["ada"].id
    assert await error_of(client.conversations_open(users=[rosa, ada])) == "missing_scope"
    im = (await client.conversations_open(users=rosa))["channel"]["id"]
    workspace.installation.scopes -= {"im:write", "im:read"}
    assert await error_of(client.conversations_open(users=rosa)) == "missing_scope"
    assert await error_of(client.conversations_info(channel=im)) == "missing_scope"


async def test_an_answer_names_the_scopes(workspace: Workspace, client: AsyncWebClient) -> None:
    group = workspace.groups["directory-admins"].id
    answer = await client.usergroups_users_list(usergroup=group)
    assert set(answer.headers["X-OAuth-Scopes"].split(",")) == workspace.installation.scopes
    assert answer.headers["X-Accepted-OAuth-Scopes"] == "usergroups:read"


async def test_a_blank_token_is_none(workspace: Workspace) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(workspace.api_url + "auth.test", data={"token": ""}) as answer,
    ):
        assert (await answer.json())["error"] == "not_authed"
