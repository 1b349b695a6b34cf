// Which part is shown, kept in the address: `#sockets?client=…`.

import { byID } from './dashboard-dom.js';

/** The part and its parameters that an address's hash names. */
export function parse(hash) {
  const [name, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  return { name, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The hash of a part with parameters; those that are empty are left out. */
export function address(name, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  return query.size > 0 ? `#${name}?${query}` : `#${name}`;
}

export class Router {
  #shown = null;

  /** - views: by name, each `{ show(parameters), hide() }`, both optional. The first is where an unknown address leads. */
  constructor(views) {
    this.views = views;
    addEventListener('hashchange', () => this.go(true));
  }

  /** Shows what the address names. - isMove: whether the reader went there, whose focus then follows. */
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
