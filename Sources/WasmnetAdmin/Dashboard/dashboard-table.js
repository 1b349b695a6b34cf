// Tables whose rows stay in place while their cells change, so that focus and selection survive an update.

import { element, setAttribute, setText } from './dashboard-dom.js';
import { visible } from './dashboard-format.js';

/**
 * A table of items.
 * - columns: `{ label, text(item), kind, title(item), link(item), mark(item) }` with the kind `name` (`name place` for addresses)
 *   for untrusted texts, `number`, or `state`; `link` returns a `#…` URL, `mark` a name for the style sheet. An
 *   `actions` column is `{ label, actions: [{ label, name(item), run(item), kind }] }`
 *   where `name` describes the button's object for a screen reader.
 * - key: an item's identity.
 * - stacks: whether a row becomes a card on a phone.
 */
export class Table {
  #rows = new Map();
  #body = element('tbody', { role: 'rowgroup' });
  #empty;

  constructor({ caption, columns, key, empty, stacks = true }) {
    this.columns = columns;
    this.key = key;
    // Roles are explicit: a table laid out as cards on a phone loses its own.
    const head = columns.map(({ label, kind, actions }) =>
      element('th', { scope: 'col', role: 'columnheader', class: kind === 'number' ? 'number' : undefined },
        actions ? element('span', { class: 'unseen' }, label) : label));
    this.table = element('table', { role: 'table' },
      element('caption', { class: 'unseen' }, caption),
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head)), this.#body);
    this.#empty = element('p', { class: 'empty' }, empty);
    this.node = element('div', { class: stacks ? 'table stacks' : 'table' }, this.table, this.#empty);
    this.show([]);
  }

  /** Shows these items in their order. */
  show(items) {
    const wanted = new Map(items.map((item) => [this.key(item), item]));
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.node.remove();
      this.#rows.delete(key);
    }
    let place = this.#body.firstElementChild;
    for (const [key, item] of wanted) {
      let row = this.#rows.get(key);
      if (!row) {
        row = this.#row();
        this.#rows.set(key, row);
      }
      row.update(item);
      if (row.node === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row.node, place);
    }
    this.table.hidden = items.length === 0;
    this.#empty.hidden = items.length > 0;
  }

  set emptyText(text) {
    setText(this.#empty, text);
  }

  #row() {
    let current = null;
    const cells = this.columns.map((column) => {
      const cell = column.actions ? actionsCell(column, () => current) : dataCell(column);
      cell.node.dataset.label = column.label;
      return cell;
    });
    const node = element('tr', { role: 'row' }, ...cells.map((cell) => cell.node));
    return {
      node,
      update: (item) => {
        current = item;
        for (const cell of cells) cell.update(item);
      },
    };
  }
}

function dataCell({ text, kind, title, link, mark }) {
  const isName = kind?.startsWith('name') ?? false;
  // A name must not change the text direction of its surroundings.
  const holder = element('bdi', { class: isName ? 'clip' : undefined });
  const outer = link ? element('a', {}, holder) : holder;
  const node = element('td', { role: 'cell', class: kind }, outer);
  return {
    node,
    update: (item) => {
      const shown = isName ? visible(text(item)) : text(item);
      setText(holder, shown);
      if (title) setAttribute(node, 'title', title(item));
      else if (isName) setAttribute(node, 'title', shown.length > 40 ? shown : null);
      if (link) setAttribute(outer, 'href', link(item));
      if (mark) setAttribute(node, 'data-mark', mark(item));
    },
  };
}

function actionsCell({ actions }, current) {
  const buttons = actions.map(({ label, run, kind }) =>
    element('button', { type: 'button', class: kind ?? 'small', onclick: () => run(current()) }, label));
  return {
    node: element('td', { role: 'cell', class: 'actions' }, ...buttons),
    update: (item) => actions.forEach(({ name }, index) => setAttribute(buttons[index], 'aria-label', name(item))),
  };
}
