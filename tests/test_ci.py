"""What `.ci/run` installs on a machine that has nothing yet: no more than the tests will use."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "run"
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
        ({"CI": "true"}, "postgresql nodejs npm curl"),
        ({"CI": "true", "TEST_DATABASE_URL": ""}, "postgresql nodejs npm curl"),
        ({"CI": "true", "TEST_DATABASE_URL": "postgresql://elsewhere/"}, "nodejs npm curl"),
    ],
)
def test_only_what_is_lacking_is_installed(
    environment: dict[str, str], installed: str | None
) -> None:
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
