// The next items, leased and decoded before they are needed.

import { post } from "./label-post.js";

const FULL = 5; // items at hand: few, so that what is asked follows the newest ranking
const LOW = 3;

function prepared(leased) {
  const picture = new Image();
  picture.id = "item-image"; // only the one on show is in the document
  picture.alt = "The image to label";
  picture.draggable = false;
  if (Math.max(leased.width, leased.height) < 64) picture.className = "tiny";
  picture.src = leased.image;
  const shown = picture.decode().catch(() => {
    picture.alt = "This image cannot be shown. Skip it, and tell a manager.";
  });
  // What this person says of the item meanwhile, by question.
  return { ...leased, said: new Map(), picture, shown, expiresAt: performance.now() + leased.expires_in * 1000 };
}

export class Supply extends EventTarget {
  #url;
  #annotator;
  #outbox;
  #ready = [];
  #asking = null;
  #back = new Set(); // what was taken up again since the last request began
  current = null;
  failure = null;

  constructor(url, annotator, outbox) {
    super();
    this.#url = url;
    this.#annotator = annotator;
    this.#outbox = outbox;
  }

  get waiting() {
    return this.#ready.length;
  }

  /** The next item whose lease still runs, or null. */
  take() {
    const now = performance.now();
    this.#ready = this.#ready.filter((one) => one.expiresAt > now);
    this.current = this.#ready.shift() ?? null;
    if (this.#ready.length < LOW) this.refill();
    return this.current;
  }

  /** Show this one instead of the current, which waits its turn. */
  putFirst(item) {
    this.#back.add(item.item);
    if (this.current && this.current !== item) this.#ready.unshift(this.current);
    this.#ready = this.#ready.filter((one) => one.item !== item.item);
    this.current = item;
  }

  /** Ask for what is missing and renew what is at hand. One request at a time. */
  refill() {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  #atHand() {
    return [...(this.current ? [this.current.item] : []), ...this.#ready.map((one) => one.item)];
  }

  async #ask() {
    try {
      const missing = Math.max(0, FULL - this.#ready.length - (this.current ? 1 : 0));
      const unsettled = this.#outbox.unsettled;
      const holding = [...new Set([...this.#atHand(), ...this.#outbox.items])];
      this.#back.clear();
      const answer = await post(this.#url, { annotator: this.#annotator, count: missing, holding });
      this.failure = null;
      // The server may have seen as answered what was undone meanwhile.
      const settling = new Set([...unsettled, ...this.#outbox.unsettled, ...this.#back]);
      const asked = holding.filter((item) => !settling.has(item));
      this.#renew(asked, new Set(answer.held), performance.now() + answer.expires_in * 1000);
      // What was answered or taken up while the request was under way is not taken twice.
      const known = new Set([...holding, ...this.#atHand(), ...this.#outbox.items]);
      for (const leased of answer.items) if (!known.has(leased.item)) this.#ready.push(prepared(leased));
    } catch (failure) {
      this.failure = failure;
    }
    this.dispatchEvent(new Event("change"));
  }

  #renew(asked, held, expiresAt) {
    const lost = new Set(asked.filter((item) => !held.has(item)));
    this.#ready = this.#ready.filter((one) => !lost.has(one.item));
    for (const one of [...this.#ready, this.current]) if (one && held.has(one.item)) one.expiresAt = expiresAt;
  }
}
