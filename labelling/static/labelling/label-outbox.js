// Answers on their way to the server. Each lies in localStorage until the server has it, under a key of its own (two
// tabs never overwrite each other), and keeps its UUID, so that sending it again stores nothing twice.
// They leave one after the other: an undo never overtakes its answer.

import { post } from "./label-post.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

export class Outbox extends EventTarget {
  #prefix;
  #entries = []; // { key, uuid, kind: "answer" | "undo", item, url, body }
  #sending = false;
  #wake = () => {};
  #made = 0;
  #keeps = true;
  failure = null;

  constructor(scope) {
    super();
    this.#prefix = `quern.outbox.${scope}.`;
    this.#entries = this.#left();
    window.addEventListener("online", () => this.#wake());
    window.addEventListener("focus", () => this.#wake());
    window.addEventListener("beforeunload", (event) => {
      // An answer that is just leaving arrives without the page.
      if (this.#entries.length && (this.failure || !this.#keeps)) event.preventDefault();
    });
  }

  get length() {
    return this.#entries.length;
  }

  /** Items whose answer is not saved yet: they are as good as answered. */
  get items() {
    return this.#entries.filter((entry) => entry.kind === "answer").map((entry) => entry.item);
  }

  /** What an answer or an undoing is on the way for. */
  get unsettled() {
    return this.#entries.map((entry) => entry.item);
  }

  add(entry) {
    this.#made += 1;
    const order = `${String(Date.now()).padStart(15, "0")}.${String(this.#made).padStart(6, "0")}`;
    const kept = { ...entry, key: `${this.#prefix}${order}.${entry.uuid}` };
    try {
      localStorage.setItem(kept.key, JSON.stringify(kept));
    } catch {
      // A full or forbidden storage: the answer leaves from memory, and the page warns before it is closed.
      this.#keeps = false;
    }
    this.#entries.push(kept);
    this.send();
  }

  async send() {
    if (this.#sending) return;
    this.#sending = true;
    let pause = FIRST_PAUSE_MS;
    while (this.#entries.length) {
      const entry = this.#entries[0];
      try {
        await post(entry.url, entry.body);
        this.#remove(entry);
        this.failure = null;
        pause = FIRST_PAUSE_MS;
        this.#tell("saved", entry);
      } catch (failure) {
        if (failure.kind === "refused") {
          this.#remove(entry);
          this.#tell("refused", { ...entry, sentence: failure.message });
          continue;
        }
        this.failure = failure;
        this.#tell("waiting", entry);
        await this.#rest(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
    this.#sending = false;
  }

  #left() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix));
      return keys.sort().map((key) => JSON.parse(localStorage.getItem(key)));
    } catch {
      return [];
    }
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((one) => one !== entry);
    try {
      localStorage.removeItem(entry.key);
    } catch {
      // It was never kept.
    }
  }

  #rest(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
