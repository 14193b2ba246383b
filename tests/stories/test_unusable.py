"""What cannot be used is said in a sentence, with exit status 2 or the doctor's mark."""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bot.playground.stage import Stage
from tests.support.cli import PROGRAM, SECONDS, Ended, begun, ended, typed
from tests.support.doctor_cli import call
from tests.support.marks import slow
from tests.support.postgres import plain

pytestmark = pytest.mark.mostly_slow

ROOT = Path(__file__).parents[2]


async def python(code: str, *arguments: str, folder: Path, path: Path = ROOT) -> Ended:
    """Run code in a new interpreter, in a folder."""
    environ = {"PYTHONPATH": str(path), "PYTHONUTF8": "1", "HOME": str(folder)}
    program = (sys.executable, "-c", code, *arguments)
    return await ended(await begun(*program, environ=environ, folder=folder))


def says(ended: Ended, *words: str) -> bool:
    """Whether it ended as USAGE.md promises: status 2, a sentence, no traceback."""
    assert all(each in ended.err for each in words), ended
    assert "Traceback" not in ended.out + ended.err
    assert len(ended.err.splitlines()) <= 2 * len(words), ended.err
    return ended.status == 2


@pytest.mark.quick
async def test_an_older_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    code = "import sys; sys.version_info = (3, 10, 13); import bot.entry"
    assert says(await python(code, folder=tmp_path), "needs Python 3.11 or newer")


