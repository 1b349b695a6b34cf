// The denylist: its entries, adding and removing.

import { call } from './dashboard-api.js';
import { byID, say, setText } from './dashboard-dom.js';
import { duration, exact, secondsOf, visible } from './dashboard-format.js';
import { ask, PagedList } from './dashboard-pages.js';

export function denylist() {
  const form = byID('denylist-add');
  const said = byID('denylist-said');

  const list = new PagedList({
    place: byID('denylist-list'), path: '/v1/denylist', caption: 'Denylist', key: (item) => item.entry, empty: 'The denylist is empty.',
    columns: [
      { label: 'Entry', kind: 'name', text: (item) => item.entry },
      { label: 'Reason', kind: 'name', text: (item) => item.reason ?? '–' },
      { label: 'Expires', text: (item) => (item.seconds_left === undefined ? 'never' : `in ${duration(item.seconds_left)}`) },
      {
        label: 'Actions',
        actions: [{ label: 'Remove', kind: 'small', name: (item) => `Remove ${visible(item.entry)}`, run: (item) => remove(item.entry) }],
      },
    ],
    loaded: (page) => {
      const size = page.size === 1 ? '1 entry' : `${exact(page.size)} entries`;
      const age = duration(page.age_seconds);
      setText(byID('denylist-state'), `Version ${exact(page.version)}, ${size}, known to be the newest ${age} ago.`);
    },
  });

  async function remove(entry) {
    const question = {
      title: 'Remove this entry?', text: 'What it forbids can be reached again, from every node.', subject: visible(entry),
      yes: 'Remove',
    };
    if (!(await ask(question))) return;
    try {
      const change = await call('DELETE', '/v1/denylist', { body: { entries: [entry] } });
      const what = change.changed > 0 ? 'Removed' : 'It was gone already';
      say(said, `${what}: version ${exact(change.version)}.`);
    } catch (error) {
      say(said, error.message, true);
    }
    list.load();
  }

  async function add() {
    const entries = form.elements.entries.value.split('\n').map((line) => line.trim()).filter(Boolean);
    const reason = form.elements.reason.value.trim();
    let seconds;
    try {
      seconds = secondsOf(form.elements.time.value);
      if (entries.length === 0) throw new Error('There is no entry.');
      if (new TextEncoder().encode(reason).length > 512) throw new Error('A reason is at most 512 bytes.');
    } catch (error) {
      say(said, error.message, true);
      return;
    }
    const details = { ...(seconds !== undefined && { ttl_seconds: seconds }), ...(reason !== '' && { reason }) };
    const button = form.querySelector('[type=submit]');
    button.disabled = true;
    try {
      const change = await call('POST', '/v1/denylist', { body: { entries: entries.map((entry) => ({ entry, ...details })) } });
      say(said, `${exact(change.changed)} added or renewed: version ${exact(change.version)}.`);
      form.reset();
    } catch (error) {
      say(said, error.message, true);
    } finally {
      button.disabled = false;
    }
    list.load();
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    add();
  });
  return { show: () => list.show(), hide: () => list.hide() };
}
