/** The page: connects the store, mounts the panes, shows the clock, the bot's state and toasts. */

import { api } from "./api.js";
import { fill, h } from "./dom.js";
import { Store } from "./store.js";
import * as workspace from "./workspace/index.js";
import { place } from "./workspace/place.js";

const THEMES = { system: "as the system", light: "light", dark: "dark" };
const TOAST_SECONDS = 8;
const PANES = ["tenant", "vendor", "trouble", "gallery", "tour"];

const store = new Store();
const page = { store, api, toast, show };

/**
 * Say something at the edge of the page for a while.
 * @param {string} text
 * @param {{kind?: "note" | "error", title?: string, onclick?: () => void}} [options]
 * @returns {() => void}  takes it away
 */
export function toast(text, { kind = "note", title, onclick } = {}) {
  const close = () => element.remove();
  const element = h(
    "div",
    { class: `toast ${kind}` },
    h(onclick ? "button" : "div", { class: "toast-text", type: onclick ? "button" : null, onclick: onclick ? () => (close(), onclick()) : null },
      title && h("strong", null, title), text),
    h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: close }, "✕"),
  );
  document.querySelector("#toasts").append(element);
  setTimeout(close, TOAST_SECONDS * 1000);
  return close;
}

/** Show one of the views: workspace, tenant, vendor, trouble or gallery. */
function show(view) {
  document.body.dataset.show = view;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  document.dispatchEvent(new CustomEvent("shown", { detail: view }));
}

function tabs() {
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      const again = document.body.dataset.show === button.dataset.view;
      show(again && button.dataset.view === "trouble" ? "workspace" : button.dataset.view);
    });
  }
  show(location.hash === "#gallery" ? "gallery" : "workspace");
}

function theme() {
  const button = document.querySelector("#theme");
  const names = Object.keys(THEMES);
  const apply = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.setAttribute("aria-label", `Colours: ${THEMES[name]}`);
    button.title = `Colours: ${THEMES[name]}`;
    localStorage.setItem("theme", name);
  };
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "system";
    apply(names[(names.indexOf(now) + 1) % names.length]);
  });
  const kept = localStorage.getItem("theme");
  apply(kept in THEMES ? kept : "system");
}

/** Tick between events: the simulated clock runs as fast as the real one, but elsewhere. */
function clock() {
  const time = document.querySelector("#clock");
  let offset = 0;
  const draw = () => {
    const now = new Date(Date.now() + offset);
    time.dateTime = now.toISOString();
    time.textContent = now.toLocaleString("en-GB", {
      timeZone: place.zone(store), weekday: "short", day: "numeric", month: "short", year: "numeric",
      hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
  };
  store.subscribe("now", (changes) => {
    const now = changes.get("now");
    if (now) offset = Date.parse(now.now) - Date.now();
    draw();
  });
  setInterval(draw, 1000);
}

function botState() {
  const element = document.querySelector("#bot");
  const words = { running: "bot is running", starting: "bot is starting", down: "bot is down" };
  const draw = () => {
    const now = store.get("now");
    const state = store.connection === "open" && now ? now.bot : "lost";
    const text = words[state] ?? "connecting";
    const restarts = now?.restarts ? `, restarted ${now.restarts}×` : "";
    element.dataset.state = state;
    if (element.textContent === text + restarts) return; // it would be read aloud again
    fill(element, h("span", null, text, restarts && h("span", { class: "wide-only" }, restarts)));
  };
  store.subscribe("now", draw);
  store.subscribe("connection", draw);
}

/** A pane that is missing or broken leaves the rest of the page alone. */
async function mount(name) {
  const element = document.querySelector(name === "tour" ? "#tour" : `[data-pane="${name}"]`);
  let module;
  try {
    module = await import(`./${name}.js`);
  } catch (error) {
    reportError(error);
    if (name !== "tour") element.append(h("p", { class: "empty" }, `There is no ${name} here.`));
    return;
  }
  await stylesheets(module.styles ?? []);
  module.mount(element, page);
}

/** Load a module's own stylesheets (`export const styles = ["tenant.css"]`) before it draws. */
function stylesheets(names) {
  const loaded = names.map((name) => {
    const link = h("link", { rel: "stylesheet", href: `./static/${name}` });
    const done = new Promise((resolve) => (link.onload = link.onerror = resolve));
    document.head.append(link);
    return done;
  });
  return Promise.all(loaded);
}

/** The simulation stays on this machine: a link to elsewhere is named, not followed. */
function links() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.hostname === location.hostname || link.hostname === "localhost") return;
    event.preventDefault();
    toast(link.href, { title: "The simulation stays on this machine. In Slack this opens " });
  });
}

async function follow() {
  const person = place.person();
  await place.reloadOnce(api, person).catch((error) => toast(error.message, { kind: "error" }));
  store.connect(person);
}

function start() {
  tabs();
  theme();
  clock();
  botState();
  links();
  workspace.mount(document.querySelector('[data-pane="workspace"]'), page);
  place.onPerson(follow);
  follow();
  for (const name of PANES) mount(name);
}

start();
