/**
 * The guided tour: the story in eight steps, each with a caption, which do the real clicks as the right person.
 *
 * It presses what is on the page, so what a visitor sees is what they would do themselves. Whatever they
 * have done themselves by then is left out.
 */

import { h } from "./dom.js";
import { STEPS } from "./tour_steps.js";

export const styles = ["tour.css"];

const SEEN = "tour-seen";
const CHOICES = { next: "Next", running: "One moment…", last: "Finish", again: "Try again" };

/**
 * @param {HTMLElement} element  an empty place at the end of the page
 * @param {{store: object, api: object, show: (view: string) => void}} page
 */
export function mount(element, page) {
  const tour = new Tour(element, page);
  const start = h("button", { type: "button", id: "tour-button", class: "quiet", onclick: () => tour.open({ focus: true }) }, "Tour");
  document.querySelector("#tour-start")?.append(start);
  if (!localStorage.getItem(SEEN) && document.body.dataset.show !== "gallery") tour.open({ focus: false });
}

class Tour {
  constructor(element, page) {
    this._home = element;
    this._page = page;
    this._story = {};
    this._step = 0;
    this._run = null;
    this._onkey = (event) => this._key(event);
    this._panel = this._drawn();
  }

  /** Begin with the first step. */
  open({ focus }) {
    this._leave();
    this._story = {};
    this._step = 0;
    localStorage.setItem(SEEN, "yes");
    document.body.classList.add("in-tour");
    document.addEventListener("keydown", this._onkey, true);
    this._home.append(this._panel);
    this._caption();
    if (focus) this._next.focus();
  }

  /** Leave at any time: what was begun in the workspace stays as it is. */
  close() {
    this._leave();
    document.querySelector("#tour-button")?.focus();
  }

  _leave() {
    this._run?.abort();
    this._run = null;
    document.removeEventListener("keydown", this._onkey, true);
    document.body.classList.remove("in-tour");
    this._panel.remove();
  }

  _drawn() {
    this._title = h("h2", { class: "tour-title" });
    this._text = h("p", { class: "tour-text" });
    this._marks = h("ol", { class: "tour-marks", "aria-hidden": "true" }, STEPS.map(() => h("li")));
    this._next = h("button", { type: "button", class: "button primary", data: { tour: "next" }, onclick: () => this._advance() });
    const leave = h("button", { type: "button", class: "button", data: { tour: "leave" }, onclick: () => this.close() }, "Leave the tour");
    return h("section", { class: "tour", "aria-label": "Guided tour" },
      h("div", { role: "status", "aria-live": "polite", class: "tour-said" }, this._title, this._text),
      h("div", { class: "tour-buttons" }, this._marks, leave, this._next));
  }

  _caption(problem = null) {
    const isOver = this._step === STEPS.length;
    const { title, text } = isOver ? OVER : STEPS[this._step];
    const place = isOver ? "" : `Step ${this._step + 1} of ${STEPS.length}: `;
    this._title.textContent = place + title;
    this._text.textContent = problem ?? text;
    this._text.classList.toggle("tour-problem", problem !== null);
    this._next.textContent = problem ? CHOICES.again : isOver ? CHOICES.last : CHOICES.next;
    this._panel.dataset.step = String(this._step + 1);
    [...this._marks.children].forEach((mark, index) => mark.classList.toggle("done", index < this._step));
  }

  async _advance() {
    if (this._run) return;
    if (this._step === STEPS.length) return this.close();
    const run = (this._run = new AbortController());
    this._next.setAttribute("aria-disabled", "true");
    this._next.textContent = CHOICES.running;
    let problem = null;
    try {
      await STEPS[this._step].run({ page: this._page, story: this._story, signal: run.signal });
      this._step += run.signal.aborted ? 0 : 1;
    } catch (error) {
      problem = error.message;
    }
    this._next.removeAttribute("aria-disabled");
    if (this._run !== run) return;
    this._run = null;
    this._caption(problem);
  }

  _key(event) {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault(); // a form that is open stays open
    event.stopPropagation();
    this.close();
  }
}

const OVER = {
  title: "That was the whole story",
  text: "Everything here is yours now: be another person, deny, revoke, kill the bot in the middle of its work under Trouble, or look at every card.",
};
