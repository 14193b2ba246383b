/** The list of conversations. */

import { h } from "../dom.js";
import { place } from "./place.js";

/** Return a button for each conversation that this person is in. */
export function channels(store, unread) {
  const all = store.get("channels") ?? [];
  const isApp = ({ kind }) => kind === "app";
  return [...all.filter(isApp), ...all.filter((channel) => !isApp(channel))].map((channel) => {
    const count = unread.count(channel.id);
    return h(
      "button",
      {
        type: "button", class: count ? "channel unread" : "channel", "aria-current": isOpen(channel) ? "page" : null,
        data: { channel: channel.kind === "app" ? "app" : channel.name, id: channel.id },
        onclick: () => place.go({ in: channel.id, tab: channel.kind === "app" ? "messages" : null }),
      },
      h("span", { class: "sign", "aria-hidden": "true" }, sign(channel)),
      h("span", { class: "channel-name" }, channel.kind === "app" ? "aad-setup" : channel.name),
      count > 0 && h("span", { class: "count", "aria-label": `${count} unread` }, count),
    );
  });
}

export function isOpen(channel) {
  return channel.id === place.channel();
}

function sign({ kind, private: isPrivate, shared }) {
  if (kind === "app") return "◆";
  if (shared) return "⇄";
  return isPrivate ? h("span", { class: "icon icon-lock" }) : "#";
}
