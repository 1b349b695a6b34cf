// A client's limits and use, and the operator's override.

import { call, path } from './dashboard-api.js';
import { byID, element, say } from './dashboard-dom.js';
import { bytes, count, exact, megabits, rate, unknown, visible } from './dashboard-format.js';
import { ask } from './dashboard-pages.js';
import { address } from './dashboard-router.js';
import { Table } from './dashboard-table.js';

/** `[limit by the policy's name, label, format, the used amount]`; a burst is a part of its rate. */
const rows = [
  ['max_sessions', 'Sessions at once', count, ({ used }) => count(used)],
  ['max_connections', 'Sockets at once', count, ({ used }) => count(used)],
  ['connects_per_sec', 'Connects a second', rate, ({ available }) => left(available, count)],
  ['connect_burst', 'Connects at once after a rest', count],
  ['resolves_per_sec', 'Names a second', rate, ({ available }) => left(available, count)],
  ['resolve_burst', 'Names at once after a rest', count],
  ['max_bandwidth_mbps', 'Bandwidth in Mbit/s', megabits, ({ available }) => left(available, bytes)],
  ['byte_burst', 'Bytes at once after a rest', bytes],
  ['bytes_per_day', 'Bytes a day (UTC)', bytes, ({ used }) => `${bytes(used)} today`],
];
const rateOf = { connect_burst: 'connects_per_sec', resolve_burst: 'resolves_per_sec', byte_burst: 'max_bandwidth_mbps' };
const isFraction = (member) => ['connects_per_sec', 'resolves_per_sec', 'max_bandwidth_mbps'].includes(member);

/** The limit of a row. */
const of = (report, member) => report.limits[rateOf[member] ?? member];

/** The row's number; undefined if it is unlimited. */
const number = (report, member) => of(report, member)[rateOf[member] ? 'burst' : 'limit'];

function allowed(report, member, format) {
  const limit = number(report, member);
  if (limit !== undefined) return format(limit);
  return rateOf[member] ? unknown : 'unlimited';
}

/** The amount that can be used at once; below 0 it is a debt. */
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
    const isOverridden = (member) => of(report, member).from === 'override';
    const table = new Table({
      caption: 'Limits and use', key: ([member]) => member, empty: '', stacks: false,
      columns: [
        { label: 'Limit', text: ([, label]) => label },
        {
          label: 'Allowed', kind: 'number', title: ([member, , format]) => (isFraction(member) ? format : exact)(number(report, member)),
          mark: ([member]) => (isOverridden(member) ? 'override' : null),
          text: ([member, , format]) =>
            allowed(report, member, format) + (isOverridden(member) ? ' (override)' : ''),
        },
        { label: 'Used', kind: 'number', text: ([member, , , used]) => (used ? used(of(report, member)) : unknown) },
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
    const isSet = report.overrides_end !== undefined;
    const fields = rows.map(([member, label]) => element('div', {},
      element('label', { for: `override-${member}` }, label),
      element('input', {
        id: `override-${member}`, name: member, inputmode: 'decimal', autocomplete: 'off', placeholder: 'the policy’s',
        value: of(report, member).from === 'override' ? number(report, member) : undefined,
      })));
    const editor = element('form', { class: 'fields', 'aria-label': 'Override', onsubmit: (event) => {
      event.preventDefault();
      set(report.client, editor);
    } }, ...fields, element('div', { class: 'buttons' }, element('button', { type: 'submit', class: 'main' }, 'Set override'),
      ...(isSet ? [element('button', { type: 'button', onclick: () => clear(report.client) }, 'Remove override')] : [])));
    return element('details', { class: 'card', open: isSet }, element('summary', {}, 'Override for this client'),
      element('p', { class: 'hint' }, 'What is left empty stays the policy’s. A limit is not lifted but set to a number above 0, for counts up to 1000000.'), editor);
  }

  async function set(client, editor) {
    const body = {};
    for (const [member, label] of rows) {
      const text = editor.elements[member].value.trim().replaceAll('_', '');
      if (text === '') continue;
      const isWhole = !isFraction(member);
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
