/** Where a person types: messages, mentions of the app, and slash commands with their hints. */

import { attempt } from "../api.js";
import { mrkdwn } from "../blocks/mrkdwn.js";
import { fill, freshId, h } from "../dom.js";
import { unanswered } from "./act.js";
import { nameOfChannel } from "./channels.js";
import { reader } from "./message.js";
import { nameOf } from "./people.js";

const COMMAND = "/aad-setup";

export class Composer {
  constructor(page) {
    this._page = page;
    this._channel = null;
    this._thread = null;
    this._chosen = -1;
    const id = freshId("hints");
    this._hints = h("ul", { class: "hints", id, role: "listbox", "aria-label": "Commands", tabindex: "0", hidden: true,
      onmousedown: (event) => event.preventDefault() });
    this._field = h("textarea", {
      rows: 1, "aria-controls": id, "aria-autocomplete": "list",
      "aria-label": "Write a message", maxlength: 4000, data: { composer: "" },
      oninput: () => this._typed(), onkeydown: (event) => this._key(event), onblur: () => setTimeout(() => this._hide(), 150),
    });
    this._reply = h("div", { class: "reply-to", hidden: true });
    const send = h("button", { type: "button", class: "button primary", onclick: () => this._send() }, "Send");
    this.element = h("div", { class: "composer" }, this._hints, this._reply, h("div", { class: "composer-row" }, this._field, send));
  }

  open(channel) {
    if (channel?.id === this._channel?.id) return;
    this._channel = channel;
    this._thread = null;
    this._reply.hidden = true;
    const name = channel ? nameOfChannel(channel) : "";
    this._field.placeholder = channel ? `Message ${name}, or ${COMMAND}` : "";
    this._field.setAttribute("aria-label", `Write to ${name}`);
    this._hide();
  }

  /** Write below this message. */
  replyTo(message) {
    this._thread = message;
    const stop = () => {
      this._thread = null;
      this._reply.hidden = true;
    };
    fill(this._reply, `Reply in the thread of ${nameOf(this._page.store, message.user)}`,
      h("button", { type: "button", class: "quiet", "aria-label": "Do not reply in the thread", onclick: stop }, "✕"));
    this._reply.hidden = false;
    this._field.focus();
  }

  async _send() {
    const text = this._field.value.trim();
    if (!text || !this._channel) return;
    this._put("");
    const went = await attempt(this._page, () => (text.startsWith("/") ? this._command(text) : this._say(text)));
    if (!went && !this._field.value) this._put(text);
  }

  async _command(text) {
    if (this._thread) throw new Error("Slash commands do not work in threads.");
    const [, command, rest] = text.match(/^(\/\S*)\s*([\s\S]*)$/);
    const body = { person: this._page.store.me, text: rest, command, channel: this._channel.id };
    const { result } = await this._page.api.post("workspace/command", body);
    if (result?.error) throw new Error(unanswered(result.error));
  }

  async _say(text) {
    const thread = this._thread && { ts: this._thread.ts, thread_ts: this._thread.thread_ts };
    await this._page.api.post("workspace/say", { person: this._page.store.me, text, channel: this._channel.id, thread });
  }

  _put(text) {
    this._field.value = text;
    this._typed();
  }

  _typed() {
    this._field.style.height = "auto";
    this._field.style.height = `${this._field.scrollHeight + 2}px`;
    const found = this._matching();
    this._chosen = -1;
    fill(this._hints, found.map((command, index) => this._hint(command, index)));
    this._hints.hidden = found.length === 0;
    this._field.removeAttribute("aria-activedescendant");
  }

  /** Return the commands that begin as typed, until an argument is being typed. */
  _matching() {
    const text = this._field.value;
    if (!text.startsWith("/")) return [];
    const commands = (this._page.store.get("commands") ?? []).map(({ usage, does }) => ({ does, usage: `${COMMAND} ${usage}`.trim() }));
    return commands.filter(({ usage }) => usage.startsWith(text.trimEnd()) && usage !== text.trimEnd());
  }

  _hint({ usage, does }, index) {
    const onmousedown = (event) => {
      event.preventDefault();
      this._complete(index);
    };
    return h("li", { role: "option", id: `${this._hints.id}-${index}`, "aria-selected": "false", data: { usage }, onmousedown },
      h("code", null, usage), h("span", { class: "hint text" }, mrkdwn(does, reader(this._page.store, null))));
  }

  _key(event) {
    if (event.isComposing) return;
    const isOpen = !this._hints.hidden;
    if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) this._move(event.key === "ArrowDown" ? 1 : -1);
    else if (isOpen && event.key === "Escape") this._hide();
    else if (isOpen && (event.key === "Tab" || (event.key === "Enter" && this._chosen >= 0))) this._complete(Math.max(0, this._chosen));
    else if (event.key === "Enter" && !event.shiftKey) this._send();
    else return;
    event.preventDefault();
  }

  _move(by) {
    const options = [...this._hints.children];
    this._chosen = (this._chosen + by + options.length + (this._chosen < 0 && by < 0 ? 1 : 0)) % options.length;
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this._chosen)));
    options[this._chosen].scrollIntoView({ block: "nearest" });
    this._field.setAttribute("aria-activedescendant", options[this._chosen].id);
  }

  /** Write the command, without the example of an argument. */
  _complete(index) {
    const { usage } = this._hints.children[index].dataset;
    const bare = usage.replace(/ (AAD-\w+|@person)/g, "");
    this._put(bare === usage ? usage : `${bare} `);
    this._hide();
    this._field.focus();
  }

  _hide() {
    this._hints.hidden = true;
    this._field.removeAttribute("aria-activedescendant");
  }
}
