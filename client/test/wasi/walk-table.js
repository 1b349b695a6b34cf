// Compares two tables of the socket walk.

/** "stream blocking fresh: bind=0 poll=out|hup" as its start and its steps; for options and lookups the whole answer is one step. */
function read(line) {
  const colon = line.indexOf(": ");
  const start = line.slice(0, colon + 1);
  const rest = line.slice(colon + 2);
  return { start, steps: /^(option|lookup) /.test(line) ? [rest] : rest.split(" ") };
}

/**
 * The differences of `here` from `native`, by a list of known ones: { walk, native, here, why, ends }, the first three regular
 * expressions for the steps before, the native answer and this one. If `ends` is set the sockets differ from then on.
 *
 * @returns {{steps: number, differing: number, unknown: string[], unused: object[]}}
 */
export function compare(native, here, known) {
  const lines = [native, here].map((table) => table.trimEnd().split("\n"));
  const unknown = [];
  const used = new Set();
  let steps = 0;
  let differing = 0;
  if (lines[0].length !== lines[1].length) unknown.push(`${lines[0].length} lines, here ${lines[1].length}`);
  for (const [index, line] of lines[0].entries()) {
    const expected = read(line);
    const found = read(lines[1][index] ?? ": ");
    steps += expected.steps.length;
    for (const [at, answer] of expected.steps.entries()) {
      if (answer === found.steps[at]) continue;
      differing++;
      const before = [expected.start, ...expected.steps.slice(0, at)].join(" ");
      const rule = known.find((each) => each.walk.test(before) && each.native.test(answer) && each.here.test(found.steps[at]));
      if (!rule) unknown.push(`${before} ${answer}, here ${found.steps[at]}`);
      else used.add(rule);
      if (!rule || rule.ends) break;
    }
  }
  return { steps, differing, unknown, unused: known.filter((rule) => !used.has(rule)) };
}
