"""What the tenant's policy forbids: refused when certain, said when in doubt.

The shortest word on a secret's life wins, and it is known whose word that is.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.app_policy import MEND, PERHAPS_EXEMPT, Policy, Restrictions, judge, parse_duration
from graph.calls import Json
from graph.plan import limit, redirect_problem
from tests.support.graph_fakes import wish

NOW = datetime(2026, 11, 23, tzinfo=UTC)
REDIRECT = "https://Login.Vendor.example/back"
NOTHING = Restrictions()


def policy(**restrictions: Any) -> Json:
    return {"isEnabled": True, "applicationRestrictions": restrictions}


def on_redirects(name: str, **entry: Any) -> Json:
    return policy(redirectUris={name: {"state": "enabled", **entry}})


def on_secrets(*entries: Json) -> Json:
    return policy(passwordCredentials=entries, redirectUris={})


def judged(policy: Json, redirect: str | None = REDIRECT) -> Restrictions:
    return judge(Policy(told=policy), redirect=redirect, now=NOW)


@pytest.mark.parametrize(
    ("asked", "profile", "tenant", "expected"),
    [
        (90, 180, None, (90, "requester")),
        (365, 180, None, (180, "profile")),
        (365, 180, 90, (89, "tenant")),
        (30, 180, 90, (30, "requester")),
        (89, 180, 90, (89, "requester")),
        (180, 180, 365, (180, "requester")),
    ],
)
def test_the_shortest_wins(
    asked: int, profile: int, tenant: int | None, expected: tuple[int, str]
) -> None:
    longest = None if tenant is None else timedelta(days=tenant)
    asking = wish(secret_days=asked, profile_days=profile)
    assert limit(asking, longest) == expected


@pytest.mark.parametrize(
    ("text", "days"),
    [("P90D", 90), ("P365DT0H0M0S", 365), ("P1Y", 365), ("P6M", 180), ("P2W", 14), ("PT36H", 1)],
)
def test_durations_are_read(text: str, days: int) -> None:
    assert parse_duration(text).days == days


def test_a_duration_that_is_none_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_duration("90 days")


BAN: Json = {"restrictionType": "passwordAddition", "state": "enabled"}
LIFE: Json = {**BAN, "restrictionType": "passwordLifetime"}
BANNED = (
    f"The tenant's policy does not allow client secrets for new applications. To continue, {MEND}."
)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (on_secrets(BAN), Restrictions(refusals=(BANNED,))),
        ({**on_secrets(BAN), "isEnabled": False}, NOTHING),
        (on_secrets({**BAN, "state": "disabled"}), NOTHING),
        (
            on_secrets({**BAN, "restrictForAppsCreatedAfterDateTime": "2026-12-01T00:00:00Z"}),
            NOTHING,
        ),
        (on_secrets({**BAN, "restrictionType": "customPasswordAddition"}), NOTHING),  # of chosen
        (
            on_secrets({**LIFE, "maxLifetime": "P180D"}, {**LIFE, "maxLifetime": "P90D"}),
            Restrictions(longest_secret=timedelta(days=90)),
        ),
    ],
)
def test_what_a_policy_says_of_our_secrets(told: Json, expected: Restrictions) -> None:
    assert judged(told) == expected


def test_a_policy_that_is_not_known_is_not_taken_for_none() -> None:
    told = judge(Policy(why_unread="Not told."), redirect=REDIRECT, now=NOW)
    unread = "The bot cannot read the tenant's policy on applications, which may refuse a plan or"
    assert told == Restrictions(doubts=(f"{unread} its secret. Not told.",))


FORBIDDEN: dict[str, tuple[Json, str]] = {
    "uriWithoutAllowedDomain": (
        {"allowedDomains": ["vendor.example"], "web": {"allowedDomains": ["app.example"]}},
        "does not allow redirect URLs on login.vendor.example, only on app.example, vendor.example",
    ),
    "uriWithBlockedDomain": (
        {"blockedDomains": [], "web": {"blockedDomains": ["LOGIN.vendor.example"]}},
        "does not allow redirect URLs on login.vendor.example",
    ),
    "uriWithoutAllowedScheme": (
        {"allowedSchemes": ["msal"]},
        "does not allow redirect URLs with https, only with msal",
    ),
    "uriWithBlockedScheme": (
        {"blockedSchemes": ["https"]},
        "does not allow redirect URLs with https",
    ),
    "uriWithWildcard": ({}, "does not allow wildcards in redirect URLs"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_redirect_url_is_refused_with_the_policy_s_word_for_it(name: str) -> None:
    entry, why = FORBIDDEN[name]
    redirect = f"{REDIRECT}/*" if name == "uriWithWildcard" else REDIRECT
    (sentence,) = judged(on_redirects(name, **entry), redirect).refusals
    assert sentence == (
        f"The tenant's policy on applications {why} ({name}). Choose another URL, or {MEND}."
    )


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("uriWithoutAllowedDomain", {"allowedDomains": ["login.vendor.EXAMPLE"]}),
        ("uriWithoutAllowedDomain", {"web": {"allowedDomains": ["login.vendor.example"]}}),
        ("uriWithBlockedDomain", {"blockedDomains": ["vendor.example"]}),  # whole names only
        ("uriWithBlockedDomain", {"spa": {"blockedDomains": ["login.vendor.example"]}}),
        ("uriWithoutAllowedScheme", {"allowedSchemes": ["*"]}),
        ("uriWithBlockedScheme", {"blockedSchemes": ["http"]}),
        ("uriWithWildcard", {}),
    ],
)
def test_an_allowed_redirect_url_is_allowed(name: str, entry: Json) -> None:
    assert judged(on_redirects(name, **entry)) == NOTHING


@pytest.mark.parametrize(
    "entry",
    [{"state": "disabled"}, {"restrictForAppsCreatedAfterDateTime": "2026-12-01T00:00:00Z"}],
)
def test_what_is_off_or_still_to_come_forbids_nothing(entry: Json) -> None:
    name = "uriWithoutAllowedDomain"
    assert judged(on_redirects(name, allowedDomains=[], **entry)) == NOTHING


def test_a_policy_that_is_off_and_one_on_redirect_urls_without_one_forbid_nothing() -> None:
    banned = on_redirects("uriWithoutAllowedDomain", allowedDomains=[])
    assert judged({**banned, "isEnabled": False}) == NOTHING
    assert judged(banned, redirect=None) == NOTHING


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("uriWithBlockedDomain", {"excludeActors": {"customSecurityAttributes": [{"id": "x"}]}}),
        ("uriWithBlockedScheme", {"exemptFormats": ["https://x.example/{y}"]}),
        ("uriWithBlockedScheme", {"web": {"exemptFormats": ["https://x.example/{y}"]}}),
    ],
)
def test_where_some_are_exempt_there_is_only_a_doubt(name: str, entry: Json) -> None:
    blocked = {"blockedDomains": ["login.vendor.example"], "blockedSchemes": ["https"]}
    told = judged(on_redirects(name, **blocked, **entry))
    assert told.refusals == ()
    assert told.doubts[0].endswith(PERHAPS_EXEMPT)


def test_v1_0_does_not_tell_restrictions_on_redirect_urls_and_the_plan_says_so() -> None:
    told = judged(policy(passwordCredentials=[], keyCredentials=[], identifierUris=None))
    assert told.refusals == ()
    assert [each[:18] for each in told.doubts] == ["The bot cannot see"]
    assert judged(policy(), redirect=None) == NOTHING


@pytest.mark.parametrize(
    ("restrictions", "name"),
    [
        ({"passwordCredentials": [{"restrictionType": "new"}]}, "passwordCredentials.new"),
        ({"audiences": {"azureAdMyOrg": {"state": "enabled"}}}, "audiences.azureAdMyOrg"),
        ({"redirectUris": {"uriWithPort": {"state": "enabled"}}}, "redirectUris.uriWithPort"),
        ({"names": {"deep": [{"er": {"state": "enabled"}}]}}, "names"),
    ],
)
def test_a_restriction_that_nobody_knows_is_a_doubt(restrictions: Json, name: str) -> None:
    told = judged(policy(**{"redirectUris": {}, **restrictions}))
    assert told.refusals == ()
    assert [f"({name})" in each for each in told.doubts] == [True]


@pytest.mark.parametrize(
    "restrictions",
    [
        {"passwordCredentials": [{"restrictionType": "customPasswordAddition"}]},
        {"passwordCredentials": [{"restrictionType": "new", "state": "disabled"}]},
        {"keyCredentials": [{"restrictionType": "trustedCertificateAuthority"}]},
        {"identifierUris": {"nonDefaultUriAddition": {"state": "enabled"}}},
        {"audiences": {"azureAdMultipleOrgs": {"state": "enabled"}}},
        {"names": {"deep": [{"er": {"state": "disabled"}}]}},
        {"@odata.type": "#microsoft.graph.appManagementApplicationConfiguration", "names": None},
    ],
)
def test_what_cannot_concern_this_bot_is_not_said(restrictions: Json) -> None:
    assert judged(policy(**{"redirectUris": {}, **restrictions})) == NOTHING


@pytest.mark.parametrize(
    "url",
    [
        *("https://central.sophos.com", "https://example.com/callback?tenant=1"),
        *("https://example.com:8443/a/b", "http://localhost", "http://localhost:3000/callback"),
        "http://127.0.0.1:9000/",
    ],
)
def test_what_entra_accepts_is_accepted(url: str) -> None:
    assert redirect_problem(url) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://example.com", "https://"),
        ("http://localhost.example.com", "https://"),
        ("ftp://example.com", "not with ftp://"),
        ("example.com", "absolute"),
        ("/callback", "absolute"),
        ("https://", "absolute"),
        ("", "absolute"),
        ("https://[::1", "not a URL"),
        ("https://example.com:port/", "not a URL"),
        ("https://example.com/a b", "spaces"),
        ("https://example.com/a\n", "spaces"),
        ("https://example.com/#top", "fragment"),
        ("https://me@example.com/", "user name"),
        ("https://*.example.com/", "wildcard"),
        ("https://example.com/(a)", "does not accept"),
        ("https://example.com/" + "a" * 240, "longer than 256"),
    ],
)
def test_what_entra_refuses_is_refused_with_the_reason(url: str, word: str) -> None:
    problem = redirect_problem(url)
    assert problem is not None
    assert word in problem
    assert problem.endswith(".")
