// What one client may use and uses, and the operator's override.

import { call, path } from './dashboard-api.js';
import { byID, element, say } from './dashboard-dom.js';
import { bytes, byteRate, count, exact, rate, unknown, visible } from './dashboard-format.js';
import { ask } from './dashboard-pages.js';
import { address } from './dashboard-router.js';
import { Table } from './dashboard-table.js';

/** `[member of the limits, label, format, what is used of it]`; 0 means no limit. */
const rows = [
  ['max_sessions', 'Sessions at once', count, (report) => count(report.sessions)],
  ['max_sockets', 'Sockets at once', count, (report) => count(report.sockets)],
  ['connects_per_second', 'Connects a second', rate, (report) => left(report.connects_left, count)],
  ['connect_burst', 'Connects at once after a rest', count],
  ['resolves_per_second', 'Names a second', rate, (report) => left(report.resolves_left, count)],
  ['resolve_burst', 'Names at once after a rest', count],
  ['bytes_per_second', 'Bytes a second', byteRate, (report) => left(report.bytes_left, bytes)],
  ['byte_burst', 'Bytes at once after a rest', bytes],
  ['bytes_per_day', 'Bytes a day (UTC)', bytes, (report) => `${bytes(report.bytes_today)} today`],
];

function allowed(limit, member, format) {
  if (limit !== 0) return format(limit);
  // A burst of 0 stands beside a rate without a limit.
  return member.endsWith('_burst') ? unknown : 'unlimited';
}

/** What may be used at once; below 0 it is owed. */
function left(value, format) {
  if (value === undefined) return unknown;
  return value < 0 ? `owes ${format(-value)}` : `${format(value)} left now`;
}

export function quota() {
  const form = byID('quota-form');
  const said = byID('quota-said');
  const place = byID('quota-report');
  let asked = 0;

  async function look(client) {
    asked += 1;
    const mine = asked;
    try {
      const report = await call('GET', path('/v1/quota', client));
      if (mine !== asked) return;
      say(said, '');
      write(report);
    } catch (error) {
      if (mine !== asked) return;
      place.replaceChildren();
      say(said, error.status === 404 ? 'There is no such client.' : error.message, true);
    }
  }

  function write(report) {
    const isOverridden = (member) => report.override !== undefined && Object.hasOwn(report.override, member);
    const table = new Table({
      caption: 'Limits and use', key: ([member]) => member, empty: '', stacks: false,
      columns: [
        { label: 'Limit', text: ([, label]) => label },
        {
          label: 'Allowed', kind: 'number', title: ([member]) => exact(report.limits[member]),
          mark: ([member]) => (isOverridden(member) ? 'override' : null),
          text: ([member, , format]) =>
            allowed(report.limits[member], member, format) + (isOverridden(member) ? ' (override)' : ''),
        },
        { label: 'Used', kind: 'number', text: ([, , , used]) => (used ? used(report) : unknown) },
      ],
    });
    table.show(rows);
    place.replaceChildren(
      element('div', { class: 'heading' }, element('h3', {}, element('bdi', { class: 'clip' }, visible(report.client))),
        element('p', { class: 'links' }, element('a', { href: address('sessions', { client: report.client }) }, 'Sessions'),
          element('a', { href: address('sockets', { client: report.client }) }, 'Sockets'))),
      table.node, overrideForm(report));
  }

  function overrideForm(report) {
    const fields = rows.map(([member, label]) => element('div', {},
      element('label', { for: `override-${member}` }, label),
      element('input', {
        id: `override-${member}`, name: member, inputmode: 'decimal', autocomplete: 'off', placeholder: 'the policy’s',
        value: report.override?.[member],
      })));
    const editor = element('form', { class: 'fields', 'aria-label': 'Override', onsubmit: (event) => {
      event.preventDefault();
      set(report.client, editor);
    } }, ...fields, element('div', { class: 'buttons' }, element('button', { type: 'submit', class: 'main' }, 'Set override'),
      ...(report.override ? [element('button', { type: 'button', onclick: () => clear(report.client) }, 'Remove override')] : [])));
    return element('details', { class: 'card', open: report.override !== undefined }, element('summary', {}, 'Override for this client'),
      element('p', { class: 'hint' }, 'What is left empty stays the policy’s. A limit is not lifted but set to a number above 0, for counts up to 1000000.'), editor);
  }

  async function set(client, editor) {
    const body = {};
    for (const [member, label] of rows) {
      const text = editor.elements[member].value.trim().replaceAll('_', '');
      if (text === '') continue;
      const isWhole = !member.endsWith('_per_second');
      const value = Number(text);
      if (!(value > 0) || !Number.isFinite(value) || (isWhole && !Number.isSafeInteger(value))) {
        say(said, `${label}: a ${isWhole ? 'whole ' : ''}number above 0.`, true);
        return;
      }
      body[member] = value;
    }
    if (Object.keys(body).length === 0) {
      say(said, 'There is no limit in the override.', true);
      return;
    }
    try {
      write(await call('PUT', path('/v1/quota', client), { body }));
      say(said, 'The override is set.');
    } catch (error) {
      say(said, error.message, true);
    }
  }

  async function clear(client) {
    const question = { title: 'Remove the override?', text: 'The policy’s limits hold again.', subject: visible(client), yes: 'Remove' };
    if (!(await ask(question))) return;
    try {
      await call('DELETE', path('/v1/quota', client));
      await look(client);
      say(said, 'The override is removed.');
    } catch (error) {
      say(said, error.message, true);
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const client = form.elements.client.value.trim();
    const wanted = address('quota', { client });
    if (location.hash === wanted) look(client);
    else location.hash = wanted;
  });
  return {
    show: ({ client = '' }) => {
      form.elements.client.value = client;
      if (client) look(client);
      else {
        asked += 1;
        say(said, '');
        place.replaceChildren();
      }
    },
  };
}
