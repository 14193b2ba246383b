/** One message. */

import { near, time } from "../blocks/dates.js";
import { shownBlocks } from "../blocks/index.js";
import { mrkdwn } from "../blocks/mrkdwn.js";
import { h } from "../dom.js";
import { act } from "./act.js";
import { avatar, nameOf } from "./people.js";
import { place } from "./place.js";

/**
 * @param {{channel: string, ts: string, user: string, is_bot: boolean, text: string, blocks: object[],
 *   edited: boolean, only_for_you: boolean}} value
 * @param {object} page
 * @param {() => void} onreply
 */
export function message(value, page, onreply) {
  const { store } = page;
  const context = reader(store, act(page, { ts: value.ts }));
  const name = nameOf(store, value.user);
  const body = value.blocks?.length ? shownBlocks(value.blocks, context) : h("div", { class: "text" }, mrkdwn(value.text, context));
  return h(
    "article",
    { class: value.only_for_you ? "message only-you" : "message", data: { ts: value.ts }, "aria-label": `Message by ${name}` },
    avatar(value.user, name),
    h("div", { class: "message-main" },
      value.only_for_you && h("p", { class: "only-note" }, "Only visible to you"),
      h("div", { class: "byline" },
        h("strong", null, name),
        value.is_bot && h("span", { class: "tag" }, "app"),
        when(value.ts, context),
        value.edited && h("span", { class: "edited" }, "(edited)"),
        !value.only_for_you && h("button", { type: "button", class: "quiet reply", onclick: onreply }, "Reply")),
      body),
  );
}

/** Return how this person reads: names, time zone, the simulation's time. */
export function reader(store, told) {
  return { names: store.get("names") ?? {}, zone: place.zone(store), now: store.get("now")?.now ?? Date.now(), act: told };
}

function when(ts, { zone, now }) {
  const at = new Date(Number(ts) * 1000);
  const days = near(at, new Date(now), zone);
  const date = at.toLocaleDateString("en-GB", { timeZone: zone, day: "numeric", month: "short", year: "numeric" });
  const text = days === "today" ? time(at, zone) : `${days ?? date}, ${time(at, zone)}`;
  return h("time", { datetime: at.toISOString(), title: `${date}, ${time(at, zone)}` }, text);
}
