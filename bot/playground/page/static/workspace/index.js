/** The workspace pane: one person's window into the simulated Slack workspace. */

import { h } from "../dom.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Home } from "./home.js";
import { Modal } from "./modal.js";
import { Notifications } from "./notifications.js";
import { drawChannels, isOpen } from "./channels.js";
import { drawPeople } from "./people.js";
import { place } from "./place.js";
import { Unread } from "./unread.js";

/**
 * @param {HTMLElement} element
 * @param {{store: import("../store.js").Store, api: object, toast: Function, show: Function}} page
 */
export function mount(element, page) {
  const { store } = page;
  const unread = new Unread(store);
  const switcher = h("div", { class: "people", role: "group", "aria-label": "Be this person" });
  const list = h("nav", { class: "channels", "aria-label": "Conversations" });
  const title = h("header", { class: "conversation-title" });
  const conversation = new Conversation(page);
  const home = new Home(page);
  const composer = new Composer(page);
  const notifications = new Notifications(page);
  const room = h("div", { class: "room" }, title, conversation.element, home.element, composer.element);
  const desk = h("div", { class: "desk" }, h("div", { class: "top" }, switcher, notifications.element), list, room);
  element.append(desk);
  new Modal(element, desk, page);
  conversation.onreply = (message) => composer.replyTo(message);

  const look = () => {
    unread.see(place.channel());
    drawChannels(list, store, unread);
  };
  const draw = () => {
    const channel = opened(store);
    drawPeople(switcher, store);
    drawTitle(title, named(store, channel));
    const isHome = channel?.kind === "app" && place.tab() === "home";
    conversation.element.hidden = composer.element.hidden = isHome;
    home.element.hidden = !isHome;
    if (isHome) home.open();
    else home.leave(channel);
    conversation.open(channel, channel && unread.seen(channel.id));
    composer.open(channel);
    look();
  };
  for (const key of ["people", "channels"]) store.subscribe(key, draw);
  store.subscribe("message/", look);
  window.addEventListener("hashchange", draw);
  document.addEventListener("visibilitychange", look);
}

/** Return the open conversation; the app's own if none is chosen that this person is in. */
function opened(store) {
  const all = store.get("channels") ?? [];
  const chosen = all.find(isOpen) ?? all.find((each) => each.kind === "app") ?? all[0];
  if (chosen && !isOpen(chosen)) place.go({ in: chosen.id });
  return chosen;
}

/** The tab that was pressed keeps the focus. */
function drawTitle(element, parts) {
  const tab = element.contains(document.activeElement) ? document.activeElement.dataset.tab : null;
  element.replaceChildren(...parts);
  if (tab) element.querySelector(`[data-tab="${tab}"]`)?.focus();
}

function named(store, channel) {
  if (!channel) return [h("h2", null, "Connecting…")];
  if (channel.kind !== "app") {
    const marks = [channel.private && "private", channel.shared && "shared with another company"].filter(Boolean);
    return [h("h2", null, `# ${channel.name}`), marks.length > 0 && h("span", { class: "hint" }, marks.join(", "))].filter(Boolean);
  }
  const tab = (name, label) =>
    h("button", { type: "button", "aria-pressed": String(place.tab() === name), data: { tab: name }, onclick: () => place.go({ tab: name }) }, label);
  return [h("h2", null, channel.name), h("span", { class: "tag" }, "app"),
    h("div", { class: "tabs", role: "group", "aria-label": "Tabs of the app" }, tab("home", "Home"), tab("messages", "Messages"))];
}
