"""People sign in: authorization code and PKCE, with msal as the judge; and every refusal."""

import asyncio

import jwt
import pytest

from bot.playground.tenant import Tenant
from graph.calls import Json
from graph.clouds import CLOUDS, PUBLIC, Cloud
from tests.support.credentials import certificate, pem, rsa_key
from tests.support.graph_caller import asking, client
from tests.support.person import (
    CONTEXT,
    REDIRECT,
    SCOPES,
    ConsentClient,
    changed,
    claims_of,
    consent_client,
    number_of,
)

NOWHERE = "0f0f0f0f-0000-4000-8000-000000000000"


async def test_msal_does_the_whole_road_and_the_tokens_tell_who_and_what(
    tenant: Tenant, people: ConsentClient, ada: Json
) -> None:
    tenant.assign_role(ada, "Privileged Role Administrator")
    answer = await people.sign_in(ada, claims_challenge=CONTEXT)
    told = answer["id_token_claims"]
    assert (told["oid"], told["tid"]) == (ada["id"], tenant.id)
    assert told["preferred_username"] == ada["userPrincipalName"]
    assert told["name"] == ada["displayName"]
    assert told["acrs"] == ["c1"]
    assert not {"amr", "acr"} & set(told)
    assert "refresh_token" not in answer
    access = claims_of(answer["access_token"])
    assert set(access["scp"].split()) == {*SCOPES, "openid", "profile"}
    assert (access["oid"], access["tid"]) == (ada["id"], tenant.id)
    assert "e8611ab8-c189-46e8-94e1-60213ab1f814" in access["wids"]
    assert "roles" not in access


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
async def test_the_published_key_verifies_the_id_token(
    cloud: Cloud, tenant: Tenant, people: ConsentClient, ada: Json
) -> None:
    answer = await people.sign_in(ada)
    async with client(tenant) as http:
        found = await http.get(f"{tenant.authority}/v2.0/.well-known/openid-configuration")
        keys = (await http.get(found.json()["jwks_uri"])).json()
    told = jwt.decode(
        answer["id_token"],
        jwt.PyJWKSet.from_dict(keys).keys[0],
        algorithms=["RS256"],
        audience=people.credential.client_id,
        issuer=found.json()["issuer"],
    )
    assert told["exp"] > told["iat"]
    assert "acrs" not in told
    assert claims_of(answer["access_token"])["aud"] == cloud.graph


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_the_answer_comes_in_the_way_that_was_asked_for(
    tenant: Tenant, people: ConsentClient, ada: Json, mode: str
) -> None:
    flow = await asyncio.to_thread(people.flow, state='s & "<t>')
    landing = await tenant.sign_in_as(ada, changed(flow["auth_uri"], response_mode=mode))
    assert landing.url is not None
    assert landing.url.partition("?")[0] == REDIRECT
    assert (landing.form is None) == (mode == "query")
    assert set(landing.answer) == {"code", "state", "session_state", "client_info"}
    assert landing.answer["state"] == 's & "<t>'


async def test_a_certificate_proves_the_client_as_well(
    tenant: Tenant, people: ConsentClient, ada: Json
) -> None:
    key = rsa_key()
    tenant.trust(people.credential, certificate(key))
    text = pem(key, certificate(key)).decode()
    secret = {"private_key": text, "public_certificate": text}
    async with consent_client(tenant, people.credential, secret=secret) as certified:
        answer = await certified.sign_in(ada)
    assert claims_of(answer["access_token"])["appidacr"] == "2"


async def test_acrs_names_only_contexts_that_the_user_satisfies_and_one_of_several_is_enough(
    people: ConsentClient, ada: Json
) -> None:
    answer = await people.sign_in(ada, acrs=("c2",), claims_challenge=CONTEXT)
    assert "acrs" not in answer["id_token_claims"]
    either = '{"id_token": {"acrs": {"essential": true, "values": ["c1", "c2"]}}}'
    answer = await people.sign_in(ada, acrs=("c2", "c3"), claims_challenge=either)
    assert answer["id_token_claims"]["acrs"] == ["c2"]


async def test_a_guest_is_told_by_the_name_of_their_own_tenant(tenant: Tenant) -> None:
    users = tenant.people.users
    guest = next(user for user in users if user["userType"] == "Guest" and user["mail"])
    async with consent_client(tenant, tenant.add_consent_client(REDIRECT)) as people:
        answer = await people.sign_in(guest)
    assert answer["id_token_claims"]["preferred_username"] == guest["mail"]