async def test_a_user_without_account_or_home_can_run_it(tmp_path: Path) -> None:
    code = """if True:
        import os, runpy
        del os.environ["HOME"]
        os.getuid = lambda: 2**31 - 77
        runpy.run_module("bot", run_name="__main__")
    """
    ended = await python(code, "--version", folder=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("aad-setup ")


@pytest.mark.parametrize("command", ["serve", "doctor", "plan"])
async def test_settings_that_are_a_folder_are_not_passed_over(tmp_path: Path, command: str) -> None:
    (tmp_path / ".env").mkdir()
    assert says(await typed(command, environ={}, folder=tmp_path), ".env is a folder")


def lock(file: Path) -> None:
    """Make a file that nobody may read, in a folder that everybody may enter."""
    file.touch(mode=0o000)
    file.parent.chmod(0o755)


async def test_settings_that_this_user_may_not_read(tmp_path: Path) -> None:
    lock(tmp_path / ".env")
    code = """if True:
        import contextlib, os
        import bot.cli.maintenance
        from bot.__main__ import main
        with contextlib.redirect_stdout(open(os.devnull, "w")):
            main(["doctor", "--help"], standalone_mode=False)  # imports what it needs late
        if os.getuid() == 0:
            os.setuid(65534)
        main(["doctor"])
    """
    assert says(await python(code, folder=tmp_path), ".env cannot be read (PermissionError)")


async def test_an_installation_below_a_folder_with_a_percent_sign(tmp_path: Path) -> None:
    folder = tmp_path / "100%(here)s"
    folder.mkdir()
    for name in ("bot", "graph", "handlers"):
        (folder / name).symlink_to(ROOT / name)
    code = """if True:
        import asyncio
        from bot.storage.database import opened
        from bot.storage.vault import Vault
        from cryptography.fernet import Fernet
        async def main():
            async with opened("sqlite+aiosqlite:///here.db", Vault([Fernet.generate_key()])):
                print("opened")
        asyncio.run(main())
    """
    ended = await python(code, folder=folder, path=folder)
    assert (ended.out, ended.err) == ("opened\n", "")


@pytest.mark.quick
@pytest.mark.parametrize("arguments", [["-h"], ["serve", "-h"], ["keys", "new", "-h"]])
async def test_help_is_one_letter_away(tmp_path: Path, arguments: list[str]) -> None:
    ended = await typed(*arguments, environ={}, folder=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert "Usage: " in ended.out


@pytest.fixture
def weak_role(postgres_server: sa.URL) -> Iterator[str]:
    """The address of a database in which a role may make tables and no schema."""
    with psycopg.connect(plain(postgres_server), autocommit=True) as connection:
        connection.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        connection.execute("CREATE DATABASE test_weak")
        try:
            there = postgres_server.set(database="test_weak")
            with psycopg.connect(plain(there), autocommit=True) as inside:
                inside.execute("GRANT CREATE ON SCHEMA public TO weak")
            role = there.set(username="weak", password="weak")
            yield role.render_as_string(hide_password=False)
        finally:
            connection.execute("DROP DATABASE test_weak WITH (FORCE)")
            connection.execute("DROP ROLE weak")


async def test_a_role_that_may_not_create_schemas(stage: Stage, weak_role: str) -> None:
    told = await call(stage, DATABASE_URL=weak_role)
    (line,) = told.wrong
    assert "GRANT CREATE ON DATABASE test_weak" in line
    environ = stage.environ(DATABASE_URL=weak_role)
    ended = await typed("serve", environ=environ, folder=stage.folder)
    assert says(ended, "its role may not create the schema dbos")
    assert "weak:weak" not in ended.err


@pytest.mark.parametrize("content", [b"Dear database, " * 100, b"SQLite format 3\0" + b"x" * 5000])
async def test_an_engine_s_database_that_is_damaged(stage: Stage, content: bytes) -> None:
    engine = stage.folder / "aad-setup-engine.db"
    engine.write_bytes(content)
    (line,) = (await call(stage)).wrong
    assert "delete it" in line
    ended = await typed("serve", environ=stage.environ(), folder=stage.folder)
    assert says(ended, f"{engine} is damaged")


@pytest.mark.quick
async def test_an_engine_s_database_with_a_damaged_page(stage: Stage) -> None:
    engine = stage.folder / "aad-setup-engine.db"
    with closing(sqlite3.connect(engine)) as database, database:
        database.execute("CREATE TABLE t (x)")
        database.executemany("INSERT INTO t VALUES (?)", [(b"x" * 900,)] * 50)
    whole = engine.read_bytes()
    engine.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    assert "delete it" in "".join((await call(stage)).wrong)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """An installation of its own, to put profiles into."""
    for name in ("bot", "graph", "handlers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    profiles = tmp_path / "bot" / "profiles"
    shutil.copy(profiles / "mimecast.toml", profiles / "list.toml")
    (profiles / "odd.toml").write_text("title = 5")
    return tmp_path


@pytest.mark.parametrize(("command", "status"), [("demo", 2), ("plan", 2), ("doctor", 1)])
async def test_profiles_that_are_wrong_are_named(copy: Path, command: str, status: int) -> None:
    code = "from bot.entry import main; main()"
    ended = await python(code, command, folder=copy, path=copy)
    assert ended.status == status
    said = ended.out + ended.err
    assert "Traceback" not in said
    assert "profile list: `list` is a word of the command" in said
    assert "profile odd: `order` is missing." in said


def plain_environ(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The demo's story, a moment after its first line."""
    process = await begun(
        *PROGRAM, "demo", "--story", "--plain", environ=plain_environ(tmp_path), folder=tmp_path
    )
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        await process.stdout.readline()
        await process.stdout.readline()
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, slow(signal.SIGTERM)])
async def test_a_demo_that_is_stopped_leaves_nothing_behind(
    demo: asyncio.subprocess.Process, tmp_path: Path, number: signal.Signals
) -> None:
    demo.send_signal(number)
    stopped = await ended(demo)
    assert (stopped.status, stopped.err) == (130, "")
    assert os.listdir(tmp_path) == []


async def test_a_demo_whose_reader_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    program = ("sh", "-c", '"$0" -m bot demo --story --plain | head -n 2', sys.executable)
    demo = await begun(*program, environ=plain_environ(tmp_path), folder=tmp_path)
    assert (await ended(demo)).err == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("module", ["bot.__main__", "bot.cli.serving"])
async def test_ctrl_c_while_the_program_is_still_imported(tmp_path: Path, module: str) -> None:
    code = """if True:
        import sys, bot.entry
        class Interrupting:
            def find_spec(self, name, *_):
                if name == module:
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Interrupting())
        module = sys.argv.pop()
        bot.entry.main()
    """
    ended = await python(code, "serve", module, folder=tmp_path)
    assert (ended.status, ended.err) == (130, "")
