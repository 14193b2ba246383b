/** The Home tab of the app. */

import { attempt } from "../api.js";
import { KeptBlocks } from "../blocks/kept.js";
import { refusal } from "../blocks/refused.js";
import { h } from "../dom.js";
import { act } from "./act.js";
import { reader } from "./message.js";

export class Home {
  constructor(page) {
    this._page = page;
    this._isOpen = false;
    this._person = null;
    this._empty = h("p", { class: "empty" }, "The app has not shown anything here yet.");
    this._blocks = h("div", { class: "blocks" });
    this._kept = new KeptBlocks(this._blocks);
    this.element = h("div", { class: "scroll home", tabindex: "0", role: "region", "aria-label": "Home of the app" }, this._empty, this._blocks);
    for (const key of ["home", "names"]) page.store.subscribe(key, () => this._draw());
  }

  /** Open the tab, of which the app hears. */
  open() {
    const { store } = this._page;
    if (this._isOpen && this._person === store.me) return;
    this._isOpen = true;
    this._person = store.me;
    attempt(this._page, () => this._page.api.post("workspace/open_home", { person: store.me }));
    this._draw();
  }

  /** Show something else; the app only hears of it where that is its Messages tab. */
  leave(channel) {
    if (!this._isOpen) return;
    this._isOpen = false;
    if (channel?.kind !== "app") return;
    attempt(this._page, () => this._page.api.post("workspace/open_messages", { person: this._page.store.me }));
  }

  _draw() {
    if (!this._isOpen) return;
    const { store } = this._page;
    const view = store.get("home");
    this._empty.hidden = Boolean(view);
    try {
      this._kept.show(view?.blocks ?? [], reader(store, act(this._page, { id: view?.id })));
    } catch (error) {
      this._blocks.replaceChildren(refusal(error));
    }
  }
}
