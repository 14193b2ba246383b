/** The vendor pane: the console's form of a directory connector, *Sync Directory Data*, the result. */

import { attempt } from "./api.js";
import { fill, freshId, h } from "./dom.js";
import { time } from "./tenant/model.js";

export const styles = ["tenant.css", "vendor.css"];

const KEY = "Key";
const MASK = "•";
const EMPTY = "(leave empty)";
/** What other sheets of values call the fields of this form. */
const ALSO = {
  "Application (client) ID": "Application Id",
  "Client secret": KEY,
  "Tenant domain": "Tenant Domain",
};

export function mount(element, { store, api, toast }) {
  const pane = new Pane(store, api, toast);
  element.append(pane.element);
  store.subscribe("vendor", () => pane.draw());
}

class Pane {
  constructor(store, api, toast) {
    this._store = store;
    this._api = api;
    this._toast = toast;
    this._inputs = new Map();
    this._shown = {};
    this._isBusy = false;
    this._note = h("p", { class: "form-note", role: "status" });
    this._fields = h("div", { class: "vendor-fields" });
    this._result = h("div", { class: "result", role: "status", "aria-label": "Result of the sync" });
    this._save = button("Save", "vendor-save", { type: "submit", class: "button primary" });
    this._sync = button("Sync Directory Data", "vendor-sync", { onclick: () => this._act(() => this._synced()) });
    const fillIn = button("Fill in", "vendor-fill", { onclick: () => this._fillIn(), title: "Copy the values from your newest message in Slack that shows the secret; or paste them by hand" });
    this._form = h(
      "form",
      { novalidate: true, autocomplete: "off", "aria-label": "Directory connector", onsubmit: (event) => (event.preventDefault(), this._act(() => this._saved())) },
      h("div", { class: "actions vendor-actions" }, fillIn, this._save, this._sync),
      this._note,
      this._result,
      this._fields,
    );
    this.element = h(
      "div",
      { class: "console vendor-pane" },
      h("header", { class: "console-head" }, h("h2", null, "Vendor's console"), h("p", { class: "note" }, "Services › Directory Synchronization")),
      h("div", { class: "console-body" }, this._form),
    );
  }

  draw() {
    const vendor = this._store.get("vendor");
    if (!vendor) return;
    if (!this._inputs.size) this._build(vendor.fields);
    for (const field of vendor.fields) this._update(field);
    const isSyncing = vendor.syncing;
    this._sync.disabled = this._isBusy || isSyncing || !vendor.saved;
    this._save.disabled = this._isBusy || isSyncing;
    this._sync.textContent = isSyncing ? "Reading the directory…" : "Sync Directory Data";
    fill(this._result, resultOf(vendor));
  }

  _build(fields) {
    for (const field of fields) {
      const input = inputFor(field);
      const error = h("p", { class: "field-error", id: freshId("error"), hidden: true });
      this._inputs.set(field.name, { input, error, field });
      this._fields.append(fieldRow(field, input, error));
    }
  }

  /** Show a saved value, unless the person has typed since. */
  _update({ name, kind, value }) {
    if (this._shown[name] === value) return;
    this._shown[name] = value;
    const { input } = this._inputs.get(name);
    if (kind === "flag") input.checked = value === "Yes";
    else if (kind === "secret") input.placeholder = value ? `${value} (saved; empty keeps it)` : "";
    else if (value || kind === "text") input.value = value;
  }

  _values() {
    return Object.fromEntries([...this._inputs].map(([name, { input, field }]) => [name, read(input, field)]));
  }

  async _saved() {
    this._mark({});
    this._note.textContent = "";
    try {
      await this._api.post("vendor/save", this._values());
      this._inputs.get(KEY).input.value = "";
      this._note.textContent = "Saved.";
    } catch (error) {
      this._mark(error.answer?.problems ?? {});
      this._note.textContent = error.answer?.problems ? "" : error.message;
      this._form.querySelector("[aria-invalid=true]")?.focus();
    }
  }

