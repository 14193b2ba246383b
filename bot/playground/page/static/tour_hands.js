/** What the tour does on the page: look, wait, press, type. All of it by what visitors see themselves. */

const LOOK_MS = 100;
const LONGEST_SECONDS = 60;
const SHOWN_MS = 600; // long enough to see what will be pressed

/** Wait until `look` returns something, and return that. @param {{signal: AbortSignal}} tour */
export async function until({ signal }, what, look, seconds = LONGEST_SECONDS) {
  for (let left = (seconds * 1000) / LOOK_MS; left > 0; left -= 1) {
    if (signal.aborted) throw new Error("The tour was left.");
    const found = look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`${what} did not come within a minute. Look at Trouble: is the bot running, is a fault set?`);
}

/** Show an element, wait a moment, press it, and confirm if that is asked for. */
export async function press(tour, what, look) {
  const element = await until(tour, what, () => usable(look()));
  await point(tour, element);
  (usable(look()) ?? element).click();
  const confirm = document.querySelector('dialog[open] [data-confirm="yes"]');
  if (!confirm) return;
  await point(tour, confirm);
  confirm.click();
}

/** Fill in a field as if it were typed. */
export async function type(tour, what, look, text) {
  const field = await until(tour, what, look);
  await point(tour, field);
  field.focus({ preventScroll: true });
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

async function point({ signal }, element) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
  element.classList.add("tour-target");
  await new Promise((resolve) => setTimeout(resolve, calm ? 0 : SHOWN_MS));
  element.classList.remove("tour-target");
  if (signal.aborted) throw new Error("The tour was left.");
}

function usable(element) {
  return element && !element.disabled && element.getAttribute("aria-disabled") !== "true" ? element : null;
}
