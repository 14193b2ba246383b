/** Small pieces that the tenant pane is made of. */

import { h } from "../dom.js";

export function section(title, ...children) {
  return h("section", { class: "tenant-section" }, h("h4", null, title), ...children);
}

/** A name that others chose: it must not turn the direction of the text around it. */
export function text(name) {
  return h("bdi", null, name);
}

export function badge(kind, words) {
  return h("span", { class: `badge ${kind}` }, words);
}

export function id(value) {
  return h("code", { class: "id" }, value);
}

export function facts(pairs) {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

export function empty(words) {
  return h("p", { class: "empty" }, words);
}
