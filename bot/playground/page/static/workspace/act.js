/** What a person does in a message, a modal or Home reaches the simulated workspace here. */

import { attempt } from "../api.js";

/**
 * Return the function that blocks call when something in them is clicked or chosen.
 * @param {object} page
 * @param {{ts: string} | {id: string}} on  the message or view
 * @param {() => Promise<void>} [before]  done first
 */
export function act(page, on, before) {
  return async ({ verb, label, block_id, value }) => {
    const body = { person: page.store.me, label, on, block_id };
    await attempt(page, async () => {
      await before?.();
      const { result } = await page.api.post(`workspace/${verb}`, verb === "choose" ? { ...body, value } : body);
      if (result?.error) throw new Error(unanswered(result.error));
    });
  };
}

/** Say that the app did not take something, with Slack's word for it. */
export function unanswered(error) {
  return error === "operation_timeout" || error === "dispatch_failed"
    ? `The app did not answer (${error}). Is the bot running?`
    : `Slack could not show the app's answer (${error}).`;
}
