"""No secret is ever written anywhere: not by the bot, not by what it is built on."""

import contextlib
import io
import json
import logging
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.app import App
from bot.domain.catalogue import read_catalogue
from bot.domain.forms import values_of
from bot.domain.lifetimes import PREVIOUS_SECRET
from bot.domain.secrets import Secret
from bot.logs import LOUD, set_up
from bot.playground.stage import Stage
from bot.playground.workspace import Entry, Kind
from bot.registrar import Reveal
from bot.storage import sign_ins
from bot.worker.loops import report_bug
from tests.support.bot_credentials import CREDENTIALS, signing_in
from tests.support.credentials import key_pem, rsa_key
from tests.support.factories import registration, secret
from tests.support.handover_story import confirm_handover
from tests.support.marks import slow
from tests.support.purge_story import purge
from tests.support.removal_story import PURGED, press
from tests.support.rotation_story import announced, asked, decide, in_use, seen
from tests.support.running_bot import Bot
from tests.support.secret_scan import forms, found
from tests.support.secret_story import make_a_new_one
from tests.support.signing_in import (
    SigningIn,
    came_back,
    code_for,
    consent_world,
    landed,
    link_for,
    waiting,
)
from tests.support.story import Story

Json = dict[str, Any]
REVEALS = 2
OTHERS = [slow(it) for it in CREDENTIALS if it not in ("secret", "PFX with a password")]


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Set up logs at DEBUG as `serve` does, and collect them, also from loggers that keep apart."""
    written = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LOUD}
    spy = logging.StreamHandler(written)
    with contextlib.redirect_stderr(written), contextlib.redirect_stdout(written):
        set_up("DEBUG")
        for name in LOUD:
            logging.getLogger(name).addHandler(spy)
        yield written
    for name, before in levels.items():
        logging.getLogger(name).removeHandler(spy)
        logging.getLogger(name).setLevel(before)
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


async def the_whole_story(story: Story) -> None:
    """Lose a reveal, fail to renew, renew, reveal; let one go unread; fail and undo a third;
    revoke the first.
    """
    faults = story.workspace.faults
    id = await story.ready("billing")
    await story.values(id)
    faults.lose("response_url")
    await story.reveal()
    broken = refuses_the_test(story)
    await make_a_new_one(story, id)
    await story.until(lambda: "No new secret" in story.workspace.text_of(story.notice(id)))
    broken.times = 0
    await make_a_new_one(story, id)
    await story.until(lambda: "replaced by a newer one" in story.direct("rosa"))
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    story.workspace.reload("rosa")
    await story.values(id)
    await story.reveal()
    story.clock.move(timedelta(seconds=61))
    await story.eventually(lambda: "masked for good" in story.whispers("rosa"))

    unread = await story.ready("unread")
    broken = refuses_the_test(story)
    failed = await story.ask("failed")
    await story.workspace.click("ada", "Approve", on=story.card_of(failed))
    await story.until(lambda: f"{failed} failed" in story.card())
    await story.workspace.click("ada", "Undo", on=story.card_of(failed))
    await story.until(lambda: f"{failed} was undone" in story.card())
    broken.times = 0
    story.clock.move(timedelta(days=7, minutes=1))
    gone = "so it was deleted"
    await story.eventually(lambda: gone in story.workspace.text_of(story.notice(unread)))
    await press(story, id)
    await story.until(lambda: f"{id} was revoked" in story.card(id))


async def the_story_of_a_change(story: Story) -> None:
    """Rotate beside what is in use, hand over, make a new one for the heir, revoke, purge."""
    id = await in_use(story)
    await asked(story, id)
    await decide(story, "Confirm", by="ada")
    await announced(story, id)
    await seen(story, id)
    story.clock.move(PREVIOUS_SECRET + timedelta(hours=1))
    removed = "the previous secret is removed from Entra"
    await story.eventually(lambda: removed in story.direct("rosa"))
    await story.workspace.command("rosa", f"handover {id} @ben")
    await confirm_handover(story, by="grace")
    before = len(story.tenant.minted)
    await make_a_new_one(story, id, by="ben")
    await story.eventually(lambda: len(story.tenant.minted) > before)
    await story.workspace.command("ben", f"status {id} public")
    await press(story, id)
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    await purge(story, id)
    await story.until(lambda: PURGED in story.card(id))


def refuses_the_test(story: Story) -> Any:
    return story.tenant.faults.refuse("POST", "batch")


def secrets_of(stage: Stage, environ: Json) -> list[str]:
    """Return everything that must stay secret: what was minted, sent, configured."""
    deliveries = [entry.sent for entry in stage.workspace.log if entry.kind is Kind.DELIVERY]
    urls = [
        payload["response_url"].rpartition("/")[2]
        for delivery in deliveries
        if "response_url" in (payload := delivery.get("payload", {}))
    ]
    names = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ENTRA_CLIENT_SECRET", "VAULT_KEYS")
    return [*stage.tenant.minted, *urls, *(environ[name] for name in names)]


def written_by_bot(entry: Entry) -> bytes:
    """Return what the bot sent, and what Slack keeps of it; a delivery is Slack's own words."""
    sent = {} if entry.kind is Kind.DELIVERY else entry.sent
    return json.dumps([sent, entry.answer], ensure_ascii=False, default=str).encode()


