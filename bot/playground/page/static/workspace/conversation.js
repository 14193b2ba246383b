/** The messages of the open conversation, replies below what they answer. */

import { h, patch } from "../dom.js";
import { message } from "./message.js";

const FIRST = 30; // threads drawn at once; earlier ones follow while the browser is idle
const MORE = 15;
const NEAR_END = 80; // pixels from the end at which new messages are still followed

export class Conversation {
  constructor(page) {
    this._page = page;
    this._store = page.store;
    this._channel = null;
    this._threads = new Map();
    this._isPinned = true;
    /** Told which message is to be answered. */
    this.onreply = () => {};
    this._list = h("div", { class: "messages", role: "log", "aria-label": "Messages" });
    this._empty = h("p", { class: "empty" }, "Nothing here yet.");
    this.element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Conversation" }, this._empty, this._list);
    this.element.addEventListener("scroll", () => (this._isPinned = this._isNearEnd()), { passive: true });
    new ResizeObserver(() => this._follow()).observe(this._list);
    this._store.subscribe("message/", (changes) => this._changed(changes));
    for (const key of ["names", "people"]) this._store.subscribe(key, () => this._again());
  }

  /** Show this conversation. */
  open(channel) {
    if (this._channel?.id === channel?.id) return;
    this._channel = channel;
    this._again();
  }

  _again() {
    this._threads.clear();
    this._list.replaceChildren();
    this._shown = FIRST;
    this._isPinned = true;
    this._draw();
  }

  _changed(changes) {
    if (!this._channel) return;
    const prefix = `message/${this._channel.id}/`;
    if ([...changes.keys()].some((key) => key.startsWith(prefix))) this._draw();
  }

  _draw() {
    if (!this._channel) return;
    const threads = grouped(this._store.entries(`message/${this._channel.id}/`).map(([, value]) => value));
    this._empty.hidden = threads.size > 0;
    const shown = [...threads].slice(-this._shown);
    patch(this._list, shown.map(([ts]) => [ts, ts]), () => this._thread());
    shown.forEach(([, messages], index) => this._fillThread(this._list.children[index], messages));
    this._follow();
    if (threads.size > this._shown) this._later();
  }

  _later() {
    const channel = this._channel;
    requestIdleCallback(() => {
      if (channel !== this._channel) return;
      this._shown += MORE;
      this._draw();
    });
  }

  _thread() {
    return h("div", { class: "thread" }, h("div", { class: "first" }), h("div", { class: "replies" }));
  }

  _fillThread(element, [first, ...replies]) {
    const draw = (value) => message(value, this._page, () => this.onreply(first));
    const [top, below] = element.children;
    patch(top, [[first.ts, first]], draw);
    patch(below, replies.map((value) => [value.ts, value]), draw);
  }

  _isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  _follow() {
    if (this._isPinned) this.element.scrollTop = this.element.scrollHeight;
  }
}

/** Return the messages by the ts of what they belong to, each list beginning with that. */
function grouped(messages) {
  const threads = new Map();
  for (const each of messages) {
    const parent = each.thread_ts && threads.has(each.thread_ts) ? each.thread_ts : each.ts;
    if (threads.has(parent)) threads.get(parent).push(each);
    else threads.set(parent, [each]);
  }
  return threads;
}
