"""A plan survives being stored, and its digest changes with everything that it says."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from graph.permissions import Kind, lookup
from graph.plan import Plan
from tests.support.graph_fakes import plan

FULL = plan(
    redirect="https://example.com/callback",
    scopes=(lookup("User.Read", Kind.SCOPE),),
    warnings=("Mind “this”.",),
)


def test_a_plan_survives_being_stored() -> None:
    stored = json.dumps(FULL.to_json())
    assert Plan.from_json(json.loads(stored)) == FULL
    assert Plan.from_json(json.loads(stored)).digest == FULL.digest


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    turned = dict(reversed(FULL.to_json().items()))
    assert Plan.from_json(turned).digest == FULL.digest


def test_the_digest_is_the_same_tomorrow() -> None:
    assert plan().digest == "fd5ced45da6885462a496868b782f9517c80b5e1537b9e3ebdea2d51c54ef0e5"


@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_the_digest_changes_with_every_field(name: str) -> None:
    other: Any = {
        "roles": (),
        "scopes": (),
        "tags": (),
        "warnings": (),
        "secret_days": 1,
        "secret_limited_by": "tenant",
    }.get(name, "other")
    assert replace(FULL, **{name: other}).digest != FULL.digest
