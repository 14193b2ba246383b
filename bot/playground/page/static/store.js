/**
 * What one person's window shows, kept up to date by the page's event stream.
 *
 * Values are plain JSON by key ("message/C1/170.1"). A value that did not change stays the same object,
 * also across a reconnect, so `===` tells what has to be drawn again.
 */

export class Store {
  constructor() {
    this._values = new Map();
    this._ordered = new Map(); // what `entries` returned since the last change, by prefix
    this._subscriptions = new Set();
    this._source = null;
    this._person = null;
    this._isFresh = true;
    /** @type {"connecting" | "open" | "lost"} */
    this.connection = "connecting";
  }

  /** The id of the person that this window belongs to, once known. */
  get me() {
    return this._values.get("me");
  }

  /** @param {string} key */
  get(key) {
    return this._values.get(key);
  }

  /**
   * Return [key, value] of every key that begins so, ordered by key. Do not change the answer.
   * @param {string} prefix
   * @returns {Array<[string, any]>}
   */
  entries(prefix) {
    if (!this._ordered.has(prefix)) {
      const found = [...this._values].filter(([key]) => key.startsWith(prefix));
      this._ordered.set(prefix, found.sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return this._ordered.get(prefix);
  }

  /**
   * Call `callback(changes)` at once with all that is there, then after each event that changed something.
   *
   * `changes` is a Map of the changed keys below the prefix to their values, undefined for dropped ones;
   * its `isReset` is true where it holds what was there before this window looked.
   * @param {string} prefix  "" for everything
   * @param {(changes: Map<string, any> & {isReset: boolean}) => void} callback
   * @returns {() => void}  ends the subscription
   */
  subscribe(prefix, callback) {
    const subscription = { prefix, callback };
    this._subscriptions.add(subscription);
    this._tell(subscription, new Map(this._values), true);
    return () => this._subscriptions.delete(subscription);
  }

  /** Show this person's window from now on. */
  connect(person) {
    this._source?.close();
    if (this._person !== person) this._apply({ reset: true, set: {}, drop: [] });
    this._person = person;
    this._isFresh = true;
    this._source = new EventSource(`./events?as=${encodeURIComponent(person)}`);
    this._source.onopen = () => this._connected("open");
    this._source.onerror = () => this._lost(person);
    this._source.onmessage = (event) => this._apply(JSON.parse(event.data));
  }

  _connected(state) {
    this.connection = state;
    this._tellAll(new Map([["connection", state]]), false);
  }

  /** The browser connects again by itself, except where the server answered with an error. */
  _lost(person) {
    this._connected("lost");
    const source = this._source;
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (this._source === source) this.connect(person);
    }, 2000);
  }

  _apply({ reset, set = {}, drop = [] }) {
    const gone = reset ? [...this._values.keys()].filter((key) => !(key in set)) : drop;
    const changes = new Map();
    for (const key of gone) if (this._values.delete(key)) changes.set(key, undefined);
    for (const [key, value] of Object.entries(set)) {
      if (reset && same(this._values.get(key), value)) continue;
      this._values.set(key, value);
      changes.set(key, value);
    }
    this._ordered.clear();
    const isReset = Boolean(reset) && this._isFresh;
    if (reset && "me" in set) this._isFresh = false;
    this._tellAll(changes, isReset);
  }

  _tellAll(changes, isReset) {
    for (const subscription of [...this._subscriptions]) this._tell(subscription, changes, isReset);
  }

  _tell({ prefix, callback }, changes, isReset) {
    const mine = new Map([...changes].filter(([key]) => key.startsWith(prefix)));
    mine.isReset = isReset;
    if (mine.size === 0) return;
    try {
      callback(mine);
    } catch (error) {
      reportError(error); // one pane's mistake must not keep the others from what is new
    }
  }
}

function same(one, other) {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
