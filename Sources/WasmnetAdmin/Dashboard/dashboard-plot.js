// A line plot over time in SVG, with a legend that shows the current values or those at the cursor.

import { element, setAttribute, setText, shape } from './dashboard-dom.js';
import { clock, unknown } from './dashboard-format.js';
import { linearTicks, logTicks, nearest, runs, timeTicks } from './dashboard-scale.js';

const height = 132;
const edge = { left: 58, right: 10, top: 8, bottom: 20 };

/** The time under the cursor in all plots; null: none. */
class Cursor extends EventTarget {
  time = null;
  set(time) {
    if (this.time === time) return;
    this.time = time;
    this.dispatchEvent(new Event('change'));
  }
}

export const cursor = new Cursor();

export class Plot {
  #legend = element('ul', { class: 'legend' });
  #image = shape('svg', { height, 'aria-hidden': 'true' });
  #frame;
  #when = element('span', { class: 'when' });
  #rows = [];
  #last = null;
  #isSmall;

  /**
   * - title: its name.
   * - format: formats a value.
   * - series: `(history) => [{ label, value: (values) => number or null, color: 1…8 }]`, or an array of these.
   * - ceiling: `(history) => number or null`, a limit that is drawn as a separate line if it is near.
   * - scale: `log` or `linear`.
   * - least: the minimum upper end of the vertical axis.
   */
  constructor({ title, format, series, scale = 'linear', least = 0, note = '', isSmall = false }) {
    this.title = title;
    this.format = format;
    this.series = typeof series === 'function' ? series : () => series;
    this.scale = scale;
    this.least = least;
    this.#isSmall = isSmall;
    // The arrow keys move the cursor, so it takes the focus; its label has the values.
    this.#frame = element('div', { class: 'plot', tabindex: '0', role: 'img' }, this.#image);
    this.node = element('figure', { class: isSmall ? 'card plot-card small' : 'card plot-card' },
      element('figcaption', {}, element('span', { class: 'name' }, title), this.#when,
        ...(note ? [element('span', { class: 'hint' }, note)] : [])),
      this.#legend, this.#frame);
    this.#frame.addEventListener('pointermove', (event) => this.#point(event));
    this.#frame.addEventListener('pointerdown', (event) => this.#point(event));
    this.#frame.addEventListener('pointerleave', () => cursor.set(null));
    this.#frame.addEventListener('blur', () => cursor.set(null));
    this.#frame.addEventListener('keydown', (event) => this.#key(event));
  }

  #point(event) {
    if (!this.#last) return;
    const { from, to, width } = this.#last;
    const inside = event.clientX - this.#frame.getBoundingClientRect().left - edge.left;
    const share = inside / (width - edge.left - edge.right);
    cursor.set(share < 0 || share > 1 ? null : from + share * (to - from));
  }

  #key(event) {
    if (!this.#last || !['ArrowLeft', 'ArrowRight', 'Escape', 'Home', 'End'].includes(event.key)) return;
    const { from, to } = this.#last;
    const step = (to - from) / 60;
    const time = cursor.time ?? to;
    const next = { ArrowLeft: time - step, ArrowRight: time + step, Home: from, End: to, Escape: null }[event.key];
    cursor.set(next === null ? null : Math.min(Math.max(next, from), to));
    event.preventDefault();
  }

  /** Draws the samples between two times, in milliseconds of the node's clock. */
  draw(history, from, to) {
    const width = this.#frame.clientWidth;
    if (width === 0) return;
    this.#last = { from, to, width };
    const series = this.series(history);
    const at = cursor.time === null ? null : nearest(history.samples, cursor.time);
    this.#writeLegend(series, cursor.time === null ? history.samples.at(-1) : at);
    setText(this.#when, cursor.time === null ? '' : clock(at?.time ?? cursor.time));

    const columns = Math.floor((width - edge.left - edge.right) / 1.5);
    const lines = series.map((one) => ({ ...one, runs: runs(history.samples, one.value, from, to, columns) }));
    const axis = this.#axis(lines);
    const x = (time) => edge.left + ((time - from) / (to - from)) * (width - edge.left - edge.right);
    const marks = [];
    for (const tick of axis.ticks) {
      const y = axis.y(tick).toFixed(1);
      marks.push(shape('line', { class: 'grid', x1: edge.left, x2: width - edge.right, y1: y, y2: y }),
        shape('text', { class: 'tick end', x: edge.left - 6, y: Number(y) + 3.5 }, this.format(tick)));
    }
    const withSeconds = to - from <= 150_000;
    for (const time of timeTicks(from, to, Math.max(2, Math.floor(width / 75)))) {
      const where = x(time);
      if (where < edge.left + 18 || where > width - 24) continue;
      marks.push(shape('text', { class: 'tick middle', x: where.toFixed(1), y: height - 4 }, clock(time, withSeconds)));
    }
    for (const line of lines) {
      for (const run of line.runs) marks.push(...this.#path(run, line, lines.length === 1, x, axis));
    }
    if (cursor.time !== null) {
      const where = x(at?.time ?? cursor.time).toFixed(1);
      marks.push(shape('line', { class: 'cursor', x1: where, x2: where, y1: edge.top, y2: height - edge.bottom }));
      for (const line of at ? lines : []) {
        const value = line.value(at.values);
        if (value !== null && value !== undefined && at.time >= from) {
          marks.push(shape('circle', { class: `dot color-${line.color}`, cx: where, cy: axis.y(value).toFixed(1), r: 3.5 }));
        }
      }
    }
    setAttribute(this.#image, 'width', width);
    setAttribute(this.#image, 'viewBox', `0 0 ${width} ${height}`);
    this.#image.replaceChildren(...marks);
  }

  #axis(lines) {
    const values = lines.flatMap((line) => line.runs.flat().map((point) => point.value)).filter(Number.isFinite);
    const span = height - edge.top - edge.bottom;
    if (this.scale === 'log') {
      const positive = values.filter((value) => value > 0);
      const ticks = positive.length > 0 ? logTicks(minimum(positive), maximum(positive)) : logTicks(1e-3, 1);
      const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
      const y = (value) => {
        const share = value > 0 ? (Math.log10(value) - low) / (high - low) : 0;
        return edge.top + span * (1 - Math.min(Math.max(share, 0), 1));
      };
      return { ticks, y };
    }
    const ticks = linearTicks(Math.max(maximum(values), this.least));
    const top = ticks.at(-1);
    return { ticks, y: (value) => edge.top + span * (1 - Math.min(Math.max(value / top, 0), 1)) };
  }

  #path(run, line, isAlone, x, axis) {
    const points = run.map((point) => `${x(point.time).toFixed(1)} ${axis.y(point.value).toFixed(1)}`);
    if (points.length === 1) {
      const [cx, cy] = points[0].split(' ');
      return [shape('circle', { class: `dot color-${line.color}`, cx, cy, r: 1.75 })];
    }
    const path = `M${points.join('L')}`;
    const base = height - edge.bottom;
    const marks = [shape('path', { class: `line color-${line.color}`, d: path })];
    if (isAlone) {
      const area = `${path}L${x(run.at(-1).time).toFixed(1)} ${base}L${x(run[0].time).toFixed(1)} ${base}Z`;
      marks.unshift(shape('path', { class: `area color-${line.color}`, d: area }));
    }
    return marks;
  }

  #writeLegend(series, sample) {
    while (this.#rows.length > series.length) this.#rows.pop().node.remove();
    while (this.#rows.length < series.length) {
      const row = { key: element('span', { class: 'key' }), label: element('span'), value: element('b') };
      row.node = element('li', {}, row.key, row.label, row.value);
      this.#legend.append(row.node);
      this.#rows.push(row);
    }
    const told = series.map((one, index) => {
      const row = this.#rows[index];
      const value = sample ? one.value(sample.values) : null;
      const text = value === null || value === undefined ? unknown : this.format(value);
      setAttribute(row.key, 'class', `key color-${one.color}`);
      setText(row.label, one.label);
      setText(row.value, text);
      return `${one.label} ${text}`;
    });
    const when = cursor.time === null || !sample ? 'now' : `at ${clock(sample.time)}`;
    setAttribute(this.#frame, 'aria-label', `${this.title}, ${when}: ${told.join(', ') || 'none'}. Arrow keys move through time.`);
  }
}

// Math.max(...values) would pass thousands of arguments.
const maximum = (values) => values.reduce((most, value) => Math.max(most, value), 0);
const minimum = (values) => values.reduce((least, value) => Math.min(least, value), Infinity);
