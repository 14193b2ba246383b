"""Settings: what is read, what is refused, and that no problem repeats what somebody typed."""

from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from bot.settings.settings import Settings, SettingsError, read_access
from graph.credentials import Certificate, FederatedToken, ManagedIdentity
from tests.support.credentials import issuer, pem, rsa_key
from tests.support.settings_env import GOOD, KEY, TENANT

HEX = "abcdef01-2222-3333-4444-555555abcdef"


def read(**changes: str) -> Settings:
    return Settings.read(GOOD | changes)


def problems(**changes: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    return caught.value.problems


def test_defaults_are_the_public_cloud_one_approval_and_a_day() -> None:
    settings = read()
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.authority == f"https://login.microsoftonline.com/{TENANT}"
    assert settings.graph_url == "https://graph.microsoft.com"
    assert settings.approvals_needed == 1
    assert settings.approval_ttl == timedelta(hours=24)
    assert settings.database_url == "sqlite+aiosqlite:///aad-setup.db"
    assert settings.log_level == "INFO"
    assert settings.ca_bundle is None


def test_one_person_may_begin_half_of_what_the_team_may_unless_that_is_said() -> None:
    said = {"": 10, "1": 1, "20": 20}
    assert {it: read(PERSON_DAILY_LIMIT=it).person_daily_limit for it in said} == said
    assert read(DAILY_LIMIT="1").person_daily_limit == 1
    assert read(DAILY_LIMIT="7").person_daily_limit == 4


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APPROVAL_NEEDED", "APPROVALS_NEEDED"),
        ("APPROVERS_GROUPS", "APPROVER_GROUPS"),
        ("ENTRA_CLIENT_SECRETS", "ENTRA_CLIENT_SECRET"),
    ],
)
def test_a_setting_that_is_misspelt_is_not_passed_over(name: str, meant: str) -> None:
    assert problems(**{name: "2"}) == (f"Unknown setting {name}. Did you mean {meant}?",)


