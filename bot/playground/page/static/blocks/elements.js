/** Block elements as DOM: buttons, menus and fields. */

import { fill, freshId, h } from "../dom.js";
import { checkConfirm, confirmed } from "./confirm.js";
import { overflow } from "./overflow.js";
import { Refused, check, checkChoice, checkLength, checkList } from "./refused.js";
import { optionText, plain, rich } from "./texts.js";

const ELEMENTS = { button, overflow, static_select, checkboxes, plain_text_input };
const FIELDS = ["static_select", "checkboxes", "plain_text_input"];
const NO_VALUE = "";

/**
 * Draw an element of a block.
 * @param {object} item
 * @param {object} block
 * @param {import("./index.js").Context} context
 * @param {string[]} allowed  the kinds that may stand there
 */
export function element(item, block, context, allowed) {
  if (!allowed.includes(item?.type)) throw new Refused(`${item?.type} is no element of ${block.type}.`);
  checkConfirm(item.confirm);
  return ELEMENTS[item.type](item, block, context);
}

/** An input block: label, field, hint and what is wrong with it. */
export function input(block, context) {
  check(block, "input", ["label", "element"], ["block_id", "hint", "optional", "dispatch_action"]);
  const field = element(block.element, block, context, FIELDS);
  const isGroup = block.element.type === "checkboxes";
  const control = isGroup ? field : field.querySelector("select, input, textarea") ?? field;
  control.id ||= freshId("field");
  const label = h(isGroup ? "div" : "label", { class: "label", for: isGroup ? null : control.id, id: freshId("label") },
    plain(block.label, 2000),
    block.optional ? h("span", { class: "optional" }, " (optional)") : h("span", { class: "required", "aria-hidden": "true" }, " *"));
  const hint = block.hint && h("p", { class: "hint", id: freshId("hint") }, plain(block.hint, 2000));
  const wrong = h("p", { class: "problem", id: freshId("problem") });
  control.setAttribute("aria-describedby", [hint?.id, wrong.id].filter(Boolean).join(" "));
  if (isGroup) control.setAttribute("aria-labelledby", label.id);
  else if (!block.optional) control.setAttribute("aria-required", "true");
  return h("div", null, label, field, wrong, hint);
}

/** Show below a field what is wrong with it, or nothing. */
export function showProblem(block, sentence) {
  fill(block.querySelector(".problem"), sentence ?? "");
  const control = block.querySelector("select, input, textarea, [role=group]");
  if (sentence) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

function button(item, block, context) {
  check(item, "button", ["text"], ["action_id", "url", "value", "style", "confirm", "accessibility_label"]);
  checkChoice(item.style, ["primary", "danger"], "style");
  const label = item.accessibility_label && checkLength(item.accessibility_label, 75, "accessibility_label");
  const text = plain(item.text, 75);
  const onclick = async () => {
    if (!(await confirmed(item.confirm, context))) return;
    context.act?.({ verb: "click", label: item.action_id, block_id: block.block_id });
  };
  const shared = { class: `button ${item.style ?? ""}`.trim(), "aria-label": label, onclick, data: { action: item.action_id } };
  if (!item.url) return h("button", { type: "button", ...shared }, text);
  const href = checkLength(item.url, 3000, "url");
  if (!/^https?:\/\//i.test(href)) throw new Refused("url is no address of the web.");
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", ...shared }, text);
}

function static_select(item, block, context) {
  check(item, "static_select", ["options"], ["action_id", "focus_on_load", "placeholder", "confirm", "initial_option"]);
  const options = checkList(item.options, 100, "options").map((option) => [option, optionText(option)]);
  const chosen = typed(block, item, context, item.initial_option?.text.text ?? null);
  const select = h(
    "select",
    { data: { action: item.action_id }, "aria-label": block.label ? null : item.placeholder ? plain(item.placeholder, 150) : "Choose" },
    chosen === null && h("option", { value: NO_VALUE }, item.placeholder ? plain(item.placeholder, 150) : "Choose an option"),
    options.map(([option, text]) => h("option", { value: option.text.text, selected: option.text.text === chosen }, described(option, text))),
  );
  select.addEventListener("change", async () => {
    if (!(await confirmed(item.confirm, context))) select.value = chosen ?? NO_VALUE;
    else changed(item, block, context, select.value || null);
  });
  return h("div", { class: "select" }, select);
}

function described(option, text) {
  return option.description ? [text, ` (${option.description.text})`] : text;
}

function checkboxes(item, block, context) {
  check(item, "checkboxes", ["options"], ["action_id", "focus_on_load", "confirm", "initial_options"]);
  const chosen = new Set(typed(block, item, context, (item.initial_options ?? []).map((option) => option.text.text)));
  const group = h("div", { class: "checkboxes", role: "group", "aria-label": block.label ? null : "Options" });
  const draw = (option, index) => {
    const name = option.text.text;
    const box = h("input", { type: "checkbox", checked: chosen.has(name), data: { action: item.action_id, option: index } });
    box.addEventListener("change", async () => {
      if (!(await confirmed(item.confirm, context))) box.checked = !box.checked;
      else {
        box.checked ? chosen.add(name) : chosen.delete(name);
        const texts = item.options.map((each) => each.text.text);
        changed(item, block, context, texts.filter((text) => chosen.has(text)));
      }
    });
    return h("label", null, box, h("span", null, optionText(option, (text) => rich(text, 75, context)),
      option.description && h("span", { class: "hint" }, rich(option.description, 75, context))));
  };
  return fill(group, checkList(item.options, 10, "options").map(draw));
}

function plain_text_input(item, block, context) {
  check(item, "plain_text_input", [], ["action_id", "focus_on_load", "placeholder", "initial_value", "multiline", "min_length", "max_length"]);
  const value = typed(block, item, context, item.initial_value ?? "");
  const field = h(item.multiline ? "textarea" : "input", {
    type: item.multiline ? null : "text",
    rows: item.multiline ? 3 : null,
    autocomplete: "off",
    minlength: item.min_length,
    maxlength: item.max_length ?? 3000,
    placeholder: item.placeholder && plain(item.placeholder, 150),
    data: { action: item.action_id, autofocus: item.focus_on_load ? "" : undefined },
  });
  field.value = value ?? "";
  field.addEventListener("input", () => context.typed?.(block.block_id, item.action_id, field.value));
  return field;
}

/** Return what was typed before the block was drawn again, or what the field begins with. */
function typed(block, item, context, initial) {
  const kept = context.values?.[block.block_id]?.[item.action_id];
  return kept === undefined ? initial : kept;
}

/** A field in a form only tells the app if it is to; anywhere else it always does. */
function changed(item, block, context, value) {
  context.typed?.(block.block_id, item.action_id, value);
  if (block.type === "input" && !block.dispatch_action) return;
  context.act?.({ verb: "choose", label: item.action_id, block_id: block.block_id, value });
}
