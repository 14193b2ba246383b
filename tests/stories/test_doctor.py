"""`aad-setup doctor`, and what the start looks at, too: a line for each check, and what to do."""

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing
from cryptography.fernet import Fernet

from bot.checks import DAILY, PeriodicChecks, exposures
from bot.doctor import examine
from bot.doctor import findings as made
from bot.doctor.findings import Mark
from bot.manifest import SCOPES
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from graph.connection import connected, own_credential_ends, why_unreachable
from graph.credentials import FederatedToken
from graph.http import DIRECT
from tests.support.bot_credentials import settings_of
from tests.support.cli import typed_cold
from tests.support.credentials import certificate, pem, private, rsa_key
from tests.support.doctor_cli import call, findings
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import environ
from tests.support.registrar_env import opened
from tests.support.running_bot import Bot
from tests.support.serve_process import served
from tests.support.settings_env import GOOD
from tests.support.signing_in import consent_world
from tests.support.story import Story


@pytest.mark.slow
async def test_all_is_well_beside_a_running_bot_and_nothing_is_changed(
    stage: Stage, bot: Bot, database_url: str
) -> None:
    stage.workspace.installation.scopes = set(SCOPES)
    async with bot(DATABASE_URL=database_url):
        await Story(stage).ready()
        before = len(stage.tenant.log)
        told = await call(stage, DATABASE_URL=database_url)
        assert told.status == 0, told.text
        assert told.wrong == [], told.text
        [doubt] = told.doubts
        assert "CONSENT_MODE=autonomous. The bot holds rights that could make it Global" in doubt
        for line in (
            "✔ Settings: everything that is needed is there.",
            "✔ Database: it opens and is up to date.",
            "✔ Vault: the keys open all that wait unseen (1).",
            "✔ Running: yes (1 at work on this database).",
            "✔ Slack: SLACK_BOT_TOKEN is aad-setup in playground.",
            "✔ Slack: the scopes are those of the manifest.",
            "✔ Slack: the approval channel can be posted to.",
            "✔ Slack: enough of those named can approve.",
            "✔ Slack: SLACK_APP_TOKEN opens Socket Mode.",
            "✔ Entra: the bot's own application signs in.",
            "✔ Rights: enough for CONSENT_MODE=autonomous, and none too many.",
            "✔ Tenant: Northwind Traders (northwind.example) answers.",
            "✔ Policy: mimecast: the tenant does not limit its secret.",
        ):
            assert line in told.text.splitlines()
        asked = [call for call in stage.tenant.log[before:] if call.kind == "graph"]
        assert {call.method for call in asked} == {"GET"}
        for hidden in (stage.vault_key, *stage.tenant.minted, stage.workspace.bot_token):
            assert hidden not in told.text


async def test_why_no_connection_comes_about(stage: Stage) -> None:
    url, trusted = stage.tenant.graph_url, str(stage.tenant.ca_file)
    assert await why_unreachable(url, ca_bundle=trusted, proxies=DIRECT) is None
    unknown = await why_unreachable(url, ca_bundle=None, proxies=DIRECT)
    assert unknown is not None
    assert unknown.sentence == "The certificate of 127.0.0.1 is not trusted."
    with closing(socket.socket()) as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        closed = await why_unreachable(
            f"https://127.0.0.1:{port}", ca_bundle=trusted, proxies=DIRECT
        )
    assert closed is not None
    assert closed.sentence == "Cannot connect to 127.0.0.1."


def test_a_name_from_the_tenant_begins_no_line_and_moves_no_cursor() -> None:
    said = str(made.doubt("Application “x\n✔ All is well\x1b[2A\u202e” has no owner."))
    assert said == "⚠ Application “x ✔ All is well [2A ” has no owner."


@pytest.mark.slow
async def test_in_http_mode_there_is_no_socket_to_try(stage: Stage) -> None:
    signed = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": stage.workspace.signing_secret}
    told = await call(stage, **signed, PORT="8080")
    assert told.status == 0, told.text
    assert "✔ Slack: HTTP mode, at port 8080. Whether SLACK_SIGNING_SECRET is right" in told.text
    assert not stage.workspace.calls("apps.connections.open")
    assert stage.workspace.signing_secret not in told.text


async def test_before_the_first_start_there_is_nothing_to_mend(stage: Stage) -> None:
    told = await call(stage)
    assert told.status == 0, told.text
    assert "✔ Database: nothing there yet; the first start makes it." in told.text
    assert "⚠ Running: no bot is at work on this database. `aad-setup serve` starts it." in (
        told.doubts
    )
    assert not list(stage.folder.glob("aad-setup*"))


