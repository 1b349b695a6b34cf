// The tables of the overview: the cluster's nodes, and events by reason.

import { element } from './dashboard-dom.js';
import { count, exact, rate, words } from './dashboard-format.js';
import { Table } from './dashboard-table.js';

/** The nodes of the cluster; this one and those that lag are marked. */
export function nodesTable(place) {
  let own = '';
  let newest = 0;
  const table = new Table({
    caption: 'Nodes of the cluster', key: (node) => node.name, empty: 'This node knows of no others.',
    columns: [
      { label: 'Node', kind: 'name', text: (node) => node.name, mark: (node) => (node.name === own ? 'own' : null) },
      { label: 'Sessions', kind: 'number', text: (node) => count(node.sessions), title: (node) => exact(node.sessions) },
      { label: 'Sockets', kind: 'number', text: (node) => count(node.sockets), title: (node) => exact(node.sockets) },
      {
        label: 'Denylist', kind: 'number',
        text: (node) => `v${exact(node.denylist_version)}${node.denylist_version < newest ? ' behind' : ''}`,
        mark: (node) => (node.denylist_version < newest ? 'behind' : null),
      },
      {
        label: 'State', kind: 'state', text: (node) => (node.is_draining ? 'draining' : 'open'),
        mark: (node) => (node.is_draining ? 'draining' : 'open'),
      },
    ],
  });
  place.append(table.node);
  return (snapshot) => {
    own = snapshot.node;
    const nodes = [...(snapshot.nodes ?? [])].sort((left, right) => (left.name < right.name ? -1 : 1));
    newest = Math.max(0, ...nodes.map((node) => node.denylist_version));
    table.show(nodes);
  };
}

const groups = [
  ['opens', 'Opens', 'No socket was asked for yet.'], ['denials', 'Denials', 'Nothing was denied yet.'],
  ['closes', 'Closes', 'No socket has ended yet.'], ['refusals', 'Quota refusals', 'No limit refused anything yet.'],
];

/** A table for each group of counters: total, and current rate. */
export function reasonTables(place) {
  const tables = groups.map(([group, title, empty]) => {
    const table = new Table({
      caption: `${title} by reason`, key: (row) => row.name, empty, stacks: false,
      columns: [
        { label: title, text: (row) => words(row.name) },
        { label: 'In all', kind: 'number', text: (row) => count(row.total), title: (row) => exact(row.total) },
        { label: 'Now', kind: 'number', text: (row) => rate(row.rate) },
      ],
    });
    place.append(element('div', { class: 'card' }, table.node));
    return [group, table];
  });
  return (history) => {
    for (const [group, table] of tables) {
      const rows = Object.entries(history.last?.groups?.[group] ?? {}).map(([name, total]) =>
        ({ name, total, rate: history.value(`groups.${group}.${name}`) }));
      table.show(rows.sort((left, right) => right.total - left.total || (left.name < right.name ? -1 : 1)));
    }
  };
}
