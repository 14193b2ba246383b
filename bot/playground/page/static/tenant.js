/** The tenant pane: applications with their permissions and credentials, the audit log, each call. */

import { attempt } from "./api.js";
import { fill, freshId, h, patchJson } from "./dom.js";
import * as application from "./tenant/application.js";
import { applications, deleted, snapshot } from "./tenant/model.js";
import { empty, text } from "./tenant/parts.js";
import { audit, auditRow, Calls } from "./tenant/traffic.js";

export const styles = ["tenant.css"];

const OBJECTS = ["tenant", "application/", "service_principal/", "assignment/", "grant/", "deleted/", "audit/", "now"];
const MODES = {
  portal: "consent by hand",
  "signed-in": "consent by approvers",
  limited: "consent by the bot, within limits",
  autonomous: "consent by the bot",
};

/** Draw into the element whatever the store holds of the tenant. */
export function mount(element, { store, api }) {
  const pane = new Pane(store, api);
  element.append(pane.element);
  for (const prefix of OBJECTS) store.subscribe(prefix, () => pane.changed());
  store.subscribe("call/", () => pane.changed("calls"));
  document.addEventListener("shown", () => pane.changed());
}

class Pane {
  constructor(store, api) {
    this._store = store;
    this._api = api;
    this._opened = null;
    this._isAsking = false;
    this._isBusy = false;
    this._refusal = null;
    this._isDue = false;
    this._calls = new Calls(store);
    this._about = h("p", { class: "note" });
    this._applications = h("div", { class: "applications" });
    this._audit = h("ul", { class: "audit", "aria-label": "Audit log, newest first" });
    this._auditNote = empty("Nothing has been written yet.");
    this._tabs = new Tabs("Tenant", {
      applications: ["Applications", this._applications],
      audit: ["Audit log", h("div", null, this._auditNote, this._audit)],
      calls: ["Calls", this._calls.element],
    }, () => this._tabs && this.changed());
    this._page = { app: null, parts: [], element: h("div", { class: "tenant-page" }) };
    this._list = this._listOf();
    this.element = h(
      "div",
      { class: "console tenant-pane" },
      h("header", { class: "console-head" }, h("h2", null, "Entra tenant ", (this._name = h("bdi"))), this._about),
      this._tabs.element,
    );
  }

  /** Draw once before the next frame, however much has changed. */
  changed(tab = this._tabs.selected) {
    if (this._isDue || tab !== this._tabs.selected) return;
    this._isDue = true;
    requestAnimationFrame(() => {
      this._isDue = false;
      this._draw();
    });
  }

  _draw() {
    const tenant = this._store.get("tenant");
    if (!tenant) return;
    const people = `${tenant.users.toLocaleString("en")} users, ${tenant.groups.toLocaleString("en")} groups`;
    this._name.textContent = tenant.name;
    this._about.textContent = `${tenant.domain} · ${people} · ${MODES[tenant.consent_mode] ?? tenant.consent_mode}`;
    if (this._tabs.selected === "calls") this._calls.draw();
    else if (this._tabs.selected === "audit") this._drawAudit();
    else this._drawApplications(tenant);
  }

  _drawAudit() {
    const entries = audit(snapshot(this._store));
    this._auditNote.hidden = entries.length > 0;
    patchJson(this._audit, entries, auditRow);
  }

  _drawApplications(tenant) {
    const it = snapshot(this._store);
    const apps = applications(it);
    const app = apps.find((each) => each.id === this._opened);
    const shown = app ? this._page.element : this._list.element;
    if (this._applications.firstElementChild !== shown) fill(this._applications, shown);
    if (app) this._drawPage(app, tenant);
    else this._drawList(apps, deleted(it));
  }

  _listOf() {
    const list = { apps: h("ul", { class: "rows", "aria-label": "Applications" }), deleted: h("ul", { class: "rows", "aria-label": "Deleted" }) };
    list.none = empty("No application yet: once a request is approved, the bot makes one here.");
    list.noneDeleted = empty("Nothing was deleted.");
    list.element = h("div", null, list.none, list.apps, h("h4", null, "Deleted items"), list.noneDeleted, list.deleted);
    return list;
  }

