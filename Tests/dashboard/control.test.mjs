// Policy, quotas, the node's controls and the token.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLive, onDashboard, useBrowser } from './support.mjs';

useBrowser();

const text = (id, part) => `document.getElementById('${id}').textContent.includes(${JSON.stringify(part)})`;

test('the policy is shown, explained and reloaded; a bad one is told of', bounded, () => onDashboard({ part: '#policy', mayFail: true }, async (page, mock) => {
  await page.until(text('policy-text', 'deny = ["*:25", "10.0.0.0/8"]\n\n[limits]'));
  assert.match(await page.text('#policy-facts'), /Generation\s+3\s+In force for\s+1 h 25 min\s+Source\s+\/etc\/wasmnet\/policy.toml/);
  await page.fill('#explain-destination', 'mail.example.com:25');
  await page.press('Enter');
  await page.until(text('explain-answer', 'Denied mail.example.com:25'));
  await page.picture('policy-light');
  await page.fill('#explain-destination', '[2001:db8::1]:443');
  await page.click('#explain-udp');
  await page.click('#explain [type=submit]');
  await page.until(text('explain-answer', 'Allowed'));
  assert.deepEqual(mock.of('policy.explain').map(({ query }) => query), [{ destination: 'mail.example.com:25' }, { destination: '[2001:db8::1]:443', udp: 'true' }]);
  assert.equal(await page.value("document.querySelectorAll('#explain-answer li').length"), 3);
  await page.fill('#explain-destination', 'nothing');
  await page.click('#explain [type=submit]');
  await page.until(text('explain-answer', 'destination is host:port'));
  await page.click('#policy-reload');
  await page.until(text('policy-said', 'Reloaded: generation 4 is in force.'));
  mock.isPolicyBad = true;
  await page.click('#policy-reload');
  await page.until(text('policy-said', 'The policy in force stays: line 3: no such key'));
  await page.until(text('policy-problem', 'The last reload failed: line 3: no such key'));
  // Reloaded by another client, it is read again.
  mock.model.generation = 9;
  await page.until("document.querySelector('#policy-facts dd').textContent === '9'");
}));

test('a client’s quota is looked up, overridden and set free', bounded, () => onDashboard({ part: '#quota', mayFail: true }, async (page, mock) => {
  const client = 'a:2001:db8::/64';
  await page.fill('#quota-client', client);
  await page.press('Enter');
  await page.until(text('quota-report', '1.73 GB today'));
  assert.deepEqual(mock.of('quota.read').map(({ names }) => names), [[client]]);
  assert.match(await page.text('#quota-report'), /owes 1.2 kB/);
  assert.equal(await page.value("document.querySelectorAll('#quota-report tbody tr').length"), 9);
  await page.click('#quota-report summary');
  await page.click('#quota-report form [type=submit]');
  await page.until(text('quota-said', 'There is no limit in the override.'));
  await page.fill('#override-max_connections', '1.5');
  await page.click('#quota-report form [type=submit]');
  await page.until(text('quota-said', 'Sockets at once: a whole number above 0.'));
  await page.fill('#override-max_connections', '7');
  await page.fill('#override-max_bandwidth_mbps', '1000.5');
  await page.click('#quota-report form [type=submit]');
  await page.until(text('quota-said', 'The override is set.'));
  assert.deepEqual(mock.of('quota.override').map(({ names, body }) => [names, body]), [[[client], { max_connections: 7, max_bandwidth_mbps: 1000.5 }]]);
  // Two limits, and the burst that goes with the bandwidth.
  assert.equal(await page.value("document.querySelectorAll('#quota-report td[data-mark=override]').length"), 3);
  await page.picture('quota-light');
  await page.click('#quota-report form button[type=button]');
  await page.click('#ask-yes');
  await page.until(text('quota-said', 'The override is removed.'));
  assert.deepEqual(mock.of('quota.clear').map(({ names }) => names), [[client]]);
  await page.fill('#quota-client', 'missing');
  await page.click('#quota-form [type=submit]');
  await page.until(text('quota-said', 'There is no such client.'));
  assert.equal(await page.text('#quota-report'), '');
}));

test('the log level is set; draining asks first', bounded, () => onDashboard({ part: '#node', mayFail: true }, async (page, mock) => {
  await page.until("document.getElementById('log-level').value === 'info'");
  await page.until(text('ready-state', 'Ready for new sessions.'));
  await page.until(text('build-facts', '1 d 2 h'));
  // The node is ready, and there is a detail to show.
  mock.model.rollCall = 'limits do not grow';
  await page.until(text('ready-checks', 'redis: limits do not grow'));
  mock.model.rollCall = undefined;
  await page.value("document.getElementById('log-level').value = 'debug'");
  await page.click('#log-form [type=submit]');
  await page.until(text('log-said', 'The level is debug.'));
  assert.deepEqual(mock.of('log.set').map(({ body }) => body), [{ level: 'debug' }]);
  await page.picture('node-light');
  await page.click('#drain');
  await page.until("document.getElementById('ask').open && document.getElementById('ask-subject').textContent === 'edge-fra-1'");
  await page.click('#ask-no');
  await page.until("!document.getElementById('ask').open");
  assert.equal(mock.of('node.drain').length, 0);
  await page.click('#drain');
  await page.click('#ask-yes');
  await page.until(text('drain-said', 'It drains: 1,240 sessions are left, which end in 5 min at the latest.'));
  assert.equal(mock.of('node.drain').length, 1);
  await page.until(text('ready-checks', 'draining: the node drains'));
  assert.equal(await page.text('#ready-state'), 'Not ready for new sessions.');
}));

test('a node that wants a token asks for it once and has it from this tab only', bounded, () => onDashboard({ part: '#node', node: { token: 'a-token-of-sixteen-and-more' }, mayFail: true }, async (page, mock) => {
  await page.until("document.activeElement.id === 'gate-token'");
  assert.equal(await page.value("document.getElementById('main').hidden"), true);
  assert.equal(await page.text('#connection'), 'Locked');
  await page.picture('gate-light', false);
  await page.fill('#gate-token', 'ümlaut');
  await page.press('Enter');
  await page.until(text('gate-problem', 'visible ASCII'));
  await page.fill('#gate-token', 'a-wrong-token-of-sixteen');
  await page.press('Enter');
  await page.until(text('gate-problem', 'The token is wrong.'));
  assert.equal(await page.value('sessionStorage.length'), 0);
  await page.fill('#gate-token', mock.token);
  await page.press('Enter');
  await page.until(isLive);
  await page.until(text('token-state', 'This tab keeps'));
  assert.equal(await page.value("document.getElementById('gate').hidden && document.getElementById('gate-token').value === ''"), true);
  assert.deepEqual(await page.value("[sessionStorage.length, localStorage.length, document.cookie, location.search]"), [1, 0, '', '']);
  assert.equal(mock.of('node.events').at(-1).headers.authorization, `Bearer ${mock.token}`);
  await page.reload();
  await page.until(isLive);
  await page.value("location.hash = 'node'");
  await page.click('#token-forget');
  await page.until("!document.getElementById('gate').hidden");
  assert.equal(await page.value('sessionStorage.length'), 0);
  // The old stream must not outlive the token.
  await page.until(`document.getElementById('connection').textContent === 'Locked'`);
  assert.ok(mock.requests.every(({ query }) => !JSON.stringify(query).includes(mock.token)));
}));
