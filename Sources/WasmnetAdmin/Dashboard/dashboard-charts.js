// The plots and their series.

import { element } from './dashboard-dom.js';
import { byteRate, bytes, count, latency, percent, rate, words } from './dashboard-format.js';
import { cursor, Plot } from './dashboard-plot.js';

const value = (name) => (values) => values.get(name) ?? null;
const series = (label, name, color) => ({ label, value: value(name), color });

/**
 * The members of a group, those with the most events first, at most `most`; the others together as one. A member keeps its first
 * color, so that a line does not turn into another.
 */
export function members(group, { most = 5, except = [], firstColor = 1 } = {}) {
  const colors = new Map();
  return (history) => {
    const totals = Object.entries(history.last?.groups?.[group] ?? {}).filter(([name]) => !except.includes(name));
    totals.sort(([leftName, left], [rightName, right]) => right - left || (leftName < rightName ? -1 : 1));
    const shown = totals.length > most ? totals.slice(0, most - 1) : totals;
    const names = shown.map(([name]) => name);
    for (const name of colors.keys()) if (!names.includes(name)) colors.delete(name);
    for (const name of names) {
      if (colors.has(name)) continue;
      const taken = new Set(colors.values());
      let color = firstColor;
      while (taken.has(color)) color += 1;
      colors.set(name, color);
    }
    const lines = shown.map(([name]) => series(words(name), `groups.${group}.${name}`, colors.get(name)));
    const others = totals.slice(shown.length).map(([name]) => `groups.${group}.${name}`);
    if (others.length > 0) {
      const sum = (values) => others.reduce((all, name) => (values.has(name) ? (all ?? 0) + values.get(name) : all), null);
      lines.push({ label: `${others.length} others`, value: sum, color: 8 });
    }
    return lines;
  };
}

/** Failed opens a second. */
export const failedOpens = (values) =>
  values.has('sums.opens') ? Math.max(0, values.get('sums.opens') - (values.get('groups.opens.ok') ?? 0)) : null;

const stages = [['dial', 'dial_seconds'], ['DNS', 'dns_seconds'], ['TLS', 'tls_seconds'], ['Redis', 'redis_seconds']];

const latencies = (quantile) => (history) =>
  stages.filter(([, name]) => history.last?.quantiles?.[name]).map(([label, name]) =>
    series(label, `quantiles.${name}.${quantile}`, stages.findIndex(([stage]) => stage === label) + 1));

const kinds = [['TCP', 'tcp'], ['TLS', 'tls'], ['UDP', 'udp'], ['listeners', 'listener'], ['accepted', 'accepted']];

const plots = () => [
  new Plot({
    title: 'Throughput', format: byteRate, note: 'up: from clients to targets',
    series: [series('up', 'counters.bytes_up', 1), series('down', 'counters.bytes_down', 2)],
  }),
  new Plot({ title: 'Sessions', format: count, least: 3, series: [series('sessions', 'gauges.sessions', 1)] }),
  new Plot({
    title: 'Sockets', format: count, least: 3,
    series: kinds.map(([label, kind], index) => series(label, `gauges.sockets_${kind}`, index + 1)),
  }),
  new Plot({
    title: 'Opens', format: rate, least: 1,
    series: [series('ok', 'groups.opens.ok', 3), { label: 'failed', value: failedOpens, color: 2 }],
  }),
  new Plot({ title: 'Failed opens by outcome', format: rate, least: 1, series: members('opens', { except: ['ok'] }) }),
  new Plot({ title: 'Denials by reason', format: rate, least: 1, series: members('denials') }),
  new Plot({ title: 'Latency, median', format: latency, scale: 'log', series: latencies('0.5') }),
  new Plot({ title: 'Latency, 99th percentile', format: latency, scale: 'log', series: latencies('0.99') }),
  new Plot({
    title: 'Quota pressure', format: rate, least: 1, note: 'waits, and refusals by limit',
    series: (history) => [series('waits', 'counters.quota_waits', 1), ...refusals(history)],
  }),
  new Plot({ title: 'Closes by reason', format: rate, least: 1, series: members('closes') }),
  new Plot({
    title: 'Processor', format: percent, least: 0.1, note: '100 %: one core', isSmall: true,
    series: [{ label: 'used', color: 4, value: (values) => perCore(values) }],
  }),
  new Plot({ title: 'Memory', format: bytes, isSmall: true, series: [series('resident', 'gauges.memory_bytes', 4)] }),
  new Plot({ title: 'Open files', format: count, least: 10, isSmall: true, series: [series('open', 'gauges.open_files', 4)] }),
  new Plot({
    title: 'Event-loop lag', format: latency, least: 0.001, note: 'largest in a second', isSmall: true,
    series: [series('lag', 'gauges.event_loop_lag_seconds', 4)],
  }),
];

const refusals = members('refusals', { firstColor: 2 });

/** Processor time a second of time. */
export function perCore(values) {
  const rate = values.get('counters.cpu_milliseconds');
  return rate === undefined ? null : rate / 1_000;
}

export class Charts {
  #plots = plots();
  #wish = 0;

  /** - view: `() => ({ history, now, span })`, the times in milliseconds. */
  constructor(place, view) {
    this.view = view;
    const isSmall = (plot) => plot.node.classList.contains('small');
    place.append(...this.#plots.filter((plot) => !isSmall(plot)).map((plot) => plot.node),
      element('div', { class: 'plots-small' }, ...this.#plots.filter(isSmall).map((plot) => plot.node)));
    cursor.addEventListener('change', () => this.draw());
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** Draws with the next frame, once however often it is called before. */
  draw() {
    if (this.#wish !== 0) return;
    this.#wish = requestAnimationFrame(() => {
      this.#wish = 0;
      const { history, now, span } = this.view();
      for (const plot of this.#plots) plot.draw(history, now - span, now);
    });
  }
}
