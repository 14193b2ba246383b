"""The stage: a workspace and a tenant with the settings that put the bot between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.fernet import Fernet

from bot.manifest import manifest
from bot.playground import tenant as tenants
from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from graph.clouds import PUBLIC, Cloud
from graph.rights import ConsentMode, rights


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Both simulators, and the clock that they share with the bot."""

    workspace: workspaces.Workspace
    tenant: tenants.Tenant
    clock: MovableClock
    folder: Path
    vault_key: str

    def environ(self, **changes: str) -> dict[str, str]:
        """Return the environment that a bot on this stage is started with."""
        return {
            **slack_environ(self.workspace),
            **entra_environ(self.tenant, self.tenant.ca_file),
            "VAULT_KEYS": self.vault_key,
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'aad-setup.db'}",
            **changes,
        }

    def portal_environ(self, **changes: str) -> dict[str, str]:
        """Return the environment of a bot that may grant nothing itself."""
        mode = ConsentMode.PORTAL
        bot = self.tenant.add_administrator(rights(mode))
        own = {"ENTRA_CLIENT_ID": bot.client_id, "ENTRA_CLIENT_SECRET": bot.client_secret}
        return self.environ(CONSENT_MODE=mode, **own, **changes)


def slack_environ(workspace: workspaces.Workspace) -> dict[str, str]:
    """Return the settings of a bot that talks to this workspace."""
    people = workspace.people
    return {
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        "SLACK_API_URL": workspace.api_url,
        "APPROVAL_CHANNEL": workspace.channels["approvals"].id,
        "APPROVERS": f"{people['ada'].id},{people['grace'].id}",
        "REQUESTERS": people["rosa"].id,
        "OPEN_LIMIT": "1000",
        "DAILY_LIMIT": "10000",
    }


def entra_environ(tenant: tenants.Tenant, ca_file: Path) -> dict[str, str]:
    """Return the settings of a bot that talks to this tenant as its administrator."""
    return {
        "ENTRA_TENANT_ID": tenant.id,
        "ENTRA_CLIENT_ID": tenant.administrator.client_id,
        "ENTRA_CLIENT_SECRET": tenant.administrator.client_secret,
        "ENTRA_CLOUD": tenant.cloud.name,
        "ENTRA_AUTHORITY": tenant.authority,
        "GRAPH_URL": tenant.graph_url,
        "CA_BUNDLE": str(ca_file),
        "CONSENT_MODE": "autonomous",
    }


def install(workspace: workspaces.Workspace) -> None:
    """Install the app as its manifest says: a scope that is missing there is missing here."""
    workspace.installation.follow(manifest())


@asynccontextmanager
async def standing(
    *,
    folder: Path,
    clock: MovableClock,
    cloud: Cloud = PUBLIC,
    ca: trustme.CA | None = None,
    users: int = 2000,
    groups: int = 150,
) -> AsyncIterator[Stage]:
    """Start both simulators on free loopback ports; `folder` is where a bot keeps its database."""
    async with (
        workspaces.running(clock=clock) as workspace,
        tenants.running(clock=clock, cloud=cloud, ca=ca, users=users, groups=groups) as tenant,
    ):
        install(workspace)
        yield Stage(
            workspace=workspace,
            tenant=tenant,
            clock=clock,
            folder=folder,
            vault_key=Fernet.generate_key().decode(),
        )