  _drawList(apps, gone) {
    this._list.none.hidden = apps.length > 0;
    this._list.noneDeleted.hidden = gone.length > 0;
    patchJson(this._list.apps, apps.map((app) => [app.id, app]), (app) => application.row(app, (id) => this._open(id)));
    patchJson(this._list.deleted, gone.map((each) => [each.id, each]), application.deletedRow);
  }

  _drawPage(app, tenant) {
    const act = { ask: () => this._ask(true), cancel: () => this._ask(false), grant: () => this._grant(app.appId) };
    const consent = { app, tenant: tenant.name, isAsking: this._isAsking, isBusy: this._isBusy, refusal: this._refusal };
    const parts = {
      head: [app.name, () => this._head(app)],
      permissions: [consent, (model) => application.permissions(model, act)],
      credentials: [app, application.credentials],
      overview: [app, application.overview],
      principal: [app, application.principal],
    };
    const models = Object.entries(parts).map(([key, [model]]) => [`${app.id} ${key}`, { key, model }]);
    patchJson(this._page.element, models, ({ key, model }) => parts[key][1](model));
  }

  _head(app) {
    return h(
      "div",
      { class: "page-head" },
      h("button", { type: "button", class: "quiet", data: { action: "all-applications" }, onclick: () => this._open(null) }, "‹ Applications"),
      h("h3", null, text(app.name)),
    );
  }

  _open(id) {
    this._opened = id;
    this._isAsking = false;
    this._refusal = null;
    this._draw();
    const focus = id ? this._page.element : this._list.element;
    focus.querySelector("button")?.focus();
  }

  _ask(isAsking) {
    this._isAsking = isAsking;
    if (isAsking) this._refusal = null;
    this._draw();
    const action = isAsking ? "confirm-consent" : "grant-admin-consent";
    this._page.element.querySelector(`[data-action="${action}"]`)?.focus();
  }

  async _grant(appId) {
    const opened = this._opened;
    let refusal = null;
    this._isBusy = true;
    this._draw();
    const toast = (sentence) => (refusal = sentence);
    await attempt({ toast }, () => this._api.post("tenant/consent", { app_id: appId }));
    this._isBusy = false;
    if (this._opened !== opened) return this._draw();
    this._refusal = refusal;
    this._ask(false);
  }
}

/** Tabs as ARIA describes them: arrow keys move, only the selected one is in the tab order. */
class Tabs {
  constructor(label, tabs, changed) {
    this._changed = changed;
    this._buttons = new Map();
    this._panels = new Map();
    for (const [name, [title, panel]] of Object.entries(tabs)) this._add(name, title, panel);
    const list = h("div", { class: "tenant-tabs", role: "tablist", "aria-label": label, onkeydown: (event) => this._move(event) }, [...this._buttons.values()]);
    this.element = h("div", { class: "tabbed" }, list, [...this._panels.values()]);
    this.select(Object.keys(tabs)[0]);
  }

  select(name) {
    this.selected = name;
    for (const [each, button] of this._buttons) {
      button.setAttribute("aria-selected", String(each === name));
      button.tabIndex = each === name ? 0 : -1;
      this._panels.get(each).hidden = each !== name;
    }
    this._changed();
  }

  _add(name, title, content) {
    const [tab, panel] = [freshId("tab"), freshId("tabpanel")];
    const attributes = { type: "button", role: "tab", id: tab, "aria-controls": panel, data: { tab: name } };
    this._buttons.set(name, h("button", { ...attributes, onclick: () => this.select(name) }, title));
    this._panels.set(name, h("div", { role: "tabpanel", id: panel, "aria-labelledby": tab, tabindex: 0, class: "tabpanel" }, content));
  }

  _move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = [...this._buttons.keys()];
    this.select(names.at((names.indexOf(this.selected) + step) % names.length));
    this._buttons.get(this.selected).focus();
    event.preventDefault();
  }
}
