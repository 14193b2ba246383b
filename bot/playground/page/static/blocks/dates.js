/** Dates as each reader sees them: `<!date^1392734382^{date_short} at {time}|18 Feb>`. */

const HALF_A_YEAR_MS = 182 * 24 * 3600 * 1000; // nearer than this, Slack leaves out the year

/**
 * Return a date in the reader's time zone, or null where only the fallback can be shown.
 * @param {string} timestamp  seconds
 * @param {string} format
 * @param {{zone: string, now: Date | number | string}} context
 * @returns {string | null}
 */
export function date(timestamp, format, { zone, now }) {
  if (!/^-?\d{1,11}$/.test(timestamp)) return null;
  const tokens = words(new Date(Number(timestamp) * 1000), new Date(now), zone);
  const wanted = [...format.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (wanted.length === 0 || !wanted.every((name) => Object.hasOwn(tokens, name))) return null;
  return format.replace(/\{(\w+)\}/g, (_, name) => tokens[name]);
}

/** Return the words that the simulated workspace knows, which are those that the bot uses. */
function words(at, now, zone) {
  const far = Math.abs(at - now) >= HALF_A_YEAR_MS;
  const short = at.toLocaleDateString("en-US", {
    timeZone: zone, month: "short", day: "numeric", ...(far ? { year: "numeric" } : {}),
  });
  return { date_short: short, date_short_pretty: near(at, now, zone) ?? short, time: time(at, zone) };
}

/** @param {Date} at */
export function time(at, zone) {
  // ICU puts a narrow no-break space before AM and PM, which Slack does not.
  return at.toLocaleTimeString("en-US", { timeZone: zone, hour: "numeric", minute: "2-digit" }).replace(/\u202f/g, " ");
}

/** Return "today" and the like, or undefined. */
export function near(at, now, zone) {
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[day(at, zone) - day(now, zone)];
}

/** Number the days of a time zone, so that neighbours differ by one. */
function day(at, zone) {
  const [year, month, date] = at.toLocaleDateString("en-CA", { timeZone: zone }).split("-").map(Number);
  return Date.UTC(year, month - 1, date) / 86_400_000;
}
