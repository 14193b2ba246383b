"""The floor: a bare HTTP client that makes the calls of a registration, and nothing else.

It sends what the bot has sent for one registration, for a new application each time, and waits for
each answer that the next call needs. No database, no engine, no Slack: what is left of the bot's
time above this is the bot's own.
"""

import asyncio
import json
import ssl
import statistics
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx

from bot.playground.stage import Stage
from bot.playground.tenant.calls import Call
from tests.support.graph_caller import sign_in

Json = dict[str, Any]


class Floor:
    """Repeats the calls that made one registration."""

    def __init__(self, stage: Stage, calls: Sequence[Call]) -> None:
        self._stage = stage
        self._calls = [call for call in calls if call.kind == "graph"]

    async def median(self, rounds: int) -> float:
        """Return the median of so many registrations, in seconds."""
        verify = ssl.create_default_context(cafile=str(self._stage.tenant.ca_file))
        async with httpx.AsyncClient(verify=verify, timeout=30) as client:
            admin = self._stage.tenant.administrator
            token = await self._token(client, admin.client_id, admin.client_secret)
            took = [await self._once(client, token) for _ in range(rounds + 1)]
        return statistics.median(took[1:])  # the first one connects

    async def _once(self, client: httpx.AsyncClient, token: str) -> float:
        start = time.perf_counter()
        key = f"/applications(uniqueName='{uuid4().hex}')"
        application = await self._send(client, token, "PATCH", "/applications(", key)
        app_id, object_id = application["appId"], application["id"]
        path = f"/servicePrincipals(appId='{app_id}')"
        principal = await self._send(client, token, "PATCH", "/servicePrincipals(", path)
        await asyncio.gather(
            *(self._grant(client, token, call, principal["id"]) for call in self._grants())
        )
        path = f"/applications/{object_id}/addPassword"
        secret = await self._send(client, token, "POST", "/addPassword", path)
        own = await self._token(client, app_id, secret["secretText"])
        await self._send(client, own, "POST", "/$batch", "/$batch")
        return time.perf_counter() - start

    def _grants(self) -> list[Call]:
        return [each for each in self._calls if each.path.endswith(("AssignedTo", "Grants"))]

    async def _grant(
        self, client: httpx.AsyncClient, token: str, call: Call, principal: str
    ) -> None:
        body = dict(_body(call))
        body["principalId" if "principalId" in body else "clientId"] = principal
        path = call.path.removeprefix("/v1.0")
        if "appRoleAssignedTo" in path:
            path = f"/servicePrincipals/{body['resourceId']}/appRoleAssignedTo"
        await self._post(client, token, "POST", path, body)

    async def _send(
        self, client: httpx.AsyncClient, token: str, method: str, what: str, path: str
    ) -> Json:
        call = next(each for each in self._calls if each.method == method and what in each.path)
        return await self._post(client, token, method, path, _body(call))

    async def _post(
        self, client: httpx.AsyncClient, token: str, method: str, path: str, body: Json
    ) -> Json:
        headers = {"Authorization": f"Bearer {token}"}
        if method == "PATCH":
            headers["Prefer"] = "create-if-missing, return=representation"
        url = f"{self._stage.tenant.graph_url}/v1.0{path}"
        answer = await client.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    async def _token(self, client: httpx.AsyncClient, app_id: str, secret: str) -> str:
        answer = await sign_in(client, self._stage.tenant, app_id, secret)
        assert answer.is_success, answer.text
        return str(answer.json()["access_token"])


def _body(call: Call) -> Json:
    body = call.body
    assert isinstance(body, dict), json.dumps(body)
    return body
