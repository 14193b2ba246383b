"""Logs: a line for each fact, in one form, with ids only, and nothing that moves a cursor."""

import contextlib
import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import structlog
from cryptography.fernet import Fernet

from bot import logs
from bot.playground.stage import Stage
from bot.server.http_server import _Bugs
from bot.storage import history
from bot.storage.database import opened
from bot.storage.vault import Vault
from bot.worker.loops import report_bug, run_guarded
from tests.support.rotation_story import in_use, rotated, seen
from tests.support.running_bot import Bot
from tests.support.story import Story


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Collect what is logged as `serve` sets it up; put everything back."""
    root, engine, kept = logging.getLogger(), logging.getLogger("dbos"), structlog.get_config()
    before = (root.handlers[:], root.level, engine.handlers[:], engine.propagate)
    text = io.StringIO()
    yield text
    structlog.configure(**kept)
    root.handlers, root.level, engine.handlers, engine.propagate = before


def set_up(text: io.StringIO, form: str = "console") -> None:
    with contextlib.redirect_stderr(text):
        logs.set_up("INFO", form)


def lines(text: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.getvalue().splitlines()]


@pytest.mark.slow
async def test_each_fact_of_a_registration_leaves_one_line(
    stage: Stage, bot: Bot, written: io.StringIO
) -> None:
    set_up(written, "json")
    story = Story(stage)
    async with bot():
        id = await in_use(story)
        await rotated(story, id)
        await seen(story, id)
        card = partial(story.card_of, id)
        await story.until(lambda: "Revoke]" in story.read(card()))
        await story.confirm("ada", "Revoke", on=card())
        await story.until(lambda: f"{id} was revoked" in story.read(card()))
    mine = [line for line in lines(written) if line.get("registration") == id]
    events = [line["event"] for line in mine]
    for event in ("requested", "planned", "approved", "ready", "rotated", "revoked"):
        assert events.count(event) == 1, (event, events)
    assert events.count("revealed") == 2  # the first secret and its successor
    steps = [line for line in mine if line["event"] == "step done"]
    assert {"application", "secret", "sign_in"} <= {line["step"] for line in steps}
    by = {line["event"]: line.get("by") for line in mine}
    assert by["requested"] == stage.workspace.people["rosa"].id
    assert by["approved"] == stage.workspace.people["ada"].id
    [made] = [line for line in steps if line["step"] == "application"]
    known = {call.request_id for call in stage.tenant.log}
    assert set(made["requests"]) <= known
    assert made["requests"]
    assert all("run" in line for line in mine if line["event"] in ("started", "step done"))
    for hidden in (*stage.tenant.minted, "To sync the directory"):
        assert hidden not in written.getvalue()


async def test_what_is_rolled_back_is_not_told(tmp_path: Path, written: io.StringIO) -> None:
    set_up(written)
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    async with opened(url, Vault([Fernet.generate_key().decode()])) as database:
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction() as tx:
                history.record_change(tx, "lost", "AAD-7K3F")
                raise ZeroDivisionError
        async with database.transaction() as tx:
            history.record_change(tx, "kept", "AAD-7K3F")
            assert "kept" not in written.getvalue()
    assert "event=kept registration=AAD-7K3F" in written.getvalue()
    assert "lost" not in written.getvalue()


@pytest.mark.parametrize("form", logs.FORMATS)
def test_nothing_from_outside_moves_cursors_or_begins_lines(
    written: io.StringIO, form: str
) -> None:
    set_up(written, form)
    outside = "a\nlevel=info event=approved\x1b[2J\u202e\u2028\u200b\x9b"
    structlog.get_logger().info("refused", why=outside, many=[outside], named={outside: 1})
    logging.getLogger("dbos").warning("engine: %s", outside)
    logging.getLogger("asyncio").error(outside)
    printed = written.getvalue()
    assert printed.count("\n") == 3
    assert all(each.isprintable() for each in printed.replace("\n", ""))


@pytest.mark.parametrize("form", logs.FORMATS)
def test_lines_of_libraries_have_our_form_and_no_traceback(written: io.StringIO, form: str) -> None:
    set_up(written, form)
    for name in ("dbos", "asyncio"):
        try:
            raise ValueError("the answer was abc8Q~secret")
        except ValueError:
            logging.getLogger(name).exception("it broke")
    first, second = written.getvalue().splitlines()
    for line, name in ((first, "dbos"), (second, "asyncio")):
        if form == "json":
            told = json.loads(line)
            assert (told["event"], told["level"], told["logger"]) == ("it broke", "error", name)
            assert told["type"] == "ValueError"
        else:
            assert line.startswith("timestamp=")
            assert f'level=error event="it broke" logger={name} type=ValueError' in line
    assert "secret" not in written.getvalue()


async def test_a_full_disk_is_named(tmp_path: Path, written: io.StringIO) -> None:
    set_up(written)

    async def fill() -> None:
        with closing(sqlite3.connect(tmp_path / "full.db")) as full:
            full.execute("PRAGMA max_page_count = 3")
            full.execute("CREATE TABLE t (x)")
            full.execute("INSERT INTO t VALUES (zeroblob(1000000))")

    assert await run_guarded("a look", fill)
    assert 'event="disk full"' in written.getvalue()
    assert "event=bug" not in written.getvalue()
    report_bug("a file", OSError(28, "No space left on device"))
    assert written.getvalue().count('event="disk full"') == 2


def test_a_client_that_goes_away_is_no_bug(written: io.StringIO) -> None:
    set_up(written)
    gone, ours = RuntimeError("Connection closed."), RuntimeError("a bug of ours")
    for error in (gone, ours):
        record = logging.LogRecord(
            "door", logging.ERROR, "", 0, "", (), (RuntimeError, error, None)
        )
        _Bugs().emit(record)
    assert written.getvalue().count("event=bug") == 1
