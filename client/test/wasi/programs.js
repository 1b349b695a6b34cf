// Starting guests in a session's page.

let lastId = 0;

/** `defaults` apply to every run: url or client, strategy. */
export function programs(session, defaults) {
  /** Starts a guest: `ended` resolves to { exitCode, stdout, stderr, ms }, `said(pattern)` when its output so far matches. */
  const start = (guest, args = [], options = {}) => {
    const id = ++lastId;
    let output = "";
    const listeners = new Set();
    const events = [];
    const ended = session.call("run", { guest, id, arguments: args, ...defaults, ...options }, (event) => {
      if (event.type === "output") output += event.text;
      events.push(event);
      for (const listener of listeners) listener();
    });
    const until = (find) => new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (!found) return;
        listeners.delete(look);
        resolve(found);
      };
      listeners.add(look);
      look();
      ended.then(() => reject(new Error(`${guest} ended; it had said: ${output}`)), reject);
    });
    return {
      id,
      ended,
      said: (pattern) => until(() => pattern.exec(output)),
      listening: () => until(() => events.find((event) => event.type === "listening")?.listeners),
      abort: () => session.call("abort", { id }),
      input: (text, options) => session.call("input", { id, text, ...options }),
    };
  };

  return {
    start,
    run: (guest, args, options) => start(guest, args, options).ended,
    /** Starts a guest with a listener, and waits until it listens: the port too. */
    async serve(guest, args, options) {
      const program = start(guest, args, options);
      const [{ port }] = await program.listening();
      return { ...program, port };
    },
  };
}