def files(folder: Path, *, but: Collection[Path] = ()) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path not in but]
    return {path.name: path.read_bytes() for path in paths}


def check_written(
    stage: Stage, logs: io.StringIO, hidden: list[str], *kept: dict[str, bytes]
) -> None:
    """Nothing that is hidden stands in these files, in the log, or in what Slack keeps."""
    for name, data in [each for some in kept for each in some.items()]:
        assert not found(hidden, data), name
    assert not found(hidden, logs.getvalue().encode())
    for entry in stage.workspace.log:
        if entry.kind not in (Kind.HOOK, Kind.EPHEMERAL):
            assert not found(hidden, written_by_bot(entry)), entry


@pytest.mark.slow
async def test_no_secret_is_ever_written_down_but_in_the_answer_to_its_reveal(
    stage: Stage, bot: Bot, logs: io.StringIO
) -> None:
    async with bot(LOG_LEVEL="DEBUG"):
        await the_whole_story(Story(stage))
        at_work = files(stage.folder)
    stopped = files(stage.folder)
    hidden = secrets_of(stage, stage.environ())
    # The lost one, the one that failed its test, its successor, the unread, the undone, the bot's.
    assert len(stage.tenant.minted) == 6
    assert {"aad-setup.db", "aad-setup-engine.db"} <= set(stopped)
    assert any(name.endswith("-wal") and data for name, data in at_work.items())
    assert stage.tenant.id.encode() in stopped["aad-setup.db"]
    assert "run" in logs.getvalue()
    check_written(stage, logs, hidden, at_work, stopped)
    check_reveals(stage, hidden)


@pytest.mark.slow
async def test_no_secret_is_written_down_while_it_changes_hands(
    stage: Stage, bot: Bot, logs: io.StringIO
) -> None:
    async with bot(LOG_LEVEL="DEBUG", REQUESTERS="*"):
        await the_story_of_a_change(Story(stage))
        at_work = files(stage.folder)
    hidden = secrets_of(stage, stage.environ())
    # In use, beside it, the heir's own, the bot's.
    assert len(stage.tenant.minted) == 4
    check_written(stage, logs, hidden, at_work, files(stage.folder))
    check_reveals(stage, hidden)


@pytest.mark.slow
@pytest.mark.parametrize("credential", ["PFX with a password", *OTHERS])
async def test_what_the_bot_signs_in_with_is_written_nowhere(
    stage: Stage, bot: Bot, logs: io.StringIO, credential: str
) -> None:
    """Neither when it works nor when Entra refuses it."""
    before = set(stage.folder.iterdir())
    async with signing_in(stage, credential) as environ:
        own = set(stage.folder.iterdir()) - before
        hidden = hidden_of(environ)
        async with bot(LOG_LEVEL="DEBUG", **environ) as app:
            story = Story(stage)
            await story.ready("billing")
            stage.tenant.faults.fail("POST", "oauth2", status=400, times=1000)
            stage.tenant.faults.fail("GET", "metadata|msi", status=400, times=1000)
            stage.tenant.faults.fail("GET", "v1.0", status=401, times=1000)
            await story.open_form()
            sent = await story.workspace.submit("rosa", {"Application name": "x", "Reason": "y"})
            assert not sent.errors
            await story.until(lambda: "could not sign in" in logs.getvalue() + story.direct("rosa"))
            services = app.services
            printed = f"{services.settings!r} {services.tenant!r} {services!r}"
    assert not found(hidden, printed.encode())
    check_written(stage, logs, hidden, files(stage.folder, but=own))


def hidden_of(environ: dict[str, str]) -> list[str]:
    """Return what must stay secret of a credential: password, key, token, the machine's header."""
    hidden = [environ[name] for name in PASSWORDS if name in environ]
    if "ENTRA_CERTIFICATE" in environ:
        lines = key_pem(rsa_key()).decode().splitlines()
        hidden += [line for line in lines if len(line) == 64]
    if "ENTRA_FEDERATED_TOKEN_FILE" in environ:
        hidden.append(Path(environ["ENTRA_FEDERATED_TOKEN_FILE"]).read_text())
    assert hidden or "AZURE_POD_IDENTITY_AUTHORITY_HOST" in environ
    return hidden


