// Positions of values and times in a plot.

/** The steps of a linear axis from 0: at least to `max`, in three or four steps of 1, 2, 2.5 or 5 times a power of ten. */
export function linearTicks(max) {
  if (!(max > 0)) return [0, 1];
  const raw = max / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999_999) ?? 10 * power;
  const ticks = [0];
  while (ticks.at(-1) < max * 0.999_999) ticks.push(ticks.length * step);
  return ticks;
}

/** The powers of ten around these values, both above 0; every second or third if there are many. */
export function logTicks(min, max) {
  const low = Math.floor(Math.log10(min) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(max) - 1e-9));
  const step = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let power = low; power < high + step; power += step) ticks.push(10 ** power);
  return ticks;
}

/** Times (milliseconds) for the ticks of an axis, on the even minute or half minute, at most `most` of them. */
export function timeTicks(from, to, most) {
  const steps = [10, 15, 30, 60, 120, 300, 600, 900, 1_800].map((seconds) => seconds * 1_000);
  const step = steps.find((size) => (to - from) / size <= most) ?? steps.at(-1);
  const ticks = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
  return ticks;
}

/** Longest time (milliseconds) between two samples that a line still joins. */
const longestGap = 3_500;

/**
 * The runs of points of a series between `from` and `to`, one array for each stretch without a gap. With more samples than
 * `columns`, those of a column become one point with the largest value: peaks must not vanish.
 */
export function runs(samples, valueOf, from, to, columns) {
  const width = (to - from) / Math.max(columns, 1);
  const all = [];
  let run = null;
  let lastTime = -Infinity;
  let column = -1;
  for (const sample of samples) {
    if (sample.time < from || sample.time > to) continue;
    const value = valueOf(sample.values);
    if (value === null || value === undefined) {
      run = null;
      continue;
    }
    if (!run || sample.time - lastTime > longestGap) {
      run = [];
      all.push(run);
      column = -1;
    }
    lastTime = sample.time;
    const here = Math.floor(sample.time / width);
    if (here === column) {
      const point = run.at(-1);
      if (value > point.value) point.value = value;
    } else {
      run.push({ time: sample.time, value });
      column = here;
    }
  }
  return all;
}

/** The sample nearest to a time; null where none is within two seconds and a half or so. */
export function nearest(samples, time) {
  let low = 0;
  let high = samples.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle].time < time) low = middle + 1;
    else high = middle;
  }
  const distance = (sample) => (sample ? Math.abs(sample.time - time) : Infinity);
  const best = distance(samples[low - 1]) < distance(samples[low]) ? samples[low - 1] : samples[low];
  return distance(best) <= longestGap ? best : null;
}
