"""The listeners over a real registrar and a simulated workspace, without sockets and without Entra.

Payloads are put in by hand, so that they may be what no client sends.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

import handlers
from bot.checks import slack_client
from bot.domain.catalogue import Profile, read_catalogue
from bot.domain.people import Person
from bot.domain.registration import Form
from bot.planning.plans import Preview
from bot.playground import workspace as workspaces
from bot.playground.clock import MovableClock
from bot.playground.stage import install
from bot.playground.workspace import Workspace
from bot.server.http_server import bolt_app
from bot.storage.database import Database
from bot.storage.tables import metadata
from handlers.listeners.code_sign_ins import CodeSignIns
from handlers.listeners.interaction import ListenerServices
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.home_publisher import HomePublisher
from handlers.slack.rate_limits import LookupLimits
from handlers.slack.services import Slack
from handlers.slack.users import Installed, Users
from handlers.views import form, ids
from tests.support.factories import NOON
from tests.support.registrar_env import SETTINGS, RegistrarEnv, opened, registrar_env, team_policy

Json = dict[str, Any]
NOT_STATE = frozenset({"seen_events"})
"""Tables that remember deliveries, and nothing of any registration."""


@dataclass(frozen=True, kw_only=True)
class BoltHarness:
    """What Slack would deliver to, and the registrar behind it."""

    bolt: AsyncApp
    registrar_env: RegistrarEnv
    workspace: Workspace

    async def deliver(self, body: Json) -> BoltResponse:
        """Deliver a payload as a socket would, and return the answer."""
        return await self.bolt.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))

    async def state(self) -> str:
        """Return everything that storage holds of registrations, as text."""
        async with self.registrar_env.database.reading() as tx:
            tables = [table for table in metadata.sorted_tables if table.name not in NOT_STATE]
            rows = {
                table.name: sorted(str(tuple(row)) for row in await tx.execute(sa.select(table)))
                for table in tables
            }
        return json.dumps(rows)


@asynccontextmanager
async def standing(folder: Path, clock: MovableClock) -> AsyncIterator[BoltHarness]:
    """Start a workspace, and connect Bolt listeners to it. They keep its database in this
    folder."""
    url = f"sqlite+aiosqlite:///{folder / 'aad-setup.db'}"
    async with workspaces.running(clock=clock) as workspace, opened(url) as database:
        install(workspace)
        async with connected(workspace, database, clock) as harness:
            yield harness


@pytest.fixture
async def harness(tmp_path: Path, clock: MovableClock) -> AsyncIterator[BoltHarness]:
    async with standing(tmp_path, clock) as harness:
        yield harness


@asynccontextmanager
async def connected(
    workspace: Workspace, database: Database, clock: MovableClock
) -> AsyncIterator[BoltHarness]:
    env, installed = _office(workspace, database, clock), _installed(workspace)
    services, settings = env.services, env.services.settings
    async with aiohttp.ClientSession() as session:
        client = slack_client(settings, session, token=workspace.bot_token)
        limits = LookupLimits(clock, a_minute=10**5, burst=10**4)
        users = Users(client, installed, services.policy, clock, limits)
        slack = replace(Slack.of(services, installed, client, session), users=users)
        bolt = bolt_app(slack_client(settings, session, token=None), settings, installed)
        previews = PreviewMaker(client=client, look=_nothing, clock=clock, contact="#it-help")
        handlers.register(
            bolt,
            ListenerServices(
                slack=slack,
                registrar=env.registrar,
                home_publisher=HomePublisher(
                    services, env.registrar, client=client, look_up=users.person, every=3600
                ),
                preview_maker=previews,
                code_sign_ins=CodeSignIns(
                    None, response_urls=slack.response_urls, clock=clock, contact="#it-help"
                ),
            ),
        )
        yield BoltHarness(bolt=bolt, registrar_env=env, workspace=workspace)
        await previews.settle()


async def _nothing(form: Form, profile: Profile) -> Preview:
    """Refuse every preview: there is no tenant here."""
    return Preview(form=form, profile=profile, made_at=NOON, plan=None, reasons=("No tenant.",))


def _office(workspace: Workspace, database: Database, clock: MovableClock) -> RegistrarEnv:
    people = workspace.people
    env = registrar_env(
        database,
        clock,
        policy=team_policy(
            team_id=workspace.team_id,
            requesters=frozenset({people["rosa"].id}),
            approvers=frozenset({people["ada"].id, people["grace"].id}),
        ),
        settings=replace(
            SETTINGS,
            slack_api_url=workspace.api_url,
            slack_bot_token=workspace.bot_token,
            approval_channel=workspace.channels["approvals"].id,
            contact="#it-help",
        ),
    )
    return replace(env, requester=person(workspace, "rosa"), approver=person(workspace, "ada"))


def person(workspace: Workspace, name: str) -> Person:
    who = workspace.people[name]
    return Person(team_id=who.team_id, user_id=who.id, name=who.real_name)


def _installed(workspace: Workspace) -> Installed:
    return Installed(
        team_id=workspace.team_id,
        enterprise_id=None,
        app_id=workspace.api_app_id,
        bot_id=workspace.installation.bot_id,
        bot_user_id=workspace.bot_user_id,
    )


def filled(harness: BoltHarness) -> Json:
    catalogue = read_catalogue()
    view = form.form(catalogue, catalogue["mimecast"])
    values = {
        ids.PROFILE: {ids.CHOOSE_PROFILE: {"selected_option": {"value": "mimecast"}}},
        ids.NAME: {ids.CHOSEN: {"value": "billing"}},
        ids.REASON: {ids.CHOSEN: {"value": "To sync"}},
        f"{ids.SECRET_DAYS}:mimecast": {ids.CHOSEN: {"selected_option": {"value": "180"}}},
        ids.REDIRECT: {ids.CHOSEN: {"value": None}},
        f"{ids.OPTION_PREFIX}domains": {ids.CHOSEN: {"value": "example.com"}},
        f"{ids.OPTION_PREFIX}acknowledge_disabled": {ids.CHOSEN: {"selected_options": []}},
    }
    return {**view, "id": "V0FORM", "hash": "1", "state": {"values": values}}
