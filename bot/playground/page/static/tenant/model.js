/** What the tenant pane shows of the tenant's objects, as plain values: no DOM. */

const MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000";
const KEPT_DAYS = 30;
const DAY = 24 * 3600 * 1000;
const AUDIENCES = {
  AzureADMyOrg: "Accounts in this organisational directory only",
  AzureADMultipleOrgs: "Accounts in any organisational directory",
  AzureADandPersonalMicrosoftAccount: "Any organisational directory and personal accounts",
  PersonalMicrosoftAccount: "Personal accounts only",
};
const GUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

/** Return the values of all keys that begin so. */
export function all(store, prefix) {
  return store.entries(prefix).map(([, value]) => value);
}

/** Write a time as the bot's plain texts do. */
export function time(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

export function day(iso) {
  return time(iso).slice(0, 10);
}

/** Read all that the tenant pane shows of the store, once for a drawing. */
export function snapshot(store) {
  const it = {
    tenant: store.get("tenant") ?? {},
    now: Date.parse(store.get("now")?.now ?? new Date().toISOString()),
    applications: all(store, "application/"),
    principals: all(store, "service_principal/"),
    assignments: all(store, "assignment/"),
    grants: all(store, "grant/"),
    deleted: all(store, "deleted/"),
    audits: all(store, "audit/"),
  };
  return { ...it, names: namesOf(it) };
}

/** Return the name of everything whose id the tenant knows. */
function namesOf(it) {
  const names = new Map(Object.entries(it.tenant.permissions ?? {}));
  names.set(MICROSOFT_GRAPH, "Microsoft Graph");
  if (it.tenant.id) names.set(it.tenant.id, it.tenant.domain);
  for (const each of it.assignments) names.set(each.resourceId, each.resourceDisplayName);
  for (const each of [...it.deleted, ...it.principals, ...it.applications]) {
    names.set(each.id, each.displayName ?? "(no name)");
    if (each.appId) names.set(each.appId, each.displayName ?? "(no name)");
  }
  return names;
}

/**
 * Split a text at the ids that have names: strings, and {id, name} for those.
 * @returns {Array<string | {id: string, name: string}>}
 */
export function named(text, names) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(GUID)) {
    const name = names.get(found[0].toLowerCase());
    if (!name) continue;
    parts.push(text.slice(from, found.index), { id: found[0], name });
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)].filter((part) => part !== "");
}

/** Return every application, newest first, with the objects that belong to it. */
export function applications(it) {
  return it.applications
    .map((each) => application(it, each, it.principals.find(({ appId }) => appId === each.appId)))
    .sort((one, other) => (one.created < other.created ? 1 : -1));
}

function application(it, body, principal) {
  return {
    id: body.id,
    appId: body.appId,
    name: body.displayName ?? "(no name)",
    created: body.createdDateTime,
    audience: AUDIENCES[body.signInAudience] ?? body.signInAudience,
    redirects: body.web?.redirectUris ?? [],
    uniqueName: body.uniqueName,
    tags: body.tags ?? [],
    permissions: permissions(it, body, principal),
    credentials: credentials(it, body),
    principal: principal && {
      id: principal.id,
      isEnabled: principal.accountEnabled !== false,
      created: principal.createdDateTime,
    },
  };
}

function credentials(it, body) {
  const kinds = [["Client secret", body.passwordCredentials], ["Certificate", body.keyCredentials]];
  return kinds.flatMap(([kind, held]) =>
    (held ?? []).map((each) => ({
      kind,
      keyId: each.keyId,
      name: each.displayName ?? "",
      start: each.startDateTime,
      end: each.endDateTime,
      isExpired: Date.parse(each.endDateTime) <= it.now,
    })),
  );
}

/** Return each permission that is asked for, then those that are granted without being asked for. */
function permissions(it, body, principal) {
  const { names } = it;
  const grants = principal ? granted(it, principal) : [];
  const asked = (body.requiredResourceAccess ?? []).flatMap((resource) =>
    resource.resourceAccess.map((each) => ({
      name: names.get(each.id) ?? each.id,
      kind: each.type === "Role" ? "Application" : "Delegated",
      api: names.get(resource.resourceAppId) ?? resource.resourceAppId,
      isAsked: true,
    })),
  );
  const found = asked.map((each) => ({ ...each, grants: grants.filter((grant) => fits(grant, each)) }));
  return [...found, ...unasked(grants.filter((grant) => !asked.some((each) => fits(grant, each))))];
}

/** Put together what was granted in the same way: the scopes with which people sign in, mostly. */
function unasked(grants) {
  const groups = new Map();
  for (const grant of grants) {
    const like = [grant.kind, grant.api, grant.reach, grant.by].join("\n");
    groups.set(like, [...(groups.get(like) ?? []), grant]);
  }
  return [...groups.values()].map((alike) => ({
    name: alike.map((grant) => grant.name).join(", "),
    kind: alike[0].kind,
    api: alike[0].api,
    isAsked: false,
    grants: [alike[0]],
  }));
}

function fits(grant, permission) {
  return grant.name === permission.name && grant.kind === permission.kind;
}

function granted(it, principal) {
  const roles = it.assignments.filter((each) => each.principalId === principal.id);
  const scopes = it.grants.filter((each) => each.clientId === principal.id);
  return [
    ...roles.map((each) => ({
      name: it.names.get(each.appRoleId) ?? each.appRoleId,
      kind: "Application",
      api: each.resourceDisplayName ?? "",
      reach: "all",
      by: grantedBy(it, principal, each.appRoleId),
    })),
    ...scopes.flatMap((each) => scopesOf(it, principal, each)),
  ];
}

function scopesOf(it, principal, grant) {
  const isForAll = grant.consentType === "AllPrincipals";
  const by = grantedBy(it, principal, grant.consentType);
  return (grant.scope ?? "").split(" ").filter(Boolean).map((name) => ({
    name,
    kind: "Delegated",
    api: it.names.get(grant.resourceId) ?? "Microsoft Graph",
    reach: isForAll ? "all" : (it.names.get(grant.principalId) ?? "one user"),
    by,
  }));
}

/** Return who granted it, as the audit log says; what is done in the admin centre here leaves no entry. */
function grantedBy(it, principal, value) {
  const entries = it.audits.filter(
    (entry) =>
      ["Add app role assignment to service principal", "Add delegated permission grant"].includes(entry.activityDisplayName) &&
      entry.targetResources.some((target) => target.id === principal.id) &&
      JSON.stringify(entry.targetResources).includes(value),
  );
  return entries.length ? actor(entries.at(-1), it.names) : "an administrator";
}

/** Return who did what an entry of the audit log tells. */
export function actor(entry, names) {
  const { app, user } = entry.initiatedBy ?? {};
  if (user) return user.userPrincipalName ?? user.id;
  const name = app?.displayName ?? names.get(app?.appId);
  return name ?? "an application";
}

export function deleted(it) {
  return it.deleted
    .map((each) => ({
      id: each.id,
      name: each.displayName ?? "(no name)",
      kind: "requiredResourceAccess" in each ? "Application" : "Service principal",
      at: each.deletedDateTime,
      gone: new Date(Date.parse(each.deletedDateTime) + KEPT_DAYS * DAY).toISOString(),
    }))
    .sort((one, other) => (one.at < other.at ? 1 : -1));
}
