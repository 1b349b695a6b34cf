// A list of the API shown page by page, refreshed while it is visible.

import { call } from './dashboard-api.js';
import { byID, element, say, setText } from './dashboard-dom.js';
import { clock } from './dashboard-format.js';
import { Table } from './dashboard-table.js';

/** Milliseconds between two refreshes of a list that updates itself. */
const pace = 5_000;

export class PagedList {
  #cursors = [undefined];
  #query = {};
  #asked = 0;
  #timer = null;
  #isShown = false;
  #previous = element('button', { type: 'button', onclick: () => this.#turn(-1) }, 'Previous');
  #next = element('button', { type: 'button', onclick: () => this.#turn(1) }, 'Next');
  #number = element('span', { role: 'status' });
  #when = element('span', { class: 'hint' });
  #problem = element('p', { class: 'problem', role: 'alert' });
  #following = null;

  /**
   * - place: the parent element.
   * - path: the operation's.
   * - limit: items of a page.
   * - empty, emptyFiltered: the texts for an empty list.
   * - loaded: called with each answer.
   */
  constructor({ place, path, limit = 50, caption, columns, key, empty, emptyFiltered = empty, loaded = () => {} }) {
    Object.assign(this, { path, limit, empty, emptyFiltered, loaded });
    this.table = new Table({ caption, columns, key, empty: 'Loading …' });
    this.isFresh = element('input', { type: 'checkbox', checked: true, onchange: () => this.#plan() });
    place.append(
      element('div', { class: 'bar' },
        element('button', { type: 'button', onclick: () => this.load() }, 'Refresh'),
        element('label', { class: 'tick' }, this.isFresh, element('span', {}, 'every 5 s')), this.#when),
      this.#problem, this.table.node,
      element('nav', { class: 'bar', 'aria-label': `Pages of ${caption}` }, this.#previous, this.#number, this.#next));
    document.addEventListener('visibilitychange', () => this.#plan());
    this.#writePages();
  }

  /** Shows the first page of the requested list. */
  show(query = {}) {
    this.#isShown = true;
    this.#query = query;
    this.#cursors = [undefined];
    this.load();
  }

  hide() {
    this.#isShown = false;
    clearTimeout(this.#timer);
  }

  /** Reads the page again. */
  async load() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const page = await call('GET', this.path, { query: { ...this.#query, cursor: this.#cursors.at(-1), limit: this.limit } });
      // Superseded by a later request.
      if (asked !== this.#asked) return;
      if (page.items.length === 0 && this.#cursors.length > 1) {
        // The items of this page are gone.
        this.#cursors.pop();
        this.load();
        return;
      }
      this.#following = page.next ?? null;
      const isFiltered = Object.values(this.#query).some((value) => value);
      this.table.emptyText = isFiltered ? this.emptyFiltered : this.empty;
      this.table.show(page.items);
      this.loaded(page);
      say(this.#problem, '');
      setText(this.#when, `as of ${clock(Date.now())}`);
    } catch (error) {
      if (asked !== this.#asked) return;
      say(this.#problem, error.message, true);
    }
    this.#writePages();
    this.#plan();
  }

  #turn(step) {
    if (step > 0 && this.#following !== null) this.#cursors.push(this.#following);
    else if (step < 0 && this.#cursors.length > 1) this.#cursors.pop();
    this.load();
  }

  #writePages() {
    const isOne = this.#cursors.length === 1 && this.#following === null;
    this.#previous.parentElement.hidden = isOne;
    this.#previous.disabled = this.#cursors.length === 1;
    this.#next.disabled = this.#following === null;
    setText(this.#number, `Page ${this.#cursors.length}`);
  }

  #plan() {
    clearTimeout(this.#timer);
    const isWanted = this.#isShown && this.isFresh.checked && document.visibilityState === 'visible';
    if (isWanted) this.#timer = setTimeout(() => this.load(), pace);
  }
}

/** Asks for confirmation of an irreversible action: resolves to the answer. `subject` is untrusted text, or empty. */
export function ask({ title, text, subject = '', yes }) {
  const dialog = byID('ask');
  setText(byID('ask-title'), title);
  setText(byID('ask-text'), text);
  setText(byID('ask-subject'), subject);
  byID('ask-subject').hidden = subject === '';
  setText(byID('ask-yes'), yes);
  return new Promise((resolve) => {
    const end = (answer) => {
      byID('ask-yes').onclick = null;
      byID('ask-no').onclick = null;
      dialog.oncancel = null;
      if (dialog.open) dialog.close();
      resolve(answer);
    };
    byID('ask-yes').onclick = () => end(true);
    byID('ask-no').onclick = () => end(false);
    // Escape means no; its `close` event would be late and reach the next question.
    dialog.oncancel = () => end(false);
    dialog.showModal();
    byID('ask-no').focus();
  });
}
