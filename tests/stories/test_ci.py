"""What `.ci/run` installs on a machine that has nothing yet, and which Pythons it tries."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
LACKING = "nodejs npm chromium fonts-dejavu-core fonts-noto-color-emoji curl"
BARE = """
ls() { return 1; }
command() { return 1; }
id() { echo 0; }
apt-get() { echo "apt-get $*" >&2; }
"""
"""A machine without any of it, on which nothing is installed either."""


@pytest.mark.parametrize(
    ("environment", "installed"),
    [
        ({}, None),
        ({"CI": "true"}, f"postgresql {LACKING}"),
        ({"CI": "true", "TEST_DATABASE_URL": ""}, f"postgresql {LACKING}"),
        ({"CI": "true", "TEST_DATABASE_URL": "postgresql://elsewhere/"}, LACKING),
    ],
)
def test_what_is_lacking_is_installed(environment: dict[str, str], installed: str | None) -> None:
    script = SCRIPT.read_text()
    prepare = script[script.index("prepare() {") :].split("\n}\n")[0] + "\n}"
    told = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", f"{BARE}{prepare}\nprepare"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert told == (
        f"apt-get -qq update\napt-get -qq install -y {installed}\n" if installed else ""
    )


@pytest.mark.parametrize(
    ("installed", "tried"),
    [
        (["3.11"], ["3.11"]),
        (["3.10", "3.11", "3.12", "3.13"], ["3.11", "3.13"]),
        (["3.13", "3.14", "broken"], ["3.13", "3.14"]),
    ],
)
def test_the_oldest_and_the_newest_python_are_tried(
    tmp_path: Path, installed: list[str], tried: list[str]
) -> None:
    for version in installed:
        is_broken = version == "broken"
        program = tmp_path / f"python{'3.12' if is_broken else version}"
        program.write_text(f"#!/bin/sh\nexit {int(is_broken)}\n")
        program.chmod(0o755)
    for tool in ("sed", "uniq"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    script = SCRIPT.read_text()
    pythons = script[script.index("pythons() {") :].split("\n}\n")[0] + "\n}"
    told = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", f"{pythons}\npythons"],
        env={"HOME": str(tmp_path), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.splitlines() == [f"{tmp_path}/python{version}" for version in tried]
