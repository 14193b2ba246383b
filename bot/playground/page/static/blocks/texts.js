/** Text objects as DOM. */

import { h } from "../dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { Refused, check, checkKeys, checkLength } from "./refused.js";

/** Return a plain_text as shown. */
export function plain(text, most, name = "text") {
  check(text, "plain_text", ["text"], ["emoji"]);
  return withEmoji(checkLength(text.text, most, name));
}

/** Return a plain_text or mrkdwn object as nodes. */
export function rich(text, most, context, name = "text") {
  if (text?.type === "plain_text") return [plain(text, most, name)];
  check(text, "mrkdwn", ["text"], ["verbatim"]);
  return mrkdwn(checkLength(text.text, most, name), context);
}

/** Return an option's text as shown. */
export function optionText(option, shown = (text) => plain(text, 75)) {
  checkKeys(option, "option", ["text"], ["value", "description", "url"]);
  return shown(option.text);
}

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };

/** Return the parts of a rich_text block. */
export function richText(block) {
  return block.elements.map((part) => {
    if (part.type === "rich_text_preformatted") check(part, part.type, ["elements"], ["border"]);
    else check(part, "rich_text_section", ["elements"]);
    return h(part.type === "rich_text_preformatted" ? "pre" : "div", null, part.elements.map(leaf));
  });
}

function leaf(piece) {
  check(piece, "text", ["text"], ["style"]);
  return Object.entries(piece.style ?? {}).reduce((inner, [name, isOn]) => {
    if (!(name in STYLES)) throw new Refused(`style ${name} is unknown.`);
    return isOn ? h(STYLES[name], null, inner) : inner;
  }, piece.text);
}