def test_what_other_programs_are_told_is_none_of_ours() -> None:
    others = ("DATABASE_URI", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SLACK_WEBHOOK_URL", "PATH")
    assert read(**dict.fromkeys(others, "x")) == read()


def test_cards_are_plain_only_if_that_is_said() -> None:
    said = {"": False, "false": False, "true": True}
    assert {it: read(PLAIN_CARDS=it).plain_cards for it in said} == said
    assert problems(PLAIN_CARDS="yes") == ("PLAIN_CARDS must be one of true, false.",)


def test_nobody_by_name_needs_a_group_and_a_star_says_everybody_aloud() -> None:
    by_group = read(REQUESTERS="", REQUESTER_GROUPS="S0ASKERS")
    assert not by_group.requesters
    assert by_group.requester_groups == {"S0ASKERS"}
    by_group = read(APPROVERS="", APPROVER_GROUPS="S0ADMINS, S0SEC")
    assert by_group.approver_groups == {"S0ADMINS", "S0SEC"}
    assert read(REQUESTERS=" * ").requesters == {"*"}


def test_spaces_around_values_do_not_count() -> None:
    settings = read(SLACK_BOT_TOKEN=" xoxb-1 ", APPROVERS="U0ADA U0GRACE,\nU0EVE")
    assert settings.slack_bot_token == "xoxb-1"
    assert settings.approvers == {"U0ADA", "U0GRACE", "U0EVE"}


@pytest.mark.parametrize(
    ("cloud", "login", "graph"),
    [
        ("public", "login.microsoftonline.com", "graph.microsoft.com"),
        ("usgov", "login.microsoftonline.us", "graph.microsoft.us"),
        ("usgov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
        ("china", "login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_own_addresses(cloud: str, login: str, graph: str) -> None:
    settings = read(ENTRA_CLOUD=cloud)
    assert settings.authority == f"https://{login}/{TENANT}"
    assert settings.graph_url == f"https://{graph}"
    assert settings.cloud.name == cloud


def test_an_address_of_another_cloud_than_the_one_set_is_refused() -> None:
    found = problems(
        ENTRA_CLOUD="usgov",
        ENTRA_AUTHORITY=f"https://login.microsoftonline.com/{TENANT}",
        GRAPH_URL="https://dod-graph.microsoft.us",
    )
    wanted = "must be an https address of the cloud usgov (ENTRA_CLOUD)."
    assert found == (f"ENTRA_AUTHORITY {wanted}", f"GRAPH_URL {wanted}")


def test_ids_are_read_in_the_lower_case_in_which_entra_writes_them() -> None:
    settings = read(ENTRA_TENANT_ID=HEX.upper(), ENTRA_CLIENT_ID=HEX.upper())
    assert (settings.tenant_id, settings.client_id) == (HEX, HEX)
    assert settings.authority == f"https://login.microsoftonline.com/{HEX}"
    loud = f"https://login.microsoftonline.com/{HEX.upper()}/"
    assert read(ENTRA_TENANT_ID=HEX, ENTRA_AUTHORITY=loud).authority.endswith(f"/{HEX}")


@pytest.mark.parametrize(
    "path", ["99999999-2222-3333-4444-555555555555", "common", "organizations", "contoso.com", ""]
)
def test_an_authority_of_another_tenant_is_refused(path: str) -> None:
    (problem,) = problems(ENTRA_AUTHORITY=f"https://login.microsoftonline.com/{path}")
    assert problem.startswith("ENTRA_AUTHORITY does not end with the id in ENTRA_TENANT_ID")


@pytest.mark.parametrize("host", ["localhost:4433", "127.0.0.1:4433", "[::1]:4433"])
def test_this_machine_may_stand_in_for_slack_and_entra(host: str) -> None:
    settings = read(
        SLACK_API_URL=f"http://{host}/api",
        ENTRA_AUTHORITY=f"https://{host}/{TENANT}/",
        GRAPH_URL=f"https://{host}",
    )
    assert settings.slack_api_url == f"http://{host}/api/"
    assert settings.authority == f"https://{host}/{TENANT}"
    assert settings.graph_url == f"https://{host}"


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ("postgresql://u:p@db/aad", "postgresql+psycopg://u:p@db/aad?client_encoding=utf8"),
        ("postgres://u:p@db/aad", "postgresql+psycopg://u:p@db/aad?client_encoding=utf8"),
        (
            "postgres://u:p%40@db/aad?client_encoding=latin1",
            "postgresql+psycopg://u:p%40@db/aad?client_encoding=utf8",
        ),
        ("sqlite:///here.db", "sqlite+aiosqlite:///here.db"),
    ],
)
def test_common_ways_to_write_a_database_are_understood(given: str, read_as: str) -> None:
    assert read(DATABASE_URL=given).database_url == read_as


@pytest.mark.parametrize(
    ("text", "ttl"),
    [("30m", timedelta(minutes=30)), ("36h", timedelta(hours=36)), ("30d", timedelta(days=30))],
)
def test_an_approval_may_take_minutes_hours_or_days(text: str, ttl: timedelta) -> None:
    assert read(APPROVAL_TTL=text).approval_ttl == ttl


SENTENCES = [
    ("SLACK_BOT_TOKEN", "", "is missing: set it to a Slack token that begins with xoxb-."),
    ("SLACK_BOT_TOKEN", "xapp-1-swapped", "must begin with xoxb-."),
    ("SLACK_BOT_TOKEN", "xoxb-", "is only the beginning of a token"),
    ("SLACK_APP_TOKEN", "", "is missing: set it to a Slack token that begins with xapp-."),
    ("SLACK_APP_TOKEN", "", "For HTTP mode set SLACK_SIGNING_SECRET and PORT instead."),
    ("SLACK_APP_TOKEN", "xoxb-1-swapped", "must begin with xapp-."),
    ("PORT", "0", "must be a whole number from 1 to 65535."),
    ("PORT", "65536", "must be a whole number from 1 to 65535."),
    ("PORT", "http", "must be a whole number from 1 to 65535."),
    ("BIND_ADDRESS", "localhost", "must be an IP address of this machine, such as 127.0.0.1."),
    ("SLACK_API_URL", "http://slack.com/api/", "must be an address of slack.com"),
    ("SLACK_API_URL", "https://slack.com.evil.example/", "must be an address of slack.com"),
    ("SLACK_API_URL", "https://slack.com@evil.example/", "must be an address of slack.com"),
    ("SLACK_API_URL", "https://[broken/", "must be an address of slack.com"),
    ("SLACK_API_URL", "https://slack.com:port/", "must be an address of slack.com"),
    ("APPROVAL_CHANNEL", "", "is missing: set it to a channel id such as C0123456789."),
    ("APPROVAL_CHANNEL", "#approvals", "does not look like a channel id"),
    ("APPROVERS", "", "is missing: list the Slack user ids of the people who decide, or set"),
    ("APPROVER_GROUPS", "@admins", "entry 1 is not a user group's id"),
    ("REQUESTERS", "", "is missing: list the Slack user ids of the people who may ask, or"),
    ("REQUESTER_GROUPS", "S0OK, C0NO", "entry 2 is not a user group's id"),
    ("OPEN_LIMIT", "0", "must be a whole number from 1 to 1000."),
    ("DAILY_LIMIT", "many", "must be a whole number from 1 to 10000."),
    ("PERSON_DAILY_LIMIT", "0", "must be a whole number from 1 to 10000."),
    ("PERSON_DAILY_LIMIT", "21", "is 21, but DAILY_LIMIT is 20: no user can begin more than the"),
    ("APPROVERS", "*", "entry 1 is not a Slack user id"),
    ("APPROVERS", "U0ADA @grace", "entry 2 is not a Slack user id"),
    ("APPROVALS_NEEDED", "0", "must be a whole number from 1 to 10."),
    ("APPROVALS_NEEDED", "two", "must be a whole number from 1 to 10."),
    ("APPROVALS_NEEDED", "²", "must be a whole number from 1 to 10."),
    ("APPROVALS_NEEDED", "3", "is 3, but APPROVERS lists 2: nothing could ever be approved."),
    ("APPROVAL_TTL", "0h", "must be a time such as 30m, 24h or 7d, 30d at most."),
    ("APPROVAL_TTL", "31d", "must be a time such as 30m, 24h or 7d, 30d at most."),
    ("APPROVAL_TTL", "tomorrow", "must be a time such as 30m, 24h or 7d, 30d at most."),
    (
        "MENTION",
        "groups",
        "is groups, but APPROVER_GROUPS is empty: no approver would be notified.",
    ),
    ("MENTION", "everybody", "must be one of groups, people, none."),
    ("CONTACT", "<!channel>", "must be a name, a channel or an address"),
    ("CONTACT", "a" * 81, "must be a name, a channel or an address"),
    ("RETENTION", "89d", "must be a time such as 365d, 90d at least and 3650d at most."),
    ("RETENTION", "forever", "must be a time such as 365d, 90d at least and 3650d at most."),
    ("REQUESTERS", "* U0ROSA", "* means everybody, so it must stand alone"),
    ("ENTRA_TENANT_ID", "", "is missing: set it to a directory (tenant) id, such as"),
    ("ENTRA_TENANT_ID", "contoso.com", "does not look like a directory (tenant) id, such as 0123"),
    ("ENTRA_CLIENT_ID", "", "is missing: set it to an application (client) id, such as"),
    ("ENTRA_CLIENT_ID", "my-app", "does not look like an application (client) id, such as"),
    ("ENTRA_CLIENT_SECRET", "", "is missing: set it to the bot's own client secret, or set ENTRA_"),
    ("ENTRA_CLIENT_SECRET", "  ", "is missing: set it to the bot's own client secret, or set"),
    ("ENTRA_CERTIFICATE_PASSWORD", "x", "is set, but ENTRA_CERTIFICATE is not."),
    ("ENTRA_CLOUD", "germany", "must be one of public, usgov, usgov-dod, china."),
    ("ENTRA_AUTHORITY", "https://evil.example/t", "must be an https address of the cloud public"),
    ("ENTRA_AUTHORITY", "http://localhost/t", "must be an https address of the cloud public"),
    (
        "GRAPH_URL",
        "https://graph.microsoft.com.evil.example",
        "must be an https address of the cloud public",
    ),
    ("GRAPH_URL", "https://[broken", "must be an https address of the cloud public"),
    ("CA_BUNDLE", "/no/such/file.pem", "must name a PEM file with certificates."),
    ("CONSENT_CLIENT_ID", "x", "is set, but only CONSENT_MODE=signed-in uses it."),
    ("CONSENT_DEVICE_CODE", "yes", "is set, but only CONSENT_MODE=signed-in uses it."),
    ("CONSENT_MODE", "yes", "must be one of portal, signed-in, limited, autonomous."),
    ("VAULT_KEYS", "A" * 43 + "=", "is easy to guess"),
    ("VAULT_KEYS", f"{KEY},{'_' * 42}8=", "is easy to guess"),
    ("VAULT_KEYS", f'"{KEY}"', "is in quotes, which `docker run --env-file` keeps"),
    ("APPROVERS", "'U0ADA,U0GRACE'", "is in quotes, which `docker run --env-file` keeps"),
    ("DATABASE_URL", "sqlite:///file:a?mode=memory&uri=true", "must name a file"),
    ("VAULT_KEYS", "", "is missing: `aad-setup keys new` prints one."),
    ("VAULT_KEYS", f"{KEY},short", "holds something that is not a key"),
    ("VAULT_KEYS", "ключ", "holds something that is not a key"),
    ("DATABASE_URL", "mysql://db/aad", "must begin with sqlite+aiosqlite:/// and name a file"),
    ("DATABASE_URL", "sqlite:///", "must begin with sqlite+aiosqlite:/// and name a file"),
    ("DATABASE_URL", "postgresql://u:p@db:port/aad", "must begin with sqlite+aiosqlite:///"),
    ("LOG_FORMAT", "xml", "must be one of console, json."),
    ("LOG_LEVEL", "verbose", "must be one of DEBUG, INFO, WARNING, ERROR."),
]


SIGNED = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "0123456789abcdef" * 2, "PORT": "8080"}


def test_the_settings_present_choose_socket_mode_or_http_mode() -> None:
    socket, http = read(), read(**SIGNED)
    assert (socket.slack_app_token, socket.slack_signing_secret) == ("xapp-1-app", None)
    assert (socket.port, read(PORT="80").port) == (None, 80)
    assert (http.slack_app_token, http.slack_signing_secret) == (None, "0123456789abcdef" * 2)
    assert (http.port, http.bind_address) == (8080, "0.0.0.0")
    assert read(BIND_ADDRESS="::1").bind_address == "::1"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"SLACK_APP_TOKEN": "xapp-1-app"},
            "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both set: keep the first for Socket Mode"
            " or the second for HTTP mode.",
        ),
        ({"PORT": ""}, "PORT is missing: with SLACK_SIGNING_SECRET the bot listens there."),
        (
            {"SLACK_SIGNING_SECRET": "xapp-1-app"},
            "SLACK_SIGNING_SECRET must be the signing secret of the app's Basic Information page.",
        ),
    ],
)
def test_half_a_transport_or_two_are_refused(changes: dict[str, str], sentence: str) -> None:
    assert problems(**(SIGNED | changes)) == (sentence,)


