"""The steps of a registration, as data: stages in order, and the steps of a stage all at once.

The order is a promise: a secret never exists for an application that is not consented, and nothing
is announced before the new credential has been tested.
"""

from graph.application import APPLICATION, SERVICE_PRINCIPAL, check_is_ours
from graph.deleted_items import purge
from graph.grants import grants
from graph.plan import Plan
from graph.secret import SECRET, remove_secret, remove_strays
from graph.step_context import SECRET_ATTEMPTS, Facts, Sealed, Step, StepContext
from graph.verification import DIRECTORY, SIGN_IN

__all__ = [
    "SECRET_ATTEMPTS",
    "Facts",
    "Sealed",
    "Step",
    "StepContext",
    "check_is_ours",
    "purge",
    "remove_secret",
    "remove_strays",
    "stages",
]


def stages(plan: Plan) -> list[list[Step]]:
    """Return the stages that carry a plan out. To undo it, go through them in reverse."""
    consent = grants(plan)
    return [
        [APPLICATION],
        [SERVICE_PRINCIPAL],
        *([consent] if consent else []),
        [SECRET],
        [SIGN_IN],
        [DIRECTORY],
    ]
