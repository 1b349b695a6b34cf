// The overview's content, and that it stays up to date.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostileName } from './node-model.mjs';
import { bounded, isLive, onDashboard, rows, useBrowser } from './support.mjs';

useBrowser();

const plot = (title) => `[...document.querySelectorAll('figure')].find((one) => one.querySelector('.name').textContent === '${title}')`;
const tile = (label) => `[...document.querySelectorAll('.tile')].find((one) => one.querySelector('dt').textContent === '${label}').querySelector('dd').textContent`;

test('plots, tiles and tables fill and move', bounded, () => onDashboard({ node: { backlog: 130 } }, async (page, mock) => {
  await page.until(isLive);
  const titles = await page.value("[...document.querySelectorAll('figure .name')].map((one) => one.textContent)");
  assert.equal(titles.length, 14);
  for (const title of titles) {
    const line = `(${plot(title)}.querySelector('path.line')?.getAttribute('d') ?? '')`;
    assert.ok((await page.until(`${line}.length > 300 && ${line}`)).startsWith('M'), title);
    assert.match(await page.value(`${plot(title)}.querySelector('.plot').getAttribute('aria-label')`), /now: .+\d/, title);
    assert.ok(await page.value(`[...${plot(title)}.querySelectorAll('.legend b')].every((one) => /\\d/.test(one.textContent))`), title);
  }
  assert.ok(await page.value(`[...document.querySelectorAll('.tile dd:not(.hint)')].every((one) => one.textContent !== '–')`));
  assert.equal(await page.value(tile('Redis')), 'up');
  assert.equal(await page.value(rows('#nodes')), 4);
  assert.equal(await page.text('#nodes td[data-mark=behind]'), 'v40 behind');
  assert.match(await page.text('#nodes td[data-mark=own]'), /^edge-fra-1/);
  assert.deepEqual(await page.value("[...document.querySelectorAll('#reasons table')].map((one) => one.querySelectorAll('tbody tr').length)"), [6, 2, 7, 5]);
  assert.equal(await page.text('#node-name'), 'edge-fra-1');
  await page.until("document.getElementById('node-version').textContent === 'wasmnet-node 1.4.0 (0123456789ab)'");
  assert.equal(await page.value('document.title'), 'edge-fra-1 – wasmnet');
  const before = await page.value(`${plot('Throughput')}.querySelector('path.line').getAttribute('d')`);
  await page.until(`${plot('Throughput')}.querySelector('path.line').getAttribute('d') !== ${JSON.stringify(before)}`);
  assert.match(await page.text('#attention'), /Behind with the denylist: <img/);
  assert.equal(mock.of('node.events')[0].headers.authorization, undefined);
}));

test('a wider span shows more of the past', bounded, () => onDashboard({ node: { backlog: 590 } }, async (page) => {
  await page.until(isLive);
  const left = `Number(${plot('Sessions')}.querySelector('path.line').getAttribute('d').match(/M([\\d.]+)/)[1])`;
  await page.until(`${left} < 70`);
  await page.click('#span label:nth-of-type(3)');
  await page.until(`${left} > 200`);
  await page.click('#span label:nth-of-type(2)');
  await page.until(`${left} < 90`);
}));

test('pointing at a plot, and its arrow keys, show the values of a time in all plots', bounded, () => onDashboard({ node: { backlog: 130, interval: 500 } }, async (page) => {
  await page.until(isLive);
  await page.value(`${plot('Sessions')}.querySelector('.plot').focus()`);
  await page.press('ArrowLeft');
  await page.until("[...document.querySelectorAll('figure .when')].every((one) => /^\\d\\d:\\d\\d:\\d\\d$/.test(one.textContent))");
  assert.equal(await page.value("document.querySelectorAll('.plot .cursor').length"), 14);
  assert.match(await page.value(`${plot('Sessions')}.querySelector('.plot').getAttribute('aria-label')`), /at \d\d:\d\d:\d\d: sessions 1,\d+/);
  await page.press('Escape');
  await page.until("document.querySelectorAll('.plot .cursor').length === 0");
  const box = await page.value(`(() => { const { x, y, width, height } = ${plot('Sockets')}.querySelector('svg').getBoundingClientRect(); return { x: x + width / 2, y: y + height / 2 }; })()`);
  await page.send('Input.dispatchMouseEvent', { type: 'mouseMoved', ...box });
  await page.until("document.querySelectorAll('.plot .cursor').length === 14");
}));