PASSWORDS = ("ENTRA_CERTIFICATE_PASSWORD", "IDENTITY_HEADER")


@pytest.mark.slow
async def test_nothing_of_an_approver_s_sign_in_is_written_down(
    stage: Stage, bot: Bot, logs: io.StringIO
) -> None:
    world, story = consent_world(stage, CONSENT_DEVICE_CODE="yes"), Story(stage)
    async with bot(**world.environ, LOG_LEVEL="DEBUG") as running:
        id = await waiting(story)
        hidden = [world.environ["CONSENT_CLIENT_SECRET"]]
        for how in ({"cancel": True}, {"blocked": "redemption"}, {"user": "grace"}, {}):
            browser, link = world.browser(), await link_for(story, "ada", id)
            landing = await landed(world, browser, link, **how)
            hidden += [link.rpartition("/")[2], *browser.cookies.values()]
            hidden += await flow_of(running, landing.answer["state"])
            await came_back(browser, landing)
        await story.until(lambda: story.is_announced(id))
        hidden += await with_codes(world, story)
        at_work = files(stage.folder)
    hidden += stage.tenant.issued_to_users
    assert len(set(hidden)) >= 1 + 4 * 5 + 3 + 2 * 3
    check_written(stage, logs, hidden, at_work, files(stage.folder))  # ephemerals hold the link
    for entry in stage.workspace.log:
        assert not found(hidden, str(entry.sent.get("text", "")).encode()), entry


async def with_codes(world: SigningIn, story: Story) -> list[str]:
    """Sign in with a code that is declined, and with another one; return both codes."""
    id, shown = await waiting(story, name="payroll"), []
    for cancel in (True, False):
        page, user_code = await code_for(story, "ada", id)
        account = world.accounts["ada"]
        await story.tenant.sign_in_as(account, page, user_code=user_code, cancel=cancel)
        shown.append(user_code)
        await story.until(lambda: "was cancelled" in story.whispers("ada"))
    await story.until(lambda: story.is_announced(id))
    return shown


async def flow_of(running: App, state: str) -> list[str]:
    """Return what only the vault opens while an approver signs in."""
    attempt = await running.services.database.read(sign_ins.by_state, state)
    assert attempt is not None
    assert attempt.flow is not None
    flow = json.loads(running.services.vault.open(attempt.owner, attempt.flow))
    return [state, flow["code_verifier"], flow["nonce"]]


def check_reveals(stage: Stage, hidden: list[str]) -> None:
    """A secret leaves by the answer to its reveal, and in its blocks only."""
    answers = [entry for entry in stage.workspace.log if entry.kind is Kind.HOOK]
    telling = [entry for entry in answers if found(hidden, written_by_bot(entry))]
    assert len(telling) == REVEALS
    for entry in telling:
        assert entry.sent["replace_original"] is True
        assert not found(hidden, entry.sent["text"].encode())
        assert len(found(hidden, written_by_bot(entry))) == 1
    for entry in stage.workspace.log:
        if entry.kind is Kind.EPHEMERAL:
            assert not found(hidden, entry.sent.get("text", "").encode())


def test_the_search_finds_a_secret_in_every_form() -> None:
    hidden = "abc8Q~_h8p5fr7lX24S.AJHGvs0m7rbfrOoria-B"
    for form in forms(hidden):
        assert found([hidden], b"before " + form + b" after") == ["abc8Q~"]
    assert not found([hidden], b"nothing to see")
    assert found([], b"Bearer eyJ0eXAiOiJKV1QiLCJ.eyJhdWQiOiJodHRwczovL2")


def test_a_bug_is_logged_without_the_words_of_its_exception(logs: io.StringIO) -> None:
    try:
        raise ValueError("the answer was abc8Q~secret")
    except ValueError as error:
        bug = report_bug("listener", error)
    assert bug in logs.getvalue()
    assert "type=ValueError" in logs.getvalue()
    assert "abc8Q~secret" not in logs.getvalue()


def test_what_holds_a_secret_does_not_print_it(stage: Stage) -> None:
    clear = "abc8Q~secret"
    row: Secret = secret()
    opened = values_of(registration(secret=row), read_catalogue()["mimecast"], secret=clear)
    holders = [Reveal(secret=row.id, values=opened), opened, stage.tenant.administrator]
    printed = " ".join(f"{holder!r} {holder}" for holder in holders)
    assert clear not in printed
    assert stage.tenant.administrator.client_secret not in printed
