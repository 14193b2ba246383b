/** The dialog that asks before something is done. */

import { freshId, h } from "../dom.js";
import { checkChoice, checkKeys } from "./refused.js";
import { plain, rich } from "./texts.js";

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
      h("h2", { id: title }, plain(confirm.title, 100)),
      h("div", { class: "text", id: text }, rich(confirm.text, 300, context)),
      h("div", { class: "dialog-buttons" },
        h("button", { class: "button", value: "no", data: { confirm: "no" } }, plain(confirm.deny, 30)),
        h("button", { class: `button ${confirm.style ?? "primary"}`, value: "yes", data: { confirm: "yes" } }, plain(confirm.confirm, 30)))),
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

/** Check a confirmation dialog object before anybody asks for it. */
export function checkConfirm(confirm) {
  if (!confirm) return;
  checkKeys(confirm, "confirm", ["title", "text", "confirm", "deny"], ["style"]);
  checkChoice(confirm.style, ["primary", "danger"], "style");
}