test('names that would do harm stay texts wherever they are shown', bounded, () => onDashboard({ node: { backlog: 5 } }, async (page) => {
  await page.until(isLive);
  const shown = hostileName.replace('\u202e', '\\u{202e}');
  const isThere = (place) => `[...document.querySelectorAll('${place} bdi')].some((one) => one.textContent.includes(${JSON.stringify(shown)}))`;
  await page.until(isThere('#nodes'));
  for (const part of ['sessions', 'sockets', 'denylist']) {
    await page.value(`location.hash = '${part}'`);
    if (part === 'denylist') await page.click('#denylist-list nav button:last-child');
    await page.until(isThere(`#${part}-list`));
  }
  await page.value(`location.hash = 'quota?' + new URLSearchParams({ client: ${JSON.stringify(hostileName)} })`);
  await page.until(isThere('#quota-report'));
  await page.value("location.hash = 'policy'");
  await page.fill('#explain-destination', `${hostileName}:443`);
  await page.click('#explain [type=submit]');
  await page.until(isThere('#explain-answer'));
  assert.equal(await page.value("document.querySelectorAll('img').length"), 1);
  assert.equal(await page.value("document.querySelectorAll('script').length"), 1);
}));

test('a node without Redis on which nothing happened says so', bounded, () => onDashboard({ node: { redis: false, isEmpty: true } }, async (page) => {
  await page.until(isLive);
  assert.equal(await page.value(tile('Redis')), 'not used');
  assert.equal(await page.text('#nodes .empty'), 'This node knows of no others.');
  assert.equal(await page.value("[...document.querySelectorAll('#reasons .empty')].filter((one) => one.checkVisibility()).length"), 4);
  assert.equal(await page.value("document.getElementById('attention').childElementCount"), 0);
  for (const [part, text] of [['sessions', 'There are no sessions.'], ['sockets', 'There are no sockets.'], ['denylist', 'The denylist is empty.']]) {
    await page.value(`location.hash = '${part}'`);
    await page.until(`document.querySelector('#${part}-list .empty').textContent === '${text}' && document.querySelector('#${part}-list table').hidden`);
  }
}));

test('what is wrong with a node is said at the top', bounded, () => onDashboard({ node: {} }, async (page, mock) => {
  await page.until(isLive);
  const says = (text) => page.until(`document.getElementById('attention').textContent.includes('${text}')`);
  mock.model.isRedisUp = false;
  await says('Redis does not answer');
  mock.model.isStale = true;
  await says('The policy could not be reloaded');
  mock.model.isDraining = true;
  await says('This node drains');
  Object.assign(mock.model, { isRedisUp: true, isStale: false, isDraining: false });
  await page.until("document.getElementById('attention').childElementCount === 1");
}));

test('light and dark follow the system, and their texts can be read', bounded, async () => {
  const pages = {};
  for (const scheme of ['light', 'dark']) {
    await onDashboard({ node: { backlog: 600, interval: 500 }, page: { scheme } }, async (page) => {
      await page.until(isLive);
      await page.until(`${plot('Closes by reason')}.querySelector('path.line')`);
      pages[scheme] = await page.value('getComputedStyle(document.body).backgroundColor');
      const weak = await page.value(`(() => {
        const style = getComputedStyle(document.documentElement);
        const light = (name) => {
          const channel = (at) => { const part = parseInt(style.getPropertyValue('--' + name).trim().slice(at, at + 2), 16) / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
          return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
        };
        const contrast = (one, other) => { const [low, high] = [light(one), light(other)].sort((left, right) => left - right); return (high + 0.05) / (low + 0.05); };
        const texts = ['ink', 'quiet', 'accent', 'good', 'mild', 'grave'].flatMap((ink) => ['page', 'card', 'shade'].map((back) => [ink, back, 4.5]));
        const lines = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => ['color-' + number, 'card', 3]);
        return [...texts, ...lines, ['good', 'good-back', 4.5], ['mild', 'mild-back', 4.5], ['grave', 'grave-back', 4.5], ['on-accent', 'accent', 4.5], ['field', 'card', 3]]
          .filter(([one, other, least]) => contrast(one, other) < least).map(([one, other]) => one + ' on ' + other + ': ' + contrast(one, other).toFixed(2));
      })()`);
      assert.deepEqual(weak, [], scheme);
      await page.picture(`overview-${scheme}`);
    });
  }
  assert.notEqual(pages.light, pages.dark);
});
