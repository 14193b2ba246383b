/** Build and patch DOM. Data becomes text nodes and attributes only, never markup. */

/**
 * Create an element.
 *
 * Attributes: `class`, `data` (an object of data-* values), `onclick` and the like (functions), booleans
 * as in HTML; null, undefined and false are left out. Children: nodes, text, numbers, nested arrays.
 * @param {string} tag
 * @param {Object<string, any> | null} [attributes]
 * @param {...any} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = null, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

/** Put these children in the place of an element's own. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "data") Object.assign(element.dataset, defined(value));
  else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : String(value));
}

function defined(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

const drawnFrom = new WeakMap();
const delayed = new Map();
/** The click follows its release at once, or a moment later where fingers touch. */
const CLICK_MS = 50;
let pressed = null;

listen("pointerdown", (event) => event.button === 0 && press(event));
listen("keydown", (event) => event.key === " " && press(event));
listen("click", () => (pressed = null)); // whoever handles it may draw at once
for (const type of ["pointerup", "pointercancel", "keyup", "contextmenu"]) {
  listen(type, () => setTimeout(released, CLICK_MS));
}
listen("pointermove", (event) => pressed && !event.buttons && released()); // a menu may take the release

function listen(type, callback) {
  document.addEventListener(type, callback, true);
}

function press(event) {
  pressed = event.target;
}

function released() {
  pressed = null;
  for (const redraw of [...delayed.values()]) redraw();
}

/**
 * Make the children of `parent` show these items, redrawing only those that changed.
 *
 * An item that is the same object as before keeps its element. Focus stays on the control that has the
 * same data-action, and data-block if there is such, in the new element. What is pressed is drawn again
 * only once it is released: a control that is replaced meanwhile gets no click.
 * @param {HTMLElement} parent
 * @param {Array<[string, any]>} items  keys, unique, and values
 * @param {(value: any, key: string) => HTMLElement} draw
 */
export function patch(parent, items, draw) {
  const focus = focused(parent);
  const wanted = new Set(items.map(([key]) => key));
  // First of all, so that nothing else has to be moved: what is moved loses its focus and its click.
  for (const child of [...parent.children]) if (!wanted.has(drawnFrom.get(child)?.key)) child.remove();
  const before = new Map([...parent.children].map((child) => [drawnFrom.get(child).key, child]));
  let next = parent.firstElementChild;
  delayed.delete(parent);
  for (const [key, value] of items) {
    let element = before.get(key);
    const isChanged = element && drawnFrom.get(element).value !== value;
    if (isChanged && element.contains(pressed)) {
      delayed.set(parent, () => patch(parent, items, draw));
    } else if (isChanged) {
      if (element === next) next = next.nextElementSibling;
      element.remove();
      element = null;
    }
    if (!element) {
      element = draw(value, key);
      drawnFrom.set(element, { key, value });
    }
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  if (focus) refocus(parent, focus);
}

/**
 * The same for plain JSON, which is compared by what it says.
 * @param {HTMLElement} parent
 * @param {Array<[string, any]>} models
 * @param {(model: any) => HTMLElement} draw
 */
export function patchJson(parent, models, draw) {
  patch(parent, models.map(([key, model]) => [key, JSON.stringify(model)]), (text) => draw(JSON.parse(text)));
}

function focused(parent) {
  const active = document.activeElement;
  if (!active || active === parent || !parent.contains(active)) return null;
  const own = [...parent.children].find((child) => child.contains(active));
  return {
    active,
    key: drawnFrom.get(own)?.key,
    action: active.dataset.action,
    block: active.closest("[data-block]")?.dataset.block,
    range: [active.selectionStart, active.selectionEnd],
  };
}

function refocus(parent, focus) {
  if (document.activeElement === focus.active) return;
  const own = [...parent.children].find((child) => drawnFrom.get(child)?.key === focus.key);
  if (focus.active.parentElement === null && own?.matches("button")) own.focus({ preventScroll: true });
  if (!focus.action) return;
  const all = [...(own ?? parent).querySelectorAll("[data-action]")].filter((each) => each.dataset.action === focus.action);
  const same = all.find((each) => each.closest("[data-block]")?.dataset.block === focus.block) ?? all[0];
  if (!same) return;
  same.focus({ preventScroll: true });
  if (typeof focus.range[0] === "number") same.setSelectionRange?.(...focus.range);
}

let ids = 0;

/** Return an id that no other element of the page has. */
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}
