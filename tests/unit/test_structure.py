"""Classes, functions and files stay small, and components are composed instead of inherited."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bot.runs.base import RunBase
from bot.runs.cleanup import Cleanup
from bot.runs.consent import ConsentCheck
from bot.runs.drift_check import DriftCheck
from bot.runs.provisioning import Planning, Provisioning
from bot.worker.consent_watch import ConsentWatch
from tests.support import scripted_runs

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for top in ("bot", "handlers", "graph")
    for path in (ROOT / top).rglob("*.py")
    if not {"playground", "migrations"} & set(path.parts)
)
"""Migrations never change again, whatever their size."""
SCRIPTED = {
    scripted_runs.Played: RunBase,
    scripted_runs.PlayedPlanning: Planning,
    scripted_runs.PlayedCarrying: Provisioning,
    scripted_runs.PlayedClearing: Cleanup,
    scripted_runs.PlayedChecking: DriftCheck,
    scripted_runs.PlayedConsent: ConsentCheck,
    scripted_runs.PlayedWatch: ConsentWatch,
}
OWN = frozenset({"_fail", "_made", "_minted"})
"""Methods of scripted runs that replace nothing."""
MOST_METHODS = 12
MOST_ARGUMENTS = 6
MOST_LINES = 50
"""Of a function, without its docstring."""
MOST_FILE_LINES = 350

Function = ast.FunctionDef | ast.AsyncFunctionDef
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}


def classes() -> Iterator[ast.ClassDef]:
    for tree in TREES.values():
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def methods(of: ast.ClassDef) -> Iterator[Function]:
    yield from (node for node in of.body if isinstance(node, Function))


def name_of(node: ast.expr) -> str:
    """Return the last name of a base or decorator: `enum.StrEnum` is `StrEnum`."""
    match node:
        case ast.Call(func=func) | ast.Subscript(value=func):
            return name_of(func)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


BASES = {each.name: [name_of(base) for base in each.bases] for each in classes()}


def ancestors(name: str) -> set[str]:
    return {name}.union(*(ancestors(base) for base in BASES.get(name, ())))


def is_error(name: str) -> bool:
    return "Exception" in ancestors(name)


def steps(name: str) -> int:
    """Return how many classes of ours stand above this one at most."""
    return max((1 + steps(base) for base in BASES[name] if base in BASES), default=0)


def test_no_class_has_too_many_public_methods() -> None:
    for each in classes():
        public = [
            method.name
            for method in methods(each)
            if not method.name.startswith("_")
            and "property" not in map(name_of, method.decorator_list)
        ]
        assert len(public) <= MOST_METHODS, (each.name, public)


def test_inheritance_is_one_step_deep() -> None:
    for each in classes():
        assert is_error(each.name) or steps(each.name) <= 1, (each.name, BASES[each.name])


def test_no_constructor_takes_too_many_arguments() -> None:
    for each in classes():
        for method in methods(each):
            if method.name == "__init__" and not is_error(each.name):
                arguments = method.args.posonlyargs + method.args.args + method.args.kwonlyargs
                assert len(arguments) - 1 <= MOST_ARGUMENTS, each.name


def test_functions_and_files_are_short() -> None:
    for path, tree in TREES.items():
        lines = len(path.read_text("utf-8").splitlines())
        assert lines <= MOST_FILE_LINES, (path, lines)
        for node in ast.walk(tree):
            if isinstance(node, Function):
                assert length(node) <= MOST_LINES, (path, node.name, length(node))


def length(function: Function) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        said = function.body[0]
        assert said.end_lineno is not None
        lines -= said.end_lineno - said.lineno + 1
    return lines


def test_what_scripted_runs_replace_is_there() -> None:
    """Else a run in the state machine would call Entra where its script should answer."""
    for scripted, product in SCRIPTED.items():
        replaced = {name for name in vars(scripted) if re.match("_[a-z]", name)} - OWN
        assert replaced <= set(dir(product)), (scripted, replaced - set(dir(product)))
