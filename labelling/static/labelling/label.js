// The annotator's page. An answer shows the next image at once and is saved in the background.

import { History } from "./label-history.js";
import { Outbox } from "./label-outbox.js";
import { Supply } from "./label-supply.js";

const LOOK_AGAIN_MS = 5000;
const AWAY_MS = 5 * 60_000; // a person who has touched nothing for so long does not reserve items any more

const at = (id) => document.getElementById(id);
const page = JSON.parse(at("label-page").textContent);
const labels = new Map(page.questions.flatMap((question) => question.labels.map((label) => [label.id, label])));

const renewMs = (page.leaseSeconds * 1000) / 3;
const outbox = new Outbox(page.scope);
const supply = new Supply(page.next, page.annotator, outbox);
const history = new History(at("history"));

let done = 0;
let shownAt = 0;
let touchedAt = performance.now();

function say(sentence) {
  at("spoken").textContent = sentence;
}

function question() {
  return supply.current?.questions[0] ?? null;
}

// What is proposed as the answer to the marked question: { label, confidence }, or null.
function proposed() {
  const item = supply.current;
  const own = new Set(page.questions.find((one) => one.id === question())?.labels.map((label) => label.id));
  const all = item ? [item.suggestion, ...item.other_suggestions] : [];
  return all.find((one) => one && own.has(one.label)) ?? null;
}

// Several proposals to a question, the first one first; empty where there is no list.
function listed(asked = question()) {
  const list = supply.current?.lists.find((one) => one.question === asked);
  const own = new Set(page.questions.find((one) => one.id === asked)?.labels.map((label) => label.id));
  return (list?.labels ?? []).filter((label) => own.has(label)).map((label) => labels.get(label));
}

function suggested() {
  return listed()[0] ?? labels.get(proposed()?.label) ?? null;
}

function fieldset(asked = question()) {
  return document.querySelector(`.question[data-question="${asked}"]`);
}

function asks(group) {
  return Boolean(supply.current?.questions.includes(Number(group.dataset.question)));
}

// A question that was added since this page was loaded: it is on the page once that is loaded again.
function outdated() {
  return Boolean(supply.current && !supply.current.questions.every((asked) => fieldset(asked)));
}

// ---- showing

function draw() {
  if (outdated() && !outbox.length) {
    location.reload();
    return;
  }
  const item = supply.current;
  at("stage").dataset.state = item ? "asking" : supply.failure ? "trouble" : "dry";
  at("stage").dataset.item = item?.item ?? "";
  at("stage-text").hidden = Boolean(item);
  at("picture").replaceChildren(...(item ? [item.picture] : []));
  for (const group of document.querySelectorAll(".question")) {
    const asked = Number(group.dataset.question);
    group.dataset.state = !item ? "waiting" : asked === question() ? "current" : asks(group) ? "waiting" : "answered";
    const answered = group.querySelector(".answered");
    if (answered) {
      answered.hidden = group.dataset.state !== "answered";
      answered.textContent = item?.said?.get(asked) ?? "answered";
    }
  }
  for (const group of document.querySelectorAll(".question")) drawList(group);
  const proposal = listed().length ? null : suggested();
  for (const button of document.querySelectorAll(".choice")) {
    const isProposed = Number(button.dataset.label) === proposal?.id;
    button.disabled = !asks(button.closest(".question"));
    button.classList.toggle("suggested", isProposed);
    const hint = button.querySelector(".choice-hint");
    const confidence = proposed()?.confidence;
    hint.hidden = !isProposed;
    hint.textContent = isProposed && confidence != null ? `${Math.round(confidence * 100)} %` : "";
  }
  at("suggestion").hidden = !proposal;
  at("suggestion-text").textContent = proposal ? `Accept “${proposal.name}”` : "";
  at("skip").disabled = !item;
  at("undo").disabled = !history.last;
  at("done").textContent = done;
  at("done-text").textContent = done === 1 ? "label in this sitting" : "labels in this sitting";
  shownAt = performance.now();
}

function drawList(group) {
  const asked = Number(group.dataset.question);
  const list = asks(group) ? listed(asked) : [];
  const buttons = list.map((label, place) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "proposal" });
    if (place === 0 && asked === question()) {
      button.append(Object.assign(document.createElement("kbd"), { textContent: "Enter", ariaHidden: "true" }));
    }
    button.append(Object.assign(document.createElement("span"), { textContent: label.name }));
    onClick(button, () => answer(label, asked));
    const line = document.createElement("li");
    line.append(button);
    return line;
  });
  group.querySelector(".proposals").hidden = !list.length;
  group.querySelector(".proposals ol").replaceChildren(...buttons);
}

async function advance() {
  const item = supply.take();
  if (item) await item.shown; // decoded long before, as a rule
  if (supply.current !== item) return;
  if (!item) sayWhyEmpty();
  draw();
}

function sayWhyEmpty() {
  at("stage-text").textContent = supply.failure
    ? "The next images cannot be fetched right now; trying again every 5 seconds."
    : "There is nothing to label right now: every open image is answered, skipped by you, or in someone else's hands. Looking again every 5 seconds.";
}

