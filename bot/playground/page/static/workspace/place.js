/** Where this window is: whose it is and which conversation is open, kept in the URL's hash. */

const FIRST = "rosa";
const reloaded = new Set();

export const place = {
  /** The name of the person that this window belongs to. */
  person: () => read().get("as") || FIRST,

  /** The id of the open conversation; null at first. */
  channel: () => read().get("in"),

  /** The tab of the app: "home" or "messages". */
  tab: () => read().get("tab") || "messages",

  /** Go elsewhere; what is not named stays, null leaves it. @param {Object<string, string | null>} where */
  go(where) {
    const hash = read();
    for (const [name, value] of Object.entries(where)) {
      if (value === null) hash.delete(name);
      else hash.set(name, value);
    }
    if (hash.toString() !== location.hash.slice(1)) location.hash = hash.toString();
  },

  /** Call back when another person's window is wanted. */
  onPerson(callback) {
    let before = place.person();
    window.addEventListener("hashchange", () => {
      if (place.person() === before) return;
      before = place.person();
      callback();
    });
  },

  /** The time zone of the person whose window it is. */
  zone(store) {
    return store.get("people")?.find((each) => each.id === store.me)?.tz ?? "UTC";
  },

  /** Tell the workspace that this person's client starts anew: what only it held is gone. */
  async reloadOnce(api, person) {
    if (reloaded.has(person)) return;
    reloaded.add(person);
    await api.post("workspace/reload", { person });
  },
};

function read() {
  return new URLSearchParams(location.hash.slice(1));
}