def test_exactly_one_credential_is_used(tmp_path: Path) -> None:
    key, token = tmp_path / "bot.pem", tmp_path / "token"
    key.write_bytes(pem(rsa_key()))
    token.write_text(issuer().token(subject="bot"))
    without = {"ENTRA_CLIENT_SECRET": ""}
    assert read().credential == "s3cret-of-the-bot"
    assert read(**without, ENTRA_CERTIFICATE=str(key)).credential == Certificate(path=key)
    federated = read(**without, ENTRA_FEDERATED_TOKEN_FILE=str(token))
    assert federated.credential == FederatedToken(path=token)
    assert problems(ENTRA_CERTIFICATE=str(key)) == (
        "ENTRA_CLIENT_SECRET and ENTRA_CERTIFICATE are set: keep one of them.",
    )
    [said] = problems(**without, ENTRA_CERTIFICATE=str(key), ENTRA_CERTIFICATE_PASSWORD="x")
    assert said.startswith("ENTRA_CERTIFICATE_PASSWORD is set, but")
    for name in ("ENTRA_CERTIFICATE", "ENTRA_FEDERATED_TOKEN_FILE"):
        [said] = problems(**without, **{name: str(tmp_path / "none")})
        assert said == f"{name} must name a file that the bot can read."


def test_a_managed_identity_is_the_machine_s_own_or_the_one_in_the_client_id() -> None:
    without, id = {"ENTRA_CLIENT_SECRET": ""}, GOOD["ENTRA_CLIENT_ID"]
    for said, meant in (("system", None), ("System", None), (id.upper(), id)):
        settings = read(**without, ENTRA_MANAGED_IDENTITY=said)
        assert settings.credential == ManagedIdentity(client_id=meant)
    assert problems(**without, ENTRA_MANAGED_IDENTITY="yes") == (
        "ENTRA_MANAGED_IDENTITY must be system or the client id of a managed identity.",
    )
    [said] = problems(**without, ENTRA_MANAGED_IDENTITY=HEX)
    assert said.startswith("ENTRA_MANAGED_IDENTITY is not the id in ENTRA_CLIENT_ID")


