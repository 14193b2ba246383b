"""Requests that nobody sensible sends: odd ids in real paths, any JSON anywhere, broken bytes."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bot.playground.tenant import consent_policies, directory_roles, shapes
from bot.playground.tenant.batch import METHODS as METHODS_OF_BATCH
from bot.playground.tenant.operations import OPERATIONS
from graph.calls import Json
from tests.support.graph_caller import GRAPH, federated

KNOWN = "known-{}"
"""Stands for the id of something that is there; who sends puts it in."""

_SHAPES = (
    *(shapes.APPLICATION, shapes.SERVICE_PRINCIPAL, shapes.ASSIGNMENT, shapes.GRANT),
    *(shapes.FEDERATED_CREDENTIAL, shapes.APP_POLICY, shapes.KEY_CREDENTIAL),
    *(shapes.PASSWORD_CREDENTIAL, consent_policies.CONDITION_SET, directory_roles.DEFINITION),
    directory_roles.ASSIGNMENT,
)
NAMES = sorted(
    {name for shape in _SHAPES for name in shape.properties}
    | {"passwordCredential", "keyId", "scope", "restrictions", "restrictionType", "maxLifetime"}
    | {"redirectUris", "resourceAccess", "resourceAppId", "oauth2PermissionScopes", "value"}
    | {"@odata.id", "requests", "@odata.type", "state", "homePageUrl"}
)
WORDS = (
    *("", " ", "'", "''", "\x00", "é", "\U0001f600", "x" * 3000, "1", "true", "null", "me"),
    *("AzureADMyOrg", "Role", "AllPrincipals", "P90D", "P999999DT999999H", "PT", "9999-12-31"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00Z"),
    *("User.Read", "api://AzureADTokenExchange", "https://a.example", "https://[", "AAAA"),
    *("passwordAddition", "passwordLifetime", "asymmetricKeyLifetime", "Verify", GRAPH),
    *("AsymmetricX509Cert", "https://x/v1.0/directoryObjects/" + KNOWN, KNOWN),
)
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "PROPFIND")
_ODD_IDS = (
    *(KNOWN, KNOWN, KNOWN, "x", "", "%00", "%27", "%2F", "%C3", "%zz", "..", "(", ")", "()"),
    *("$ref", "$count", "$value", "delta", "microsoft.graph.user", "a'b", "é", "x" * 5000),
    *("%F0%9F%98%80", "{}", "*", "'x'", "(appId='x')", "%F0%28", GRAPH),
)
_MORE = ("/", "//", "/x", "/$count", "/$ref", "/{}", "/..", "#x")
_KEYS = ("appId='{}'", "uniqueName='{}'", "name='{}'", "id='{}'", "'{}'", "{}", "=", "a='", "''='")
_OPTIONS = (
    *("$select", "$filter", "$top", "$count", "$skiptoken", "$deltatoken", "$orderby", "$expand"),
    *("$search", "$format", "$skip", "select", "$SELECT", "x", ""),
)
_OPTION_VALUES = (
    *WORDS,
    *("id", "id,displayName", "members", "latest", "-1", "99999999999999999999", "2", "٣"),
    *("displayName eq 'x'", "displayName eq 'x' and id eq 'y'", "tags/any(t:t eq 'x')", "id eq x"),
    *("startswith(displayName,'m')", "startswith(tags,'m')", "tags eq 'x'", "isEnabled eq 'x'"),
    *("activityDateTime ge 2026-01-01T00:00:00Z", "activityDateTime le 9999-99-99T00:00:00Z"),
    *("targetResources/any(t: t/id eq 'x')", "displayName/any(t:t eq 'x')", "a/b/c eq null"),
    *("initiatedBy/app/appId eq 'x'", "activityDateTime asc", "(" * 500, "'" * 501, "MA==", "LTE="),
)


@dataclass(frozen=True, kw_only=True)
class Nonsense:
    """One request. Address and body may hold `KNOWN`."""

    method: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def _mostly(usual: SearchStrategy[Any], rare: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Three times out of four the usual."""
    return st.sampled_from([True, True, True, False]).flatmap(
        lambda common: usual if common else rare
    )


