// The table of sockets: one row each, which stays when the socket ends.

import { byteCount } from "./words.js";

/** Ended rows that are kept; the oldest are removed. */
const MOST_ENDED = 200;
const NAMES = { tcp: "TCP", tls: "TLS by the node", udp: "UDP", listener: "listens", "udp-listener": "UDP, bound", accepted: "came in" };

export class SocketTable {
  #rows = new Map();
  #ended = [];
  #elements;

  constructor(elements) {
    this.#elements = elements;
  }

  clear() {
    this.#rows.clear();
    this.#ended = [];
    this.#elements.rows.replaceChildren();
    this.#count();
  }

  /** @param sockets from `describe` of program.js: the live ones, and those that ended since the last call */
  update(sockets) {
    for (const socket of sockets) this.#show(socket);
    this.#count();
  }

  /** The program has ended, and with it its open sockets. */
  endAll(word) {
    for (const row of this.#rows.values()) if (!row.hasEnded) this.#state(row, "ended", word);
    this.#count();
  }

  #show(socket) {
    let row = this.#rows.get(socket.id);
    if (!row) this.#rows.set(socket.id, row = this.#make(socket));
    if (row.hasEnded) return;
    row.up.textContent = byteCount(socket.bytesUp);
    row.down.textContent = byteCount(socket.bytesDown);
    row.destination.firstChild.textContent = socket.destination;
    row.detail.textContent = socket.detail ? `${NAMES[socket.kind]}, ${socket.detail}` : NAMES[socket.kind];
    if (socket.code) this.#state(row, socket.isFailure ? "failed" : "ended", socket.code, socket.message);
    else this.#state(row, socket.state, socket.state);
  }

  #make() {
    const element = document.createElement("tr");
    const [destination, up, down, state] = Array.from({ length: 4 }, () => element.insertCell());
    up.className = down.className = "number";
    const detail = document.createElement("small");
    destination.append("", detail);
    this.#elements.rows.prepend(element);
    return { element, destination, detail, up, down, state, hasEnded: false };
  }

  #state(row, state, word, title = "") {
    row.state.dataset.state = state;
    row.state.textContent = word;
    row.state.title = title;
    if (state !== "ended" && state !== "failed") return;
    row.hasEnded = true;
    this.#ended.push(row);
    if (this.#ended.length > MOST_ENDED) this.#ended.shift().element.remove();
  }

  #count() {
    const live = [...this.#rows.values()].filter((row) => !row.hasEnded).length;
    this.#elements.count.textContent = `${live} open`;
    this.#elements.none.hidden = this.#rows.size > 0;
  }
}
