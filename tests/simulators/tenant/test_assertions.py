"""Client assertions are really verified: by certificate, and by a federated credential."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from bot.playground.tenant.assertions import TYPE
from graph.calls import Json
from tests.support.credentials import certificate, issuer, rsa_key
from tests.support.graph_caller import Asking, client, federated, sign_in

SUBJECT = "system:serviceaccount:bots:aad-setup"


def names(signed: x509.Certificate, *, sha1: bool = False) -> dict[str, str]:
    digest = hashes.SHA1() if sha1 else hashes.SHA256()
    thumbprint = base64.urlsafe_b64encode(signed.fingerprint(digest)).decode()
    return {"x5t" if sha1 else "x5t#S256": thumbprint}


def claims_of(tenant: Tenant, client_id: str) -> Json:
    now = datetime.now(UTC)
    return {
        "aud": f"{tenant.authority}/oauth2/v2.0/token",
        "iss": client_id,
        "sub": client_id,
        "jti": "one",
        "nbf": now,
        "exp": now + timedelta(minutes=10),
    }


def made(
    tenant: Tenant,
    client_id: str,
    *,
    key: Any = None,
    algorithm: str = "PS256",
    headers: dict[str, str] | None = None,
    **claims: Any,
) -> str:
    """Return what a right program sends, with changes."""
    said = {**claims_of(tenant, client_id), **claims}
    said = {name: value for name, value in said.items() if value is not None}
    named = names(certificate(rsa_key())) if headers is None else headers
    return jwt.encode(said, key or rsa_key(), algorithm=algorithm, headers=named)


async def send(tenant: Tenant, client_id: str, assertion: str, **form: str) -> httpx.Response:
    form = {"client_assertion_type": TYPE, "client_assertion": assertion, **form}
    async with client(tenant) as http:
        return await sign_in(http, tenant, client_id, "", **form)


def number(answer: httpx.Response) -> int:
    return 0 if answer.status_code == 200 else int(answer.json()["error_codes"][0])


@pytest.fixture
def trusting(tenant: Tenant) -> Tenant:
    tenant.trust(tenant.administrator, certificate(rsa_key()))
    return tenant


async def test_an_application_signs_in_with_a_key_whose_certificate_it_has(
    trusting: Tenant,
) -> None:
    id = trusting.administrator.client_id
    new = await send(trusting, id, made(trusting, id))
    old_names = names(certificate(rsa_key()), sha1=True)
    old = await send(trusting, id, made(trusting, id, algorithm="RS256", headers=old_names))
    for answer in (new, old):
        token = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        assert (token["appid"], "Application.Read.All" in token["roles"]) == (id, True)
    bodies: list[Any] = [call.body for call in trusting.calls("POST", "oauth2")]
    assert {body["client_assertion"] for body in bodies} == {"***"}


LATER, EARLIER = (datetime.now(UTC) + timedelta(days=sign) for sign in (1, -1))


WRONG: tuple[tuple[Json, int], ...] = (
    ({"headers": {}}, 700027),
    ({"headers": {"x5t#S256": "AAAA"}}, 700027),
    ({"algorithm": "PS512"}, 700027),
    ({"algorithm": "HS256", "key": "x" * 32}, 700027),
    ({"sub": "another"}, 700021),
    ({"aud": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}, 700023),
    ({"exp": EARLIER}, 700024),
    ({"nbf": LATER}, 700024),
    ({"exp": None}, 50027),
)
WRONG_FORMS = (
    ({"client_assertion": "nonsense"}, 50027),
    ({"client_assertion_type": "urn:something"}, 900144),
)


async def test_a_wrong_assertion_or_form_is_refused(trusting: Tenant) -> None:
    id, other = trusting.administrator.client_id, rsa_key(7)
    unknown: tuple[Json, ...] = (
        {"key": other, "headers": names(certificate(other))},
        {"key": other},
    )
    for change, expected in (*((each, 700027) for each in unknown), *WRONG):
        answer = await send(trusting, id, made(trusting, id, **change))
        assert number(answer) == expected, change
    for form, expected in WRONG_FORMS:
        answer = await send(trusting, id, made(trusting, id), **form)
        assert number(answer) == expected, form


async def test_a_certificate_counts_from_when_it_has_arrived_until_it_ends_or_is_removed(
    clock: MovableClock, graph: Asking, application: Json
) -> None:
    await graph.principal(application["appId"])
    path, id = f"/applications/{application['id']}", application["appId"]
    der = certificate(rsa_key(), days=30).public_bytes(Encoding.DER)
    entry = {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": base64.b64encode(der).decode(),
    }
    named = names(certificate(rsa_key(), days=30))

    async def told() -> int:
        assertion = made(graph.tenant, id, headers=named)
        return number(await send(graph.tenant, id, assertion))

    graph.tenant.faults.secret_lag = 60
    await graph.patch(path, {"keyCredentials": [entry]})
    assert await told() == 700027
    clock.move(timedelta(minutes=1))
    assert await told() == 0
    clock.move(timedelta(days=31))
    assert await told() == 700027
    clock.move(-timedelta(days=31))
    graph.tenant.faults.secret_lag = 0
    assert await told() == 0
    await graph.patch(path, {"keyCredentials": []})
    assert await told() == 700027


async def test_only_rsa_keys_sign(clock: MovableClock, tenant: Tenant) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    tenant.trust(tenant.administrator, certificate(key))
    id = tenant.administrator.client_id
    named = names(certificate(key))
    assertion = made(tenant, id, key=key, algorithm="ES256", headers=named)
    assert number(await send(tenant, id, assertion)) == 700027


async def test_a_token_of_a_federated_issuer_signs_in(tenant: Tenant) -> None:
    issuer().known_to(tenant, tenant.administrator, subject=SUBJECT)
    id = tenant.administrator.client_id
    answer = await send(tenant, id, issuer().token(subject=SUBJECT))
    token = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert token["appid"] == id


MISMATCHES: tuple[tuple[Json, Json, int], ...] = (
    ({"url": "https://cluster.example/oidc/"}, {}, 700211),
    ({}, {"subject": SUBJECT.upper()}, 700213),
    ({}, {"audience": "api://other"}, 700212),
    ({}, {"life": -timedelta(minutes=6)}, 700024),
    ({"number": 2}, {}, 50013),
)


async def test_a_token_that_does_not_match_is_refused(tenant: Tenant) -> None:
    issuer().known_to(tenant, tenant.administrator, subject=SUBJECT)
    for by, change, expected in MISMATCHES:
        assertion = issuer(**by).token(**{"subject": SUBJECT, **change})
        answer = await send(tenant, tenant.administrator.client_id, assertion)
        assert number(answer) == expected, (by, change)


async def test_an_issuer_whose_keys_cannot_be_fetched_signs_nobody_in(
    tenant: Tenant, graph: Asking, application: Json
) -> None:
    await graph.principal(application["appId"])
    wanted = federated("cluster", SUBJECT, "https://nowhere.example")
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    assert (await graph.post(path, wanted)).status_code == 201
    assertion = issuer("https://nowhere.example").token(subject=SUBJECT)
    assert number(await send(tenant, application["appId"], assertion)) == 50166