function drawTrouble() {
  const failure = outbox.failure ?? supply.failure;
  const waiting = outbox.length;
  at("trouble").hidden = !failure;
  if (!failure) return;
  const answers = waiting === 1 ? "1 answer" : `${waiting} answers`;
  const unsaved = waiting ? `${answers} not saved yet; retrying. ` : "";
  const signedOut = failure.kind === "signed-out";
  const why = signedOut ? "You are not signed in any more, or as someone else; your answers are kept in this browser." : failure.message;
  at("trouble-text").textContent = unsaved + why;
  at("trouble-login").hidden = !signedOut;
}

// ---- what the person does

function answer(label, asked = question()) {
  const item = supply.current;
  if (!item?.questions.includes(asked)) return;
  const uuid = crypto.randomUUID?.() ?? uuid4();
  const seconds = Math.round(performance.now() - shownAt) / 1000;
  const said = label ? label.name : "skipped";
  history.add({ uuid, item, question: asked, said });
  const body = { annotator: page.annotator, uuid, item: item.item, question: asked, label: label?.id ?? null, seconds };
  outbox.add({ uuid, kind: "answer", item: item.item, url: page.annotations, body });
  item.questions = item.questions.filter((one) => one !== asked);
  item.said.set(asked, said);
  if (label) done += 1;
  say(`${said}.`);
  if (item.questions.length) draw();
  else advance();
}

function undo() {
  const last = history.last;
  if (!last) return;
  history.remove(last);
  const uuid = crypto.randomUUID?.() ?? uuid4();
  const url = page.undo.replace(page.noUuid, last.uuid);
  outbox.add({ uuid, kind: "undo", item: last.item.item, url, body: { annotator: page.annotator, uuid } });
  if (last.said !== "skipped") done = Math.max(0, done - 1);
  last.item.questions = [last.question, ...last.item.questions.filter((one) => one !== last.question)];
  last.item.said.delete(last.question);
  supply.putFirst(last.item);
  say(`Undone: ${last.said}.`);
  draw();
}

// crypto.randomUUID exists only on pages from https or this machine.
function uuid4() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function byKey(event) {
  touchedAt = performance.now();
  if (at("keys").open) return;
  const withControl = (event.ctrlKey || event.metaKey) && !event.altKey;
  if (withControl && event.key.toLowerCase() === "z" && !event.shiftKey) {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // A key held down would answer images nobody has looked at.
  const pressed = event.repeat ? "" : event.key;
  if (/^[0-9]$/.test(pressed)) {
    const chosen = fieldset()?.querySelector(`.choice[data-key="${pressed}"]`);
    if (chosen) answer(labels.get(Number(chosen.dataset.label)));
  } else if (pressed === "Enter" && !event.target.closest("button, a, summary")) {
    if (suggested()) answer(suggested());
  } else if (pressed.toLowerCase() === "s") answer(null);
  else if (pressed.toLowerCase() === "z" || pressed === "Backspace") {
    event.preventDefault();
    undo();
  } else if (pressed === "?") at("keys").showModal();
}

// A click by mouse or finger leaves no focus behind, so that Enter goes on meaning "accept".
function onClick(element, act) {
  element.addEventListener("click", (event) => {
    touchedAt = performance.now();
    if (event.detail > 0) element.blur();
    act();
  });
}

document.addEventListener("keydown", byKey);
for (const button of document.querySelectorAll(".choice")) {
  const asked = Number(button.closest(".question").dataset.question);
  onClick(button, () => answer(labels.get(Number(button.dataset.label)), asked));
}
onClick(at("suggestion"), () => suggested() && answer(suggested()));
onClick(at("skip"), () => answer(null));
onClick(at("undo"), undo);
onClick(at("help"), () => at("keys").showModal());

// ---- what happens by itself

outbox.addEventListener("saved", ({ detail }) => {
  // The server answers again: what could not be fetched is asked for at once.
  if (supply.failure) supply.refill();
  history.mark(detail.uuid, "saved");
  drawTrouble();
  if (outdated()) draw();
});
outbox.addEventListener("waiting", ({ detail }) => {
  history.mark(detail.uuid, "waiting");
  drawTrouble();
});
outbox.addEventListener("refused", ({ detail }) => {
  history.mark(detail.uuid, "refused", detail.sentence);
  if (detail.kind === "answer" && detail.body.label !== null) done = Math.max(0, done - 1);
  say(`An answer was refused: ${detail.sentence}`);
  at("done").textContent = done;
  drawTrouble();
});
supply.addEventListener("change", () => {
  drawTrouble();
  if (supply.current) return;
  if (supply.waiting) {
    advance();
  } else {
    sayWhyEmpty();
    draw();
  }
});
setInterval(() => {
  if (!supply.current && !document.hidden) supply.refill();
}, LOOK_AGAIN_MS);
setInterval(() => {
  if (supply.current && !document.hidden && performance.now() - touchedAt < AWAY_MS) supply.refill();
}, renewMs);

outbox.send();
supply.refill();
