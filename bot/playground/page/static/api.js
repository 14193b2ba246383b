/** Requests to the page's own server. Every error is an `Error` whose message is a sentence for the person. */

export const api = {
  /** @param {string} path  below the page's address, such as "workspace/click" */
  get: (path) => request("GET", path),
  post: (path, body = {}) => request("POST", path, body),
  delete: (path) => request("DELETE", path),
};

/** Do something; what goes wrong is shown. Return whether it went well. */
export async function attempt({ toast }, action) {
  try {
    await action();
    return true;
  } catch (error) {
    toast(error.message, { kind: "error" });
    return false;
  }
}

async function request(method, path, body) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetched(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw refusal(response.status, answer);
  return answer;
}

/** Return the error; its `answer` may say more, such as the problems of single fields. */
function refusal(status, answer) {
  return Object.assign(new Error(answer.error ?? `The playground answered ${status}.`), { answer });
}

async function fetched(path, options) {
  try {
    return await fetch(`./${path}`, options);
  } catch {
    throw new Error("The playground does not answer. Is `aad-setup demo` still running?");
  }
}
