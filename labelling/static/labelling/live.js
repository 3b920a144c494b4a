// Pages that refresh themselves through htmx say in words when the server no longer answers,
// and take it back when it does. One notice serves every panel of the page.

const notice = document.querySelector("#unreachable");
const silent = new Set(); // the panels whose last request failed
let knownAt = new Date();

const clock = (date) => date.toLocaleTimeString([], { hourCycle: "h23" });

function say(words) {
  // The same sentence is not set twice: a screen reader would read it every two seconds.
  if (notice.textContent !== words) notice.textContent = words;
  notice.hidden = !words;
}

function failed(panel, words) {
  silent.add(panel);
  say(words);
}

document.addEventListener("htmx:sendError", ({ target }) => {
  failed(target, `The server does not answer; this page shows what it knew at ${clock(knownAt)}. Trying again.`);
});

document.addEventListener("htmx:timeout", ({ target }) => {
  failed(target, `The server takes too long; this page shows what it knew at ${clock(knownAt)}. Trying again.`);
});

document.addEventListener("htmx:responseError", ({ target, detail }) => {
  const status = detail.xhr.status;
  failed(
    target,
    status >= 500
      ? `The server has trouble (it answered ${status}); this page shows what it knew at ${clock(knownAt)}. Trying again.`
      : `The server refused to refresh this page (it answered ${status}). Reload it to see why.`,
  );
});

document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (!detail.successful) return;
  silent.delete(target);
  for (const panel of silent) if (!panel.isConnected) silent.delete(panel);
  if (silent.size === 0) {
    knownAt = new Date();
    say("");
  }
});

// What a form refuses comes back as its panel, with the reason in it.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 422) return;
  detail.shouldSwap = true;
  detail.isError = false;
});

// What a person opened or closed stays so while its part of the page is renewed.
const opened = new Map();

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  for (const { id, open } of detail.target.querySelectorAll("details[id]")) opened.set(id, open);
});

// Not before: until a part has settled, htmx itself still sets attributes.
document.addEventListener("htmx:afterSettle", () => {
  for (const [id, open] of opened) {
    const there = document.getElementById(id);
    if (there) there.open = open;
  }
  opened.clear();
});

// A session that has ended turns a refresh into the sign-in page: show that as a page, not inside a panel.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  const asked = new URL(pathInfo.requestPath, location.href).pathname;
  const got = xhr.responseURL ? new URL(xhr.responseURL).pathname : asked;
  if (got !== asked) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

// On a small screen the tab of this page may lie outside the bar.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
