"""`/auditLogs/directoryAudits`: list and read.

learn.microsoft.com/graph/api/directoryaudit-list; names that `$filter` takes:
…/graph/api/resources/directoryaudit.
"""

from bot.playground.tenant.audit_log import entries
from bot.playground.tenant.calls import Answer, Request
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import not_found
from bot.playground.tenant.query import EntitySet, many, one

AUDITS = EntitySet(
    name="auditLogs/directoryAudits",
    type="directoryAudit",
    properties=frozenset(
        {"id", "activityDateTime", "activityDisplayName", "additionalDetails", "category"}
        | {"correlationId", "initiatedBy", "loggedByService", "operationType", "result"}
        | {"resultReason", "targetResources"}
    ),
    filterable=frozenset(
        {"id", "activityDisplayName", "category", "correlationId", "loggedByService", "result"}
        | {"initiatedBy/app/appId", "initiatedBy/app/displayName", "initiatedBy/user/id"}
        | {"initiatedBy/user/displayName", "initiatedBy/user/userPrincipalName"}
        | {"targetResources/id", "targetResources/displayName"}
    ),
    comparable=frozenset({"activityDateTime"}),
    page=1000,
    most=1000,
)


def list_all(directory: Directory, request: Request) -> Answer:
    return many(directory.url, request, AUDITS, entries(directory, request.moment.now))


def read(directory: Directory, request: Request) -> Answer:
    id = request.target.keys[0].value
    shown = entries(directory, request.moment.now)
    found = next((entry for entry in shown if entry["id"] == id), None)
    if found is None:
        raise not_found(id)
    return one(directory.url, request, AUDITS, found)