CLIENT, USER = "77777777-2222-3333-4444-555555555555", "55555555-2222-3333-4444-ABCDEF555555"
SIGNED_IN = {
    "CONSENT_MODE": "signed-in",
    "PORT": "8080",
    "PUBLIC_URL": "https://bot.example.com/",
    "APPROVER_IDENTITIES": f"U0ADA={USER}, U0GRACE={CLIENT}",
    "CONSENT_CLIENT_ID": CLIENT,
    "CONSENT_CLIENT_SECRET": "s3cret-of-the-consent-client",
}


def test_how_approvers_sign_in() -> None:
    found = read(**SIGNED_IN).approver_sign_ins
    assert found is not None
    assert found.public_url == "https://bot.example.com"
    assert found.consent_client.redirect_uri == "https://bot.example.com/consent/callback"
    assert found.consent_client.auth_context is None
    assert dict(found.identities) == {"U0ADA": USER.lower(), "U0GRACE": CLIENT}
    assert "s3cret" not in repr(read(**SIGNED_IN))
    strict = read(**SIGNED_IN, CONSENT_AUTH_CONTEXT="c99").approver_sign_ins
    assert strict is not None
    assert strict.consent_client.auth_context == "c99"
    assert (found.with_codes, strict.with_codes) == (False, False)
    with_codes = read(**SIGNED_IN, CONSENT_DEVICE_CODE="yes").approver_sign_ins
    assert with_codes is not None
    assert with_codes.with_codes
    assert read().approver_sign_ins is None


