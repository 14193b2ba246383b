"""Who can approve, when the bot's own credential ends, what is exposed: by doctor and start."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog.testing

from bot.checks import DAILY, PeriodicChecks, exposures
from bot.doctor.findings import Mark
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from graph.connection import connected, own_credential_ends
from graph.credentials import FederatedToken
from tests.support.bot_credentials import settings_of
from tests.support.credentials import certificate, pem, private, rsa_key
from tests.support.doctor_cli import findings
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import environ
from tests.support.serve_process import served
from tests.support.settings_env import GOOD
from tests.support.signing_in import consent_world

Spoil = Callable[[Stage], dict[str, str]]


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


PROBLEMS: dict[str, tuple[Spoil, str]] = {
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
    spoil, words = PROBLEMS[what]
    changes = spoil(stage)
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
