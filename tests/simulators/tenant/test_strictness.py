"""What the tenant refuses, and that a refused call changes nothing."""

from uuid import UUID

import pytest

from bot.playground.tenant import Tenant
from graph.calls import Json
from tests.support.graph_caller import CREATE, GRAPH, Asking, code_of, message_of, one_by_one

ACCESS = {"id": "df021288-bdef-4463-88db-98f22de89214", "type": "Role"}


@pytest.mark.parametrize(
    "body",
    one_by_one(
        colour=["red"],
        web=[{"redirectUrl": "https://vendor.example"}, None],
        displayName=[7, " ", None, "x" * 257],
        notes=["x" * 1025],
        signInAudience=["Everybody", None],
        appId=["df021288-bdef-4463-88db-98f22de89214"],
        createdDateTime=["2026-01-01T00:00:00Z"],
        tags=["aad-setup", ["twice", "twice"]],
        uniqueName=["another"],
        isFallbackPublicClient=["yes"],
        api=[{"requestedAccessTokenVersion": True}],
        keyCredentials=[
            *([{"key": "not base64"}], [{"key": True}], [{"startDateTime": "2026-01-01"}]),
        ],
        passwordCredentials=[[{"displayName": "key"}]],
        requiredResourceAccess=[
            [{"resourceAppId": GRAPH}, {"resourceAppId": GRAPH}],
            [{"resourceAppId": "Microsoft Graph"}],
            [{"resourceAppId": GRAPH, "resourceAccess": [{"id": "x"}]}],
            [{"resourceAppId": GRAPH, "resourceAccess": [{**ACCESS, "type": "role"}]}],
        ],
    ),
)
async def test_a_wrong_body_is_refused(tenant: Tenant, graph: Asking, body: Json) -> None:
    answer = await graph.upsert("key-1", **body)
    assert (answer.status_code, code_of(answer)) == (400, "Request_BadRequest")
    assert tenant.applications == []


@pytest.mark.parametrize(
    "uri",
    [
        *("http://vendor.example/back", "vendor.example/back", "https://", "ftp://localhost/"),
        *("https://vendor.example/*", "https://vendor.example/#top", "https://vendor.example/(x)"),
        *("https://vendor.example:port/", "https://vendor.example/" + "x" * 256),
    ],
)
async def test_a_bad_redirect_uri_is_refused(graph: Asking, uri: str) -> None:
    assert (await graph.upsert("key-1", web={"redirectUris": [uri]})).status_code == 400


@pytest.mark.parametrize(
    "uri", ["https://vendor.example/back?x=1", "http://localhost:8080/", "http://127.0.0.1/"]
)
async def test_a_good_redirect_uri_is_kept(graph: Asking, uri: str) -> None:
    application = await graph.application(web={"redirectUris": [uri]})
    assert application["web"]["redirectUris"] == [uri]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{", "application/json"), (b"{}", "text/plain"), (b"a=b", ""), (b"[]", "application/json")],
)
async def test_what_is_no_json_object_is_400(graph: Asking, content: bytes, kind: str) -> None:
    answer = await graph.http.post("/applications", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("path", "segment"),
    [
        ("/nope", "nope"),
        ("/applications/x/logo", "logo"),
        ("/users/x/mail", "mail"),
        ("/users/microsoft.graph.delta()", "delta"),
    ],
)
async def test_an_unknown_path_names_the_segment(graph: Asking, path: str, segment: str) -> None:
    answer = await graph.get(path)
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    assert message_of(answer) == f"Resource not found for the segment '{segment}'."


async def test_only_version_one_is_served(graph: Asking) -> None:
    answer = await graph.get(f"{graph.tenant.url}/beta/applications")
    assert (answer.status_code, message_of(answer)) == (400, "Invalid version.")


@pytest.mark.parametrize(
    "path",
    [
        *("/applications?$select=id,colour", "/applications?$filter=notes eq 'x'"),
        *("/applications?$filter=displayName eq x", "/applications?$expand=owners"),
        "/applications?$filter=displayName eq 'x' or displayName eq 'y'",
        *("/applications?$top=0", "/applications?$top=1000", "/applications?$top=one"),
        *("/applications?$skiptoken=nonsense", "/applications?$count=yes"),
        *("/applications?$top=1&$top=2", "/applications(displayName='x')"),
        *("/applications(uniqueName='x'", "/servicePrincipals(uniqueName='x')"),
    ],
)
async def test_an_option_that_is_not_supported_is_refused(graph: Asking, path: str) -> None:
    assert (await graph.get(path)).status_code == 400


async def test_an_answer_repeats_the_callers_id(graph: Asking) -> None:
    answer = await graph.get("/nope", headers={"client-request-id": "mine"})
    inner = answer.json()["error"]["innerError"]
    assert answer.headers["client-request-id"] == inner["client-request-id"] == "mine"
    assert answer.headers["request-id"] == inner["request-id"]


async def test_a_principal_needs_its_application(graph: Asking) -> None:
    missing = "0f0f0f0f-0000-4000-8000-000000000000"
    path = f"/servicePrincipals(appId='{missing}')"
    answers = [await graph.patch(path, {}, headers=CREATE) for _ in range(20)]
    assert {code_of(answer) for answer in answers} == {
        "Request_BadRequest",
        "Authorization_RequestDenied",
    }


async def test_permissions_are_counted(graph: Asking) -> None:
    access = [{"id": str(UUID(int=number)), "type": "Role"} for number in range(401)]
    required = [{"resourceAppId": GRAPH, "resourceAccess": access}]
    assert (await graph.upsert("key-1", requiredResourceAccess=required)).status_code == 400
    required[0]["resourceAccess"] = access[:400]
    assert (await graph.upsert("key-1", requiredResourceAccess=required)).status_code == 201


async def test_a_key_is_set_once(graph: Asking, path: str) -> None:
    assert (await graph.patch(path, {"uniqueName": "key-2"})).status_code == 400
    assert (await graph.post("/applications", {"notes": "no name"})).status_code == 400
    assert (await graph.http.post("/applications")).status_code == 400
