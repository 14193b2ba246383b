"""How long things last, wait or are kept: all times that are policy, with their reasons."""

from datetime import timedelta

DAY = timedelta(days=1)

APPROVAL_TTL = DAY
"""How long a request waits for approvers unless APPROVAL_TTL says otherwise: each sees it once on a
working day."""
LONGEST_APPROVAL_TTL = timedelta(days=30)
"""The most that APPROVAL_TTL may say: after that a plan no longer shows the tenant as it is."""
FIRST_REMINDER = timedelta(minutes=15)
"""From a request to the first reminder of approvers; each later one takes twice the time."""
REMINDERS = 4
"""15 minutes, 30 minutes, 1 hour, 2 hours: more would be noise."""
APPROVAL_VALID = timedelta(days=7)
"""How long an approval may be retried on: as long as a failure without a retry is kept."""
UNDO_FAILED = timedelta(days=7)
"""When a failed registration is undone without a retry."""

CONSENT_TTL = timedelta(days=7)
"""How long a registration waits for an administrator's consent: a week's absence."""
CONSENT_LEAST = DAY
"""How long it waits at least when consent was withdrawn before the secret was made."""
CONSENT_REMINDERS = (DAY, timedelta(days=3), timedelta(days=6))
"""How long after it began to wait the approvers are reminded of that."""
CONSENT_PAUSE = timedelta(minutes=1)
"""The least time from the beginning of one look at the grants to that of the next."""
CONSENT_LONGEST_PAUSE = timedelta(minutes=15)
"""The most time between two looks: an administrator who has consented should not wait longer."""

SIGN_IN_TTL = timedelta(minutes=10)
"""How long an approver has to sign in from the click on: a second factor may take some minutes."""
SIGN_IN_KEPT = DAY
"""How long after that the page of its link still says that the time is over."""

SECRET_VISIBLE = timedelta(seconds=60)
"""How long a secret stays on the screen unless the requester hides it: enough to copy it."""
REVEAL_CONFIRMED = timedelta(seconds=30)
"""By then a reveal is confirmed, or its process died while it answered: then it is unknown whether
the secret was seen."""
UNREAD_SECRET = timedelta(days=7)
"""How long a secret waits for its requester before it is removed from Entra: a week's absence."""
UNREAD_REMINDERS = (timedelta(days=1), timedelta(days=3), timedelta(days=6))
"""How long after the announcement the requester is reminded of an unread secret."""
PREVIOUS_SECRET = timedelta(days=7)
"""How long the previous secret works once its successor was seen: time to change over."""
SHORTEST_SECRET = DAY
"""A secret that would end sooner is not worth making."""

EXPIRY_NOTICES = (timedelta(days=30), timedelta(days=7), DAY, timedelta(0))
"""How long before the end of the secret in use people are told, and when it has ended."""
SHORT_SECRET = timedelta(days=60)
"""For a shorter life these notices would be too early, and several at once."""
SHORT_SECRET_NOTICES = (1 / 2, 1 / 8, 1 / 40, 0.0)
"""The part of a short secret's life that is left at each notice."""

SWEEPS = (timedelta(minutes=15), DAY)
"""When to look for stray secrets after a run: reads lag, so once early and once when all has
settled."""
CLEANUP_RETRY = timedelta(hours=1)
"""When to retry a cleanup that failed: an outage of Entra is over by then."""
FIRST_CHECK = UNREAD_SECRET + timedelta(hours=1)
"""When a new secret's registration is first compared with the tenant: an unread secret is gone by
then."""
CHECK_EVERY = timedelta(days=7)
CHECK_RETRY = DAY
"""When to compare again if the tenant could not be read."""
CHECK_PAUSE = timedelta(minutes=5)
"""How far apart checks are that people ask for, while nothing changes."""
ORPHANS_EVERY = DAY
"""How often the tenant is searched for orphans: it reads all applications that carry our tag."""
ORPHANS_RETRY = timedelta(hours=1)
"""When to search again if the tenant could not be read, or a stop came first."""

RETENTION = timedelta(days=365)
"""How long rows of ended work are kept unless RETENTION says otherwise."""
SHORTEST_RETENTION = timedelta(days=90)
LONGEST_RETENTION = timedelta(days=3650)
ENGINE_RETENTION = timedelta(days=30)
"""How long the engine keeps its record of a run that has ended, for an operator who looks into a
bug."""
