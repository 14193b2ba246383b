/** The dialog that asks before something is done. */

import { freshId, h } from "../dom.js";
import { checkChoice, checkKeys, checkLength } from "./refused.js";
import { plain, rich } from "./texts.js";

const LONGEST = { title: 100, text: 300, confirm: 30, deny: 30 };

/**
 * Ask, if there is something to ask. Return whether to go on.
 * @param {object | undefined} confirm  a confirmation dialog object
 * @param {import("./index.js").Context} context
 * @returns {Promise<boolean>}
 */
export function confirmed(confirm, context) {
  if (!confirm) return Promise.resolve(true);
  const [title, text] = [freshId("title"), freshId("text")];
  const dialog = h(
    "dialog",
    { class: "confirm", role: "alertdialog", "aria-labelledby": title, "aria-describedby": text },
    h("form", { method: "dialog" },
      h("h2", { id: title }, plain(confirm.title, LONGEST.title)),
      h("div", { class: "text", id: text }, rich(confirm.text, LONGEST.text, context)),
      h("div", { class: "dialog-buttons" },
        h("button", { class: "button", value: "no", data: { confirm: "no" } }, plain(confirm.deny, LONGEST.deny)),
        h("button", { class: `button ${confirm.style ?? "primary"}`, value: "yes", data: { confirm: "yes" } }, plain(confirm.confirm, LONGEST.confirm)))),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Check a confirmation dialog object before it is asked for. */
export function checkConfirm(confirm) {
  if (!confirm) return;
  checkKeys(confirm, "confirm", ["title", "text", "confirm", "deny"], ["style"]);
  checkChoice(confirm.style, ["primary", "danger"], "style");
  for (const [name, most] of Object.entries(LONGEST)) checkLength(confirm[name].text, most, name);
}