async def test_a_redirect_uri_may_have_a_query(tenant: Tenant, ada: Json) -> None:
    credential = tenant.add_consent_client(f"{REDIRECT}?at=northwind")
    async with consent_client(tenant, credential) as people:
        flow = await asyncio.to_thread(people.flow, redirect_uri=f"{REDIRECT}?at=northwind")
    landing = await tenant.sign_in_as(ada, changed(flow["auth_uri"], response_mode="query"))
    assert (landing.answer["at"], landing.answer["state"]) == ("northwind", flow["state"])


async def test_a_disabled_application_or_one_without_redirect_uris_signs_nobody_in(
    tenant: Tenant, people: ConsentClient, ada: Json, flow: Json
) -> None:
    url = changed(flow["auth_uri"], client_id=tenant.administrator.client_id)
    assert number_of(str((await tenant.sign_in_as(ada, url)).error)) == 500113
    tenant.allow(tenant.administrator, "Application.ReadWrite.All")
    async with asking(tenant, tenant.administrator) as graph:
        path = f"/servicePrincipals(appId='{people.credential.client_id}')"
        await graph.patch(path, {"accountEnabled": False})
    landing = await tenant.sign_in_as(ada, flow["auth_uri"])
    assert number_of(str(landing.error)) == 7000112


async def test_consent_is_of_one_user_for_one_application(
    tenant: Tenant, people: ConsentClient, users: list[Json]
) -> None:
    ada, grace = users[:2]
    other = tenant.add_consent_client(REDIRECT, scopes=())
    async with consent_client(tenant, other) as unconsented:
        flow = await asyncio.to_thread(unconsented.flow, scopes=[])
    landing = await tenant.sign_in_as(ada, flow["auth_uri"])
    assert number_of(landing.answer["error_description"]) == 65001
    async with asking(tenant, tenant.administrator) as graph:
        client = (await graph.get(f"/servicePrincipals(appId='{other.client_id}')")).json()
        whose = {"consentType": "Principal", "principalId": ada["id"]}
        assert (await graph.grant_scopes(client, "User.Read", **whose)).status_code == 201
    assert "code" in (await tenant.sign_in_as(ada, flow["auth_uri"])).answer
    landing = await tenant.sign_in_as(grace, flow["auth_uri"])
    assert number_of(landing.answer["error_description"]) == 65001


UNSAFE: tuple[tuple[dict[str, str | None], int], ...] = (
    ({"redirect_uri": f"{REDIRECT}/"}, 50011),
    ({"redirect_uri": REDIRECT.upper()}, 50011),
    ({"redirect_uri": None}, 900971),
    ({"client_id": NOWHERE}, 700016),
    ({"client_id": None}, 900144),
)


async def test_what_makes_a_redirect_unsafe_is_told_on_entras_own_page(
    tenant: Tenant, ada: Json, flow: Json
) -> None:
    for parameters, number in UNSAFE:
        landing = await tenant.sign_in_as(ada, changed(flow["auth_uri"], **parameters))
        assert (landing.url, number_of(str(landing.error))) == (None, number), parameters


REFUSED: tuple[tuple[dict[str, str | None], str, int], ...] = (
    ({"response_type": "id_token"}, "unsupported_response_type", 700054),
    ({"response_type": None}, "invalid_request", 900144),
    ({"response_mode": "fragment"}, "invalid_request", 90023),
    ({"code_challenge": None}, "invalid_request", 50147),
    ({"code_challenge_method": "plain"}, "invalid_request", 50149),
    ({"code_challenge_method": None}, "invalid_request", 50149),
    ({"code_challenge": "short"}, "invalid_request", 501491),
    ({"prompt": "none"}, "login_required", 50058),
    ({"prompt": "nonsense"}, "invalid_request", 90023),
    ({"prompt": "consent"}, "consent_required", 65001),
    ({"claims": "nonsense"}, "invalid_request", 9002313),
    ({"claims": '{"id_token": {"acrs": {"value": "c0"}}}'}, "invalid_request", 9002313),
    ({"scope": None}, "invalid_request", 900144),
    ({"scope": "openid Nonsense.Read"}, "invalid_client", 650053),
    ({"scope": "https://vault.example/.default"}, "invalid_resource", 500011),
    ({"scope": f"{PUBLIC.graph}/.default User.Read"}, "invalid_scope", 70011),
    ({"scope": "openid Group.Read.All"}, "consent_required", 65001),
)


