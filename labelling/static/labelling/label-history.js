// The strip of the last answers: what was said of which image, and whether it is saved.

const SHOWN = 14;
const WORDS = { saving: "saving", saved: "saved", waiting: "not saved yet", refused: "refused" };

export class History {
  #list;
  #answers = []; // { uuid, item, question, said, state, element }, the newest last

  constructor(list) {
    this.#list = list;
  }

  get last() {
    return this.#answers.findLast((answer) => answer.state !== "refused") ?? null;
  }

  add({ uuid, item, question, said }) {
    const element = document.createElement("li");
    const picture = document.createElement("img");
    picture.src = item.picture.src;
    picture.alt = "";
    picture.className = item.picture.className;
    const label = Object.assign(document.createElement("span"), { className: "said", textContent: said, title: said });
    const state = Object.assign(document.createElement("span"), { className: "state" });
    element.append(picture, label, state);
    this.#list.prepend(element);
    this.#answers.push({ uuid, item, question, said, element });
    this.mark(uuid, "saving");
    while (this.#list.children.length > SHOWN) this.#list.lastElementChild.remove();
  }

  mark(uuid, state, sentence = "") {
    const answer = this.#answers.find((one) => one.uuid === uuid);
    if (!answer) return;
    answer.state = state;
    answer.element.dataset.state = state;
    answer.element.querySelector(".state").textContent = WORDS[state];
    answer.element.title = sentence;
  }

  remove(answer) {
    answer.element.remove();
    this.#answers = this.#answers.filter((one) => one !== answer);
  }
}
