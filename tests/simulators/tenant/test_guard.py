"""`/sim/` is for programs on this machine, never for a page in somebody's browser."""

import pytest

from bot.playground.guard import is_loopback
from bot.playground.tenant import Tenant
from tests.support.graph_caller import Asking


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9999"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "127.0.0.1.rebound.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": ""}, 415),
    ],
)
async def test_a_page_cannot_set_a_fault(
    tenant: Tenant, graph: Asking, headers: dict[str, str], status: int
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    url = f"{tenant.url}/sim/faults"
    answer = await graph.http.post(url, content=b'{"secret_lag": 7}', headers=sent)
    assert answer.status_code == status
    assert tenant.faults.secret_lag == (7 if status == 200 else 0)


@pytest.mark.parametrize("path", ["state", "log", "clock", "nonsense"])
async def test_a_page_cannot_look(tenant: Tenant, graph: Asking, path: str) -> None:
    url = f"{tenant.url}/sim/{path}"
    assert (await graph.get(url, headers={"Host": "rebound.example"})).status_code == 403
    assert (await graph.get(url, headers={"Origin": "https://evil.example"})).status_code == 403


@pytest.mark.parametrize(
    "host", ["", "::1", "0.0.0.0", "127.0.0.1:x", "localhost.evil.example", "10.0.0.1", "[::1", "@"]
)
def test_what_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "LOCALHOST", "[::1]", "127.8.8.8:1"])
def test_what_is_loopback(host: str) -> None:
    assert is_loopback(host)
