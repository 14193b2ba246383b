"""HTTP mode at its door: what is let in, and what each refusal looks like."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.signature import Clock
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from bot.server import http_server as doors
from bot.server.http_server import Health
from bot.storage import signatures
from bot.storage.database import Database
from bot.storage.tables import accepted_signatures
from bot.worker.loops import Loop
from handlers.transport import InFlight
from handlers.transport.http import LARGEST_BODY, Http, Signatures
from tests.support.http_endpoint import HttpEndpoint, Told, stamped
from tests.support.registrar_env import opened
from tests.support.workspace_fixtures import app, client, clock, workspace

__all__ = ["app", "client", "clock", "workspace"]

EVENTS = "/slack/events"
MINUTE = timedelta(minutes=1)
SECONDS_AHEAD = 50 * 60
REAL = Clock()
COMMAND = urlencode(
    {"command": "/aad-setup", "text": "hush-hush", "team_id": "T1", "user_id": "U1"}
)


class Ahead(Clock):
    """The clock of a replica that is ahead of all others."""

    def now(self) -> float:
        return super().now() + SECONDS_AHEAD


@dataclass(kw_only=True)
class Post:
    """A bot behind a door, and what it has heard."""

    door: HttpEndpoint
    secret: str
    bolt: AsyncApp
    database: Database
    intake: Http
    heard: list[dict[str, Any]] = field(default_factory=list)
    broken: bool = False

    async def send(self, headers: Mapping[str, str], body: Any = COMMAND) -> Told:
        return await self.door.send("POST", EVENTS, data=body, headers=headers)

    async def signed(self, body: str | bytes, **headers: str) -> Told:
        return await self.send({**stamped(self.secret, body), **headers}, body)

    @asynccontextmanager
    async def replica(self, *, clock: Clock = REAL) -> AsyncIterator[HttpEndpoint]:
        """Open another door to the same bot and database, as a replica or a restart does."""
        intake = _intake(self.bolt, self.secret, self.database, clock)
        async with _open(intake, self.database) as door:
            yield door


def _intake(bolt: AsyncApp, secret: str, database: Database, clock: Clock = REAL) -> Http:
    signatures = Signatures(secret, clock)
    return Http(bolt, signatures=signatures, database=database, in_flight=InFlight())


@asynccontextmanager
async def _open(intake: Http, database: Database) -> AsyncIterator[HttpEndpoint]:
    door, loops = HttpEndpoint(), list[Loop]()
    health = Health(transport=intake, database=database, loops=loops)
    routes: doors.Routes = {EVENTS: intake.handle}
    async with doors.opened("127.0.0.1", door.port, health=health, routes=routes):
        await intake.start()
        yield door
        await intake.stop()


@pytest.fixture
async def post(
    workspace: Workspace, client: AsyncWebClient, app: AsyncApp, tmp_path: Any
) -> AsyncIterator[Post]:
    @app.command("/aad-setup")
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        bot.heard.append(body)
        if bot.broken:
            raise ValueError("a bug")
        await ack("hello")

    secret = workspace.signing_secret
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as database:
        intake = _intake(app, secret, database)
        async with _open(intake, database) as door:
            bot = Post(door=door, secret=secret, bolt=app, database=database, intake=intake)
            yield bot


async def test_a_signed_command_is_heard_and_answered(post: Post) -> None:
    told = await post.signed(COMMAND)
    assert (told.status, told.body) == (200, "hello")
    assert [body["text"] for body in post.heard] == ["hush-hush"]


async def test_what_is_not_signed_is_401_and_not_heard(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    good = stamped(post.secret, COMMAND)
    forged: list[dict[str, str]] = [
        {},
        {**good, "X-Slack-Signature": ""},
        {**good, "X-Slack-Signature": "v0=" + "0" * 64},
        {**good, "X-Slack-Request-Timestamp": ""},
        {**good, "X-Slack-Request-Timestamp": "yesterday"},
        dict(stamped("another-secret", COMMAND)),
        dict(stamped(post.secret, COMMAND + "x")),
        dict(stamped(post.secret, COMMAND, ago=310)),
        dict(stamped(post.secret, COMMAND, ago=-310)),
    ]
    for headers in forged:
        told = await post.send(headers)
        assert (told.status, told.body) == (401, ""), headers
    assert not post.heard
    printed = "".join(capsys.readouterr())
    assert "a wrong signature" in printed
    for hidden in ("hush-hush", post.secret, good["X-Slack-Signature"], "0" * 64):
        assert hidden not in printed


async def test_what_is_compressed_is_not_unpacked_before_it_is_believed(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    for body, encoding in ((b"no gzip", "gzip"), (b"no deflate", "deflate"), (bomb, "gzip")):
        told = await post.send({"Content-Encoding": encoding}, body)
        assert (told.status, told.body) == (401, ""), encoding
    assert not caplog.records  # no traceback for whoever sends nonsense


async def test_a_replay_is_401_even_beside_the_first(post: Post) -> None:
    headers = stamped(post.secret, COMMAND)
    told = await asyncio.gather(*(post.send(headers) for _ in range(5)))
    assert sorted(it.status for it in told) == [200, 401, 401, 401, 401]
    assert len(post.heard) == 1


async def test_a_replay_is_401_at_another_replica_and_after_a_restart(post: Post) -> None:
    headers = stamped(post.secret, COMMAND)
    assert (await post.send(headers)).status == 200
    async with post.replica() as other:
        assert (await other.send("POST", EVENTS, data=COMMAND, headers=headers)).status == 401
    assert len(post.heard) == 1


async def test_what_slack_signs_anew_is_taken_again(post: Post) -> None:
    """Slack repeats what it had no answer to: the same body, with a signature of that moment."""
    for ago in (60, 0):
        headers = stamped(post.secret, COMMAND, ago=ago)
        assert (await post.send(headers)).status == 200


async def test_of_a_signature_only_a_digest_is_stored_and_not_for_long(post: Post) -> None:
    for ago in (299, 0):
        headers = stamped(post.secret, COMMAND, ago=ago)
        assert (await post.send(headers)).status == 200
    async with post.database.transaction() as tx:
        rows = (await tx.execute(sa.select(accepted_signatures))).all()
        assert len(rows) == 2
        assert headers["X-Slack-Signature"].removeprefix("v0=") not in str(rows)
        later = datetime.now(UTC) + signatures.SKEW + MINUTE
        assert await signatures.accept(tx, "another", expires_at=later, now=later)
        left = list(await tx.scalars(sa.select(accepted_signatures.c.expires_at)))
        assert len(left) == 2  # the one that is older than that has gone
        assert later in left


async def test_no_signature_is_accepted_while_the_database_refuses(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    async with post.database.transaction() as tx:
        await tx.execute(sa.text("ALTER TABLE accepted_signatures RENAME TO away"))
    assert (await post.signed(COMMAND)).status == 500
    assert not post.heard
    printed = "".join(capsys.readouterr())
    assert "OperationalError" in printed
    assert "v0=" not in printed


async def test_what_has_failed_is_taken_again_only_if_slack_signs_it_anew(post: Post) -> None:
    """It may have failed after its effect."""
    headers = stamped(post.secret, COMMAND, ago=1)
    post.broken = True
    assert (await post.send(headers)).status == 500
    post.broken = False
    assert (await post.send(headers)).status == 401
    assert len(post.heard) == 1
    assert (await post.signed(COMMAND)).status == 200


async def test_a_replica_whose_clock_is_ahead_lets_no_replay_in(post: Post) -> None:
    headers = stamped(post.secret, COMMAND)
    assert (await post.send(headers)).status == 200
    async with post.replica(clock=Ahead()) as other:
        its_own = stamped(post.secret, COMMAND, ago=-SECONDS_AHEAD)
        await other.send("POST", EVENTS, data=COMMAND, headers=its_own)  # Bolt has another clock
    async with post.database.reading() as tx:
        kept = await tx.scalar(sa.select(sa.func.count()).select_from(accepted_signatures))
    assert kept == len([headers, its_own])
    assert (await post.send(headers)).status == 401


async def test_only_posts_to_one_path_are_for_slack(post: Post) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        assert (await post.door.send(method, EVENTS)).status == 405
    signed = stamped(post.secret, COMMAND)
    for path in ("/", "/slack", "/slack/events/", "/slack/install", "/metrics"):
        assert (await post.door.send("POST", path, data=COMMAND, headers=signed)).status == 404
    assert (await post.door.send("POST", "/healthz")).status == 405
    assert not post.heard


async def test_a_look_at_the_certificate_is_answered_and_means_nothing(post: Post) -> None:
    check = urlencode({"ssl_check": "1", "token": "deprecated", "command": "/aad-setup"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for told in (
        await post.door.ask(f"{EVENTS}?ssl_check=1"),
        await post.send(form, check),
    ):
        assert (told.status, told.body) == (200, "")
    assert not post.heard


@pytest.mark.slow
async def test_nobody_is_read_at_length_for_a_look_at_the_certificate(post: Post) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    long = io.BytesIO(b"ssl_check=1" + b"&a=%41" * 100_000)
    assert (await post.send(form, long)).status == 401


async def test_slack_proves_the_address_by_a_signed_challenge(post: Post) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"})
    told = await post.signed(body, **{"Content-Type": "application/json"})
    assert (told.status, told.body) == (200, {"challenge": "3eZbrw1aB"})
    assert (await post.send({}, body)).status == 401


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '"a"',
        "payload=%7B",
        "payload=[1]",
        "payload=1",
        "payload={}",
        "",
        b"\xff\xfe",
        "{" * 20_000,
        '{"a":' * 20_000,
        "[" * 100_000,
        '{"type": "event_callback", "event": []}',
        '{"authorizations": [1]}',
        '{"team": 1, "user": [], "type": "block_actions", "actions": [{}]}',
    ],
    ids=range(15),
)
async def test_what_is_signed_but_no_payload_is_a_4xx(post: Post, body: str | bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        told = await post.signed(body, **{"Content-Type": kind})
        assert 400 <= told.status < 500, (kind, told)
    assert not post.heard


def _head(headers: Mapping[str, str], *, length: int) -> bytes:
    """Return a request up to its body."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"POST {EVENTS} HTTP/1.1", "Host: a", f"Content-Length: {length}", *lines]
    return "".join(line + "\r\n" for line in (*head, "")).encode()


