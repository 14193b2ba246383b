"""How many objects the directory may hold, told as `directorySizeQuota` of the organization.

Documented for beta only (learn.microsoft.com/graph/api/resources/directorysizequota): v1.0 does not
declare it, so a `$select` of it is refused here, and scripts in use find it in v1.0's whole answer.
Deleted objects count until they are purged.
"""

from typing import Any

from bot.playground.tenant.directory import Directory, Quota
from bot.playground.tenant.errors import GraphFailure
from bot.playground.tenant.replicas import Kind

_COUNTED = (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL)


def limited(directory: Directory, *, used: int, total: int) -> Quota:
    """Return the quota under which the directory now uses so much of it."""
    return Quota(total=total, others=used - _counted(directory))


def told(directory: Directory) -> dict[str, Any] | None:
    """Return `directorySizeQuota`, or None while this tenant has no limit."""
    if directory.quota is None:
        return None
    used = directory.quota.others + _counted(directory)
    return {"used": used, "total": directory.quota.total}


def check(directory: Directory) -> None:
    """Refuse one object more than the directory may hold."""
    quota = directory.quota
    if quota is not None and quota.others + _counted(directory) >= quota.total:
        raise GraphFailure(
            403,
            "Directory_QuotaExceeded",
            "The directory object quota limit for the Tenant has been exceeded. Please ask your"
            " administrator to increase the quota limit or delete objects to reduce the used"
            " quota.",
        )


def _counted(directory: Directory) -> int:
    return sum(len(list(directory.store.all(kind))) for kind in _COUNTED) + len(directory.deleted)
