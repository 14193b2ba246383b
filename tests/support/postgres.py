"""PostgreSQL for the tests: a server of theirs if one is named, else a throw-away one, else a skip.

The throw-away server listens on a Unix socket in a folder of its own. The shell that starts it
waits for its own standard input to end, so the server goes when the tests do, however they do.
"""

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from tests.support.marks import slow
from tests.support.registrar_env import opened

SETTINGS = "-c fsync=off -c full_page_writes=off -c listen_addresses='' -c max_connections=200"
ALONE = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
MISSING = (
    "PostgreSQL is not here: set TEST_DATABASE_URL to a server on which databases may be created,"
    " or install Debian's package postgresql (its initdb and pg_ctl are what is missing)"
)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The address of a server on which databases may be created."""
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield sa.make_url(named).set(drivername="postgresql+psycopg")
        return
    programs = _programs()
    if programs is None:
        _do_without()
    with _throw_away(programs) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: sa.URL) -> Iterator[sa.URL]:
    """The address of this worker's database: a new one costs more than most tests do."""
    with _created(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: sa.URL) -> Iterator[sa.URL]:
    """The address of a database with the bot's tables, in which nothing is, to be copied."""

    async def make(url: str) -> None:
        async with opened(url):
            pass

    with _created(postgres_server) as url:
        asyncio.run(make(url.render_as_string(hide_password=False)))
        yield url


@pytest.fixture
def postgres_url(postgres_database: sa.URL) -> str:
    """The address of a database in which nothing is, and to which nobody else is connected."""
    with _administrating(postgres_database) as connection:
        connection.execute(ALONE)
        for schema in ("dbos", "public"):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
        connection.execute("CREATE SCHEMA public")
    return postgres_database.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", slow("postgresql")])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of each kind with the bot's tables and without any rows."""
    if request.param == "sqlite":
        file = tmp_path / "aad-setup.db"
        shutil.copy(request.getfixturevalue("empty_databases") / file.name, file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    server, template = map(request.getfixturevalue, ("postgres_server", "postgres_template"))
    with _created(server, like=template) as url:
        yield url.render_as_string(hide_password=False)


postgres_is_quick = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
"""For what plain `pytest` tries on PostgreSQL, too: locks and migrations, which differ there."""


def plain(url: str | sa.URL) -> str:
    """Return the address as libpq understands it."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _do_without() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(MISSING, pytrace=False)
    pytest.skip(MISSING)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def _administrating(server: sa.URL) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    # Whatever database the address names is where one may stand to make others.
    with psycopg.connect(plain(server), autocommit=True) as connection:
        yield connection


@contextmanager
def _created(server: sa.URL, *, like: sa.URL | None = None) -> Iterator[sa.URL]:
    """A new database, a copy of another one or empty; it goes at the end."""
    name = f"test_{uuid4().hex}"
    template = "" if like is None else f' TEMPLATE "{like.database}"'
    with _administrating(server) as connection:
        connection.execute(f'CREATE DATABASE "{name}"{template}'.encode())
    yield server.set(database=name)
    with _administrating(server) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def _throw_away(programs: Path) -> Iterator[sa.URL]:
    folder = Path(tempfile.mkdtemp(prefix="aad-setup-pg-", dir="/tmp"))  # socket paths are short
    user = "postgres" if os.geteuid() == 0 else None  # initdb refuses to work as root
    if user is not None:
        shutil.chown(folder, user)
    process = subprocess.Popen(
        ["/bin/sh", "-c", _script(programs, folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        user=user,
        start_new_session=True,  # Ctrl-C is for pytest alone
    )
    with process:  # closes its standard input, then waits
        assert process.stdout is not None
        said = process.stdout.readline()
        if said.strip() != "ready":
            pytest.fail(f"PostgreSQL did not start: {said}{process.stdout.read()}", pytrace=False)
        yield sa.URL.create(
            "postgresql+psycopg",
            username="postgres",
            database="postgres",
            query={"host": str(folder)},
        )


def _script(programs: Path, folder: Path) -> str:
    initdb, pg_ctl = (shlex.quote(str(programs / name)) for name in ("initdb", "pg_ctl"))
    home, data = shlex.quote(str(folder)), shlex.quote(str(folder / "data"))
    options = shlex.quote(f"-k {folder} {SETTINGS}")
    return f"""
    {initdb} --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C {data} \\
        >{home}/initdb.log 2>&1 \\
    && {pg_ctl} --wait --log={home}/server.log --options={options} start --pgdata={data} \\
        >{home}/start.log 2>&1 \\
    && echo ready || cat {home}/*.log
    read -r _
    {pg_ctl} --mode=immediate stop --pgdata={data} >/dev/null 2>&1
    rm -rf {home}
    """
