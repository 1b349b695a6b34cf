// A short check of any dashboard: that of the node at DASHBOARD_URL (with DASHBOARD_TOKEN if it needs one), or a simulated one's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockServer } from './mock-server.mjs';
import { bounded, isLive, openPage, useBrowser } from './support.mjs';

useBrowser();

const { DASHBOARD_URL: given, DASHBOARD_TOKEN: token } = process.env;

for (const [name, look] of Object.entries({ desk: {}, phone: { width: 360, height: 740, isPhone: true, scheme: 'dark' } })) {
  test(`the dashboard of ${given ? 'the given node' : 'a made-up node'} works on a ${name}`, bounded, async () => {
    const mock = given ? null : await new MockServer({ redis: false }).start();
    const page = await openPage(given ?? mock.url, look);
    try {
      if (token) {
        await page.until("document.activeElement.id === 'gate-token'");
        await page.fill('#gate-token', token);
        await page.press('Enter');
      }
      await page.until(isLive);
      await page.until("document.querySelector('figure path.line')");
      assert.ok(await page.value("document.getElementById('node-name').textContent.length > 0 && /\\d/.test(document.querySelector('.tile dd').textContent)"));
      await page.until("document.getElementById('node-version').textContent !== 'a node of wasmnet'");
      for (const part of ['sessions', 'sockets', 'denylist', 'policy', 'quota', 'node', 'overview']) {
        await page.value(`location.hash = '${part}'`);
        await page.until(`!document.getElementById('view-${part}').hidden && !document.getElementById('view-${part}').innerText.includes('Loading')`);
        if (part === 'policy') await page.until("document.querySelector('#policy-facts dd')?.textContent");
        if (part === 'node') await page.until("document.getElementById('log-level').value && document.querySelector('#ready-checks li') && document.querySelector('#build-facts dd')");
        assert.deepEqual(await page.value("[...document.querySelectorAll('.problem')].filter((one) => one.checkVisibility()).map((one) => one.textContent)"), [], part);
        assert.deepEqual(await page.overflow(), { page: 0, wide: [], inner: [] }, part);
        await page.picture(`smoke-${name}-${part}`);
      }
      assert.deepEqual(page.complaints.filter((one) => !(token && /status of 401/.test(one))), []);
      assert.deepEqual(mock?.violations ?? [], []);
    } finally {
      await page.close();
      await mock?.stop();
    }
  });
}
