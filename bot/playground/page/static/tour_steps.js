/** The eight steps: what the caption says, and what *Next* then does. */

import { press, type, until } from "./tour_hands.js";

const FORM = {
  name: "Mimecast directory sync",
  reason: "Mail security needs our users and groups, ticket OPS-1907",
};
const ID = /AAD-[0-9A-Z]{4,}/;
const WORKSPACE = '[data-pane="workspace"]';
const one = (selector) => document.querySelector(selector);
const last = (selector) => [...document.querySelectorAll(selector)].at(-1) ?? null;

export const STEPS = [
  {
    title: "Rosa asks",
    text: "Rosa’s team lets Mimecast read the directory. In #general she types /aad-setup, and the bot opens its form.",
    run: async (tour) => {
      await become(tour, "rosa");
      await open(tour, "general");
      await write(tour, "/aad-setup");
      await until(tour, "The form", () => one('[role="dialog"] [data-block="name"]'));
    },
  },
  {
    title: "She fills in the form",
    text: "A name and a reason are enough. When she sends it, the bot reads the tenant and makes an exact plan. Nothing is changed yet.",
    run: async (tour) => {
      for (const [block, text] of Object.entries(FORM)) {
        const field = () => one(`[role="dialog"] [data-block="${block}"] :is(input, textarea)`);
        await type(tour, `The field ${block}`, field, text);
      }
      await press(tour, "The button that sends the form", () => one('[role="dialog"] [data-modal="submit"]'));
      await until(tour, "The end of the form", () => !one('[role="dialog"]'));
    },
  },
  {
    title: "Ada approves",
    text: "Ada is an approver. In #approvals she reads exactly what would be created, and presses Approve. Then the bot makes the application, step by step.",
    run: async (tour) => {
      await become(tour, "ada");
      await open(tour, "approvals");
      const button = await until(tour, "The request", () => last(`${WORKSPACE} [data-action="approve"]`));
      const card = button.closest("[data-ts]");
      tour.story.card = card.dataset.ts;
      tour.story.id = card.textContent.match(ID)?.[0];
      await press(tour, "Approve", () => within(card, "approve"));
      await until(tour, "The call for an administrator", () => callFor(tour));
    },
  },
  {
    title: "An administrator consents",
    text: "This bot may not grant permissions, so it waits. In the tenant, an administrator compares them and presses Grant admin consent. The bot looks again after a minute; here, that minute passes at once.",
    run: async (tour) => {
      tour.page.show("tenant");
      await press(tour, "The application", () => one('[data-action="open-application"]') ?? one('[data-action="grant-admin-consent"]'));
      await press(tour, "Grant admin consent", () => one('[data-action="grant-admin-consent"]'));
      await press(tour, "The confirmation", () => one('[data-action="confirm-consent"]'));
      await until(tour, "The grants", () => one('[data-permission][data-granted="true"]'));
      await skip(tour, "skip-minute");
      await until(tour, "The result", () => /\bready\b/.test(message(tour.story.card)?.textContent ?? ""));
    },
  },
  {
    title: "Rosa gets the values",
    text: "The bot signed in with the new secret before it said so. Rosa presses Get the values; only she sees the answer. Then she lets it show the secret, which works once.",
    run: async (tour) => {
      await become(tour, "rosa");
      await open(tour, "app");
      await press(tour, "Get the values", () => last(`${WORKSPACE} [data-action="values"]`));
      await press(tour, "Show the secret", () => last(`${WORKSPACE} [data-action="reveal"]`));
      await until(tour, "The secret", () => last(`${WORKSPACE} [data-action="hide"]`));
    },
  },
  {
    title: "The vendor reads the directory",
    text: "Rosa carries the values to the vendor’s console, saves them, and presses Sync Directory Data: the secret works, and reads what the bot said it would.",
    run: async (tour) => {
      tour.page.show("vendor");
      await press(tour, "Fill in", () => one('[data-action="vendor-fill"]'));
      await press(tour, "Save", () => one('[data-action="vendor-save"]'));
      await press(tour, "Sync Directory Data", () => one('[data-action="vendor-sync"]'));
      await until(tour, "The result of the sync", () => one('[data-pane="vendor"] [data-ok="true"]'));
    },
  },
  {
    title: "The secret is masked",
    text: "A minute later the secret is masked for good, on Rosa’s screen, too. Here, five minutes pass at once.",
    run: async (tour) => {
      await skip(tour, "skip-minutes");
      await until(tour, "The mask", () => /masked for good/.test(one(WORKSPACE).textContent));
    },
  },
  {
    title: "Ben asks how it stands",
    text: "Every member may ask in a channel. Ben, who only looks on, gets an answer that the whole channel may read.",
    run: async (tour) => {
      await become(tour, "ben");
      await open(tour, "general");
      const before = replies().length;
      await write(tour, `@aad-setup status ${tour.story.id}`);
      await until(tour, "The answer", () => replies().length > before);
    },
  },
];

async function become(tour, name) {
  tour.page.show("workspace");
  const switched = () => one(`[data-person="${name}"][aria-pressed="true"]`);
  if (!switched()) await press(tour, `The window of ${name}`, () => one(`[data-person="${name}"]`));
  await until(tour, `The window of ${name}`, switched);
}

async function open(tour, channel) {
  const link = () => one(`${WORKSPACE} [data-channel="${channel}"]`);
  await press(tour, `The conversation ${channel}`, link);
  await until(tour, `The conversation ${channel}`, () => link()?.getAttribute("aria-current"));
}

async function write(tour, text) {
  await type(tour, "The field for messages", () => one("[data-composer]"), text);
  await press(tour, "Send", () => one(".composer-row .primary"));
}

async function skip(tour, time) {
  tour.page.show("trouble");
  await press(tour, "The button that lets time pass", () => one(`[data-trouble="${time}"]`));
  tour.page.show("workspace");
}

function message(ts) {
  return one(`${WORKSPACE} [data-ts="${ts}"]`);
}

function within(card, action) {
  return message(card.dataset.ts)?.querySelector(`[data-action="${action}"]`);
}

/** The button of the message that calls for an administrator. */
function callFor({ story }) {
  const found = last(`${WORKSPACE} [data-action="check_consent"]`);
  return found && found.closest("[data-ts]").dataset.ts > story.card ? found : null;
}

function replies() {
  return document.querySelectorAll(`${WORKSPACE} .replies [data-ts]`);
}
