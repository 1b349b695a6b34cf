// In a page: loads run() from the parameters' URL, and runs the playground's netcat with it; then, if the test asks, all of run-ends.js.

import { report, step } from "/client/test/browser/page.js";

/** The result: the program's output, or the error's name and message. */
async function tryRun({ from, program, url, echoPort, strategy, workerUrl, tokenIsFunction }) {
  try {
    const { run } = await import(from);
    const { exitCode, stdout } = await run(program, {
      url, args: ["netcat", "127.0.0.1", String(echoPort)], stdin: "hello\n", strategy, workerUrl,
      clientOptions: tokenIsFunction ? { token: () => "token" } : undefined,
    });
    return `${exitCode} ${stdout}`;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

report(async ({ tries, ends, ...shared }) => {
  const seen = {};
  for (const [name, one] of Object.entries(tries)) {
    await step(name);
    seen[name] = await tryRun({ ...shared, ...one });
  }
  if (ends) seen.ends = await (await import("/client/test/browser/run-ends.js")).ends({ ...shared, ...ends });
  return { ...seen, isIsolated: crossOriginIsolated };
});