@pytest.mark.slow
async def test_everything_that_is_wrong_with_the_settings_is_said_at_once(tmp_path: Path) -> None:
    told = await typed_cold("doctor", environ={}, folder=tmp_path)
    assert told.status == 1
    assert "✖ Settings: SLACK_BOT_TOKEN is missing" in told.out
    assert "✖ Settings: VAULT_KEYS is missing" in told.out
    assert told.out.count("⚠") == 1


async def test_arguments_that_do_not_exist_have_a_status_of_their_own(stage: Stage) -> None:
    assert (await call(stage, "--everything")).status == 2


GRANTS = "AppRoleAssignment.ReadWrite.All"


def letter(stage: Stage) -> Path:
    file = stage.folder / "letter.db"
    file.write_text("Dear database, " * 100)
    return file


def newer(stage: Stage) -> Path:
    file = stage.folder / "newer.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    return file


CLOSED = "127.0.0.1:9"
UNUSABLE = (
    ("SLACK_BOT_TOKEN", "xoxb-of-another", "Slack does not take SLACK_BOT_TOKEN: invalid_auth."),
    ("SLACK_APP_TOKEN", "xapp-of-another", "Slack does not take SLACK_APP_TOKEN: invalid_auth."),
    ("SLACK_API_URL", f"http://{CLOSED}/api/", "Slack cannot be reached: ClientConnectorError."),
    ("APPROVAL_CHANNEL", "{random}", "Slack: The bot is not in APPROVAL_CHANNEL"),
    ("ENTRA_CLIENT_SECRET", "wrong", "Entra: The bot itself could not sign in."),
    ("ENTRA_AUTHORITY", f"https://{CLOSED}/{{id}}", "Entra: The bot could not reach the tenant"),
    (
        "DATABASE_URL",
        f"postgresql://a@{CLOSED}/a",
        "Database: it does not open (OperationalError).",
    ),
    (
        "DATABASE_URL",
        "sqlite:///{here}/none/here.db",
        "Database: its folder is not there or cannot be written.",
    ),
    ("DATABASE_URL", "sqlite:///{letter}", "Database: it does not open (DatabaseError)."),
    (
        "DATABASE_URL",
        "sqlite:///{newer}",
        "Database: a newer version of this program made it, or one from before 0.2.0.",
    ),
)
"""A setting, a value in which a stage's names are put, and what is said of it."""


@pytest.mark.parametrize(("name", "value", "sentence"), UNUSABLE)
async def test_a_setting_that_cannot_be_used_has_a_line_with_advice(
    stage: Stage, name: str, value: str, sentence: str
) -> None:
    random = stage.workspace.channels["random"].id
    names = {"random": random, "id": stage.tenant.id, "here": stage.folder}
    files = {"letter": letter(stage), "newer": newer(stage)} if "sqlite" in value else {}
    await has_advice(stage, sentence, **{name: value.format(**names, **files)})


SPOILT: dict[str, Callable[[Stage], object]] = {
    "Slack: scopes are missing: users:read.": lambda stage: (
        stage.workspace.installation.scopes.discard("users:read")
    ),
    f"Rights: {GRANTS} is missing for CONSENT_MODE=autonomous.": lambda stage: stage.tenant.deny(
        stage.tenant.administrator, GRANTS
    ),
    "Policy: The tenant's policy does not allow client secrets": lambda stage: (
        stage.tenant.set_policy(secrets_banned=True)
    ),
    "Policy: mimecast: the tenant does not let a secret live": lambda stage: (
        stage.tenant.set_policy(longest_secret=timedelta(days=1))
    ),
}


@pytest.mark.parametrize("sentence", SPOILT)
async def test_what_is_wrong_has_a_line_with_advice(stage: Stage, sentence: str) -> None:
    SPOILT[sentence](stage)
    await has_advice(stage, sentence)


async def has_advice(stage: Stage, sentence: str, **changes: str) -> None:
    wrong = await findings(stage, "", Mark.WRONG, **changes)
    (line,) = [each for each in wrong if sentence in each.sentence] or wrong
    assert sentence in line.sentence
    assert line.advice


