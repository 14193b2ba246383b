/** The messages of the open conversation, replies below what they answer. */

import { h, patch } from "../dom.js";
import { message } from "./message.js";

const FIRST = 12; // threads drawn at once; earlier ones follow while the browser is idle
const MORE = 5;
const NEAR_END = 80; // pixels from the end at which new messages are still followed

export class Conversation {
  constructor(page) {
    this._page = page;
    this._store = page.store;
    this._channel = null;
    this._soon = once(() => this._draw());
    this._threads = new WeakMap(); // the messages that each thread's element shows
    this._isPinned = true;
    /** Told which message is to be answered. */
    this.onreply = () => {};
    this._list = h("div", { class: "messages", role: "log", "aria-label": "Messages" });
    this._empty = h("p", { class: "empty" }, "Nothing here yet. Type /aad-setup below to ask for an application.");
    this.element = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Conversation" }, this._empty, this._list);
    this.element.addEventListener("scroll", () => this._scrolled(), { passive: true });
    new ResizeObserver(() => this._follow()).observe(this._list);
    this._store.subscribe("message/", (changes) => this._changed(changes));
    for (const key of ["names", "people"]) this._store.subscribe(key, () => this._again());
  }

  /** Show this conversation, from the first message that is new, if there is one. */
  open(channel, seen) {
    if (this._channel?.id === channel?.id) return;
    this._channel = channel;
    this._again();
    this._seen = seen;
  }

  /** Begin with what is new. */
  _showFirst(isCut) {
    const seen = this._seen;
    this._seen = null;
    const all = [...this._list.querySelectorAll("[data-ts]")];
    const first = seen && all.find((each) => each.dataset.ts > seen);
    if (!first || (first === all[0] && isCut)) return; // what is new began before what is drawn
    this._isPinned = false;
    first.scrollIntoView({ block: "start" });
  }

  _again() {
    this._list.replaceChildren();
    this._shown = FIRST;
    this._isPinned = true;
    this._soon();
  }

  _changed(changes) {
    if (!this._channel) return;
    const prefix = `message/${this._channel.id}/`;
    const mine = [...changes].filter(([key]) => key.startsWith(prefix));
    if (mine.length === 0) return;
    if (!changes.isReset && mine.some(([, value]) => value && this._isAnswer(value))) this._isPinned = true;
    this._soon();
  }

  /** Whether this is new and belongs to what the reader just did: they look for it at the end. */
  _isAnswer({ ts, user, only_for_you, thread_ts }) {
    if (this._list.querySelector(`[data-ts="${CSS.escape(ts)}"]`)) return false;
    return !thread_ts && (only_for_you || user === this._store.me);
  }

  _draw() {
    if (!this._channel) return;
    const threads = grouped(this._store.entries(`message/${this._channel.id}/`).map(([, value]) => value));
    this._empty.hidden = threads.size > 0;
    const shown = [...threads].slice(-this._shown);
    patch(this._list, shown.map(([ts]) => [ts, ts]), () => this._thread());
    shown.forEach(([, messages], index) => this._fillThread(this._list.children[index], messages));
    this._showFirst(threads.size > this._shown);
    this._follow();
    if (threads.size > this._shown) this._later();
  }

  _later() {
    if (this._isDrawingMore) return;
    this._isDrawingMore = true;
    requestIdleCallback(() => {
      this._isDrawingMore = false;
      this._shown += MORE;
      this._draw();
    });
  }

  _thread() {
    return h("div", { class: "thread" }, h("div", { class: "first" }), h("div", { class: "replies" }));
  }

  /** Threads in which nothing changed are left alone. */
  _fillThread(element, messages) {
    const before = this._threads.get(element);
    if (before?.length === messages.length && messages.every((each, index) => each === before[index])) return;
    this._threads.set(element, messages);
    const [first, ...replies] = messages;
    const draw = (value) => message(value, this._page, () => this.onreply(first));
    const [top, below] = element.children;
    patch(top, [[first.ts, first]], draw);
    patch(below, replies.map((value) => [value.ts, value]), draw);
  }

  /** Only the reader leaves the end: what is estimated and drawn later moves the end, too. */
  _scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const isUp = scrollTop < this._top && scrollHeight === this._height;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) this._isPinned = true;
    else if (isUp) this._isPinned = false;
    [this._top, this._height] = [scrollTop, scrollHeight];
  }

  _follow() {
    if (this._isPinned) this.element.scrollTop = this.element.scrollHeight;
  }
}

/** Return a function that lets the action be done once, after all that is under way. */
function once(action) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      action();
    });
  };
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
