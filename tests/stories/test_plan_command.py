"""`aad-setup plan`: what an approver would see, for people in a terminal.

It reads the tenant and changes nothing. Its exit status tells what became of the plan.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.playground.stage import Stage
from tests.support.cli import Ended, typed, typed_cold
from tests.support.story import Story

PLANNED, FAILED, UNUSABLE, REFUSED = 0, 1, 2, 3
ENTRA = ("ENTRA_", "GRAPH_URL", "CA_BUNDLE", "CONSENT_MODE")


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """A folder without a `.env`, and an environment that knows Entra and nothing of Slack."""

    stage: Stage
    folder: Path

    async def plan(self, *arguments: str, **changes: str) -> Ended:
        settings = self.stage.environ(**changes)
        environ = {name: value for name, value in settings.items() if name.startswith(ENTRA)}
        return await typed("plan", *arguments, environ=environ, folder=self.folder)


@pytest.fixture
def terminal(stage: Stage, tmp_path: Path) -> Terminal:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return Terminal(stage=stage, folder=folder)


@pytest.mark.slow
async def test_it_prints_word_for_word_what_the_approver_sees_behind_details(
    terminal: Terminal, story: Story
) -> None:
    terminal.stage.tenant.set_policy(longest_secret=timedelta(days=60))
    id = await story.ask(
        "billing",
        **{"Redirect URL": "https://vendor.example/back", "Email domains filter": "northwind.test"},
    )
    ended = await terminal.plan(
        *("--profile", "mimecast", "--name", "billing", "--reason", "To sync the directory"),
        *("--redirect", "https://vendor.example/back", "--option", "domains=northwind.test"),
    )
    assert ended.status == PLANNED, ended.err
    opening, *plan, closing = ended.out.strip().replace("\n! ", "\n⚠ ").split("\n\n")
    assert opening.splitlines() == [
        "Plan for the application “billing” · Mimecast directory connector",
        "Reason: To sync the directory",
    ]
    whole = await story.details(id)
    for line in "\n".join(plan).replace("! ", "⚠ ", 1).splitlines():
        assert line in whole
    assert "until about" in whole
    assert "(the tenant's policy allows no longer)" in whole
    assert "could give it" in whole
    assert "Global Administrator" in whole
    assert "Optional Email Domains Filter (northwind.test)" in whole
    assert "Azure AD Graph was retired in August 2025" in whole
    for words in ("the tenant's policy allows no longer", "Azure AD Graph was retired in August"):
        assert words in story.card()
    assert closing.startswith("This is a preview: nothing was stored or changed.")


@pytest.mark.slow
async def test_it_reads_the_tenant_in_five_calls_and_leaves_nothing(terminal: Terminal) -> None:
    ended = await terminal.plan("--profile", "directory-read", "--name", "reader")
    assert ended.status == PLANNED, ended.err
    assert ended.err == ""
    calls = [call for call in terminal.stage.tenant.log if call.kind != "discovery"]
    assert sorted(call.method for call in calls) == ["GET"] * 4 + ["POST"]
    assert [call.kind for call in calls if call.method == "POST"] == ["token"]
    assert not terminal.stage.tenant.applications
    assert not list(terminal.folder.iterdir())
    secret = terminal.stage.tenant.administrator.client_secret
    assert secret not in ended.out


@pytest.mark.slow
async def test_as_json_it_is_the_plan_without_what_a_registration_has(terminal: Terminal) -> None:
    ended = await terminal.plan(
        *("--profile", "mimecast", "--name", "billing", "--secret-days", "90", "--json"),
        *("--option", "acknowledge_disabled=yes"),
    )
    assert ended.status == PLANNED, ended.err
    told = json.loads(ended.out)
    assert told["plan"]["domain"] == terminal.stage.tenant.domain
    assert told["plan"]["secret_days"] == 90
    assert [role["name"] for role in told["plan"]["roles"]] == [
        "Directory.Read.All",
        "User.Read.All",
    ]
    assert "Acknowledge Disabled Accounts in Active Directory (Yes)" in told["receives"]
    assert not {"registration", "key", "digest", "notes"} & told["plan"].keys()


@pytest.mark.slow
async def test_a_refused_plan_ends_with_3_and_each_reason_against_it(terminal: Terminal) -> None:
    terminal.stage.tenant.set_policy(secrets_banned=True)
    wrong = ("--secret-days", "never", "--redirect", "http://vendor.example/back")
    asked = ("--profile", "mimecast", "--name", "n" * 130, *wrong)
    ended = await terminal.plan(*asked)
    assert ended.status == REFUSED, ended.err
    opening, *reasons = ended.out.splitlines()[1:]
    assert opening.startswith("Reason: ")
    assert reasons == [
        "• The name has 130 characters; 120 is the most.",
        "• Choose how long the secret lives: 90, 180, 365, 730 days."
        " Entra no longer makes secrets that never expire.",
        "• The redirect URL must start with https://; http:// is only for localhost.",
        "• The tenant's policy does not allow client secrets for new applications."
        " To continue, ask for an exemption under “Application policies” in the Entra"
        " admin centre.",
    ]
    as_json = await terminal.plan(*asked, "--json")
    assert as_json.status == REFUSED
    assert [f"• {reason}" for reason in json.loads(as_json.out)["refused"]] == reasons


@pytest.mark.slow
async def test_rights_that_the_bot_lacks_refuse_the_plan(terminal: Terminal) -> None:
    weak = terminal.stage.tenant.add_administrator(["Organization.Read.All"])
    ended = await terminal.plan(
        *("--profile", "mimecast", "--name", "billing"),
        ENTRA_CLIENT_ID=weak.client_id,
        ENTRA_CLIENT_SECRET=weak.client_secret,
    )
    assert ended.status == REFUSED
    assert "The bot's own application lacks rights in this tenant: AppRole" in ended.out


@pytest.mark.slow
async def test_unusable_arguments_and_settings_are_all_said_with_2(terminal: Terminal) -> None:
    ended = await typed_cold(
        *("plan", "--profile", "nonesuch"),
        environ={"ENTRA_CERTIFICATE": "a.pfx"},
        folder=terminal.folder,
    )
    assert ended.status == UNUSABLE
    assert ended.out == ""
    assert [line.split()[0] for line in ended.err.splitlines()] == [
        *("--profile", "--name", "ENTRA_TENANT_ID", "ENTRA_CLIENT_ID", "ENTRA_CERTIFICATE"),
    ]
    assert not terminal.stage.tenant.log


@pytest.mark.slow
async def test_a_refused_sign_in_ends_with_1_and_says_what_to_do(terminal: Terminal) -> None:
    ended = await terminal.plan(
        "--profile", "mimecast", "--name", "billing", ENTRA_CLIENT_SECRET="wrong-one"
    )
    assert ended.status == FAILED
    assert ended.out == ""
    assert "secret" in ended.err
    assert "Traceback" not in ended.err
    assert "wrong-one" not in ended.err