async def test_a_refusal_comes_back_with_the_state(tenant: Tenant, ada: Json, flow: Json) -> None:
    for mode in ("query", "form_post"):
        for parameters, error, number in REFUSED:
            url = changed(flow["auth_uri"], **{"response_mode": mode, **parameters})
            told = (await tenant.sign_in_as(ada, url)).answer
            said = told["error"], number_of(told["error_description"])
            assert said == (error, number), (mode, parameters)
            assert told["state"] == flow["state"]
            assert "code" not in told


@pytest.mark.parametrize("on_page", [False, True])
async def test_people_are_refused(
    tenant: Tenant, people: ConsentClient, users: list[Json], on_page: bool, flow: Json
) -> None:
    tenant.add_consent_client(REDIRECT, assigned=users[1:])  # to another application
    blocked: Json = {"blocked": "sign-in"}
    for user, options, number in ((users[0], blocked, 53003), (users[1], {}, 50105)):
        landing = await tenant.sign_in_as(user, flow["auth_uri"], on_page=on_page, **options)
        if on_page:
            assert (landing.url, number_of(str(landing.error))) == (None, number)
        else:
            assert landing.answer["error"] == "access_denied"
            assert number_of(landing.answer["error_description"]) == number
            told = await asyncio.to_thread(people.redeem, flow, landing.answer)
            assert told["error"] == "access_denied"


async def test_who_cancels_comes_back_with_that_word(tenant: Tenant, ada: Json, flow: Json) -> None:
    landing = await tenant.sign_in_as(ada, flow["auth_uri"], cancel=True)
    said = landing.answer["error"], landing.answer["error_subcode"]
    assert said == ("access_denied", "cancel")


async def test_a_disabled_user_cannot_sign_in(tenant: Tenant) -> None:
    user = next(user for user in tenant.people.users if not user["accountEnabled"])
    async with consent_client(tenant, tenant.add_consent_client(REDIRECT)) as people:
        flow = await asyncio.to_thread(people.flow)
        landing = await tenant.sign_in_as(user, flow["auth_uri"])
    assert number_of(str(landing.error)) == 50057


async def test_everybody_may_sign_in_where_no_assignment_is_required(
    tenant: Tenant, users: list[Json]
) -> None:
    async with consent_client(tenant, tenant.add_consent_client(REDIRECT)) as people:
        answer = await people.sign_in(users[7])
    assert answer["id_token_claims"]["oid"] == users[7]["id"]


async def test_consent_is_lost_with_the_grant(
    tenant: Tenant, people: ConsentClient, ada: Json, flow: Json
) -> None:
    landing = await tenant.sign_in_as(ada, flow["auth_uri"])
    tenant.withdraw(people.credential.client_id, SCOPES[0])
    answer = await asyncio.to_thread(people.redeem, flow, landing.answer)
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [65001])
    landing = await tenant.sign_in_as(ada, flow["auth_uri"])
    assert landing.answer["error"] == "consent_required"


async def test_a_parameter_is_given_once(tenant: Tenant, ada: Json, flow: Json) -> None:
    landing = await tenant.sign_in_as(ada, f"{flow['auth_uri']}&state=another")
    assert number_of(str(landing.error)) == 9000411


@pytest.mark.parametrize(("name", "other"), [("https://", "http://"), ("127.0.0.1", "127.0.0.2")])
async def test_a_sign_in_begins_at_the_tenant(
    tenant: Tenant, ada: Json, name: str, other: str
) -> None:
    with pytest.raises(ValueError, match="no address of this tenant"):
        await tenant.sign_in_as(ada, tenant.authority.replace(name, other))


async def test_a_page_is_for_one_decision(tenant: Tenant, flow: Json) -> None:
    async with client(tenant) as http:
        page = await http.get(flow["auth_uri"])
        ctx = page.text.partition('name="ctx" value="')[2].partition('"')[0]
        cancel = {"ctx": ctx, "decision": "cancel"}
        answers = [await http.post(f"{tenant.authority}/login", data=cancel) for _ in "12"]
    assert "error_subcode" in answers[0].text
    assert "AADSTS165000" in answers[1].text
