/** The gallery: every card, message and modal in every state, drawn from made-up registrations. */

import { attempt } from "./api.js";
import { shownBlocks } from "./blocks/index.js";
import { plain } from "./blocks/texts.js";
import { fill, h } from "./dom.js";
import { reader } from "./workspace/message.js";

export const styles = ["gallery.css"];

const NAMES = { U0ROSA: "rosa", U0ADA: "ada", U0GRACE: "grace", U0BEN: "ben", C0APPROVALS: "approvals" };

export function mount(element, { store, api, toast }) {
  let items = null;
  const draw = () => attempt({ toast }, async () => {
    items ??= await api.get("gallery");
    fill(element, gallery(items, { ...reader(store, null), names: NAMES }));
  });
  document.addEventListener("shown", ({ detail }) => detail === "gallery" && draw());
  if (document.body.dataset.show === "gallery") draw();
}

function gallery(items, context) {
  const groups = grouped(items);
  const search = h("input", { type: "search", class: "gallery-search", "aria-label": "Find cards by state or text", placeholder: "Find by state or text" });
  const sections = [...groups].map(([group, found]) =>
    h("section", { class: "gallery-group", "aria-label": group }, h("h2", null, group),
      h("div", { class: "gallery-items" }, found.map((item) => card(item, context)))));
  search.addEventListener("input", () => filter(sections, search.value.trim().toLowerCase()));
  return [h("div", { class: "gallery-bar" }, search), sections];
}

function grouped(items) {
  const groups = new Map();
  for (const item of items) groups.set(item.group, [...(groups.get(item.group) ?? []), item]);
  return groups;
}

function card({ name, surface, payload }, context) {
  return h("article", { class: "gallery-item", data: { surface } },
    h("h3", null, name),
    surface === "message" && h("p", { class: "hint" }, `Notification: ${payload.text}`),
    surface === "modal" && h("p", { class: "gallery-title" }, plain(payload.title, 24)),
    shownBlocks(payload.blocks, context),
    surface === "modal" && h("p", { class: "hint" }, [payload.submit, payload.close].filter(Boolean).map((each) => `[${each.text}] `)));
}

function filter(sections, words) {
  for (const section of sections) {
    const items = [...section.querySelectorAll(".gallery-item")];
    for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(words);
    section.hidden = items.every((item) => item.hidden);
  }
}
