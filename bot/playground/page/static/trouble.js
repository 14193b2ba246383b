/** The trouble pane: switches for what can go wrong, and time to skip. */

import { attempt } from "./api.js";
import { h } from "./dom.js";
import { GROUPS, SKIPS, SWITCHES } from "./trouble/switches.js";

export const styles = ["tenant.css", "trouble.css"];

export function mount(element, page) {
  const pane = new Pane(page);
  element.append(pane.element);
  page.store.subscribe("trouble", () => pane.draw());
}

class Pane {
  constructor(page) {
    this._page = page;
    this._store = page.store;
    this._api = page.api;
    this._switches = new Map();
    this._state = h("p", { class: "note", role: "status" });
    const calm = h("button", { type: "button", class: "button primary", data: { action: "all-calm" }, onclick: () => attempt(this._page, () => this._calm()) }, "All calm");
    this.element = h(
      "div",
      { class: "console trouble-pane" },
      h("header", { class: "console-head" }, h("h2", null, "Trouble"), this._state, h("div", { class: "actions" }, calm)),
      h("div", { class: "console-body groups" }, GROUPS.map(([title, items]) => this._group(title, items)), this._time()),
    );
  }

  draw() {
    const trouble = this._store.get("trouble");
    if (!trouble) return;
    let on = 0;
    for (const [it, { button, state }] of this._switches) {
      const isOn = Boolean(it.isOn(trouble));
      on += isOn;
      button.setAttribute("aria-checked", String(isOn));
      state.textContent = isOn ? `on${countdown(it, trouble)}` : "off";
    }
    this._state.textContent = on ? `${on} ${on === 1 ? "switch is" : "switches are"} on.` : "All is calm.";
  }

  _group(title, items) {
    const rows = items.map((it) => (it.kind === "action" ? this._action(it) : this._switch(it)));
    return h("section", { class: "trouble-group" }, h("h3", null, title), rows);
  }

  _switch(it) {
    const [words, id] = [`trouble-${it.id}-words`, `trouble-${it.id}`];
    const state = h("span", { class: "switch-state", "aria-hidden": "true" }, "off");
    const attributes = { type: "button", role: "switch", "aria-checked": "false", id, "aria-describedby": words, data: { trouble: it.id } };
    const button = h("button", { ...attributes, class: "switch", onclick: () => attempt(this._page, () => this._toggle(it)) },
      h("span", { class: "row-title" }, it.title), state, h("span", { class: "knob", "aria-hidden": "true" }));
    this._switches.set(it, { button, state });
    return h("div", { class: "trouble-row" }, button, described(it, words));
  }

  _action(it) {
    const words = `trouble-${it.id}-words`;
    const attributes = { type: "button", class: it.isGrave ? "button danger" : "button", "aria-describedby": words, data: { trouble: it.id } };
    return h("div", { class: "trouble-row" },
      h("button", { ...attributes, onclick: () => attempt(this._page, () => this._api.post(it.path)) }, it.title),
      described(it, words));
  }

  _time() {
    return h("section", { class: "trouble-group" }, h("h3", null, "Skip time"),
      h("p", { class: "note" }, "Moves the clock of Slack, Entra and the bot. It never goes back."),
      h("ul", { class: "skips" }, SKIPS.map((it) =>
        h("li", null,
          h("button", { type: "button", class: "button", "aria-describedby": `trouble-${it.id}-words`, data: { trouble: it.id }, onclick: () => attempt(this._page, () => this._api.post("clock", { seconds: it.seconds })) }, it.title),
          h("span", { class: "note", id: `trouble-${it.id}-words` }, it.sees)))));
  }

  async _toggle(it) {
    const trouble = this._store.get("trouble");
    if (!trouble) return;
    const isOn = it.isOn(trouble);
    if (it.kind === "policy") await this._setPolicy(it, isOn, trouble);
    else if (it.kind === "slack") await this._setSlack(it, isOn);
    else if (!isOn) await this._api.post("tenant/faults", it.faults);
    else if (it.kind === "span") await this._api.post("tenant/faults", it.off);
    else await this._withoutFault(it, trouble);
  }

  /** A policy is set as a whole: what is not named is not restricted. */
  async _setPolicy(it, isOn, trouble) {
    const others = SWITCHES.filter((each) => each.kind === "policy" && each !== it && each.isOn(trouble));
    const kept = isOn ? others : [...others, it];
    await this._api.post("tenant/policy", Object.assign({}, ...kept.map((each) => each.policy)));
  }

  async _setSlack(it, isOn) {
    if (isOn) await this._api.post("workspace/faults", { fault: "clear" });
    else for (const body of it.posts) await this._api.post("workspace/faults", body);
  }

  /** One fault cannot be taken back alone: clear all, and set the others again. */
  async _withoutFault(it, trouble) {
    const others = SWITCHES.filter((each) => each.faults && each !== it && each.isOn(trouble));
    await this._api.delete("tenant/faults");
    for (const each of others) await this._api.post("tenant/faults", each.faults);
  }

  async _calm() {
    await this._api.delete("tenant/faults");
    await this._api.post("tenant/policy", {});
    await this._api.post("workspace/faults", { fault: "clear" });
  }
}

function countdown(it, trouble) {
  const left = it.left?.(trouble) ?? 0;
  return left && left < 100 ? `, ${left} left` : "";
}

function described({ does, sees }, id) {
  return h("p", { class: "note", id }, does, h("span", { class: "sees" }, ` ${sees}`));
}
