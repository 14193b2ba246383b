/**
 * Block Kit as DOM: every block and element that the simulated workspace admits, and no other.
 *
 * The rules are those of bot/playground/workspace/blocks/block_rules.py and element_rules.py. What they do
 * not admit throws `Refused`.
 *
 * @typedef {object} Context
 * @property {Object<string, string>} names  shown names of people, channels and groups by id
 * @property {string} zone  the reader's time zone
 * @property {Date | number | string} now
 * @property {((action: Action) => void) | null} act  told of what the reader does; null where nothing happens
 * @property {object} [values]  what was typed: block_id → action_id → text, option's text or list of those
 * @property {(block: string, action: string, value: any) => void} [typed]  told of what is typed
 *
 * @typedef {{verb: "click" | "choose", label: string, block_id: string, value?: any}} Action
 */

import { h } from "../dom.js";
import { element, input } from "./elements.js";
import { Refused, check, checkChoice, checkLength, checkList, checkUnique, refusal } from "./refused.js";
import { plain, rich, richText } from "./texts.js";

const MOST_BLOCKS = 100;
const CLICKABLE = ["button", "overflow", "static_select", "checkboxes"];
const STATUSES = {
  complete: ["✓", "done"],
  in_progress: ["●", "in progress"],
  pending: ["○", "waiting"],
  error: ["✕", "failed"],
};

const BLOCKS = { actions, context, divider, header, input, plan, rich_text, section };

/**
 * @param {object[]} blocks
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function renderBlocks(blocks, context) {
  checkBlocks(blocks);
  return h("div", { class: "blocks" }, blocks.map((block) => renderBlock(block, context)));
}

/** Check what only shows across blocks. */
export function checkBlocks(blocks) {
  if (!Array.isArray(blocks) || blocks.length > MOST_BLOCKS) throw new Refused(`these are no blocks, or more than ${MOST_BLOCKS}.`);
  checkUnique(blocks.map((block) => block?.block_id), "block_id");
  if (blocks.filter((block) => block?.type === "plan").length > 1) throw new Refused("more than one plan.");
}

export function renderBlock(block, context) {
  const draw = Object.hasOwn(BLOCKS, block?.type ?? "") ? BLOCKS[block.type] : null;
  if (!draw) throw new Refused(`${block?.type} is no block that is known here.`);
  const drawn = draw(block, context);
  drawn.classList.add("block", `block-${block.type}`);
  if (block.block_id) drawn.dataset.block = block.block_id;
  return drawn;
}

/** Draw blocks; where Slack would refuse them, say so in their place, and tell the page's error handlers. */
export function shownBlocks(blocks, context) {
  try {
    return renderBlocks(blocks, context);
  } catch (error) {
    return refusal(error);
  }
}

function header(block) {
  check(block, "header", ["text"], ["block_id", "level"]);
  checkChoice(block.level, [1, 2, 3, 4], "level");
  const level = block.level ?? 2;
  return h("div", { role: "heading", "aria-level": level > 2 ? 4 : 3, data: { level } }, plain(block.text, 150));
}

function divider(block) {
  check(block, "divider", [], ["block_id"]);
  return h("hr");
}

function section(block, context) {
  check(block, "section", [], ["block_id", "text", "fields", "accessory", "expand"]);
  if (!block.text && !block.fields) throw new Refused("section has neither text nor fields.");
  const fields = block.fields && checkList(block.fields, 10, "fields");
  return h(
    "div",
    null,
    h("div", { class: "section-main" },
      block.text && h("div", { class: "text" }, rich(block.text, 3000, context)),
      fields && h("div", { class: "fields" }, fields.map((field) => h("div", { class: "text" }, rich(field, 2000, context))))),
    block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, context, CLICKABLE)),
  );
}

function context(block, reader) {
  check(block, "context", ["elements"], ["block_id"]);
  const parts = checkList(block.elements, 10, "elements");
  return h("div", null, parts.map((part) => h("span", { class: "text" }, rich(part, 2000, reader))));
}

function actions(block, context) {
  check(block, "actions", ["elements"], ["block_id"]);
  const elements = checkList(block.elements, 25, "elements");
  checkUnique(elements.map((each) => each?.action_id), "action_id");
  return h("div", null, elements.map((each) => element(each, block, context, CLICKABLE)));
}

function rich_text(block) {
  check(block, "rich_text", ["elements"], ["block_id"]);
  checkList(block.elements, 100, "elements");
  return h("div", { class: "text" }, richText(block));
}

function plan(block) {
  check(block, "plan", ["title"], ["block_id", "tasks"]);
  const tasks = block.tasks ? checkList(block.tasks, 50, "tasks") : [];
  checkUnique(tasks.map((each) => each?.task_id), "task_id");
  return h("div", null, h("p", { class: "plan-title" }, checkLength(block.title, 255, "title")), h("ol", null, tasks.map(task)));
}

function task(card) {
  check(card, "task_card", ["task_id", "title", "status"]);
  checkChoice(card.status, Object.keys(STATUSES), "status");
  const [mark, word] = STATUSES[card.status];
  return h(
    "li",
    { data: { status: card.status } },
    h("span", { class: "mark", "aria-hidden": "true" }, mark),
    h("span", null, checkLength(card.title, 255, "title"), h("span", { class: "unseen" }, `, ${word}`)),
  );
}
