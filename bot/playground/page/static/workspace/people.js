/** The people that one can be, and how people are shown. */

import { h, patchJson } from "../dom.js";
import { place } from "./place.js";

const COLOURS = 6;

/** Show a button for each person that this window can belong to. */
export function drawPeople(element, store) {
  if (!store.get("people")) return; // between two people: what is there stays, and keeps the focus
  const all = store.get("people").map((person) => ({ ...person, isMe: person.id === store.me }));
  patchJson(element, all.map((person) => [person.id, person]), button);
  element.querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function button({ id, name, real_name, role, isMe }) {
  return h(
    "button",
    {
      type: "button", class: "person", "aria-pressed": String(isMe), title: `${real_name}, ${role}`,
      data: { person: name }, onclick: () => isMe || place.go({ as: name, in: null, tab: null }),
    },
    avatar(id, real_name),
    h("span", null, h("span", { class: "person-name" }, real_name.split(" ")[0]), h("span", { class: "role" }, role)),
  );
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
