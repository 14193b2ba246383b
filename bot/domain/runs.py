"""Kinds of runs, the states of their steps, and failures."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RunKind(StrEnum):
    """The kind of a run. The database holds the values, older than the names: they stay."""

    PLAN = "plan"
    REGISTER = "register"
    REPLACE_SECRET = "renew"  # make a new secret for an application that is ready
    ADD_SECRET = "rotate"  # make a new secret beside the one in use
    REMOVE_PREVIOUS = "retire"  # take the secret that a rotation has followed out of Entra
    REMOVE_UNREAD = "remove"  # take an unread secret out of Entra
    REMOVE_STRAY = "sweep"  # remove stray secrets of lost answers
    UNDO = "undo"  # delete the objects of a failed registration
    REVOKE = "revoke"  # delete the objects of a ready registration
    PURGE = "purge"  # delete those objects from Entra's bin
    CHECK = "check"  # compare the tenant with the plan


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a registration failed, as a person reads it."""

    step: str
    sentence: str
    advice: str
    request_id: str | None = None
    bug: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepState:
    """How far one step of a run is. The steps of a stage are taken together."""

    name: str
    title: str
    stage: int = 0
    ended_at: datetime | None = None
    failed: bool = False
