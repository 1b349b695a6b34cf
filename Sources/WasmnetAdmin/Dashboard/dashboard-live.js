// The lists of live sessions and sockets.

import { call, path } from './dashboard-api.js';
import { byID } from './dashboard-dom.js';
import { bytes, count, duration, exact, visible, words } from './dashboard-format.js';
import { ask, PagedList } from './dashboard-pages.js';
import { address } from './dashboard-router.js';

const common = [
  { label: 'Age', kind: 'number', text: (item) => duration(item.age_seconds), title: (item) => `${exact(item.age_seconds)} s` },
  { label: 'Up', kind: 'number', text: (item) => bytes(item.bytes_up), title: (item) => `${exact(item.bytes_up)} bytes` },
  { label: 'Down', kind: 'number', text: (item) => bytes(item.bytes_down), title: (item) => `${exact(item.bytes_down)} bytes` },
];
const client = {
  label: 'Client', kind: 'name', text: (item) => item.client, link: (item) => address('quota', { client: item.client }),
};
const state = { label: 'State', kind: 'state', text: (item) => words(item.state), mark: (item) => item.state };

/** A list with its filter form; the URL contains the filter. */
class LiveList {
  #form;
  #name;

  constructor(name, options) {
    this.#name = name;
    this.#form = byID(`${name}-filter`);
    this.list = new PagedList({ place: byID(`${name}-list`), path: `/v1/${name}`, ...options });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#filter(Object.fromEntries([...new FormData(this.#form)].map(([field, value]) => [field, value.trim()])));
    });
    this.#form.addEventListener('reset', (event) => {
      event.preventDefault();
      this.#filter({});
    });
  }

  #filter(query) {
    const wanted = address(this.#name, query);
    // A repeated request reads it again.
    if (location.hash === wanted) this.show(query);
    else location.hash = wanted;
  }

  show(parameters) {
    const query = {};
    for (const field of this.#form.elements) {
      if (!field.name) continue;
      field.value = parameters[field.name] ?? '';
      query[field.name] = field.value;
    }
    this.list.show(query);
  }

  hide() {
    this.list.hide();
  }
}

const endsToo = (sockets) =>
  sockets === 0 ? '' : sockets === 1 ? 'Its socket ends with it. ' : `Its ${count(sockets)} sockets end with it. `;

async function end(list, question, target) {
  if (!(await ask(question))) return;
  try {
    await call('DELETE', target);
  } catch (error) {
    // It ended by itself meanwhile, which is the intended result.
    if (error.status !== 404) await ask({ title: 'It could not be ended', text: error.message, yes: 'Close' });
  }
  list.load();
}

export function sessions() {
  const live = new LiveList('sessions', {
    caption: 'Sessions', key: (item) => item.id, empty: 'There are no sessions.', emptyFiltered: 'No session is like that.',
    columns: [
      { label: 'Session', kind: 'name', text: (item) => item.id, link: (item) => address('sockets', { session: item.id }) },
      client,
      { label: 'From', kind: 'name place', text: (item) => item.remote_address },
      { label: 'Protocol', text: (item) => visible(item.protocol) },
      state,
      { label: 'Sockets', kind: 'number', text: (item) => count(item.sockets), title: (item) => exact(item.sockets) },
      ...common,
      {
        label: 'Actions',
        actions: [{
          label: 'End', kind: 'small', name: (item) => `End session ${visible(item.id)}`,
          run: (item) => end(live.list, {
            title: 'End this session?', text: `${endsToo(item.sockets)}The page may connect again.`,
            subject: visible(`${item.id} of ${item.client}`), yes: 'End session',
          }, path('/v1/sessions', item.id)),
        }],
      },
    ],
  });
  return live;
}

export function sockets() {
  const live = new LiveList('sockets', {
    caption: 'Sockets', key: (item) => JSON.stringify([item.session, item.id]), empty: 'There are no sockets.',
    emptyFiltered: 'No socket is like that.',
    columns: [
      { label: 'Destination', kind: 'name place', text: (item) => item.destination ?? '–' },
      { label: 'Address', kind: 'name place', text: (item) => item.address ?? '–' },
      { label: 'Kind', text: (item) => visible(item.kind) },
      state,
      client,
      {
        label: 'Session, id', kind: 'name', text: (item) => `${item.session}, ${item.id}`,
        link: (item) => address('sockets', { session: item.session }),
      },
      ...common,
      {
        label: 'Actions',
        actions: [{
          label: 'End', kind: 'small',
          name: (item) => `End socket ${visible(item.id)} of session ${visible(item.session)}`,
          run: (item) => end(live.list, {
            title: 'End this socket?', text: 'Bytes on their way are lost. The page may open it again.',
            subject: visible(`${item.destination ?? item.kind} of ${item.client}`), yes: 'End socket',
          }, path('/v1/sockets', item.session, item.id)),
        }],
      },
    ],
  });
  return live;
}
