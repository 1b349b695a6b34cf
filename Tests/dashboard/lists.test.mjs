// Lists and an operator's actions on them: the resulting requests are checked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostileName } from './node-model.mjs';
import { bounded, onDashboard, rows, useBrowser } from './support.mjs';

useBrowser();

const text = (id, part) => `document.getElementById('${id}').textContent.includes(${JSON.stringify(part)})`;

test('sessions come page by page and filtered, and the address holds the filter', bounded, () => onDashboard({ part: '#sessions' }, async (page, mock) => {
  const list = rows('#sessions-list');
  await page.until(`${list} === 50`);
  await page.click('#sessions-list nav button:last-child');
  await page.until("document.querySelector('#sessions-list nav span').textContent === 'Page 2'");
  await page.until("document.querySelector('#sessions-list td').textContent === 's-0050'");
  await page.click('#sessions-list nav button:last-child');
  await page.until(`${list} === 37`);
  assert.equal(await page.value("document.querySelector('#sessions-list nav button:last-child').disabled"), true);
  assert.deepEqual(mock.of('session.list').at(-1).query, { cursor: 's-0099', limit: '50' });
  await page.fill('#sessions-client', hostileName);
  await page.press('Enter');
  await page.until(`${list} === 1`);
  assert.deepEqual(mock.of('session.list').at(-1).query, { client: hostileName, limit: '50' });
  assert.match(await page.value('location.hash'), /^#sessions\?client=%3Cimg/);
  assert.equal(await page.value("document.querySelector('#sessions-list nav').hidden"), true);
  await page.fill('#sessions-client', 'nobody');
  await page.click('#sessions-filter [type=submit]');
  await page.until("document.querySelector('#sessions-list .empty').textContent === 'No session is like that.'");
  await page.value('history.back()');
  await page.until(`${list} === 1 && document.getElementById('sessions-client').value === ${JSON.stringify(hostileName)}`);
  await page.click('#sessions-filter [type=reset]');
  await page.until(`${list} === 50 && location.hash === '#sessions'`);
  await page.picture('sessions-light');
}));

test('sockets are filtered by client, destination, session and state', bounded, () => onDashboard({ part: '#sockets', page: { scheme: 'dark' } }, async (page, mock) => {
  await page.until(`${rows('#sockets-list')} === 50`);
  await page.picture('sockets-dark');
  await page.fill('#sockets-destination', 'api.example.net');
  await page.value("document.getElementById('sockets-state').value = 'half_closed'");
  await page.click('#sockets-filter [type=submit]');
  await page.until("[...document.querySelectorAll('#sockets-list tbody tr')].every((row) => row.cells[3].textContent === 'half closed')");
  assert.deepEqual(mock.of('socket.list').at(-1).query, { destination: 'api.example.net', state: 'half_closed', limit: '50' });
  await page.value("location.hash = 'sessions'");
  await page.click('#sessions-list tr:nth-child(3) a');
  await page.until(`${rows('#sockets-list')} === 2`);
  assert.deepEqual(mock.of('socket.list').at(-1).query, { session: 's-0002', limit: '50' });
}));

test('a session and a socket are ended only after a question', bounded, () => onDashboard({ part: '#sessions', mayFail: true }, async (page, mock) => {
  mock.model.sessions[0].id = 'a/b?c';
  const end = '#sessions-list tr[role=row]:nth-child(1) .actions button';
  await page.until("document.querySelector('#sessions-list td')?.textContent");
  await page.click('#sessions-list .bar button');
  await page.until("document.querySelector('#sessions-list tbody').textContent.includes('a/b?c')");
  const place = await page.value("[...document.querySelectorAll('#sessions-list tbody tr')].findIndex((row) => row.cells[0].textContent === 'a/b?c') + 1");
  const button = end.replace('nth-child(1)', `nth-child(${place})`).replace('tr[role', 'tbody tr[role');
  await page.click(button);
  await page.until("document.getElementById('ask').open && document.activeElement.id === 'ask-no'");
  assert.match(await page.text('#ask-subject'), /^a\/b\?c of <img src=x/);
  await page.picture('question-light', false);
  await page.press('Escape');
  await page.until("!document.getElementById('ask').open");
  assert.equal(mock.of('session.close').length, 0);
  assert.equal(await page.value(`document.activeElement === document.querySelector(${JSON.stringify(button)})`), true);
  await page.click(button);
  await page.click('#ask-yes');
  await page.until("!document.querySelector('#sessions-list tbody').textContent.includes('a/b?c')");
  assert.deepEqual(mock.of('session.close').map(({ names }) => names), [['a/b?c']]);
  // One that ended by itself meanwhile is not an error.
  await page.until("document.querySelector('#sessions-list td').textContent === 's-0001'");
  await page.click('#sessions-list tbody tr:nth-child(1) .actions button');
  mock.model.sessions.shift();
  await page.click('#ask-yes');
  await page.until("document.querySelector('#sessions-list td').textContent === 's-0002' && !document.getElementById('ask').open");
  await page.value("location.hash = 'sockets?session=s-0002'");
  await page.click('#sockets-list tbody tr:nth-child(1) .actions button');
  await page.click('#ask-yes');
  await page.until(`${rows('#sockets-list')} === 1`);
  assert.deepEqual(mock.of('socket.close').map(({ names }) => names), [['s-0002', '1']]);
}));

test('a list keeps itself fresh without taking the focus', bounded, () => onDashboard({ part: '#sessions' }, async (page, mock) => {
  await page.until(`${rows('#sessions-list')} === 50`);
  await page.value("document.querySelector('#sessions-list tbody tr:nth-child(4) button').focus()");
  mock.model.sessions.splice(0, 2);
  mock.model.sessions[1].bytes_up = 77e12;
  await page.until("document.querySelector('#sessions-list td').textContent === 's-0002'");
  assert.equal(await page.value("document.activeElement.getAttribute('aria-label')"), 'End session s-0003');
  assert.match(await page.text('#sessions-list tbody tr:nth-child(2)'), /77 TB/);
}));

test('denylist entries are added with a time to live and a reason, and removed', bounded, () => onDashboard({ part: '#denylist', mayFail: true }, async (page, mock) => {
  await page.until(text('denylist-state', 'Version 41, 73 entries, known to be the newest 0.4 s ago.'));
  await page.fill('#denylist-entries', '198.51.100.0/24\n\n  *.example.net  ');
  await page.fill('#denylist-time', '1w');
  await page.fill('#denylist-reason', 'abuse <b>');
  await page.click('#denylist-add [type=submit]');
  await page.until(text('denylist-said', 'A time is such as'));
  assert.equal(mock.of('denylist.add').length, 0);
  await page.fill('#denylist-time', '1h30m');
  await page.click('#denylist-add [type=submit]');
  await page.until(text('denylist-said', '2 added or renewed: version 42.'));
  assert.deepEqual(mock.of('denylist.add').map(({ body }) => body), [{
    entries: [
      { entry: '198.51.100.0/24', ttl_seconds: 5_400, reason: 'abuse <b>' }, { entry: '*.example.net', ttl_seconds: 5_400, reason: 'abuse <b>' },
    ],
  }]);
  await page.until(text('denylist-state', 'Version 42, 75 entries'));
  assert.equal(await page.value("document.getElementById('denylist-entries').value"), '');
  await page.picture('denylist-light');
  // Without an end and without a reason; an entry that the node refuses stays in the form.
  await page.fill('#denylist-entries', '192.0.2.0/99');
  await page.click('#denylist-add [type=submit]');
  await page.until(text('denylist-said', '192.0.2.0/99 is neither an address nor a name'));
  assert.deepEqual(mock.of('denylist.add').at(-1).body, { entries: [{ entry: '192.0.2.0/99' }] });
  assert.equal(await page.value("document.getElementById('denylist-entries').value"), '192.0.2.0/99');
  await page.click('#denylist-list button[aria-label="Remove *.bad.example"]');
  await page.click('#ask-no');
  await page.until("!document.getElementById('ask').open");
  await page.click('#denylist-list button[aria-label="Remove *.bad.example"]');
  await page.click('#ask-yes');
  await page.until(text('denylist-said', 'Removed: version 43.'));
  assert.deepEqual(mock.of('denylist.remove').map(({ body }) => body), [{ entries: ['*.bad.example'] }]);
  await page.until("!document.querySelector('#denylist-list tbody').textContent.includes('*.bad.example')");
}));
