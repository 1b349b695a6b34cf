// It can be used on a phone, with a keyboard and with a screen reader.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longName } from './node-model.mjs';
import { bounded, isLive, onDashboard, useBrowser } from './support.mjs';

useBrowser();

const parts = ['overview', 'sessions', 'sockets', 'denylist', 'policy', 'quota', 'node'];

/** Shows a part and waits for its data. */
async function show(page, part) {
  await page.value(`location.hash = '${part}${part === 'quota' ? `?client=${longName}` : ''}'`);
  await page.until(`!document.getElementById('view-${part}').hidden && !document.getElementById('view-${part}').innerText.includes('Loading')`);
  const filled = { quota: "document.querySelector('#quota-report table')", policy: "document.getElementById('policy-text').textContent", node: "document.querySelector('#ready-checks li')" };
  await page.until(filled[part] ?? 'true');
  if (part === 'quota') await page.value("document.querySelector('details').open = true");
}

for (const [name, node] of Object.entries({ busy: { backlog: 130, interval: 500 }, huge: { isHuge: true, backlog: 20 }, empty: { isEmpty: true, redis: false } })) {
  test(`nothing is wider than a phone: a ${name} node`, bounded, () => onDashboard({ node, page: { width: 360, height: 740, isPhone: true, scheme: name === 'huge' ? 'dark' : 'light' } }, async (page, mock) => {
    await page.until(isLive);
    for (const part of parts) {
      await show(page, part);
      assert.deepEqual(await page.overflow(), { page: 0, wide: [], inner: [] }, part);
      if (name !== 'empty') await page.picture(`phone-${name}-${part}`, part !== 'overview');
    }
    await page.click('#view-node #drain');
    await page.until("document.getElementById('ask').open");
    assert.deepEqual(await page.overflow(), { page: 0, wide: [], inner: [] });
    await page.press('Escape');
    await mock.stop();
    await page.until("!document.getElementById('lost').hidden");
    assert.equal((await page.overflow()).page, 0);
    await mock.start(mock.port);
    page.complaints = page.complaints.filter((one) => !one.startsWith('Failed to load resource'));
    await page.until(isLive);
    page.complaints = page.complaints.filter((one) => !one.startsWith('Failed to load resource'));
  }));
}

test('everything that can be used has a name, and tables stay tables', bounded, () => onDashboard({ node: { backlog: 5, interval: 500 }, page: { width: 360, height: 740, isPhone: true } }, async (page) => {
  await page.until(isLive);
  await page.send('Accessibility.enable');
  const used = ['button', 'link', 'textbox', 'combobox', 'checkbox', 'radio', 'table', 'image', 'navigation', 'region', 'form', 'search', 'dialog', 'group'];
  for (const part of parts) {
    await show(page, part);
    const { nodes } = await page.send('Accessibility.getFullAXTree');
    const shown = nodes.filter((one) => !one.ignored);
    const nameless = shown.filter((one) => used.includes(one.role?.value) && !one.name?.value).map((one) => one.role.value);
    // A decoration, which has no name on purpose, is ignored; a details' group has its summary.
    assert.deepEqual(nameless.filter((role) => role !== 'group'), [], part);
    const roles = new Map();
    for (const one of shown) roles.set(one.role?.value, (roles.get(one.role?.value) ?? 0) + 1);
    if (['sessions', 'sockets', 'denylist'].includes(part)) {
      assert.equal(roles.get('table'), 1, part);
      assert.equal(roles.get('row'), 51, part);
      assert.equal(roles.get('columnheader') > 3, true, part);
    }
    assert.equal(roles.get('main'), 1);
    const levels = await page.value("[...document.querySelectorAll('h1, h2, h3')].filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))");
    assert.ok(levels.every((level, index) => index === 0 ? level === 1 : level <= levels[index - 1] + 1), `${part}: ${levels}`);
  }
}));

test('the keyboard alone goes everywhere', bounded, () => onDashboard({ node: { backlog: 5, interval: 500 } }, async (page) => {
  await page.until(isLive);
  await page.press('Tab');
  assert.equal(await page.value('document.activeElement.className'), 'skip');
  await page.press('Tab');
  assert.equal(await page.value('document.activeElement.textContent'), 'Overview');
  for (let step = 0; step < 3; step += 1) await page.press('Tab');
  await page.press('Enter');
  await page.until("!document.getElementById('view-denylist').hidden && document.activeElement.id === 'title-denylist'");
  assert.equal(await page.value("document.querySelector('nav [aria-current]').textContent"), 'Denylist');
  await page.press('Tab');
  assert.equal(await page.value('document.activeElement.id'), 'denylist-entries');
  const outlined = await page.value("getComputedStyle(document.activeElement).outlineStyle");
  assert.equal(outlined, 'solid');
}));
