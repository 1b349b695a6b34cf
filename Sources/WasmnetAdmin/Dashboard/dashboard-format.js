// Numbers, times and texts for an operator.

/** The placeholder for an unknown value. */
export const unknown = '–';

/** A number of the API, where infinity and NaN are strings; null if it is not a number. */
export function reading(value) {
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  return typeof value === 'number' && !Number.isNaN(value) ? value : null;
}

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** About three digits, without zeros at the end: 0.25, 1.5, 12, 999. */
function short(value) {
  const size = Math.abs(value);
  const digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

function scaled(value, units, step) {
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= step * 0.9995 && unit < units.length - 1) {
    size /= step;
    unit += 1;
  }
  const text = Math.abs(size) >= 1e6 ? size.toExponential(1) : short(size);
  return units[unit] === '' ? text : `${text} ${units[unit]}`;
}

function orUnknown(write) {
  return (value) => {
    const number = reading(value);
    if (number === null) return unknown;
    if (!Number.isFinite(number)) return number > 0 ? '∞' : '−∞';
    return write(number);
  };
}

/** 9,999 unchanged, then 12.3 k, 4.5 M. */
export const count = orUnknown((value) =>
  Math.abs(value) < 10_000 ? plain.format(value) : scaled(value, ['', 'k', 'M', 'G', 'T', 'P', 'E'], 1000));

/** All digits. */
export const exact = orUnknown((value) => plain.format(value));

export const bytes = orUnknown((value) => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'], 1000));
export const byteRate = orUnknown((value) => `${bytes(value)}/s`);
export const rate = orUnknown((value) => `${scaled(value, ['', 'k', 'M', 'G', 'T'], 1000)}/s`);
export const megabits = orUnknown((value) => scaled(value, ['Mbit/s', 'Gbit/s', 'Tbit/s'], 1000));
export const percent = orUnknown((value) => `${short(value * 100)} %`);

/** Seconds of a latency: 120 µs, 3.4 ms, 1.2 s. */
export const latency = orUnknown((value) => {
  if (value === 0) return '0 s';
  if (Math.abs(value) < 0.0009995) return `${short(value * 1e6)} µs`;
  return Math.abs(value) < 0.9995 ? `${short(value * 1e3)} ms` : `${short(value)} s`;
});

/** Seconds of an age in its two largest units: 0.3 s, 12 s, 4 min 5 s, 3 d 2 h. */
export const duration = orUnknown((value) => {
  if (value < 0) return '0 s';
  if (value < 10) return `${short(Math.round(value * 10) / 10)} s`;
  const units = [['y', 31_557_600], ['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];
  const seconds = Math.round(value);
  const first = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[first];
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  const head = `${plain.format(Math.floor(seconds / size))} ${name}`;
  return rest > 0 ? `${head} ${rest} ${next[0]}` : head;
});

/** `12:03:45` of this machine's time zone, from milliseconds since 1970. */
export function clock(time, withSeconds = true) {
  const date = new Date(time);
  const parts = [date.getHours(), date.getMinutes(), ...(withSeconds ? [date.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** `connect_timeout` as `connect timeout`. */
export const words = (code) => visible(code).replaceAll('_', ' ');

/**
 * Untrusted text, with invisible characters escaped: control characters, bidirectional marks and zero-width
 * spaces would make one name look like another.
 */
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu, (mark) =>
    `\\u{${mark.codePointAt(0).toString(16)}}`);
}

/** Seconds of `90`, `90s`, `30m`, `12h`, `7d`, `1h30m`; undefined if empty. Throws if it is invalid. */
export function secondsOf(text) {
  const trimmed = text.trim().toLowerCase().replaceAll(' ', '');
  if (trimmed === '') return undefined;
  const wrong = new Error('A time is such as 90s, 30m, 12h or 7d, above 0 and at most a century.');
  if (!/^(\d+(\.\d+)?[smhd]?)+$/.test(trimmed)) throw wrong;
  const sizes = { s: 1, m: 60, h: 3_600, d: 86_400 };
  let seconds = 0;
  for (const [, size, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)([smhd]?)/g)) seconds += Number(size) * sizes[unit || 's'];
  if (!(seconds > 0 && seconds <= 3_155_760_000)) throw wrong;
  return seconds;
}