  async _synced() {
    this._note.textContent = "";
    const isRead = await attempt({ toast: this._toast }, () => this._api.post("vendor/sync"));
    if (isRead) this._result.scrollIntoView({ block: "nearest" });
  }

  async _act(act) {
    this._isBusy = true;
    this.draw();
    await act();
    this._isBusy = false;
    this.draw();
  }

  _mark(problems) {
    for (const [name, { input, error }] of this._inputs) {
      const problem = problems[name];
      error.textContent = problem ?? "";
      error.hidden = !problem;
      if (problem) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }

  _fillIn() {
    this._mark({});
    const { values, problem } = copied(this._store);
    this._note.textContent = problem ?? "Filled in from your newest message. Save it.";
    if (problem) return;
    for (const [name, value] of Object.entries(values)) {
      const { input, field } = this._inputs.get(name) ?? {};
      if (!input) continue;
      if (field.kind === "flag") input.checked = value === "Yes";
      else input.value = value;
    }
    this._save.focus();
  }
}

function button(title, action, attributes = {}) {
  return h("button", { type: "button", class: "button", data: { action }, ...attributes }, title);
}

function inputFor(field) {
  const attributes = { id: freshId("vendor"), class: "vendor-input", data: { field: field.name }, "aria-required": String(field.required) };
  if (field.kind === "choice") return h("select", attributes, field.choices.map((each) => h("option", { value: each }, each)));
  if (field.kind === "flag") return h("input", { ...attributes, type: "checkbox", "aria-required": null });
  const type = field.kind === "secret" ? "password" : "text";
  return h("input", { ...attributes, type, spellcheck: "false", autocomplete: "off", dir: "auto" });
}

function read(input, { kind }) {
  if (kind === "flag") return input.checked ? "Yes" : "No";
  return input.value.trim();
}

function fieldRow(field, input, error) {
  const hint = field.hint ? h("p", { class: "note", id: freshId("hint") }, field.hint) : null;
  input.setAttribute("aria-describedby", [hint?.id, error.id].filter(Boolean).join(" "));
  const label = h("label", { for: input.id }, field.name);
  const parts = field.kind === "flag" ? [h("div", { class: "check" }, input, label)] : [label, input];
  return h("div", { class: "field" }, parts, hint, error);
}

/** Return a result as the console shows it. */
function resultOf({ result, syncing }) {
  if (syncing || !result) return [];
  return h(
    "div",
    { class: `outcome ${result.ok ? "good" : "bad"}`, data: { ok: String(result.ok), users: result.users, groups: result.groups } },
    h("p", { class: "row-title" }, result.ok ? "✓ " : "✗ ", result.text),
    result.details.map((each) => h("p", null, each)),
    result.advice ? h("p", null, result.advice) : null,
    h("p", { class: "note" }, time(result.at)),
  );
}

/**
 * Copy the values from the person's newest ephemeral message that shows the secret.
 * @returns {{values?: Object<string, string>, problem?: string}}
 */
function copied(store) {
  const sheets = store
    .entries("message/")
    .map(([, message]) => message)
    .filter((message) => message.only_for_you)
    .sort((one, other) => Number(other.ts) - Number(one.ts))
    .map((message) => valuesIn(message.blocks ?? []))
    .filter((values) => values[KEY]);
  const open = sheets.find((values) => !values[KEY].includes(MASK));
  if (open) return { values: open };
  if (sheets.length) return { problem: "The Key is masked in Slack. Press Show the secret there; if it was shown before, press Make a new one." };
  return { problem: "There is nothing to copy. Open the message with your connector values in Slack and press Get the values." };
}

/** Return the values by the names of this form's fields. */
function valuesIn(blocks) {
  const found = {};
  for (const block of blocks.filter((each) => each.type === "rich_text")) {
    let label = "";
    for (const part of block.elements ?? []) {
      const words = (part.elements ?? []).map((each) => each.text ?? "").join("");
      if (part.type !== "rich_text_preformatted") label = words.trim();
      else found[ALSO[label] ?? label] = words === EMPTY ? "" : words;
    }
  }
  return found;
}
