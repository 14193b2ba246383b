"""What a judge needs that this project does not: there, or a loud skip; in CI, a failure."""

import os
from importlib.util import find_spec
from typing import NoReturn

import pytest

INSTALL = ".venv/bin/pip install -e '.[test,judges]'"


def need_package(name: str) -> None:
    if not _is_there(name):
        do_without(f"{name} is not installed, so it has judged nothing: {INSTALL}")


def do_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