async def test_a_body_that_is_too_large_is_413(post: Post) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    assert (await post.signed(body)).status == 413

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(len(body) // 50_000 + 1):
            yield bytes(50_000)

    headers = stamped(post.secret, b"")
    told = await post.send(headers, in_pieces())
    assert told.status == 413


@pytest.mark.parametrize("kind", ["unsigned", "old", "too large"])
async def test_a_body_is_not_waited_for_if_the_headers_are_wrong(post: Post, kind: str) -> None:
    headers = dict(stamped(post.secret, COMMAND, ago=400 if kind == "old" else 0))
    if kind == "unsigned":
        del headers["X-Slack-Signature"]
    length = LARGEST_BODY + 1 if kind == "too large" else 100_000
    reader, writer = await asyncio.open_connection("127.0.0.1", post.door.port)
    writer.write(_head(headers, length=length))
    status = await reader.readline()  # and no byte of the body was sent
    assert status.split()[1] == (b"413" if kind == "too large" else b"401")
    writer.close()


async def test_half_a_body_keeps_nobody_out(post: Post) -> None:
    """However many there are: each is given up after its time, as the next test sees."""
    half = _head(stamped(post.secret, b""), length=10) + b"ab"
    writers = []
    for _ in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", post.door.port)
        writers.append(writer)
        writer.write(half)
        await writer.drain()
    assert (await post.signed(COMMAND)).status == 200
    for writer in writers:
        writer.close()


@pytest.mark.slow
async def test_a_body_that_never_ends_is_not_waited_for(post: Post) -> None:
    """Nor is one whose sender goes away, which must not break the door."""
    half = _head(stamped(post.secret, b""), length=10) + b"ab"
    reader, writer = await asyncio.open_connection("127.0.0.1", post.door.port)
    writer.write(half)
    await writer.drain()
    async with asyncio.timeout(60):
        assert b" 408 " in await reader.readline()
    writer.close()
    _, writer = await asyncio.open_connection("127.0.0.1", post.door.port)
    writer.write(half)
    await writer.drain()
    writer.close()
    assert (await post.signed(COMMAND)).status == 200


async def test_when_it_stops_slack_is_told_and_may_try_another(post: Post) -> None:
    await post.intake.stop()
    assert (await post.signed(COMMAND)).status == 503
    told = await post.door.ask("/readyz")
    assert told.status == 503
    assert told.body == {"ready": False, "because": ["nothing comes in from Slack"]}
    assert (await post.door.ask("/healthz")).status == 200
