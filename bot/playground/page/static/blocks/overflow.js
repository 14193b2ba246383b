/** The overflow menu: a button with three dots that opens up to five options. */

import { freshId, h } from "../dom.js";
import { confirmed } from "./confirm.js";
import { check, checkList } from "./refused.js";
import { optionText, plain } from "./texts.js";

const EDGE = 8; // pixels between a menu and the edge of the window

export function overflow(item, block, context) {
  check(item, "overflow", ["options"], ["action_id", "confirm"]);
  const id = freshId("menu");
  const opener = h("button", {
    type: "button", class: "button overflow", "aria-label": "More actions", "aria-haspopup": "menu",
    "aria-expanded": "false", "aria-controls": id, data: { action: item.action_id },
  }, "⋯");
  const choose = async (option) => {
    menu.hidePopover();
    opener.focus();
    if (!(await confirmed(item.confirm, context))) return;
    context.act?.({ verb: "click", label: option.text.text, block_id: block.block_id });
  };
  const menu = h("div", { role: "menu", id, class: "menu", popover: "auto" },
    checkList(item.options, 5, "options").map((option) => entry(option, () => choose(option))));
  opener.addEventListener("click", () => menu.togglePopover());
  menu.addEventListener("toggle", (event) => toggled(event, opener, menu));
  menu.addEventListener("keydown", (event) => moved(event, menu));
  return h("span", { class: "overflow-place" }, opener, menu);
}

function entry(option, onclick) {
  return h("button", { type: "button", role: "menuitem", tabindex: "-1", onclick },
    optionText(option), option.description && h("span", { class: "hint" }, plain(option.description, 75)));
}

function toggled(event, opener, menu) {
  const isOpen = event.newState === "open";
  opener.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) return;
  put(menu, opener.getBoundingClientRect());
  menu.querySelector("[role=menuitem]").focus();
}

/** Put the menu below its button, or above it where there is no room, inside the window. */
function put(menu, { left, top, bottom }) {
  const room = innerHeight - bottom - EDGE > menu.offsetHeight;
  menu.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - menu.offsetWidth - EDGE))}px`;
  menu.style.top = `${room ? bottom + 4 : Math.max(EDGE, top - menu.offsetHeight - 4)}px`;
}

function moved(event, menu) {
  const entries = [...menu.querySelectorAll("[role=menuitem]")];
  const now = entries.indexOf(document.activeElement);
  const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  entries.at(to % entries.length).focus();
}
