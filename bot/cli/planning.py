"""The plan that an approver would see, printed.

Arguments are only parsed here, into the form that Slack would have sent. They are checked like
every other form.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from bot import logs
from bot.cli.process import FAILED, REFUSED, environment, refuse
from bot.domain.catalogue import Catalogue, Option, Profile, read_catalogue
from bot.domain.forms import split_domains
from bot.domain.registration import Form
from bot.planning.plans import preview
from bot.problems import Unusable
from bot.settings.settings import read_access
from graph.clock import SystemClock
from graph.errors import GraphError
from handlers.listeners.commands import RESERVED


def plan(*, as_json: bool, **arguments: Any) -> None:
    """Print the plan for these arguments of `form_of`."""
    problems: list[str] = []
    try:
        form, chosen = form_of(read_catalogue(reserved=RESERVED), **arguments)
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


NEVER = ("never", "none")
"""The vendors' guides' words for a secret's lifetime."""

NO_REASON = "(to be given in Slack)"
SWITCH = {"yes": True, "no": False}


def form_of(
    catalogue: Catalogue,
    *,
    profile: str,
    name: str,
    reason: str,
    secret_days: str,
    redirect: str,
    options: Iterable[str],
) -> tuple[Form, Profile]:
    """Return the form and its profile. Raises Unusable with every problem."""
    problems = []
    found = catalogue.get(profile)
    if found is None:
        known = ", ".join(catalogue)
        problems.append(f"--profile must be one of {known}.")
    if not name:
        problems.append("--name is missing: say how the application is to be called.")
    if secret_days and _days(secret_days) is None:
        problems.append("--secret-days must be a whole number of days.")
    chosen = {} if found is None else _options(options, found, problems)
    if problems or found is None:
        raise Unusable(*problems)
    form = Form(
        profile=profile,
        name=name,
        reason=reason or NO_REASON,
        secret_days=_days(secret_days) or 0 if secret_days else found.secret_days,
        redirect=redirect or None,
        options=chosen,
    )
    return form, found


def _days(text: str) -> int | None:
    """Return the days; 0, which no profile offers, if they are never to end."""
    if text.lower() in NEVER:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _options(typed: Iterable[str], profile: Profile, problems: list[str]) -> Mapping[str, Any]:
    known = {option.id: option for option in profile.options}
    chosen: dict[str, Any] = {}
    for each in typed:
        id, equals, text = each.partition("=")
        option = known.get(id)
        if option is None or not equals:
            problems.append(f"--option {id}: {_what_there_is(profile)}.")
        elif option.kind == "flag" and text.lower() not in SWITCH:
            problems.append(f"--option {id} must be {id}=yes or {id}=no.")
        elif option.kind == "flag":
            chosen[id] = SWITCH[text.lower()]
        else:
            chosen[id] = chosen.get(id, []) + split_domains(text)
    return chosen


def _what_there_is(profile: Profile) -> str:
    if not profile.options:
        return f"the profile {profile.id} has no options"
    return f"write one of {', '.join(_written(option) for option in profile.options)}"


def _written(option: Option) -> str:
    return f"{option.id}=yes" if option.kind == "flag" else f"{option.id}=example.com,…"
