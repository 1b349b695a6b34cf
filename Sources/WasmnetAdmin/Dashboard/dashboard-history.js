// The last half hour of snapshots, with counters as rates.

import { reading } from './dashboard-format.js';

/** Seconds that are kept. */
export const kept = 1_800;

/**
 * Samples in the order of their times. A sample's `values` go by name: `gauges.sessions`, `counters.bytes_up` and
 * `groups.denials.policy_denied` (both a second), `sums.denials` (of a group, a second), `quantiles.dial_seconds.0.5`.
 */
export class History {
  samples = [];
  #last = null;

  /** The newest snapshot; null before the first. */
  get last() {
    return this.#last;
  }

  clear() {
    this.samples = [];
    this.#last = null;
  }

  /** Takes a snapshot in. Of another node, or older than the newest: the history begins anew. */
  add(snapshot) {
    const last = this.#last;
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
    if (this.#last) this.#rates(this.#last, snapshot, values);
    this.samples.push({ time: snapshot.time, values });
    this.#last = snapshot;
    const oldest = snapshot.time - (kept + 10) * 1_000;
    // Now and then, as each removal moves all the others.
    if (this.samples[0].time < oldest - 60_000) this.samples = this.samples.filter(({ time }) => time >= oldest);
  }

  #rates(before, now, values) {
    const seconds = (now.time - before.time) / 1_000;
    if (seconds <= 0) return;
    const rise = (from, to) => {
      // A counter that fell was set back by a restart: its rise is not known.
      const difference = to - (typeof from === 'number' ? from : 0);
      return difference >= 0 ? difference / seconds : null;
    };
    for (const [name, value] of Object.entries(now.counters ?? {})) {
      const rate = before.counters?.[name] === undefined ? null : rise(before.counters[name], value);
      if (rate !== null) values.set(`counters.${name}`, rate);
    }
    for (const [group, members] of Object.entries(now.groups ?? {})) {
      let sum = 0;
      for (const [name, value] of Object.entries(members)) {
        // A reason is there from its first time on.
        const rate = rise(before.groups?.[group]?.[name], value);
        if (rate === null) {
          sum = null;
          break;
        }
        values.set(`groups.${group}.${name}`, rate);
        sum += rate;
      }
      if (sum !== null) values.set(`sums.${group}`, sum);
    }
  }

  /** Of the newest sample; null where it has none. */
  value(name) {
    return this.samples.at(-1)?.values.get(name) ?? null;
  }
}
