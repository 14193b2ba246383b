"""The simulated tenant: Entra's sign-in and the part of Microsoft Graph the bot uses.

Everything a caller can do wrong is refused as the real services refuse it, and everything they do
to their callers can happen here: lag, throttling, lost answers, gateways that answer with a page.
"""

from bot.playground.tenant.browser import Landing
from bot.playground.tenant.calls import Call
from bot.playground.tenant.credentials import Credential
from bot.playground.tenant.faults import Faults, Hold
from bot.playground.tenant.machine import Machine
from bot.playground.tenant.running import running
from bot.playground.tenant.tenant import AUTONOMOUS, Tenant

__all__ = [
    "AUTONOMOUS",
    "Call",
    "Credential",
    "Faults",
    "Hold",
    "Landing",
    "Machine",
    "Tenant",
    "running",
]
