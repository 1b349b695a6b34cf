// The last half hour of snapshots, with counters as rates.

import { reading } from './dashboard-format.js';

/** Seconds of history. */
export const kept = 1_800;

/**
 * Milliseconds over which events are counted for a rate: rare events would otherwise only flicker from second to second.
 * The rates of bytes and processor time, which are continuous, use consecutive snapshots.
 */
const window = 5_000;
const flows = ['bytes_up', 'bytes_down', 'cpu_milliseconds'];

/**
 * Samples in order of time. A sample's `values` have these names: `gauges.sessions`, `counters.bytes_up` and
 * `groups.denials.policy_denied` (both a second), `sums.denials` (of a group, a second), `quantiles.dial_seconds.0.5`.
 */
export class History {
  samples = [];
  /** The snapshots of the window, the newest last. */
  #recent = [];

  /** The newest snapshot; null before the first. */
  get last() {
    return this.#recent.at(-1) ?? null;
  }

  clear() {
    this.samples = [];
    this.#recent = [];
  }

  /** Adds a snapshot. If it is another node's, or older than the newest, the history restarts. */
  add(snapshot) {
    const last = this.last;
    if (last && (last.node !== snapshot.node || last.time > snapshot.time)) this.clear();
    const values = new Map();
    for (const [name, value] of Object.entries(snapshot.gauges ?? {})) {
      if (reading(value) !== null) values.set(`gauges.${name}`, reading(value));
    }
    for (const [name, quantiles] of Object.entries(snapshot.quantiles ?? {})) {
      for (const [quantile, value] of Object.entries(quantiles)) {
        if (reading(value) !== null) values.set(`quantiles.${name}.${quantile}`, reading(value));
      }
    }
    // The previous one is kept even if it is older than the window, as after a loss.
    while (this.#recent.length > 1 && this.#recent[0].time < snapshot.time - window - 500) this.#recent.shift();
    if (this.last && !this.#rates(snapshot, values)) this.#recent = [];
    this.samples.push({ time: snapshot.time, values });
    this.#recent.push(snapshot);
    const oldest = snapshot.time - (kept + 10) * 1_000;
    // Only now and then, because each removal moves all the others.
    if (this.samples[0].time < oldest - 60_000) this.samples = this.samples.filter(({ time }) => time >= oldest);
  }

  /** Writes the rates; false if a counter fell, as after a restart: then earlier samples cannot be compared. */
  #rates(now, values) {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    let isWell = true;
    const rate = (name, before, from, to) => {
      const seconds = (now.time - before.time) / 1_000;
      const rise = to - (typeof from === 'number' ? from : 0);
      if (rise < 0) isWell = false;
      else if (seconds > 0) values.set(name, rise / seconds);
    };
    for (const [name, value] of Object.entries(now.counters ?? {})) {
      const before = flows.includes(name) ? last : first;
      if (before.counters?.[name] !== undefined) rate(`counters.${name}`, before, before.counters[name], value);
    }
    for (const [group, members] of Object.entries(now.groups ?? {})) {
      // A reason appears with its first event, so before that it was 0.
      for (const [name, value] of Object.entries(members)) rate(`groups.${group}.${name}`, first, first.groups?.[group]?.[name], value);
      const sum = Object.keys(members).reduce((all, name) => all + (values.get(`groups.${group}.${name}`) ?? NaN), 0);
      if (!Number.isNaN(sum)) values.set(`sums.${group}`, sum);
    }
    if (!isWell) for (const name of [...values.keys()]) if (/^(counters|groups|sums)\./.test(name)) values.delete(name);
    return isWell;
  }

  /** The value of the newest sample; null if it has none. */
  value(name) {
    return this.samples.at(-1)?.values.get(name) ?? null;
  }
}
