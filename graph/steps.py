"""The steps of a registration, as data: stages in order, and the steps of a stage all at once.

The order is a promise: a secret never exists for an application that is not consented, and nothing
is announced before the new credential has been tested.
"""

from graph.application import APPLICATION, SERVICE_PRINCIPAL
from graph.grants import grants
from graph.plan import Plan
from graph.secret import SECRET
from graph.step_context import Step
from graph.verification import DIRECTORY, SIGN_IN


def stages(plan: Plan) -> list[list[Step]]:
    """Return the stages that carry a plan out. To undo it, go through them in reverse."""
    order = [[APPLICATION], [SERVICE_PRINCIPAL], grants(plan), [SECRET], [SIGN_IN], [DIRECTORY]]
    return [stage for stage in order if stage]
