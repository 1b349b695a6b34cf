// A program's output, and the lines typed for it.

/** Characters kept on the screen; the oldest are removed. */
const MOST = 512 << 10;
/** Escape sequences are removed: colours, cursor movements, titles. */
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g;

export class Terminal {
  #screen;
  #decoders = { out: new TextDecoder(), err: new TextDecoder() };
  #waiting = [];
  #frame = 0;
  #length = 0;

  constructor(screen) {
    this.#screen = screen;
  }

  clear() {
    this.#screen.replaceChildren();
    this.#waiting = [];
    this.#length = 0;
    this.#decoders = { out: new TextDecoder(), err: new TextDecoder() };
  }

  /** @param {"out" | "err"} kind */
  write(kind, bytes) { this.#add(kind, this.#decoders[kind].decode(bytes, { stream: true })); }

  /** @param {"in" | "note" | "bad"} kind of a line that is not the program's */
  line(kind, text) {
    const last = this.#waiting.at(-1)?.text ?? this.#screen.lastChild?.textContent ?? "\n";
    this.#add(kind, `${last.endsWith("\n") ? "" : "\n"}${text}\n`);
  }

  #add(kind, text) {
    text = text.replace(ESCAPES, "").replace(/\r\n/g, "\n").replace(/\u0007/g, "");
    if (!text) return;
    const last = this.#waiting.at(-1);
    if (last?.kind === kind) last.text += text;
    else this.#waiting.push({ kind, text });
    // A program can print faster than a screen can show.
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#frame = 0;
    const screen = this.#screen;
    const isAtEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 40;
    for (const { kind, text } of this.#waiting.splice(0)) {
      const shown = text.length > MOST ? text.slice(-MOST) : text;
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = shown;
      screen.append(span);
      this.#length += shown.length;
    }
    while (this.#length > MOST && screen.childNodes.length > 1) {
      this.#length -= screen.firstChild.textContent.length;
      screen.firstChild.remove();
    }
    if (isAtEnd) screen.scrollTop = screen.scrollHeight;
  }
}

/** Earlier typed lines, by the arrow keys. */
export function withHistory(input) {
  const lines = [];
  let at = 0;
  input.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !lines.length) return;
    event.preventDefault();
    at = Math.max(0, Math.min(lines.length, at + step));
    input.value = lines[at] ?? "";
  });
  return (line) => {
    if (line && lines.at(-1) !== line) lines.push(line);
    at = lines.length;
  };
}