async def test_what_is_only_doubtful_needs_no_mending(stage: Stage) -> None:
    stage.workspace.installation.scopes = {*SCOPES, "files:read"}
    lacking = ("Policy.Read.All", "DelegatedPermissionGrant.ReadWrite.All")
    stage.tenant.deny(stage.tenant.administrator, *lacking)
    stage.tenant.allow(stage.tenant.administrator, "Application.ReadWrite.All")
    told = await call(stage)
    assert told.status == 0, told.text
    for doubt in (
        "Slack: scopes that the bot never uses: files:read.",
        "Rights: Policy.Read.All (optional) is missing. It is needed to read whether the tenant",
        "Rights: DelegatedPermissionGrant.ReadWrite.All is missing for CONSENT_MODE=autonomous:"
        " plans are refused for mimecast.",
        "Rights: Application.ReadWrite.All is held and never used in CONSENT_MODE=autonomous.",
        "Policy: The bot cannot read the tenant's policy on applications",
    ):
        assert any(doubt in line for line in told.doubts), told.text


async def test_what_must_be_granted_before_a_right_too_many_goes_is_named(stage: Stage) -> None:
    told = await call(stage, CONSENT_MODE="portal")
    assert any("DelegatedPermissionGrant.Read.All is not held" in it for it in told.doubts)
    stage.tenant.allow(stage.tenant.administrator, "DelegatedPermissionGrant.Read.All")
    told = await call(stage, CONSENT_MODE="portal")
    assert any("DelegatedPermissionGrant.ReadWrite.All" in it for it in told.doubts)
    assert not any("is not held" in it for it in told.doubts), told.text


async def test_a_profile_s_secret_that_the_tenant_shortens_is_named(stage: Stage) -> None:
    stage.tenant.set_policy(longest_secret=timedelta(days=91))
    [said] = await findings(stage, "Policy: mimecast", Mark.DOUBT)
    assert said.sentence == "Policy: mimecast: its secret lives 90 days, not 365."


@pytest.mark.slow
async def test_a_directory_that_is_full_or_almost_so_is_named(stage: Stage) -> None:
    room, almost, full = (211, 300_000), (270_000, 300_000), (299_999, 300_000)
    for (used, total), mark, word in (
        (room, Mark.WELL, "has room"),
        (almost, Mark.DOUBT, "is almost full"),
        (full, Mark.WRONG, "is full"),
    ):
        stage.tenant.set_quota(used=used, total=total)
        [said] = await findings(stage, "Quota", mark)
        assert said.sentence == f"Quota: the directory {word}: {used} of {total} objects."


async def test_a_ban_from_which_some_are_exempt_is_a_doubt(stage: Stage) -> None:
    stage.tenant.set_policy(secrets_banned=True, exempt=[stage.tenant.administrator.client_id])
    [told] = await findings(stage, "Policy: The tenant's", Mark.DOUBT)
    assert "the bot cannot see whether it is one" in told.sentence
    assert not await findings(stage, "Policy", Mark.WRONG)


@pytest.mark.slow
async def test_keys_that_do_not_open_what_waits_are_found_out(stage: Stage, bot: Bot) -> None:
    async with bot():
        id = await Story(stage).ready()
    told = await call(stage, VAULT_KEYS=Fernet.generate_key().decode())
    assert told.status == 1
    assert f"✖ Vault: VAULT_KEYS does not open the secrets that wait for {id}." in told.text
    both = f"{Fernet.generate_key().decode()},{stage.vault_key}"
    assert "✔ Vault: the keys open all" in (await call(stage, VAULT_KEYS=both)).text


async def test_looking_keeps_no_bot_from_starting(stage: Stage) -> None:
    url = stage.environ()["DATABASE_URL"]
    async with opened(url):
        pass
    looking = examine(stage.environ(), stage.clock)
    async for _ in looking:
        async with opened(url):
            pass


Settle = Callable[[Stage], dict[str, str]]


def beside_ada(stage: Stage, other: str) -> dict[str, str]:
    return {"APPROVERS": f"{other} {stage.workspace.people['ada'].id}"}


def guest(stage: Stage) -> dict[str, str]:
    person = stage.workspace.add_person("gil", "Gil", is_restricted=True)
    return beside_ada(stage, person.id)


def no_groups(stage: Stage) -> dict[str, str]:
    group = stage.workspace.groups.add("admins", [stage.workspace.people["ada"].id])
    stage.workspace.groups.available = False
    return {"APPROVER_GROUPS": group.id}


def group_gone(stage: Stage) -> dict[str, str]:
    group = stage.workspace.groups.add("askers", [stage.workspace.people["rosa"].id])
    group.disabled = True
    return {"REQUESTER_GROUPS": group.id}


PROBLEMS: dict[str, tuple[Settle, str]] = {
    "unknown": (lambda stage: beside_ada(stage, "U0NOBODY"), "(user_not_found)"),
    "guest": (guest, "is a guest's"),
    "bot": (lambda stage: beside_ada(stage, stage.workspace.bot_user_id), "is a bot"),
    "no groups": (no_groups, "(plan_upgrade_required)"),
    "group gone": (group_gone, "(no_such_subteam)"),
}


