/** What this person has not looked at yet, by conversation; kept as long as the browser's tab. */

export class Unread {
  constructor(store) {
    this._store = store;
    this._counts = new Map();
    this._me = null;
    store.subscribe("message/", () => this._counts.clear());
    store.subscribe("me", () => this._counts.clear());
  }

  /** The number of messages by others in a conversation since this person last saw it. */
  count(channel) {
    if (!this._counts.has(channel)) this._counts.set(channel, this._counted(channel));
    return this._counts.get(channel);
  }

  /** Note that the open conversation is before this person's eyes. */
  see(channel) {
    if (!channel || document.hidden || !isInFront()) return;
    const latest = this._store.entries(`message/${channel}/`).at(-1);
    if (!latest || latest[1].ts <= this.seen(channel)) return;
    sessionStorage.setItem(this._key(channel), latest[1].ts);
    this._counts.set(channel, 0);
  }

  _counted(channel) {
    const seen = this.seen(channel);
    const all = this._store.entries(`message/${channel}/`);
    return all.filter(([, message]) => message.ts > seen && message.user !== this._store.me).length;
  }

  /** The ts of the latest message that this person has seen in a conversation. */
  seen(channel) {
    return sessionStorage.getItem(this._key(channel)) ?? "0";
  }

  _key(channel) {
    return `seen ${location.pathname} ${this._store.me} ${channel}`;
  }
}

/** Whether the workspace pane can be seen: always on a wide page, unless the gallery covers it. */
export function isInFront() {
  const pane = document.querySelector('[data-pane="workspace"]');
  return pane.getClientRects().length > 0;
}
