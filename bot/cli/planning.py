"""The plan that an approver would see, printed."""

import asyncio
import json
from typing import Any

import typer

from bot import logs
from bot.cli.process import FAILED, REFUSED, environment, refuse
from bot.domain.catalogue import read_catalogue
from bot.planning.cli_arguments import form_of
from bot.planning.preview import preview
from bot.problems import Unusable
from bot.settings.settings import read_access
from graph.clock import SystemClock
from graph.errors import GraphError


def plan(*, as_json: bool, **arguments: Any) -> None:
    """Print the plan for these arguments of `form_of`."""
    problems: list[str] = []
    try:
        form, chosen = form_of(read_catalogue(), **arguments)
    except Unusable as error:
        problems += error.problems
    try:
        settings = read_access(environment())
    except Unusable as error:
        problems += error.problems
    if problems:
        refuse(problems)
    logs.set_up("WARNING")
    try:
        seen = asyncio.run(preview(form, chosen, settings=settings, clock=SystemClock()))
    except GraphError as error:
        request = [f"Request id {error.request_id}"] if error.request_id else []
        refuse([error.sentence, error.advice, *request], status=FAILED)
    typer.echo(json.dumps(seen.to_json(), indent=2) if as_json else seen.to_text())
    if seen.plan is None:
        raise typer.Exit(REFUSED)