WHY_NONE_SIGNS_IN = [
    ("PORT", "", "is missing: with CONSENT_MODE=signed-in browsers come there."),
    ("PUBLIC_URL", "", "is missing: set it to the https address"),
    ("PUBLIC_URL", "http://bot.example.com", "must be an https address without a path"),
    ("PUBLIC_URL", "https://bot.example.com/bot", "must be an https address without a path"),
    ("PUBLIC_URL", "https://me@bot.example.com", "must be an https address without a path"),
    ("APPROVER_IDENTITIES", "", "is missing: list approvers as U0123456789=<"),
    ("APPROVER_IDENTITIES", "U0ADA", "entry 1 is not a Slack user id, ="),
    ("APPROVER_IDENTITIES", f"U0ADA={USER},U0ADA={CLIENT}", "entry 2 repeats a person"),
    ("APPROVER_IDENTITIES", f"U0ADA={USER},U0BEN={USER.lower()}", "entry 2 repeats a"),
    ("CONSENT_CLIENT_ID", "", "is missing: set it to the application (client) id of the"),
    ("CONSENT_CLIENT_ID", GOOD["ENTRA_CLIENT_ID"], "is ENTRA_CLIENT_ID: the consent client"),
    ("CONSENT_CLIENT_SECRET", "", "is missing: set it to the consent client's own"),
    ("CONSENT_AUTH_CONTEXT", "c0", "must be one of c1 to c99."),
    ("CONSENT_AUTH_CONTEXT", "c100", "must be one of c1 to c99."),
    ("CONSENT_DEVICE_CODE", "true", "must be one of yes, no."),
]
EACH = [*(({}, *it) for it in SENTENCES), *((SIGNED_IN, *it) for it in WHY_NONE_SIGNS_IN)]


