// Small text functions of the page: arguments, environment, addresses, byte counts.

const ESCAPES = { n: "\n", r: "\r", t: "\t" };

/**
 * Splits a line as a shell does: spaces, 'single' and "double" quotes, \ before a character. A field holds one line, so \n, \r and \t in
 * double quotes are the characters they stand for. Throws on an open quote.
 */
export function shellWords(line) {
  const words = [];
  let word = null;
  let quote = null;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (quote) {
      if (char === quote) quote = null;
      else if (char === "\\" && quote === '"' && i + 1 < line.length) word += ESCAPES[line[++i]] ?? line[i];
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === "\\" && i + 1 < line.length) {
      word = (word ?? "") + line[++i];
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote) throw new SyntaxError(`the arguments have an open ${quote}`);
  if (word !== null) words.push(word);
  return words;
}

/** One "NAME=value" a line. */
export function environment(text) {
  const found = {};
  for (const line of text.split("\n").map((one) => one.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    if (at < 1) throw new SyntaxError(`the environment needs NAME=value, not ${line}`);
    found[line.slice(0, at)] = line.slice(at + 1);
  }
  return found;
}

/** "host:port", several with commas; brackets around IPv6. */
export function listeners(text) {
  return text.split(",").map((one) => one.trim()).filter(Boolean).map((one) => {
    const match = one.match(/^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/);
    if (!match || Number(match[3]) > 65535) throw new SyntaxError(`listens on ADDRESS:PORT, not ${one}`);
    return { host: match[1] ?? match[2], port: Number(match[3]) };
  });
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function byteCount(count) {
  let unit = 0;
  for (; count >= 1024 && unit < UNITS.length - 1; unit++) count /= 1024;
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${UNITS[unit]}`;
}
