/** The audit log, and each call as it comes. */

import { h, patchJson } from "../dom.js";
import { actor, all, named, snapshot, time } from "./model.js";
import { badge, empty, text } from "./parts.js";

const SLOW_SECONDS = 2;
const CALLERS = { bot: "the bot", vendor: "the vendor", administrator: "an administrator", person: "a person's browser" };

/** The entries of the audit log, newest first. */
export function audit({ audits, names }) {
  const entries = audits.sort((one, other) => number(other.id) - number(one.id));
  return entries.map((entry) => [
    entry.id,
    {
      title: entry.activityDisplayName,
      at: entry.activityDateTime,
      by: actor(entry, names),
      isSuccess: entry.result === "success",
      targets: [...new Set(entry.targetResources.map((each) => each.displayName ?? each.id))],
    },
  ]);
}

function number(id) {
  return Number(id.slice(id.lastIndexOf("_") + 1));
}

export function auditRow(entry) {
  return h(
    "li",
    null,
    h("span", { class: "row-title" }, entry.title, entry.isSuccess ? null : [" ", badge("bad", "failed")]),
    h("span", { class: "note" }, time(entry.at), " · by ", text(entry.by)),
    h("span", { class: "targets" }, entry.targets.map((each) => text(each))),
  );
}

/** The list of calls, which can be held still. */
export class Calls {
  constructor(store) {
    this._store = store;
    this._shown = null;
    this.list = h("ol", { class: "calls", "aria-label": "Calls, newest first" });
    this._note = h("span", { class: "note", role: "status" });
    this._button = h("button", { type: "button", class: "button", data: { action: "pause-calls" }, "aria-pressed": "false", onclick: () => this._toggle() }, "Pause");
    this._nothing = empty("Nothing has called yet.");
    this.element = h("div", null, h("div", { class: "actions" }, this._button, this._note), this._nothing, this.list);
  }

  draw() {
    const calls = newestCalls(this._store);
    const shown = this._shown ?? calls;
    const { names } = snapshot(this._store);
    const newer = calls.filter((each) => each.number > (shown[0]?.number ?? -1)).length;
    this._note.textContent = this._shown ? `${newer} newer` : "Newest first";
    this._nothing.hidden = shown.length > 0;
    patchJson(this.list, shown.map((each) => [String(each.number), { ...each, parts: named(decoded(each.path), names) }]), callRow);
  }

  _toggle() {
    const isPaused = this._shown === null;
    this._shown = isPaused ? newestCalls(this._store) : null;
    this._button.setAttribute("aria-pressed", String(isPaused));
    this._button.textContent = isPaused ? "Follow" : "Pause";
    this.draw();
  }
}

function newestCalls(store) {
  return all(store, "call/").sort((one, other) => other.number - one.number);
}

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function callRow(call) {
  return h(
    "li",
    { class: "call", data: { by: call.by, status: call.status } },
    h("span", { class: "method" }, call.method),
    h("span", { class: `status ${statusKind(call.status)}`, title: call.error ?? null }, call.status || "cut"),
    h("span", { class: "path" }, call.parts.map((part) => (typeof part === "string" ? part : h("bdi", { class: "named", title: part.id }, part.name)))),
    h(
      "span",
      { class: "note" },
      h("span", { class: "by" }, CALLERS[call.by] ?? call.by),
      ` · ${time(call.at).slice(11, 16)} · `,
      h("span", { class: call.seconds >= SLOW_SECONDS ? "slow" : null }, duration(call.seconds)),
      call.error ? ` · ${call.error}` : null,
    ),
  );
}

function duration(seconds) {
  return seconds < 1 ? `${seconds.toFixed(3)} s` : `${seconds.toFixed(1)} s`;
}

function statusKind(status) {
  if (!status || status >= 500 || status === 429) return "bad";
  return status >= 400 ? "warn" : "good";
}