@pytest.mark.parametrize("what", PROBLEMS)
async def test_an_approver_or_group_that_does_not_count_is_a_doubt_while_enough_are_left(
    stage: Stage, what: str
) -> None:
    settle, words = PROBLEMS[what]
    changes = settle(stage)
    [said] = await findings(stage, "Slack", Mark.DOUBT, **changes)
    assert words in said.sentence
    assert not await findings(stage, "Slack", Mark.WRONG, **changes)


async def test_too_few_who_can_approve_are_wrong(stage: Stage) -> None:
    changes = guest(stage) | {"APPROVALS_NEEDED": "2"}
    [said] = await findings(stage, "Slack", Mark.WRONG, **changes)
    assert "1 can approve, and APPROVALS_NEEDED is 2" in said.sentence


async def test_members_of_groups_count_if_they_can_approve(stage: Stage) -> None:
    people, groups = stage.workspace.people, stage.workspace.groups
    gil = stage.workspace.add_person("gil", "Gil", is_restricted=True)
    group = groups.add("admins", [gil.id, people["grace"].id])
    named = {"APPROVERS": people["ada"].id, "APPROVER_GROUPS": group.id}
    assert not await findings(stage, "Slack", Mark.WRONG, **named, APPROVALS_NEEDED="2")
    group.members = [gil.id]
    assert await findings(stage, "Slack", Mark.WRONG, **named, APPROVALS_NEEDED="2")


async def test_an_outage_of_slack_says_nothing_of_approvers(stage: Stage) -> None:
    stage.workspace.faults.fail("users.info", "internal_error", times=10)
    assert not await findings(stage, "Slack", Mark.WRONG, APPROVALS_NEEDED="2")
    assert len(await findings(stage, "Slack", Mark.DOUBT, APPROVALS_NEEDED="2")) == 2


@pytest.mark.slow
async def test_the_start_warns_in_one_line_and_goes_on(stage: Stage) -> None:
    door = HttpEndpoint()
    settings = stage.environ(**environ("socket mode", door, stage), **guest(stage))
    async with served(settings, door, folder=stage.folder) as bot:
        log = stage.folder / "serve.log"
        await stage.workspace.until(
            lambda: len(stage.workspace.calls("users.info")) >= 2, timeout=20
        )
        while "approvers or groups" not in log.read_text("utf-8"):
            await door.ask("/healthz")
        bot.terminate()
        assert await bot.ended() == 0
    [line] = [it for it in log.read_text("utf-8").splitlines() if "approvers or groups" in it]
    assert "level=warning" in line
    assert "is a guest's" in line
    assert "can_approve=1 needed=1" in line
    assert "[" not in line.partition("problems=")[2]


@pytest.mark.slow
@pytest.mark.parametrize("credential", ["secret", "PEM", "consent client's"])
async def test_the_end_of_the_bot_s_own_credential_is_warned_about_three_times(
    stage: Stage, credential: str
) -> None:
    environ, clock = environ_of(stage, credential), stage.clock
    settings = Settings.read(environ)
    words = {"PEM": "own certificate", "secret": "own secret"}
    word, client_id = words.get(credential, "CONSENT_CLIENT_SECRET"), settings.client_id
    if settings.approver_sign_ins is not None:
        client_id = settings.approver_sign_ins.consent_client.client_id
    async with connected(settings, clock) as tenant:
        services: Any = SimpleNamespace(settings=settings, clock=clock, tenant=tenant)
        nothing: Any = None
        warning = PeriodicChecks(services=services, slack=nothing)
        [held] = stage.tenant.live_secrets(client_id)
        ends = datetime.fromisoformat(held["endDateTime"])
        if credential == "PEM":
            ends = certificate(rsa_key()).not_valid_after_utc
        told = {}
        left = (ends - clock.now()).days
        for day in range(left, 0, -1):
            if day in (left, 32, 30, 28, 9, 7, 5, 3, 1):
                clock.move(ends - timedelta(days=day) - clock.now())
                with structlog.testing.capture_logs() as logs:
                    await warning.look_at_credentials()
                    await warning.look_at_credentials()
                told[day] = [it["event"] for it in logs if word in it["event"]]
    assert timedelta(days=1) == DAILY
    assert [day for day, events in told.items() if events] == [30, 7, 1]
    assert all(len(events) <= 1 for events in told.values())


