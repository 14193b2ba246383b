/**
 * What can be made to go wrong, as data. Requests are those that the tests send to the simulators.
 *
 * A switch is on while `isOn(trouble)`; where its fault is used up by calls, `left` counts them.
 * `does` says what it does, `sees` what one will then see.
 */

const LAG_SECONDS = [4, 12];
const SLOW_SECONDS = 3;
const TIMES = 3;
const WAIT_SECONDS = 5;
const UNTIL_OFF = 1000;
const CAP_DAYS = 90;
const WRITES = { method: "POST|PATCH|DELETE", path: "/v1\\.0/(applications|servicePrincipals|oauth2PermissionGrants)", times: TIMES };
const CONSENT = {
  method: "POST|PATCH",
  path: "appRoleAssignedTo|oauth2PermissionGrants|/sim/consent",
  status: 403,
  code: "Authorization_RequestDenied",
  message: "Insufficient privileges to complete the operation.",
  times: UNTIL_OFF,
};
const REREAD = "The bot reads the policy again after 5 minutes.";
const SLACK_METHODS = ["chat.postMessage", "chat.update"];

function spans(value, ...names) {
  return Object.fromEntries(names.map((name) => [name, value]));
}

function isSet(span) {
  return Array.isArray(span) ? span[1] > 0 : Number(span) > 0;
}

/** A fault of the tenant that calls use up. */
function fault(list, body) {
  const shown = list === "throttle" ? "throttles" : "failures";
  const same = (each) => each.method === body.method && each.path === body.path && (!each.when || each.when === (body.when ?? "before_effect"));
  const left = (trouble) => trouble[shown].filter(same).reduce((sum, each) => sum + each.times, 0);
  return { kind: "fault", faults: { [list]: [body] }, left, isOn: (trouble) => left(trouble) > 0 };
}

/** A property of the tenant's faults that stays until it is set back. */
function span(name, value, ...more) {
  const names = [name, ...more];
  return { kind: "span", faults: spans(value, ...names), off: spans(0, ...names), isOn: (trouble) => isSet(trouble[name]) };
}

function policy(body, isOn) {
  return { kind: "policy", policy: body, isOn: (trouble) => isOn(trouble.policy ?? {}) };
}

const slackLeft = (trouble) =>
  (trouble.workspace ?? []).filter((each) => each.status === 429).reduce((sum, each) => sum + each.times, 0);

const GRAPH = [
  {
    id: "lag",
    title: "Replication lag",
    does: `Each write takes ${LAG_SECONDS[0]} to ${LAG_SECONDS[1]} seconds to reach every replica, secrets and granted permissions included.`,
    sees: "Steps wait and try again; the plan on the card moves slowly.",
    ...span("lag", LAG_SECONDS, "secret_lag", "role_lag"),
  },
  {
    id: "slow",
    title: "Slow Graph",
    does: `Each answer takes ${SLOW_SECONDS} seconds.`,
    sees: "The steps on the card can be watched one by one.",
    ...span("latency", SLOW_SECONDS),
  },
  {
    id: "throttling",
    title: "Throttling (429)",
    does: `Graph refuses the next ${TIMES} calls and asks to wait ${WAIT_SECONDS} seconds.`,
    sees: "The bot waits as asked, then goes on. The vendor's sync says that Graph is busy.",
    ...fault("throttle", { method: ".*", path: "/v1\\.0/", times: TIMES, retry_after: WAIT_SECONDS }),
  },
  {
    id: "fails-before",
    title: "503 before the effect",
    does: `The next ${TIMES} writes fail, and nothing has happened.`,
    sees: "The bot tries them again.",
    ...fault("fail", { ...WRITES, when: "before_effect" }),
  },
  {
    id: "fails-after",
    title: "503 after the effect",
    does: `The next ${TIMES} writes happen, but the answer says that they failed.`,
    sees: "The bot tries again, and still there is only one application.",
    ...fault("fail", { ...WRITES, when: "after_effect" }),
  },
];

const CONSENT_AND_POLICY = [
  {
    id: "consent-refused",
    title: "Refused consent",
    does: "Neither the bot nor the administrator may grant permissions.",
    sees: "Grant admin consent fails here; a bot that consents by itself shows a failed step with Retry.",
    ...fault("fail", CONSENT),
  },
  {
    id: "ban",
    title: "Secrets banned",
    does: "The tenant's policy forbids new client secrets.",
    sees: `A new request is refused with the reason; one that is under way fails at its secret. ${REREAD}`,
    ...policy({ secrets_banned: true }, (it) => it.secrets_banned),
  },
  {
    id: "cap",
    title: "Secrets capped",
    does: `The tenant's policy lets a client secret live ${CAP_DAYS} days at most.`,
    sees: `The plan of a new request shortens its secret and says so. ${REREAD}`,
    ...policy({ longest_secret_days: CAP_DAYS }, (it) => it.longest_secret_days !== null && it.longest_secret_days !== undefined),
  },
];

const SLACK_AND_BOT = [
  {
    id: "slack-throttling",
    title: "Slack 429",
    does: `Slack refuses the next ${TIMES} messages and the next ${TIMES} updates of messages, and asks to wait ${WAIT_SECONDS} seconds.`,
    sees: "Cards come late, but none is lost, and the newest state is shown.",
    kind: "slack",
    posts: SLACK_METHODS.map((method) => ({ fault: "throttle", method, times: TIMES, retry_after: WAIT_SECONDS })),
    left: slackLeft,
    isOn: (trouble) => slackLeft(trouble) > 0,
  },
  {
    id: "drop-sockets",
    kind: "action",
    title: "Drop the sockets",
    does: "Slack's connections to the bot break without a word.",
    sees: "The bot connects again; a click in between is acknowledged late.",
    path: "workspace/drop_connections",
  },
  {
    id: "kill-bot",
    kind: "action",
    title: "Kill the bot",
    does: "Its process ends at once (SIGKILL) and is started again after a second.",
    sees: "Work goes on where it was: no second application, no lost answer.",
    path: "bot/kill",
    isGrave: true,
  },
];

/** Titles, and what is below each. */
export const GROUPS = [
  ["Microsoft Graph", GRAPH],
  ["Consent and policy", CONSENT_AND_POLICY],
  ["Slack and the bot", SLACK_AND_BOT],
];
export const SWITCHES = GROUPS.flatMap(([, items]) => items).filter((it) => it.kind !== "action");

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

export const SKIPS = [
  { id: "skip-minute", title: "1 minute", seconds: MINUTE, sees: "masks a secret that is shown" },
  { id: "skip-minutes", title: "5 minutes", seconds: 5 * MINUTE, sees: "lets waits and retries pass" },
  { id: "skip-day", title: "1 day", seconds: DAY, sees: "expires requests without a decision" },
  { id: "skip-days", title: "30 days", seconds: 30 * DAY, sees: "removes secrets that were not picked up, some minutes later" },
  { id: "skip-months", title: "23 months", seconds: 700 * DAY, sees: "lets secrets expire, with their reminders; twice, and the bot's own has, too" },
];
