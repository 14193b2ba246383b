/** What Slack would refuse is refused here, too, with the place where it is. */

import { h } from "../dom.js";

export class Refused extends Error {
  constructor(sentence) {
    super(`Slack would refuse this: ${sentence}`);
    this.name = "Refused";
  }
}

/**
 * Check an object of Block Kit: its type, the keys it must have and those it may have.
 * @param {any} item
 * @param {string} type
 * @param {string[]} required
 * @param {string[]} [optional]
 */
export function check(item, type, required, optional = []) {
  if (item?.type !== type) throw new Refused(`${item?.type ?? typeof item} where ${type} belongs.`);
  checkKeys(item, type, required, ["type", ...optional]);
}

/** The same for objects without a type: options, confirm dialogs. */
export function checkKeys(item, name, required, optional = []) {
  if (typeof item !== "object" || item === null) throw new Refused(`${name} is no object.`);
  const missing = required.filter((key) => item[key] === undefined || item[key] === null);
  if (missing.length) throw new Refused(`${name} lacks ${missing.join(", ")}.`);
  const unknown = Object.keys(item).filter((key) => !required.includes(key) && !optional.includes(key));
  if (unknown.length) throw new Refused(`${name} has an unknown ${unknown.join(", ")}.`);
}

/** @returns {string} */
export function checkLength(text, most, name) {
  if (typeof text !== "string") throw new Refused(`${name} is no text.`);
  const length = [...text].length;
  if (length < 1 || length > most) throw new Refused(`${name} has ${length} characters, of 1 to ${most}.`);
  return text;
}

/** @returns {any[]} */
export function checkList(list, most, name) {
  if (!Array.isArray(list)) throw new Refused(`${name} is no list.`);
  if (list.length < 1 || list.length > most) throw new Refused(`${name} has ${list.length} items, of 1 to ${most}.`);
  return list;
}

export function checkChoice(value, choices, name) {
  if (value !== undefined && !choices.includes(value)) throw new Refused(`${name} is ${value}, not one of ${choices.join(", ")}.`);
  return value;
}

export function checkUnique(values, name) {
  const known = values.filter((value) => value !== undefined);
  const twice = known.find((value, index) => known.indexOf(value) !== index);
  if (twice !== undefined) throw new Refused(`${name} ${twice} is there twice.`);
}

/** Return what is shown in the place of blocks that are refused; the page's error handlers hear of it. */
export function refusal(error) {
  if (!(error instanceof Refused)) throw error;
  reportError(error);
  return h("p", { class: "refused", role: "alert" }, error.message);
}