def environ_of(stage: Stage, credential: str) -> dict[str, str]:
    if credential == "consent client's":
        return stage.environ(**consent_world(stage).environ)
    return stage.environ(**settings_of(stage, credential))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("credential", "days", "word"), [("secret", 725, "secret"), ("PEM", 360, "certificate")]
)
async def test_the_doctor_says_when_the_bot_s_own_credential_ends(
    stage: Stage, credential: str, days: int, word: str
) -> None:
    changes, about = settings_of(stage, credential), f"own {word} ends"
    for passed, mark in ((0, Mark.WELL), (days, Mark.DOUBT)):
        stage.clock.move(timedelta(days=passed))
        assert [it.mark for it in await findings(stage, about, **changes)] == [mark]


async def test_the_end_that_entra_tells_counts_for_the_certificate_in_use(stage: Stage) -> None:
    """Not that of another one on the application; without an entry there, its own end counts."""
    settings = Settings.read(stage.environ(**settings_of(stage, "PEM")))
    own, other = certificate(rsa_key()), certificate(rsa_key(1), days=20)
    async with connected(settings, stage.clock) as tenant:
        await tenant.graph.roles()
        stage.tenant.trust(stage.tenant.administrator, other, own)
        ends = await own_credential_ends(tenant.graph, settings)
        assert ends == own.not_valid_after_utc
        stage.tenant.trust(stage.tenant.administrator, own, days=40)
        ends = await own_credential_ends(tenant.graph, settings)
        assert ends is not None
        assert (ends - stage.clock.now()).days == 39
        stage.tenant.trust(stage.tenant.administrator, other)
        assert await own_credential_ends(tenant.graph, settings) == own.not_valid_after_utc


def test_a_certificate_or_token_that_others_can_read_is_named(tmp_path: Path) -> None:
    file = private(tmp_path / "bot.pem", pem(rsa_key()))
    settings = Settings.read(GOOD | {"ENTRA_CLIENT_SECRET": "", "ENTRA_CERTIFICATE": str(file)})
    assert list(exposures(settings, {}, tmp_path)) == []
    file.chmod(0o644)
    [said] = exposures(settings, {}, tmp_path)
    assert said.startswith("bot.pem can be read by others")
    settings = replace(settings, credential=FederatedToken(path=file))
    assert [said] == list(exposures(settings, {}, tmp_path))


def found(url: str, folder: Path, **environment: str) -> list[str]:
    return list(exposures(Settings.read(GOOD | {"DATABASE_URL": url}), environment, folder))


def test_files_that_others_can_read_are_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'here.db'}"
    names = (".env", "here.db", "here.db-wal", "here-engine.db", "here.db.lock")
    for name in names:
        (tmp_path / name).touch(mode=0o600)
    assert found(url, tmp_path) == []
    for name in names:
        (tmp_path / name).chmod(0o640)
    said = found(url, tmp_path)
    assert [each.split()[0] for each in said] == [
        ".env",
        "here-engine.db",
        "here.db",
        "here.db-wal",
    ]
    assert all("chmod 600" in each for each in said)


@pytest.mark.parametrize(
    ("url", "environment", "is_open"),
    [
        ("postgresql://u@db.example.com/a", {}, True),
        ("postgres://u@db.example.com/a?sslmode=prefer", {}, True),
        ("postgresql://u@db.example.com/a?sslmode=require", {}, False),
        ("postgresql://u@db.example.com/a", {"PGSSLMODE": "verify-full"}, False),
        ("postgresql://u@localhost/a", {}, False),
        ("postgresql://u@/a?host=/run/postgresql", {}, False),
        ("postgresql://u@/a?host=db.example.com", {}, True),
        ("postgresql:///a", {"PGHOST": "db.example.com"}, True),
        ("postgresql:///a", {}, False),
    ],
)
def test_a_remote_postgresql_without_tls_is_named(
    tmp_path: Path, url: str, environment: dict[str, str], is_open: bool
) -> None:
    said = found(url, tmp_path, **environment)
    assert ["sslmode" in each for each in said] == [True] * is_open


@pytest.mark.slow
async def test_doctor_and_start_say_it(stage: Stage) -> None:
    door = HttpEndpoint()
    changes = environ("socket mode", door, stage)
    (stage.folder / "aad-setup.db").touch(mode=0o644)
    assert await findings(stage, "Exposure: aad-setup.db can be read", Mark.DOUBT, **changes)
    async with served(stage.environ(**changes), door, folder=stage.folder) as bot:
        bot.terminate()
        assert await bot.ended() == 0
    assert "aad-setup.db can be read by others" in (stage.folder / "serve.log").read_text("utf-8")
