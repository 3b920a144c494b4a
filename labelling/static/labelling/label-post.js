// One POST to the server, and what its failure means for what was sent.

export class Failure extends Error {
  /** kind: "unreachable" and "busy" pass by themselves, "signed-out" needs the person, "refused" stays. */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const TIMEOUT_MS = 15_000;

// Read anew each time: signing in again, in another tab too, changes it.
function csrfToken() {
  const found = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}

export async function post(url, body) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify(body),
      credentials: "same-origin",
      keepalive: true,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Failure("unreachable", "The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  // Quern's own answer has a sentence. Without one it is a proxy's, and says nothing about what was sent.
  const own = typeof answer?.detail === "string";
  const sentence = own ? answer.detail : `The server answered ${response.status}.`;
  if (response.status === 401 || response.status === 403) throw new Failure("signed-out", sentence);
  if (own && (response.status === 400 || response.status === 404)) throw new Failure("refused", sentence);
  throw new Failure("busy", sentence);
}
