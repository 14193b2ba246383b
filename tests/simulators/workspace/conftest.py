"""One workspace a test, on a clock that can be moved, and a real client of it."""

from tests.support.workspace_fixtures import app, client, clock, workspace

__all__ = ["app", "client", "clock", "workspace"]
