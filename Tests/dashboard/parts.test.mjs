// The dashboard's parts that need no browser.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { folder, names } from './documents.mjs';
import { operation, openAPI, problems } from './schema.mjs';

const part = (name) => import(new URL(`dashboard-${name}.js`, folder));
const format = await part('format');
const { EventParser, waitBefore } = await part('stream');
const { History } = await part('history');
const scale = await part('scale');
const router = await part('router');

test('numbers are short and never wrong by their unit', () => {
  const table = [
    [format.count, [[0, '0'], [9_999, '9,999'], [10_000, '10 k'], [12_345, '12.3 k'], [999_999, '1 M'], [1e12, '1 T'], [1.8e19, '18 E']]],
    [format.bytes, [[0, '0 B'], [999, '999 B'], [1_000, '1 kB'], [1_500_000, '1.5 MB'], [18_446_744_073_709_551_615, '18.4 EB'], [-1_200, '-1.2 kB']]],
    [format.byteRate, [[2_500_000, '2.5 MB/s'], [null, '–'], [Infinity, '∞']]],
    [format.rate, [[0, '0/s'], [0.2, '0.2/s'], [43.21, '43.2/s'], [123_456, '123 k/s']]],
    [format.latency, [[0, '0 s'], [0.00012, '120 µs'], [0.0034, '3.4 ms'], [0.9999, '1 s'], [12, '12 s'], ['Infinity', '∞'], ['NaN', '–']]],
    [format.duration, [[0, '0 s'], [0.25, '0.3 s'], [59.6, '1 min'], [245, '4 min 5 s'], [3_600, '1 h'], [93_784, '1 d 2 h'], [3_155_760_000, '100 y'], [-3, '0 s']]],
    [format.percent, [[0.0719, '7.19 %'], [2.5, '250 %']]],
    [format.exact, [[1_234_567, '1,234,567'], [undefined, '–'], ['7', '–']]],
  ];
  for (const [write, rows] of table) for (const [value, text] of rows) assert.equal(write(value), text, `${value}`);
});

test('a time to live is read or refused, never guessed', () => {
  for (const [text, seconds] of [['', undefined], ['  ', undefined], ['90', 90], ['90s', 90], ['30m', 1_800], ['1.5h', 5_400], ['7d', 604_800], ['1h 30m', 5_400]]) {
    assert.equal(format.secondsOf(text), seconds, text);
  }
  for (const text of ['0', '-1', 'x', '1w', '1e9', '40000d', 'm', '1.h']) assert.throws(() => format.secondsOf(text), /A time is/, text);
});

test('what cannot be seen is written out', () => {
  assert.equal(format.visible('a\u202Eb\u0000c\u200Bd\n'), 'a\\u{202e}b\\u{0}c\\u{200b}d\\u{a}');
  assert.equal(format.visible('grün 例え <b>'), 'grün 例え <b>');
});

function parsed(...chunks) {
  const heard = [];
  const parser = new EventParser({ event: (...event) => heard.push(event), comment: (text) => heard.push(['comment', text]), retry: (time) => heard.push(['retry', time]) });
  for (const chunk of chunks) parser.push(chunk);
  return heard;
}

test('events are taken apart however they are cut and whatever ends their lines', () => {
  const lines = ['retry: 2000', '', ': internal', 'event: snapshot', 'id: 1', 'data: {"a":', 'data:1}', '', 'data: x', ''];
  const wanted = [['retry', 2000], ['comment', 'internal'], ['snapshot', '{"a":\n1}'], ['message', 'x']];
  for (const end of ['\n', '\r\n', '\r']) {
    const text = lines.join(end) + end;
    assert.deepEqual(parsed(text), wanted);
    assert.deepEqual(parsed(...text), wanted, 'one by one');
    for (let at = 0; at < text.length; at += 1) assert.deepEqual(parsed(text.slice(0, at), text.slice(at)), wanted);
  }
  assert.deepEqual(parsed('event: lost\n\ndata: y\n\n', 'data: never ended'), [['message', 'y']]);
  assert.throws(() => parsed('x'.repeat((8 << 20) + 1)), /too large/);
});

test('the wait before a new attempt doubles up to half a minute', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 60].map((attempt) => waitBefore(attempt, 1_000, 0)), [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1_000));
  assert.equal(waitBefore(2, 1_000, 1), 3_000);
});

const snapshot = (time, counters = {}, groups = {}, node = 'n') => ({ time, node, gauges: { sessions: 1 }, counters, groups, quantiles: {}, nodes: [] });

test('counters become rates: bytes from second to second, events over five seconds', () => {
  const history = new History();
  for (let second = 0; second <= 10; second += 1) {
    history.add(snapshot(second * 1_000, { bytes_up: second * second * 100 }, { opens: { ok: second < 10 ? 0 : 10 } }));
  }
  assert.equal(history.value('counters.bytes_up'), 1_900);
  assert.equal(history.value('groups.opens.ok'), 2);
  assert.equal(history.value('sums.opens'), 2);
});

