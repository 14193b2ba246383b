/** Slack's markup as DOM: docs.slack.dev/messaging/formatting-message-text. */

import { h } from "../dom.js";
import { date } from "./dates.js";
import { withEmoji } from "./emoji.js";

// Whichever begins first: code in a line hides the beginning of a block of code.
const CODE = /```\n?([\s\S]*?)\n?```|`[^`\n]+`/g;
// Code and references are units: a mark inside them neither begins nor ends a style. The alternatives
// exclude each other, so that the search cannot take exponential time.
const UNIT = "(?:<[^<>\\n]*>|`[^`\\n]+`|`(?![^`\\n]+`)|[^\\n<`])";
const WORD = "[\\p{L}\\p{N}_*~]";
const UNSTYLED = "`([^`\\n]+)`|<([^<>\\n]+)>";
const STYLED = `(?<!${WORD})([*_~])(?=\\S)(${UNIT}+?)(?<=\\S)\\3(?!${WORD})`;
const INLINE = new RegExp(`${UNSTYLED}|${STYLED}`, "gu");
const INNERMOST = new RegExp(UNSTYLED, "gu");
const MOST_STYLES = 3; // one in another, as there are marks: a line of stars is no thousand styles
const STYLES = { "*": "strong", _: "em", "~": "s" };
const LINK = /^(https?:\/\/|mailto:)/i;

/**
 * @typedef {{names: Object<string, string>, zone: string, now: Date | number | string}} Reader
 * @param {string} text
 * @param {Reader} reader
 * @returns {Array<Node | string>}
 */
export function mrkdwn(text, reader) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(CODE)) {
    if (found[1] === undefined) continue;
    parts.push(...lines(text.slice(end, found.index), reader));
    parts.push(h("pre", null, unescaped(found[1])));
    end = found.index + found[0].length;
  }
  return [...parts, ...lines(text.slice(end), reader)];
}

/** Lines that begin with > are a quotation. */
function lines(text, reader) {
  const parts = [];
  for (const run of text.split(/((?:^(?:&gt;|>)[^\n]*(?:\n|$))+)/m)) {
    if (/^(&gt;|>)/.test(run)) parts.push(h("blockquote", null, inline(run.replace(/^(&gt;|>) ?/gm, "").trimEnd(), reader)));
    else if (run) parts.push(...inline(run, reader));
  }
  return parts;
}

function inline(text, reader, depth = 0) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(depth < MOST_STYLES ? INLINE : INNERMOST)) {
    const [all, code, reference, mark, styled] = found;
    parts.push(prose(text.slice(end, found.index)));
    if (code) parts.push(h("code", null, unescaped(code)));
    else if (reference) parts.push(referred(reference, reader));
    else parts.push(h(STYLES[mark], null, inline(styled, reader, depth + 1)));
    end = found.index + all.length;
  }
  return [...parts, prose(text.slice(end))].filter((part) => part !== "");
}

function prose(text) {
  return unescaped(withEmoji(text));
}

function unescaped(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function referred(inside, reader) {
  const [target, label] = split(inside, "|");
  if (target.startsWith("@")) return mention("@", reader.names[target.slice(1)] ?? label ?? target.slice(1));
  if (target.startsWith("#")) return mention("#", label || (reader.names[target.slice(1)] ?? target.slice(1)));
  if (target.startsWith("!date^")) return dated(target, label, reader) ?? `<${inside}>`;
  if (target.startsWith("!subteam^")) return mention("@", group(target.slice(9), label, reader));
  if (target.startsWith("!")) return mention("@", target.slice(1));
  return linked(unescaped(target), label);
}

function split(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function group(id, label, reader) {
  return reader.names[id] ?? label?.replace(/^@/, "") ?? id;
}

function mention(sign, name) {
  return h("span", { class: "mention" }, sign + unescaped(name));
}

/** Without a fallback, which Slack requires, one sees the text as it was written. */
function dated(target, fallback, reader) {
  if (!fallback) return null;
  const [, timestamp = "", format = ""] = target.split("^");
  return h("time", { class: "date" }, date(timestamp, unescaped(format), reader) ?? unescaped(fallback));
}

/** Only addresses of the web and of mail are links. */
function linked(address, label) {
  const text = label ? prose(label) : address.replace(/^mailto:/, "");
  if (!LINK.test(address)) return text;
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
}
