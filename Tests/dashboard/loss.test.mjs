// A connection that is lost, refused or silent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLive, onDashboard, useBrowser } from './support.mjs';

useBrowser();

const lost = (words) => `!document.getElementById('lost').hidden && document.getElementById('lost').innerText.includes('${words}')`;
const isBack = `${isLive} && document.getElementById('lost').hidden && !document.body.classList.contains('stale')`;

test('a lost stream is shown and taken up again', bounded, () => onDashboard({ node: { backlog: 20 }, mayFail: true }, async (page, mock) => {
  await page.until(isLive);
  mock.isRefusingStreams = true;
  mock.dropStreams();
  await page.until(lost('The figures are of'));
  await page.until(lost('The node refuses: 16 clients already read events.'));
  assert.equal(await page.value('document.title'), 'Lost: edge-fra-1 – wasmnet');
  assert.equal(await page.text('#connection'), 'Lost');
  await page.picture('lost-light', false);
  mock.isRefusingStreams = false;
  mock.violations = [];
  await page.until(isBack);
  assert.equal(await page.value('document.title'), 'edge-fra-1 – wasmnet');
  assert.equal(mock.streams, 1);
}));

test('a node that went and came back is found again, by itself or when told to', bounded, () => onDashboard({ mayFail: true }, async (page, mock) => {
  await page.until(isLive);
  const { port } = mock;
  await mock.stop();
  await page.until(lost('The node cannot be reached.'));
  await page.until(lost('Connecting again in'));
  await mock.start(port);
  await page.until(isBack, 20);
  await mock.stop();
  await page.until(lost('Connecting again in'));
  await mock.start(port);
  await page.click('#lost-retry');
  await page.until(isBack, 20);
}));

test('lines are broken where the connection was lost', bounded, () => onDashboard({ node: { backlog: 30 }, mayFail: true }, async (page, mock) => {
  await page.until(isLive);
  const lines = "document.querySelectorAll('#plots > figure:nth-of-type(2) path.line').length";
  await page.until(`${lines} === 1`);
  const { port } = mock;
  await mock.stop();
  mock.backlog = 0;
  await page.until(lost('Connecting again in'));
  // Longer than the gap over which samples are joined.
  await page.until(`(window.lostAt ??= performance.now(), performance.now() - window.lostAt > 4500)`);
  await mock.start(port);
  await page.until(`${isBack} && ${lines} === 2`, 30);
}));

test('a node that falls silent, or has no figures, is no live one', bounded, () => onDashboard({ mayFail: true }, async (page, mock) => {
  await page.until(isLive);
  mock.isWithoutFigures = true;
  await page.until(lost('The node has no figures now (internal).'));
  mock.isWithoutFigures = false;
  await page.until(isBack);
  mock.isSilent = true;
  await page.until(lost('The node has fallen silent.'), 20);
  mock.isSilent = false;
  await page.until(isBack);
}));