test('a counter that fell, another node and a clock set back give no false rate', () => {
  const history = new History();
  history.add(snapshot(1_000, { bytes_up: 500 }, { opens: { ok: 9 } }));
  history.add(snapshot(2_000, { bytes_up: 900 }, { opens: { ok: 10 } }));
  history.add(snapshot(3_000, { bytes_up: 10 }, { opens: { ok: 1 } }));
  assert.equal(history.value('counters.bytes_up'), null);
  assert.equal(history.value('sums.opens'), null);
  history.add(snapshot(4_000, { bytes_up: 20 }, { opens: { ok: 3 } }));
  assert.deepEqual([history.value('counters.bytes_up'), history.value('groups.opens.ok')], [10, 2]);
  history.add(snapshot(5_000, {}, {}, 'other'));
  assert.equal(history.samples.length, 1);
  history.add(snapshot(4_500, {}, {}, 'other'));
  assert.equal(history.samples.length, 1);
});

test('the history is bounded', () => {
  const history = new History();
  for (let second = 0; second < 10_000; second += 1) history.add(snapshot(second * 1_000));
  assert.ok(history.samples.length < 1_900, `${history.samples.length}`);
  assert.equal(history.samples.at(-1).time, 9_999_000);
});

test('axes reach their largest value in few even steps', () => {
  assert.deepEqual(scale.linearTicks(0), [0, 1]);
  for (const max of [0.003, 0.9, 1, 7, 99, 100, 1_234, 5e18]) {
    const ticks = scale.linearTicks(max);
    assert.ok(ticks.at(-1) >= max * 0.999 && ticks.length >= 3 && ticks.length <= 5, `${max}: ${ticks}`);
  }
  assert.deepEqual(scale.logTicks(0.002, 0.05).map((tick) => Number(tick.toPrecision(3))), [0.001, 0.01, 0.1]);
  assert.ok(scale.logTicks(1e-6, 1e3).length <= 5);
});

test('a line is broken where samples are missing, and keeps its peaks where they are many', () => {
  const at = (time, value) => ({ time, values: new Map(value === null ? [] : [['x', value]]) });
  const value = (values) => values.get('x') ?? null;
  const samples = [at(0, 1), at(1_000, 2), at(10_000, 3), at(11_000, null), at(12_000, 4)];
  assert.deepEqual(scale.runs(samples, value, 0, 20_000, 500).map((run) => run.map((point) => point.value)), [[1, 2], [3], [4]]);
  const many = Array.from({ length: 1_800 }, (_, index) => at(index * 1_000, index === 900 ? 99 : 1));
  const [run] = scale.runs(many, value, 0, 1_800_000, 100);
  assert.ok(run.length <= 101);
  assert.equal(Math.max(...run.map((point) => point.value)), 99);
  assert.equal(scale.nearest(many, 900_400).time, 900_000);
  assert.equal(scale.nearest(many, 9e9), null);
});

test('an address holds any name and gives it back', () => {
  const client = 'a:2001:db8::/64 ?&#=%é';
  assert.deepEqual(router.parse(router.address('sockets', { client, state: '' })), { name: 'sockets', parameters: { client } });
  assert.deepEqual(router.parse(''), { name: '', parameters: {} });
});

test('the files are what a node may give: no script or style within the page, nothing from elsewhere, nothing read as HTML', () => {
  const bases = names.map((name) => name.replaceAll(/[.-]/g, '_'));
  assert.equal(new Set(bases).size, bases.length);
  for (const name of names) {
    const text = readFileSync(new URL(name, folder), 'utf8');
    assert.match(name, /^dashboard(-[a-z]+)?\.(html|css|js|svg)$/);
    assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\/|\bdata:(image|text)|@import|url\(/, name);
    if (name.endsWith('.js')) {
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|localStorage/, name);
      for (const [, other] of text.matchAll(/from '\.\/([^']+)'/g)) assert.ok(names.includes(other), `${name} wants ${other}`);
    }
    if (name.endsWith('.html')) {
      assert.doesNotMatch(text, /\son[a-z]+=|\sstyle=|<style|<script(?![^>]*src=)/i, name);
      for (const [, path] of text.matchAll(/(?:src|href)="\/([^"]+)"/g)) assert.ok(names.includes(path), path);
    }
  }
});

test('the schema check tells right from wrong', () => {
  const examples = Object.values(openAPI.paths).flatMap((methods) => Object.values(methods))
    .map((one) => one.requestBody?.content?.['application/json']).filter(Boolean);
  assert.ok(examples.length >= 4);
  for (const { schema, example } of examples) assert.deepEqual(problems(schema, example), []);
  const schema = { $ref: '#/components/schemas/DenylistAdditions' };
  for (const wrong of [{}, { entries: [] }, { entries: [{}] }, { entries: [{ entry: 1 }] }, { entries: [{ entry: 'a', x: 1 }] }, null]) {
    assert.notDeepEqual(problems(schema, wrong), [], JSON.stringify(wrong));
  }
  assert.deepEqual(operation('DELETE', '/v1/sockets/a%2Fb/7').names, ['a/b', '7']);
  assert.equal(operation('PATCH', '/v1/sockets'), null);
});
