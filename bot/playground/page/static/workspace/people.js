/** The people that one can be, and how people are shown. */

import { h } from "../dom.js";
import { place } from "./place.js";

const COLOURS = 6;

/** Return a button for each person that this window can belong to. */
export function people(store) {
  return (store.get("people") ?? []).map((person) => {
    const isMe = person.id === store.me;
    return h(
      "button",
      {
        type: "button", class: "person", "aria-pressed": String(isMe), title: `${person.real_name}, ${person.role}`,
        data: { person: person.name }, onclick: () => isMe || place.go({ as: person.name, in: null, tab: null }),
      },
      avatar(person.id, person.real_name),
      h("span", null, h("span", { class: "person-name" }, person.real_name.split(" ")[0]), h("span", { class: "role" }, person.role)),
    );
  });
}

/** A circle with initials, whose colour goes by the id. */
export function avatar(id, name) {
  const sum = [...id].reduce((total, character) => total + character.charCodeAt(0), 0);
  const initials = name.split(/[\s-]+/).map((word) => word[0] ?? "").slice(0, 2).join("").toUpperCase();
  return h("span", { class: "avatar", "aria-hidden": "true", data: { colour: sum % COLOURS } }, initials);
}

/** Return the full name of a person or of the app. */
export function nameOf(store, id) {
  const person = store.get("people")?.find((each) => each.id === id);
  return person?.real_name ?? store.get("names")?.[id] ?? id;
}
