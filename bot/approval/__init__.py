"""Who may do what, and when: one table verb x role x state, and pure functions over it."""

from bot.approval.policy import Policy, policy_of
from bot.approval.rules import ASKABLE_AGAIN, RULES, Role, Verb

__all__ = [
    "ASKABLE_AGAIN",
    "RULES",
    "Policy",
    "Role",
    "Verb",
    "policy_of",
]
