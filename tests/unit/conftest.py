"""Marks everything here as `unit`, and lets none of it open a connection or start a process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FORBIDDEN = ("socket.bind", "socket.connect", "subprocess.Popen", "os.fork", "os.posix_spawn")
at_work: list[str] = []
"""The unit test that runs now, if one does."""


def watch(event: str, _arguments: object) -> None:
    if at_work and event in FORBIDDEN:
        raise AssertionError(f"{at_work[-1]} is a unit test: no {event}")


sys.addaudithook(watch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.unit)


@pytest.fixture(autouse=True)
def without_sockets_or_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    at_work.append(request.node.nodeid)
    yield
    at_work.pop()
