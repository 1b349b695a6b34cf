// In the browser: runs the commands of session.js until it is stopped.

import { report } from "../browser/page.js";

/** `functions`, by name, take (params, tell) and return promises; `tell` sends events meanwhile. */
export const carryOut = (functions) => report(async ({ control }) => {
  const post = (body) => fetch(`${control}/done`, { method: "POST", body: JSON.stringify(body) });
  for (;;) {
    const commands = await (await fetch(`${control}/next`)).json();
    for (const { id, name, params } of commands) {
      if (name === "end") return;
      const tell = (event) => post({ id, event });
      functions[name](params, tell).then(
        (value) => post({ id, value: value ?? null }),
        (error) => post({ id, error: `${error?.name}: ${error?.message}\n${error?.stack ?? ""}` }),
      );
    }
  }
});