def _values() -> SearchStrategy[Any]:
    plain = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from([0, -1, 2**31, 2**64, 10**400, 1e300])
        | st.sampled_from(WORDS)
        | st.text(max_size=20)
    )
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=8,
    )


VALUES = _values()
_RIGHT: tuple[Json, ...] = (
    {},
    {"displayName": "x", "web": {"redirectUris": ["https://a.example"]}},
    {"passwordCredential": {"endDateTime": "9999-12-31T00:00:00Z"}},
    {"keyId": KNOWN},
    {"appId": KNOWN},
    {"appRoleId": KNOWN, "principalId": KNOWN, "resourceId": KNOWN},
    {"clientId": KNOWN, "resourceId": KNOWN, "consentType": "AllPrincipals", "scope": "User.Read"},
    {"@odata.id": "https://x/v1.0/directoryObjects/" + KNOWN},
    {"@odata.id": "https://x/v1.0/policies/appManagementPolicies/" + KNOWN},
    federated("another"),
    {
        "displayName": "x",
        "description": "x",
        "isEnabled": True,
        "restrictions": {
            "passwordCredentials": [{"restrictionType": "passwordLifetime", "maxLifetime": "P9D"}]
        },
    },
)
ALMOST_RIGHT: SearchStrategy[Any] = st.builds(
    lambda body, more: {**body, **more},
    st.sampled_from(_RIGHT),
    _mostly(st.just({}), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=1)),
)
_ANY_OBJECT = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(
    lambda given: {"displayName": "x", **given}
)
BODIES = _mostly(ALMOST_RIGHT, _ANY_OBJECT | VALUES)


def _template(parts: tuple[str, ...], ids: list[str], keys: list[str]) -> str:
    """Fill the gaps of a template with ids, sometimes in brackets behind the collection."""
    path = ""
    for part in parts:
        if part != "{}":
            path += f"/{part}"
        elif (key := keys.pop()) and path:
            path += "(" + key.replace("{}", ids.pop()) + ")"
        else:
            path += f"/{ids.pop()}"
    return path


def _paths(template: str) -> SearchStrategy[str]:
    odd = st.sampled_from(_ODD_IDS) | st.text(max_size=10)
    return st.builds(
        lambda ids, keys, more: _template(tuple(template.split("/")), ids, keys) + more,
        st.lists(_mostly(st.just(KNOWN), odd), min_size=4, max_size=4),
        st.lists(_mostly(st.just(""), st.sampled_from(_KEYS)), min_size=4, max_size=4),
        _mostly(st.just(""), st.sampled_from(_MORE)),
    )


QUERIES: SearchStrategy[str] = st.lists(
    st.tuples(st.sampled_from(_OPTIONS), st.sampled_from(_OPTION_VALUES) | st.text(max_size=10)),
    max_size=2,
).map(lambda pairs: "?" + urlencode(pairs) if pairs else "")
HEADERS: SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {},
    optional={
        "ConsistencyLevel": st.sampled_from(["eventual", "Session", ""]),
        "Prefer": st.sampled_from(["create-if-missing", "return=minimal", ",,=", "\xe9"]),
        "client-request-id": st.sampled_from(["mine", "", "\xe9", "x" * 5000, "\t"]),
    },
)


def _address(path: str, query: str) -> str:
    return quote(path, safe="/%'()$=,.*{}") + query


CALLS: SearchStrategy[tuple[str, str]] = st.sampled_from(sorted(OPERATIONS)).flatmap(
    lambda operation: st.tuples(
        _mostly(st.just(operation[0]), st.sampled_from(METHODS)),
        st.builds(_address, _paths(operation[1]), _mostly(st.just(""), QUERIES)),
    )
)
"""Method and address; most of them go together."""
_TYPES = ("application/json", "application/json; charset=utf-16", "text/plain", "", "multipart/x")
_BYTES = st.sampled_from(
    [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": NaN}', b'{"a":"\\ud800"}', b"1" * 5000),
        *(b"[" * 100_000, b"[" * 700 + b"]" * 700, b"[" * 60 + b"]" * 60, b"\x1f\x8b"),
        *(b'{"displayName": "\xc3"}', b'{"displayName":"a","displayName":"b"}'),
    ]
)
_JSON = {"Content-Type": "application/json"}


