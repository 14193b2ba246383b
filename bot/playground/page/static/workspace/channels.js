/** The list of conversations. */

import { h, patch } from "../dom.js";
import { place } from "./place.js";

/** Show a button for each conversation that this person is in, the app's own first. */
export function drawChannels(element, store, unread) {
  const all = store.get("channels") ?? [];
  const isApp = ({ kind }) => kind === "app";
  const rows = [...all.filter(isApp), ...all.filter((channel) => !isApp(channel))]
    .map((channel) => ({ ...channel, count: unread.count(channel.id), isOpen: isOpen(channel) }));
  patch(element, rows.map((row) => [row.id, JSON.stringify(row)]), (json) => button(JSON.parse(json)));
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
    h("span", { class: "channel-name" }, kind === "app" ? "aad-setup" : name),
    count > 0 && h("span", { class: "count", "aria-label": `${count} unread` }, count),
  );
}

export function isOpen(channel) {
  return channel.id === place.channel();
}

function sign({ kind, private: isPrivate, shared }) {
  if (kind === "app") return "◆";
  if (shared) return "⇄";
  return isPrivate ? h("span", { class: "icon icon-lock" }) : "#";
}
