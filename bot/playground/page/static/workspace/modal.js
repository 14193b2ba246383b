/** The modal in front of this person: fields, errors beside them, updates, and views pushed on top. */

import { attempt } from "../api.js";
import { showProblem } from "../blocks/elements.js";
import { KeptBlocks } from "../blocks/kept.js";
import { refusal } from "../blocks/refused.js";
import { plain } from "../blocks/texts.js";
import { fill, freshId, h } from "../dom.js";
import { act, unanswered } from "./act.js";
import { readState, requiredProblems } from "./form_values.js";
import { reader } from "./message.js";

const FOCUSABLE = "button:not([disabled]), [href], input, select, textarea, [tabindex='0']";

export class Modal {
  /**
   * @param {HTMLElement} pane  where the modal is shown
   * @param {HTMLElement} desk  what it covers
   */
  constructor(pane, desk, page) {
    this._pane = pane;
    this._desk = desk;
    this._page = page;
    this._touched = new Map(); // what was typed, by view: block_id → action_id → value
    this._cover = null;
    this._view = null;
    page.store.subscribe("modal", () => this._changed());
  }

  _changed() {
    const view = this._page.store.get("modal") ?? null;
    if (!view) return this._gone();
    if (view.id !== this._view?.id) this._build(view);
    this._view = view;
    this._draw();
  }

  _gone() {
    this._touched.clear();
    this._view = null;
    if (!this._cover) return;
    this._cover.remove();
    this._cover = null;
    this._desk.inert = false;
    (this._before?.isConnected ? this._before : this._desk.querySelector("[data-composer]"))?.focus();
  }

  _build(view) {
    if (!this._cover) this._before = document.activeElement;
    this._cover?.remove();
    const title = freshId("modal");
    this._title = h("h2", { id: title });
    this._blocks = h("div", { class: "blocks modal-blocks" });
    this._kept = new KeptBlocks(this._blocks);
    this._status = h("p", { class: "problem", role: "alert" });
    this._foot = h("div", { class: "dialog-buttons" });
    this._form = h("form", { novalidate: true, autocomplete: "off", onsubmit: (event) => (event.preventDefault(), this._submit()) },
      h("header", { class: "modal-title" }, this._title,
        h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this._close() }, "✕")),
      h("div", { class: "modal-scroll" }, this._blocks), this._status, this._foot);
    this._dialog = h("div", { class: "modal", role: "dialog", "aria-labelledby": title, tabindex: "-1",
      data: { view: view.callback_id || view.id, depth: view.depth }, onkeydown: (event) => this._key(event) }, this._form);
    this._cover = h("div", { class: "modal-cover" }, this._dialog);
    this._pane.append(this._cover);
    this._desk.inert = true;
    this._isNew = true;
  }

  _draw() {
    const view = this._view;
    try {
      this._forget(view);
      fill(this._title, plain(view.title, 24, "title"));
      this._kept.show(view.blocks, this._context());
      fill(this._foot, this._buttons(view));
      if (this._isNew) this._focusFirst();
    } catch (error) {
      fill(this._blocks, refusal(error));
    }
    this._isNew = false;
  }

  /** What was typed into a field is forgotten where an update leaves the field out. */
  _forget(view) {
    const there = new Set(view.blocks.map((block) => block.block_id));
    const mine = this._mine();
    for (const block of Object.keys(mine)) if (!there.has(block)) delete mine[block];
  }

  _mine() {
    if (!this._touched.has(this._view.id)) this._touched.set(this._view.id, {});
    return this._touched.get(this._view.id);
  }

  _context() {
    const on = { id: this._view.id };
    return {
      ...reader(this._page.store, act(this._page, on, () => this._tell())),
      values: this._values(),
      typed: (block, action, value) => {
        (this._mine()[block] ??= {})[action] = value;
        const element = this._blocks.querySelector(`[data-block="${CSS.escape(block)}"]`);
        if (element?.querySelector(".problem")) showProblem(element, null);
      },
    };
  }

  /** Return what each field holds: what was typed here, else what the workspace knows. */
  _values() {
    const values = readState(this._view.state?.values ?? {});
    for (const [block, fields] of Object.entries(this._mine())) values[block] = { ...values[block], ...fields };
    return values;
  }

  /** The workspace hears of what was typed before the app is told of a click. */
  async _tell() {
    const values = this._byBlock((block) => block.block_id in this._mine());
    if (Object.keys(values).length) await this._page.api.post("workspace/fill", { person: this._page.store.me, values });
  }

  _byBlock(isWanted) {
    const values = this._values();
    const inputs = this._view.blocks.filter((block) => block.type === "input" && isWanted(block));
    return Object.fromEntries(inputs.map(({ block_id, element }) => [block_id, values[block_id]?.[element.action_id] || null]));
  }

  async _submit() {
    if (!this._view.submit) return;
    const problems = requiredProblems(this._view, this._values());
    this._show(problems);
    if (Object.keys(problems).length) return;
    this._busy(true);
    this._status.textContent = "";
    try {
      const { result } = await this._page.api.post("workspace/submit", { person: this._page.store.me, values: this._byBlock(() => true) });
      if (result?.error) this._status.textContent = unanswered(result.error);
      this._show(byBlock(this._view, result?.errors ?? {}));
    } catch (error) {
      this._status.textContent = error.message;
    } finally {
      this._busy(false);
    }
  }

  /** Show what is wrong beside the fields, by block_id. */
  _show(problems) {
    if (!this._view) return;
    for (const element of this._blocks.children) {
      if (element.querySelector(".problem")) showProblem(element, problems[element.dataset.block]);
    }
    this._blocks.querySelector("[aria-invalid=true]")?.focus();
  }

  _busy(isBusy) {
    this._form.setAttribute("aria-busy", String(isBusy));
    const button = this._foot.querySelector("[type=submit]");
    if (button) button.disabled = isBusy || Boolean(this._view?.submit_disabled);
  }

  _close() {
    attempt(this._page, () => this._page.api.post("workspace/close_view", { person: this._page.store.me }));
  }

  _buttons(view) {
    const close = view.close ? plain(view.close, 24, "close") : "Close";
    return [
      h("button", { type: "button", class: "button", data: { modal: "close" }, onclick: () => this._close() }, close),
      view.submit && h("button", { type: "submit", class: "button primary", disabled: view.submit_disabled, data: { modal: "submit" } }, plain(view.submit, 24, "submit")),
    ];
  }

  _focusFirst() {
    const wanted = this._blocks.querySelector("[data-autofocus]") ?? this._blocks.querySelector("input, select, textarea");
    (wanted ?? this._dialog).focus();
  }

  /** Escape closes; Tab stays inside. A menu that is open takes its own Escape. */
  _key(event) {
    if (event.key === "Escape" && !this._dialog.querySelector(":popover-open")) {
      event.stopPropagation();
      this._close();
    }
    if (event.key !== "Tab") return;
    const all = [...this._dialog.querySelectorAll(FOCUSABLE)].filter((each) => each.getClientRects().length > 0);
    const [edge, other] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
    if (document.activeElement !== edge && document.activeElement !== this._dialog) return;
    event.preventDefault();
    other.focus();
  }
}

/** The workspace names fields by their labels. */
function byBlock(view, errors) {
  const inputs = view.blocks.filter((block) => block.type === "input" && block.label.text in errors);
  return Object.fromEntries(inputs.map((block) => [block.block_id, errors[block.label.text]]));
}