def requests() -> SearchStrategy[Nonsense]:
    """Requests to Graph: most with JSON that could be right, some with anything at all."""
    sensible = st.builds(
        lambda call, headers, body: Nonsense(
            method=call[0],
            address=call[1],
            headers={**_JSON, **headers},
            body=json.dumps(body).encode() if call[0] in ("POST", "PATCH", "PUT") else None,
        ),
        CALLS,
        HEADERS,
        BODIES,
    )
    raw = st.builds(
        lambda call, type, body, coding: Nonsense(
            method=call[0], address=call[1], headers={"Content-Type": type, **coding}, body=body
        ),
        CALLS,
        st.sampled_from(_TYPES),
        _BYTES | st.binary(max_size=20),
        st.sampled_from([{}, {}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "x"}]),
    )
    return _mostly(sensible, raw)


def batches() -> SearchStrategy[Any]:
    """Bodies of `$batch`: right in form, and then with something in its form that is wrong."""
    step = st.fixed_dictionaries(
        {
            "id": st.sampled_from(["1", "2", "3", "4"]) | VALUES,
            "method": st.sampled_from(["GET", "POST", "PATCH", "DELETE"]) | VALUES,
            "url": CALLS.map(lambda call: call[1]) | VALUES,
        },
        optional={
            "headers": st.just(_JSON) | VALUES,
            "body": BODIES,
        },
    )
    right = st.builds(
        lambda call, body: {"method": call[0], "url": call[1], "headers": _JSON, "body": body},
        CALLS.filter(lambda call: call[0] in METHODS_OF_BATCH),
        BODIES,
    )
    numbered = st.lists(right, min_size=1, max_size=4).map(
        lambda steps: [{"id": str(number), **step} for number, step in enumerate(steps)]
    )
    return st.fixed_dictionaries({"requests": numbered | st.lists(step, max_size=3) | VALUES})


def token_requests(tenant: str) -> SearchStrategy[Nonsense]:
    """Requests to the token endpoint and its neighbours."""
    form = st.dictionaries(
        st.sampled_from(
            ["grant_type", "client_id", "client_secret", "scope", "client_assertion", "resource"]
        ),
        st.sampled_from([*WORDS, "client_credentials", "https://graph.microsoft.com/.default"]),
    ).map(lambda given: urlencode(given).encode())
    tenants = st.sampled_from([tenant, tenant, "common", "x", "%00", "a.b", GRAPH, "%C3", "..%2F"])
    paths = ("oauth2/v2.0/token", "discovery/v2.0/keys", "v2.0/.well-known/openid-configuration")
    return st.builds(
        lambda method, tenant, path, type, body: Nonsense(
            method=method, address=f"/{tenant}/{path}", headers={"Content-Type": type}, body=body
        ),
        st.sampled_from(["POST", "POST", "POST", *METHODS]),
        tenants,
        st.sampled_from([paths[0], *paths]),
        st.sampled_from(["application/x-www-form-urlencoded"] * 3 + [*_TYPES]),
        form | form | _BYTES | st.binary(max_size=30),
    )


def browser_requests(
    client_id: str, redirect_uri: str
) -> SearchStrategy[tuple[str, str, dict[str, str]]]:
    """Sign-ins of people: method and query of the request, and what the page sends."""
    right = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": "openid User.Read",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    optional = ("claims", "prompt", "response_mode", "state", "nonce", "login_hint")
    words = st.sampled_from([*WORDS, "form_post", '{"id_token": {"acrs": {"value": 1}}}', "[[]]"])
    asked = _mostly(
        st.dictionaries(st.sampled_from(optional), words, max_size=3),
        st.dictionaries(st.sampled_from([*right, *optional]), words, max_size=3),
    )
    names = st.sampled_from(["login", "decision", "acrs", "blocked", "on_page"])
    return st.tuples(
        st.sampled_from(["GET", "GET", "GET", *METHODS]),
        asked.map(lambda given: urlencode(right | given)),
        st.dictionaries(names, words | st.just("sign-in")),
    )
