"""Whatever is sent, the tenant answers as the services do: never 5xx, always with their error."""

import asyncio
import http.client
import json
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from bot.playground.clock import MovableClock
from bot.playground.tenant import AUTONOMOUS, Credential, Tenant, running
from graph.calls import Json
from tests.simulators.tenant.odd_requests import (
    KNOWN,
    Nonsense,
    batches,
    browser_requests,
    requests,
    token_requests,
)
from tests.support.graph_caller import WIDE, federated
from tests.support.marks import slow
from tests.support.person import REDIRECT

TENANT = "northwind.example"
RIGHTS = (*AUTONOMOUS, *WIDE, "Application.ReadWrite.All")
QUICK = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=800)
LONG_BATCHES = settings(QUICK, max_examples=150)  # each holds up to twenty requests


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Sender:
    """An administrator of one tenant who sends bytes over one connection, as they are."""

    def __init__(self, tenant: Tenant, ids: list[str]) -> None:
        self.ids = ids
        address = urlsplit(tenant.url)
        context = ssl.create_default_context(cafile=str(tenant.ca_file))
        self.connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, context=context, timeout=20
        )
        self.token = self._sign_in(tenant, tenant.add_administrator(RIGHTS))
        self.consent_client = tenant.add_consent_client(REDIRECT, scopes=["User.Read"])

    def to_graph(self, sent: Nonsense) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **sent.headers}
        return self.send(sent.method, "/v1.0" + sent.address, headers, sent.body)

    def send(
        self, method: str, address: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        known = self.ids[zlib.crc32(address.encode()) % len(self.ids)]
        address = address.replace(KNOWN, known)
        body = body and body.replace(KNOWN.encode(), known.encode())
        self.connection.request(method, address, body, headers)
        answer = self.connection.getresponse()
        return Answer(status=answer.status, text=answer.read().decode())

    def _sign_in(self, tenant: Tenant, credential: Credential) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
            "scope": f"{tenant.url}/.default",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"/{TENANT}/oauth2/v2.0/token"
        return str(self.send("POST", path, headers, urlencode(form).encode()).json["access_token"])


@pytest.fixture(scope="module")
def sender(ca: trustme.CA) -> Iterator[Sender]:
    with _tenant(ca) as tenant:
        people = tenant.people
        ids = [people.users[0]["id"], people.groups[0]["id"], tenant.id, tenant.domain]
        ids += [tenant.assignments[0][name] for name in ("id", "principalId", "resourceId")]
        sender = Sender(tenant, ids)
        sender.ids.extend(_made(sender))
        yield sender
        sender.connection.close()


@contextmanager
def _tenant(ca: trustme.CA) -> Iterator[Tenant]:
    """A tenant in a thread of its own, because Hypothesis drives plain functions."""
    started: list[Tenant] = []
    ready, done = threading.Event(), threading.Event()

    async def run() -> None:
        async with running(clock=MovableClock(), ca=ca, users=30, groups=4) as tenant:
            started.append(tenant)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield started[0]
    finally:
        done.set()
        thread.join(30)


def _made(sender: Sender) -> list[str]:
    """Make one of everything, and return the keys."""
    json_type = {"Content-Type": "application/json"}

    def post(path: str, body: Json) -> Json:
        sent = Nonsense(
            method="POST", address=path, headers=json_type, body=json.dumps(body).encode()
        )
        return dict(sender.to_graph(sent).json)

    application = post("/applications", {"displayName": "x", "uniqueName": "x-1"})
    principal = post("/servicePrincipals", {"appId": application["appId"]})
    secret = post(f"/applications/{application['id']}/addPassword", {})
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    credential = post(path, federated())
    policy = post("/policies/appManagementPolicies", {"displayName": "x", "description": "x"})
    ids = [each["id"] for each in (application, principal, credential, policy)]
    return [*ids, application["appId"], secret["keyId"], "x-1", "ci-runner"]


def check_graph(answer: Answer, sent: object, *, method: str) -> None:
    assert answer.status < 500, (sent, answer)
    assert answer.text[:1] in ("", "{") or answer.text.isdigit(), (sent, answer)
    if method == "HEAD":
        assert answer.text == ""
    elif answer.status >= 400:
        check_error(answer.json, sent)


def check_error(body: Any, sent: object) -> None:
    error = body["error"]
    assert isinstance(error["code"], str), sent
    assert error["code"], sent
    assert isinstance(error["message"], str), sent
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}, sent


def tried(check: Callable[[Any], None], sent: SearchStrategy[Any], length: settings) -> None:
    """Send that much of it, and check each answer."""

    @length
    @given(sent)
    def each(one: Any) -> None:
        check(one)

    each()


@pytest.mark.parametrize("length", [QUICK, slow(LONG)], ids=["quick", "long"])
def test_graph_is_never_broken(sender: Sender, length: settings) -> None:
    def check(sent: Nonsense) -> None:
        check_graph(sender.to_graph(sent), sent, method=sent.method)

    tried(check, requests(), length)


@pytest.mark.parametrize("length", [QUICK, slow(LONG_BATCHES)], ids=["quick", "long"])
def test_no_batch_breaks_it(sender: Sender, length: settings) -> None:
    tried(partial(check_batch, sender), batches(), length)


@pytest.mark.parametrize("length", [QUICK, slow(LONG)], ids=["quick", "long"])
def test_the_token_endpoint_is_never_broken(sender: Sender, length: settings) -> None:
    tried(partial(check_token, sender), token_requests(TENANT), length)


@pytest.mark.parametrize("length", [QUICK, slow(LONG)], ids=["quick", "long"])
def test_the_sign_in_of_people_is_never_broken(sender: Sender, length: settings) -> None:
    asked = browser_requests(sender.consent_client.client_id, REDIRECT)
    tried(partial(check_browser, sender), asked, length)


def check_browser(sender: Sender, sent: tuple[str, str, dict[str, str]]) -> None:
    method, query, filled = sent
    page = sender.send(method, f"/{TENANT}/oauth2/v2.0/authorize?{query}", {}, None)
    check_page(page, sent, method=method)
    context = page.text.partition('name="ctx" value="')[2].partition('"')[0]
    if context:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"login": sender.ids[0], **filled, "ctx": context}).encode()
        answer = sender.send("POST", f"/{TENANT}/login", headers, body)
        check_page(answer, sent, method="POST")


def check_page(answer: Answer, sent: object, *, method: str) -> None:
    assert answer.status < 500, (sent, answer)
    if answer.status != 302 and method != "HEAD":
        assert answer.text.startswith("<!doctype html>"), (sent, answer)
        assert (answer.status == 200) == ("<form" in answer.text), (sent, answer)


def check_batch(sender: Sender, body: Any) -> None:
    sent = Nonsense(
        method="POST",
        address="/$batch",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )
    answer = sender.to_graph(sent)
    check_graph(answer, sent, method="POST")
    for inner in answer.json.get("responses", []):
        assert inner["status"] < 500, (sent, inner)
        if inner["status"] >= 400:
            check_error(inner["body"], sent)


def check_token(sender: Sender, sent: Nonsense) -> None:
    answer = sender.send(sent.method, sent.address, sent.headers, sent.body)
    assert answer.status < 500, sent
    if answer.status < 400 or sent.method == "HEAD":
        return
    body = answer.json
    if isinstance(body["error"], dict):  # no sign-in path after all: Graph answers
        check_error(body, sent)
        return
    assert set(body) >= {"error", "error_description", "error_codes", "trace_id"}, sent
    assert body["error_description"].startswith("AADSTS"), sent
