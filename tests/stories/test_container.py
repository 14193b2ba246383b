"""The image: the steps of the Dockerfile, run in a folder instead of a container.

Absolute paths stand for folders in it, and a virtual environment for the base image.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.playground.stage import Stage
from tests.support.http_endpoint import HttpEndpoint
from tests.support.serve_process import served

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

PRIVATE = (
    *(".env", ".env.production", ".git/config", "aad-setup.db", "aad-setup.db-wal"),
    *("aad-setup-watermark.json", "bot/.env", "bot/aad-setup.db", "bot/aad-setup.db.replaced-1"),
    *("ca.pem", "tests/stories/test_container.py"),
)
"""Files that may lie in a checkout and must not enter the image."""


def instructions() -> list[tuple[str, str]]:
    """Return each instruction of the Dockerfile with its arguments."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def only(name: str) -> str:
    """Return the arguments of an instruction that stands there once."""
    [rest] = [rest for each, rest in instructions() if each == name]
    return rest


# What is copied


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets this file into the image: the last rule that matches decides."""
    sent = True
    parts = [path, *map(str, PurePosixPath(path).parents)][:-1]  # the last is "."
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        rule = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?")
        rule = rule.replace(r"\*", "[^/]*")
        if line and not line.startswith("#") and any(re.fullmatch(rule, part) for part in parts):
            sent = line.startswith("!")
    return sent


def checkout() -> list[str]:
    """Return the files here that may be sent: those of the packages, and those beside them."""
    paths = [path for top in ("bot", "graph", "handlers") for path in (ROOT / top).rglob("*")]
    files = [path for path in (*paths, *ROOT.iterdir()) if path.is_file()]
    return [path.relative_to(ROOT).as_posix() for path in files]


def test_settings_and_databases_stay_out_of_the_image() -> None:
    assert [path for path in PRIVATE if is_sent(path)] == []


def test_what_the_image_is_built_from_goes_in() -> None:
    needed = {"LICENSE", "README.md", "pyproject.toml", "requirements.lock"}
    packages = {path for path in checkout() if path.startswith(("bot/", "graph/", "handlers/"))}
    kinds = {".py", ".toml", ".json", ".mako", ".html", ".css", ".js"}
    sources = {path for path in packages if PurePosixPath(path).suffix in kinds}
    assert {path for path in checkout() if is_sent(path)} == needed | sources


# How it runs


def test_the_bot_is_not_root_and_gets_the_signal_itself() -> None:
    names = [name for name, _ in instructions()]
    assert names.index("RUN") < names.index("USER") < names.index("ENTRYPOINT")
    assert not {"0", "root"} & set(only("USER").split(":"))
    # The exec form: no shell stands between Docker and the bot.
    assert json.loads(only("ENTRYPOINT")) == ["aad-setup"]
    assert json.loads(only("CMD")) == ["serve"]
    assert only("STOPSIGNAL") == "SIGTERM"


def test_the_base_image_is_a_python_that_the_bot_runs_on() -> None:
    found = re.fullmatch(r"python:(3\.\d+)-slim", only("FROM"))
    assert found is not None
    [version] = found.groups()
    assert f"{version}.0" in Requirement(f"python{PROJECT['project']['requires-python']}").specifier


# The lock


def pins() -> Iterator[tuple[str, str]]:
    """Yield each package that is locked and its version."""
    for name, version in re.findall(r"^(\S+)==(\S+)", LOCK, re.M):
        yield canonicalize_name(name), version


def test_every_line_of_the_lock_is_a_version_or_a_hash() -> None:
    """Nothing else: no address of a registry, no option."""
    version = r"[a-z0-9-]+==[\w.]+( ; [\w\s.'=!<>]+)? \\"
    sha256 = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(f"{version}|{sha256}", line)] == []
    assert "://" not in LOCK


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    locked = dict(pins())
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
    wanted = [Requirement(each) for each in asked]
    assert [
        str(each)
        for each in wanted
        if locked.get(canonicalize_name(each.name), "") not in each.specifier
    ] == []
    assert {"aiosqlite", "psycopg-binary"} <= set(locked)  # both kinds of database


# The steps


@dataclass(frozen=True, kw_only=True)
class Image:
    """A folder that stands for the file system of a container, and the environment in it."""

    root: Path
    folder: Path
    environ: dict[str, str]

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def run(self, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environ, **changes},
            capture_output=True,
            text=True,
        )


def build(context: Path, root: Path) -> Image:
    """Do what the Dockerfile says, with pip as it is configured on this machine."""
    base = root / "usr"
    subprocess.run([sys.executable, "-m", "venv", base], check=True)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ["PATH"] = f"{base / 'bin'}:{os.environ['PATH']}"
    image = Image(root=root, folder=root, environ=environ)
    for name, rest in instructions():
        match name:
            case "ENV":
                environ |= dict(re.findall(r"(\w+)=(\S+)", rest))
            case "WORKDIR":
                image = Image(root=root, folder=image.path(rest), environ=environ)
                image.folder.mkdir(exist_ok=True)
            case "COPY":
                source, _ = rest.split()
                copy(context / source, image.folder / source)
            case "RUN":
                done = image.run("/bin/sh", "-ec", here(rest, root))
                assert done.returncode == 0, f"{rest}\n{done.stdout}\n{done.stderr}"
    return image


def here(command: str, root: Path) -> str:
    """Turn absolute paths into those below the root and, unless we are root, owners into us."""
    if os.geteuid() != 0:
        command = re.sub(r"--owner=\d+", f"--owner={os.geteuid()}", command)
        command = re.sub(r"--group=\d+", f"--group={os.getegid()}", command)
    return re.sub(r"(?<=[ =])/(?=\w)", f"{root}/", command)


def copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy(source, target)
    else:
        shutil.copytree(source, target, dirs_exist_ok=True)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """The files of this checkout that Docker would send to its builder."""
    sent = tmp_path / "context"
    for path in filter(is_sent, checkout()):
        (sent / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, sent / path)
    return sent


@pytest.fixture
def door() -> HttpEndpoint:
    return HttpEndpoint()


@pytest.mark.slow
async def test_the_steps_of_the_image_make_a_bot_that_is_healthy(
    context: Path, tmp_path: Path, stage: Stage, door: HttpEndpoint
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    image = await asyncio.to_thread(build, context, root)
    assert image.run("pip", "check").returncode == 0
    driver = "import psycopg; print(psycopg.pq.__impl__)"
    assert image.run("python", "-c", driver).stdout == "binary\n"

    # It starts in a folder of its own, which is empty, and owns nothing else.
    data, user = image.path(only("VOLUME")), int(only("USER").split(":")[0])
    assert image.folder == data
    assert list(data.iterdir()) == []
    assert data.stat().st_uid == (user if os.geteuid() == 0 else os.geteuid())
    assert data.stat().st_mode & 0o777 == 0o700
    assert not image.path("/src").exists()

    program = [*json.loads(only("ENTRYPOINT")), *json.loads(only("CMD"))]
    program[0] = str(image.path("/usr/bin") / program[0])
    version = PROJECT["project"]["version"]
    assert image.run(program[0], "--version").stdout == f"aad-setup {version}\n"
    assert metadata.version("aad-setup") == version

    probe = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    environ = {**image.environ, **stage.environ(), **door.watched()}
    del environ["DATABASE_URL"]  # the default: a file in the folder where it starts
    assert image.run(*probe, PORT=str(door.port)).returncode == 1
    async with served(environ, door, folder=data, program=program) as bot:
        trap = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
        checked = await asyncio.to_thread(image.run, *probe, PORT=str(door.port), **trap)
        assert (checked.returncode, checked.stderr) == (0, "")
        assert (data / "aad-setup.db").exists()
        bot.terminate()
        assert await bot.ended() == 0
    assert image.run(*probe, PORT=str(door.port)).returncode == 1
