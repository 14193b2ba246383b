"""What a judge needs that this project does not: there, or a loud skip; in CI, a failure."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest

INSTALL = ".venv/bin/pip install -e '.[test,judges]'"


def need_package(name: str) -> None:
    if not _is_there(name):
        do_without(f"{name} is not installed, so it has judged nothing: {INSTALL}")


def need_program(variable: str, path: str, install: str, *, is_of_node: bool = True) -> Path:
    """Return what is at this path in the folder that a variable of the environment names."""
    found = Path(os.environ.get(variable, "nowhere")) / path
    if not found.exists() or (is_of_node and shutil.which("node") is None):
        where = "a folder" if is_of_node else "a virtual environment of its own"
        needed = f"{path}{', or Node,' * is_of_node} is not there, so it has judged nothing"
        do_without(f"{needed}: run `{install}` in {where} and name it in {variable}")
    return found.resolve()


def sign_in_options(url: str, ca_file: str) -> dict[str, Any]:
    """Return what azure-identity is told of a tenant that is not Microsoft's."""
    return {
        "authority": url,
        "disable_instance_discovery": True,
        "connection_verify": ca_file,
        "use_env_settings": False,
    }


def do_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
