/** One application: overview, API permissions with *Grant admin consent*, credentials, service principal. */

import { h } from "../dom.js";
import { day, time } from "./model.js";
import { badge, empty, facts, id, section, text } from "./parts.js";

const MICROSOFT_GRAPH = "Microsoft Graph";

/** A row of the list, which opens the application. */
export function row(app, open) {
  return h(
    "li",
    null,
    h(
      "button",
      { type: "button", class: "tenant-row", data: { action: "open-application", block: app.id }, onclick: () => open(app.id) },
      h("span", { class: "row-title" }, text(app.name)),
      id(app.appId),
      h("span", { class: "badges" }, consentBadge(app), secretBadge(app)),
    ),
  );
}

function consentBadge(app) {
  const asked = app.permissions.filter((each) => each.isAsked);
  const granted = asked.filter((each) => each.grants.length);
  if (!asked.length) return badge("plain", "no permissions");
  return badge(granted.length === asked.length ? "good" : "warn", `${granted.length} of ${asked.length} permissions granted`);
}

function secretBadge(app) {
  const live = app.credentials.filter((each) => !each.isExpired);
  if (live.length > 1) return badge("plain", `${live.length} secrets`);
  if (live.length === 1) return badge("plain", `secret until ${day(live[0].end)}`);
  return app.credentials.length ? badge("bad", "secret expired") : badge("plain", "no secret");
}

export function overview(app) {
  return section(
    "Overview",
    facts([
      ["Application (client) ID", id(app.appId)],
      ["Object ID", id(app.id)],
      ["Supported accounts", app.audience],
      ["Redirect URLs", app.redirects.length ? app.redirects.map((each) => h("div", null, text(each))) : "none"],
      ["Created", time(app.created)],
      ["Tags", app.tags.length ? app.tags.map((each) => h("div", null, id(each))) : null],
    ]),
  );
}

/**
 * The API permissions page.
 * @param {object} model  {app, tenant, isAsking, isBusy, refusal}
 * @param {{ask: () => void, cancel: () => void, grant: () => void}} act
 */
export function permissions({ app, tenant, isAsking, isBusy, refusal }, act) {
  const element = section(
    "API permissions",
    app.permissions.length ? table(app, tenant) : empty("This application asks for no permissions."),
    app.principal ? null : h("p", { class: "note" }, "It has no service principal yet, so nothing can be granted."),
    refusal && isMissing(app) && h("p", { class: "problem", role: "alert" }, refusal),
    isAsking ? confirmation(app, tenant, isBusy, act) : button(app, tenant, act),
  );
  element.dataset.block = "api-permissions";
  return element;
}

function isMissing(app) {
  return app.permissions.some((each) => each.isAsked && !each.grants.length);
}

function button(app, tenant, act) {
  const attributes = {
    type: "button",
    class: isMissing(app) ? "button primary" : "button",
    disabled: !app.principal || !app.permissions.some((each) => each.isAsked),
    data: { action: "grant-admin-consent" },
    onclick: act.ask,
  };
  return h("div", { class: "actions" }, h("button", attributes, "Grant admin consent"), h("span", { class: "note" }, "for ", text(tenant)));
}

function confirmation(app, tenant, isBusy, act) {
  const asked = app.permissions.filter((each) => each.isAsked).length;
  return h(
    "div",
    {
      class: "consent-confirm",
      role: "group",
      "aria-label": "Grant admin consent confirmation",
      onkeydown: (event) => event.key === "Escape" && act.cancel(),
    },
    h("p", null, `Grant ${asked === 1 ? "this permission" : `these ${asked} permissions`} for all accounts in `, text(tenant), "? What is granted but not asked for is taken away."),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", class: "button primary", disabled: isBusy, data: { action: "confirm-consent" }, onclick: act.grant }, "Yes, grant"),
      h("button", { type: "button", class: "button", disabled: isBusy, data: { action: "cancel-consent" }, onclick: act.cancel }, "No"),
    ),
  );
}

function table(app, tenant) {
  return h(
    "ul",
    { class: "permissions", "aria-label": "Permissions" },
    app.permissions.map((each) => permission(each, tenant)),
  );
}

function permission(each, tenant) {
  const isGranted = each.grants.length > 0;
  const how = each.kind === "Application" ? "without a signed-in user" : "for a signed-in user";
  return h(
    "li",
    { data: { permission: each.name, kind: each.kind, granted: String(isGranted) } },
    h("span", { class: "row-title" }, text(each.name)),
    isGranted ? each.grants.map((grant) => stateOf(grant, tenant)) : h("span", { class: "state warn" }, "! Not granted"),
    h(
      "span",
      { class: "note" },
      `${each.kind}, ${how}`,
      each.api === MICROSOFT_GRAPH ? null : [" · ", text(each.api)],
      each.isAsked ? null : " · not asked for",
      each.grants.map((grant) => [" · by ", text(grant.by)]),
    ),
  );
}

function stateOf({ reach }, tenant) {
  const whom = reach === "all" ? ["for all of ", text(tenant)] : ["for ", text(reach), " alone"];
  return h("span", { class: "state good" }, "✓ Granted ", whom);
}

export function credentials(app) {
  const held = app.credentials;
  return section(
    "Certificates & secrets",
    held.length
      ? h("ul", { class: "credentials" }, held.map(credential))
      : empty("There are none."),
    h("p", { class: "note" }, "Values are never shown here: Entra tells a secret's only once, to the program that made it."),
  );
}

function credential(each) {
  return h(
    "li",
    null,
    h("span", { class: "row-title" }, text(each.name || each.kind), " ", each.isExpired ? badge("bad", "expired") : badge("good", "valid")),
    h("span", { class: "note" }, `${each.kind} · ${day(each.start)} to ${day(each.end)}`),
    h("span", { class: "note" }, "Key ID ", id(each.keyId)),
  );
}

export function principal({ principal: it }) {
  const title = "Service principal";
  if (!it) return section(title, empty("There is none yet."));
  return section(
    title,
    facts([
      ["Object ID", id(it.id)],
      ["Enabled for users to sign in", it.isEnabled ? "yes" : "no"],
    ]),
  );
}

export function deletedRow(each) {
  return h(
    "li",
    { class: "deleted" },
    h("span", { class: "row-title" }, text(each.name)),
    h("span", { class: "note" }, `${each.kind} · deleted ${time(each.at)} · gone for good ${day(each.gone)}`),
  );
}
