// The node's server-sent events, read with fetch: EventSource cannot send a token.

import { headers, refusal } from './dashboard-api.js';

/** Parses a stream of server-sent events (WHATWG HTML, 9.2.6). */
export class EventParser {
  #rest = '';
  #name = '';
  #data = [];
  #isAfterReturn = false;

  /** - on: `event(name, data)`, `comment(text)`, `retry(milliseconds)`. */
  constructor(on) {
    this.on = on;
  }

  /** Throws if a line exceeds 8 MiB. */
  push(text) {
    let start = 0;
    // A line can end with CR LF, and the two can be split.
    if (this.#isAfterReturn && text.length > 0) {
      this.#isAfterReturn = false;
      if (text[0] === '\n') start = 1;
    }
    for (let at = start; at < text.length; at += 1) {
      const mark = text[at];
      if (mark !== '\n' && mark !== '\r') continue;
      this.#line(this.#rest + text.slice(start, at));
      this.#rest = '';
      if (mark === '\r') {
        if (at + 1 === text.length) this.#isAfterReturn = true;
        else if (text[at + 1] === '\n') at += 1;
      }
      start = at + 1;
    }
    this.#rest += text.slice(start);
    if (this.#rest.length > 8 << 20) throw new Error('an event is too large');
  }

  #line(line) {
    if (line === '') {
      if (this.#data.length > 0) this.on.event?.(this.#name || 'message', this.#data.join('\n'));
      this.#name = '';
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (colon === 0) this.on.comment?.(value);
    else if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'retry' && /^\d+$/.test(value)) this.on.retry?.(Number(value));
  }
}

/** The wait before an attempt, in milliseconds: doubled each time up to 30 seconds, minus up to a random quarter. */
export function waitBefore(attempt, base, chance = Math.random()) {
  return Math.min(30_000, base * 2 ** Math.min(attempt, 10)) * (1 - chance / 4);
}

/** Bytes arrive each second; none for this many milliseconds means that the connection is dead without an end. */
const silence = 8_000;

/** Reads snapshots while it is started, and reconnects after a loss. */
export class SnapshotStream {
  #run = null;
  #attempt = 0;
  #base = 1_000;
  #wake = null;

  /**
   * - on: `snapshot(value)` and `state(state)`, a state being `{ name, problem, retryAt }` with the name `connecting`, `live`,
   *   `silent` (connected, but the node has no snapshot), `waiting` or `locked` (a token is required).
   */
  constructor(on) {
    this.on = on;
    addEventListener('online', () => this.#wake?.());
  }

  start() {
    this.stop();
    this.#attempt = 0;
    this.#run = new AbortController();
    this.#loop(this.#run.signal);
  }

  stop() {
    this.#run?.abort();
    this.#run = null;
  }

  /** Connects at once if it is waiting. */
  hurry() {
    this.#wake?.();
  }

  async #loop(signal) {
    while (!signal.aborted) {
      this.on.state({ name: 'connecting' });
      let problem = 'The connection ended.';
      try {
        await this.#read(signal);
      } catch (error) {
        if (error?.status === 401) {
          if (!signal.aborted) this.on.state({ name: 'locked', problem: error.message });
          return;
        }
        problem = error?.status ? `The node refuses: ${error.message}.` : error?.words ?? 'The node cannot be reached.';
      }
      if (signal.aborted) return;
      const wait = waitBefore(this.#attempt, this.#base);
      this.#attempt += 1;
      this.on.state({ name: 'waiting', problem, retryAt: Date.now() + wait });
      await this.#pause(wait, signal);
    }
  }

  async #read(signal) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener('abort', end);
    let watch;
    let isSilent = false;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => {
        isSilent = true;
        attempt.abort();
      }, silence);
    };
    try {
      heard();
      const fields = { ...headers(), Accept: 'text/event-stream' };
      const answer = await fetch('/v1/events', {
        headers: fields, cache: 'no-store', credentials: 'omit', redirect: 'error',
        signal: attempt.signal,
      });
      if (!answer.ok) throw await refusal(answer, fields);
      const parser = new EventParser({
        event: (name, data) => {
          if (name !== 'snapshot') return;
          const snapshot = JSON.parse(data);
          this.#attempt = 0;
          this.on.state({ name: 'live' });
          this.on.snapshot(snapshot);
        },
        comment: (code) => this.on.state({ name: 'silent', problem: `The node has no figures now (${code}).` }),
        retry: (time) => {
          this.#base = Math.min(Math.max(time, 250), 30_000);
        },
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        parser.push(value);
      }
    } catch (error) {
      if (isSilent) throw Object.assign(new Error('silent'), { words: 'The node has fallen silent.' });
      if (error instanceof SyntaxError) throw Object.assign(error, { words: 'The node sent what cannot be read.' });
      throw error;
    } finally {
      clearTimeout(watch);
      signal.removeEventListener('abort', end);
      attempt.abort();
    }
  }

  #pause(time, signal) {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', go);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(go, time);
      signal.addEventListener('abort', go);
      this.#wake = go;
    });
  }
}
