// One browser for a file's tests, and a node with a page on it for each.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Chromium } from './chromium.mjs';
import { MockServer } from './mock-server.mjs';
import { Page } from './page.mjs';

let browser;

export function useBrowser() {
  before(async () => {
    browser = await Chromium.start();
  }, { timeout: 60_000 });
  after(() => browser?.stop(), { timeout: 30_000 });
}

/** A browser's message about an answer of 4xx and 5xx, or of none: not a fault of the page. */
const ofTheNetwork = /^Failed to load resource: /;

/**
 * Opens the dashboard of a simulated node, runs the body, and checks that neither reports an error.
 * - part: an address such as `#sockets`. - node: see MockServer. - page: see Page.open. - mayFail: whether requests may.
 */
export async function onDashboard({ part = '', node = {}, page: look = {}, mayFail = false }, body) {
  const mock = await new MockServer(node).start();
  const page = await Page.open(browser, `${mock.url}/${part}`, look);
  try {
    await body(page, mock);
    assert.deepEqual(page.complaints.filter((one) => !(mayFail && ofTheNetwork.test(one))), []);
    assert.deepEqual(mock.violations, []);
    assert.equal(await page.value('window.harmed ?? null'), null);
  } finally {
    await page.close();
    await mock.stop();
  }
}

/** The dashboard at any address. */
export const openPage = (address, look) => Page.open(browser, address, look);

export const isLive = "document.getElementById('connection').textContent === 'Live'";
export const rows = (place) => `document.querySelectorAll('${place} tbody tr').length`;
export const bounded = { timeout: 90_000 };
