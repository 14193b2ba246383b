/** The list of conversations. */

import { h, patchJson } from "../dom.js";
import { place } from "./place.js";

/** Show a button for each conversation that this person is in, the app's own first. */
export function drawChannels(element, store, unread) {
  const all = store.get("channels") ?? [];
  const isApp = ({ kind }) => kind === "app";
  const rows = [...all.filter(isApp), ...all.filter((channel) => !isApp(channel))]
    .map((channel) => ({ ...channel, count: unread.count(channel.id), isOpen: isOpen(channel) }));
  patchJson(element, rows.map((row) => [row.id, row]), button);
}

function button(channel) {
  const { id, kind, name, count } = channel;
  return h(
    "button",
    {
      type: "button", class: count ? "channel unread" : "channel", "aria-current": channel.isOpen ? "page" : null,
      data: { channel: kind === "app" ? "app" : name, id },
      onclick: () => place.go({ in: id, tab: kind === "app" ? "messages" : null }),
    },
    h("span", { class: "sign", "aria-hidden": "true" }, sign(channel)),
    h("span", { class: "channel-name" }, name),
    count > 0 && h("span", { class: "count", "aria-label": `${count} unread` }, count),
  );
}

export function isOpen(channel) {
  return channel.id === place.channel();
}

/** Return how texts name a conversation. */
export function nameOfChannel({ kind, name }) {
  return kind === "app" ? name : `#${name}`;
}

function sign({ kind, private: isPrivate, shared }) {
  if (kind === "app") return "◆";
  if (shared) return "⇄";
  return isPrivate ? h("span", { class: "icon icon-lock" }) : "#";
}
