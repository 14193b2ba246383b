/** Notifications: a toast for what is not before this person's eyes, and the list of all. */

import { fill, freshId, h } from "../dom.js";
import { nameOfChannel } from "./channels.js";
import { place } from "./place.js";
import { isInFront } from "./unread.js";

const MOST = 50;

export class Notifications {
  constructor(page) {
    this._page = page;
    this._missed = new Map();
    const id = freshId("notifications");
    this._count = h("span", { class: "count", hidden: true });
    this._list = h("div", { class: "notifications", id, popover: "auto", role: "region", "aria-label": "Notifications" });
    this._list.addEventListener("toggle", (event) => event.newState === "open" && this._opened());
    this._button = h("button", { type: "button", class: "quiet bell", popovertarget: id, "aria-label": "Notifications" }, h("span", { class: "icon icon-bell" }), this._count);
    this.element = h("div", { class: "bell-place" }, this._button, this._list);
    page.store.subscribe("notification/", (changes) => this._came(changes));
    page.store.subscribe("me", () => this._forget());
    for (const name of ["hashchange", "visibilitychange"]) window.addEventListener(name, () => this._looked());
  }

  _came(changes) {
    if (changes.isReset) return;
    for (const value of changes.values()) {
      if (!value || isSeen(value)) continue;
      const close = this._page.toast(value.text, { title: this._where(value), onclick: () => this._go(value) });
      this._missed.set(value, close);
    }
    this._draw();
  }

  /** What one has gone to look at is no longer new. */
  _looked() {
    for (const [value, close] of this._missed) {
      if (!isSeen(value)) continue;
      close();
      this._missed.delete(value);
    }
    this._draw();
  }

  _forget() {
    for (const close of this._missed.values()) close();
    this._missed.clear();
    this._draw();
  }

  _opened() {
    const all = this._page.store.entries("notification/").slice(-MOST).reverse();
    fill(this._list, h("h2", null, "Notifications"),
      h("p", { class: "hint" }, "As a phone shows them: the text of the message, without its blocks."),
      all.length === 0 && h("p", { class: "empty" }, "None yet."),
      all.map(([, value]) => h("button", { type: "button", class: "notification", onclick: () => this._go(value) },
        h("strong", null, this._where(value)), h("span", null, value.text))));
    this._forget();
    const { bottom, right } = this._button.getBoundingClientRect();
    this._list.style.top = `${bottom + 4}px`;
    this._list.style.left = `${Math.max(8, right - this._list.offsetWidth)}px`;
  }

  _go(value) {
    this._list.hidePopover();
    this._page.show("workspace");
    place.go({ in: value.channel, tab: "messages" });
    document.querySelector(`[data-pane="workspace"] [data-ts="${CSS.escape(value.ts)}"]`)?.scrollIntoView({ block: "center" });
  }

  _where({ channel, is_ephemeral }) {
    const found = this._page.store.get("channels")?.find((each) => each.id === channel);
    const name = found ? nameOfChannel(found) : "aad-setup";
    return is_ephemeral ? `${name}, only to you` : name;
  }

  _draw() {
    this._count.textContent = this._missed.size;
    this._count.hidden = this._missed.size === 0;
    this._button.setAttribute("aria-label", this._missed.size ? `Notifications, ${this._missed.size} new` : "Notifications");
  }
}

function isSeen({ channel }) {
  return !document.hidden && isInFront() && place.channel() === channel && place.tab() !== "home";
}