@pytest.mark.parametrize(("base", "name", "value", "sentence"), EACH)
def test_each_problem_names_its_setting_and_says_what_it_must_be(
    base: dict[str, str], name: str, value: str, sentence: str
) -> None:
    [found] = problems(**{**base, name: value})
    assert found.startswith(name)
    assert sentence in found
    assert found.endswith(".")


def test_all_that_the_mode_lacks_is_said_at_once() -> None:
    names = [sentence.split()[0] for sentence in problems(CONSENT_MODE="signed-in")]
    assert names == [
        *("PORT", "PUBLIC_URL", "CONSENT_CLIENT_ID", "CONSENT_CLIENT_SECRET"),
        "APPROVER_IDENTITIES",
    ]


def test_nobody_can_be_the_only_one_who_decides_on_what_they_ask_for() -> None:
    [sentence] = problems(REQUESTERS="U0ADA U0GRACE", APPROVALS_NEEDED="2")
    assert sentence.startswith("Every requester in REQUESTERS is needed in APPROVERS")
    read(REQUESTERS="U0ADA U0ROSA", APPROVALS_NEEDED="2")
    read(REQUESTERS="U0ADA", APPROVERS="U0ADA", APPROVER_GROUPS="S0ADMINS")


def test_an_empty_environment_hears_of_everything_that_is_missing_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({})
    named = [sentence.split()[0].split("=")[0] for sentence in caught.value.problems]
    assert named == [
        *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "APPROVAL_CHANNEL", "ENTRA_TENANT_ID"),
        *("ENTRA_CLIENT_ID", "ENTRA_CLIENT_SECRET", "VAULT_KEYS", "REQUESTERS"),
        "APPROVERS",
    ]
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_entra_alone_is_read_without_a_word_about_slack() -> None:
    about_entra = {name: GOOD[name] for name in GOOD if name.startswith(("ENTRA", "CONSENT"))}
    assert read_access(about_entra).tenant_id == TENANT
    assert read_access(about_entra | {"PORT": "80"}).graph_url == read().graph_url
    assert "s3cret-of-the-bot" not in repr(read_access(about_entra))
    with pytest.raises(SettingsError) as caught:
        read_access({"ENTRA_CERTIFICATE": "bot.pfx"})
    assert [sentence.split()[0] for sentence in caught.value.problems] == [
        *("ENTRA_TENANT_ID", "ENTRA_CLIENT_ID", "ENTRA_CERTIFICATE"),
    ]


def test_no_sentence_repeats_what_was_typed_because_it_may_be_a_secret() -> None:
    pasted = "hunter2-in-the-wrong-place"
    names = {name for name, _, _ in SENTENCES} | {"SLACK_SIGNING_SECRET"}
    credentials = ("CERTIFICATE", "FEDERATED_TOKEN_FILE", "MANAGED_IDENTITY", "CLIENT_SECRET")
    for credential in credentials:
        environ = dict.fromkeys((names - {"ENTRA_CLIENT_SECRET"}) | {f"ENTRA_{credential}"}, pasted)
        with pytest.raises(SettingsError) as caught:
            Settings.read(environ)
        assert pasted not in str(caught.value)
        assert pasted not in repr(caught.value)


def test_settings_never_print_tokens_secrets_keys_or_passwords(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    settings = read(DATABASE_URL="postgresql://aad:pa55@db/aad", CA_BUNDLE=str(ca))
    printed = repr(settings) + str(settings) + repr(read(**SIGNED))
    said = ("xoxb-1-bot", "xapp-1-app", "s3cret-of-the-bot", "pa55")
    for secret in (SIGNED["SLACK_SIGNING_SECRET"], KEY, *said):
        assert secret not in printed
    assert str(ca) in printed
