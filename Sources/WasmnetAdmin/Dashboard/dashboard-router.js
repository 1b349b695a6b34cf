// The visible part, kept in the URL: `#sockets?client=…`.

import { byID } from './dashboard-dom.js';

/** The part and its parameters in a URL's hash. */
export function parse(hash) {
  const [name, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  return { name, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The hash of a part with parameters; empty ones are left out. */
export function address(name, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  return query.size > 0 ? `#${name}?${query}` : `#${name}`;
}

export class Router {
  #shown = null;

  /** - views: by name, each `{ show(parameters), hide() }`, both optional. The first is shown for an unknown URL. */
  constructor(views) {
    this.views = views;
    addEventListener('hashchange', () => this.go(true));
  }

  /** Shows the part in the URL. - isMove: whether the reader navigated there; then the focus follows. */
  go(isMove = false) {
    const asked = parse(location.hash);
    const names = Object.keys(this.views);
    const name = names.includes(asked.name) ? asked.name : names[0];
    const isOther = name !== this.#shown;
    if (isOther && this.#shown) this.views[this.#shown].hide?.();
    this.#shown = name;
    for (const other of names) {
      byID(`view-${other}`).hidden = other !== name;
      const link = byID('parts').querySelector(`a[href="#${other}"]`);
      if (other === name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (isMove && isOther) {
      scrollTo(0, 0);
      byID(`title-${name}`).focus({ preventScroll: true });
    }
    this.views[name].show?.(asked.parameters);
  }
}
