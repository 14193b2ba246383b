"""Marks of single parameters."""

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """Leave these values of a parametrized test to the slow tier."""
    return pytest.param(*values, marks=pytest.mark.slow)
