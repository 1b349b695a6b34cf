// The figures at the top, and the current problems.

import { element, setAttribute, setText } from './dashboard-dom.js';
import { failedOpens, perCore } from './dashboard-charts.js';
import { byteRate, bytes, count, duration, exact, latency, percent, rate, reading, unknown, visible } from './dashboard-format.js';

const newest = (history) => history.samples.at(-1)?.values ?? new Map();
const gauge = (name) => (history) => history.value(`gauges.${name}`);
const counter = (name) => (history) => history.value(`counters.${name}`);

/** `[label, value, format, note]`; the note is a text of the history. */
const tiles = [
  ['Sessions', gauge('sessions'), count],
  ['Sockets', gauge('sockets'), count],
  ['Up', counter('bytes_up'), byteRate, (history) => total(history, 'bytes_up')],
  ['Down', counter('bytes_down'), byteRate, (history) => total(history, 'bytes_down')],
  ['Opens', (history) => history.value('sums.opens') ?? counter('opens')(history), rate,
    (history) => `${rate(failedOpens(newest(history)))} failed`],
  ['Denials', (history) => history.value('sums.denials'), rate],
  ['Quota refusals', (history) => history.value('sums.refusals'), rate,
    (history) => `${rate(counter('quota_waits')(history))} waits`],
  ['Dial, p99', (history) => history.value('quantiles.dial_seconds.0.99'), latency,
    (history) => `median ${latency(history.value('quantiles.dial_seconds.0.5'))}`],
  ['Processor', (history) => perCore(newest(history)), percent],
  ['Memory', gauge('memory_bytes'), bytes],
  ['Open files', gauge('open_files'), count, (history) => `of ${count(gauge('max_files')(history))}`],
  ['Event-loop lag', gauge('event_loop_lag_seconds'), latency],
  ['Denylist', gauge('denylist_entries'), count,
    (history) => `version ${exact(gauge('denylist_version')(history))}, ${duration(gauge('denylist_age_seconds')(history))} old`],
  ['Policy', gauge('policy_generation'), exact,
    (history) => (gauge('policy_stale')(history) ? 'stale' : 'generation')],
  ['Redis', redisWord, String],
];

const total = (history, name) => `${bytes(history.last?.counters?.[name])} in all`;

function redisWord(history) {
  const state = gauge('redis_available')(history);
  if (state === null) return history.last ? 'not used' : unknown;
  return state === 1 ? 'up' : 'down';
}

export class Tiles {
  #rows;

  constructor(place) {
    this.#rows = tiles.map(([label, value, format, note]) => {
      const figure = element('dd', {}, unknown);
      const small = element('dd', { class: 'hint' });
      const node = element('div', { class: 'tile' }, element('dt', {}, label), figure, ...(note ? [small] : []));
      place.append(node);
      return { value, format, note, figure, small, label };
    });
  }

  show(history) {
    for (const { value, format, note, figure, small } of this.#rows) {
      const now = value(history);
      setText(figure, format(now));
      setAttribute(figure, 'title', typeof now === 'number' ? String(now) : null);
      if (note) setText(small, history.last ? note(history) : '');
    }
  }
}

/** The current problems for the operator, the most serious first: `[grave, text]`. */
export function concerns(history) {
  const snapshot = history.last;
  if (!snapshot) return [];
  const gauges = (name) => reading(snapshot.gauges?.[name]);
  const found = [];
  if (gauges('redis_available') === 0) {
    found.push([true, 'Redis does not answer: limits and changes of the denylist are not shared with other nodes now.']);
  }
  if (gauges('policy_stale') === 1) found.push([true, 'The policy could not be reloaded; an older one is in force (see Policy).']);
  if (gauges('redis_evicts') === 1) found.push([true, 'Redis may evict keys: set maxmemory-policy noeviction.']);
  const age = gauges('denylist_age_seconds');
  if (gauges('redis_available') !== null && age > 15) {
    found.push([true, `This node last heard of the denylist ${duration(age)} ago.`]);
  }
  const [open, most] = [gauges('open_files'), gauges('max_files')];
  if (most > 0 && open / most > 0.85) found.push([true, `${percent(open / most)} of the files that may be open are.`]);
  if (gauges('draining') === 1) found.push([false, `This node drains: ${count(gauges('sessions'))} sessions are left.`]);
  const nodes = snapshot.nodes ?? [];
  const newestVersion = Math.max(0, ...nodes.map((node) => node.denylist_version));
  const behind = nodes.filter((node) => node.denylist_version < newestVersion).map((node) => visible(node.name));
  if (behind.length > 0) {
    const names = behind.slice(0, 3).join(', ') + (behind.length > 3 ? ` and ${behind.length - 3} more` : '');
    found.push([false, `Behind with the denylist: ${names}.`]);
  }
  const lag = gauges('event_loop_lag_seconds');
  if (lag > 0.25) found.push([false, `An event loop was late by ${latency(lag)}.`]);
  return found;
}

/** Shows the problems, updating only those that changed. */
export function showConcerns(list, history) {
  const wanted = concerns(history);
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  wanted.forEach(([isGrave, text], index) => {
    const line = list.children[index] ?? list.appendChild(element('li'));
    setAttribute(line, 'class', isGrave ? 'grave' : 'mild');
    setText(line, text);
  });
}
