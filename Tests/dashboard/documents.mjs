// The dashboard's files as the node serves them.

import { readdirSync, readFileSync } from 'node:fs';

export const folder = new URL('../../Sources/WasmnetAdmin/Dashboard/', import.meta.url);

const types = {
  html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml',
};

/** The policy with which AdminDocument serves each. */
export const contentSecurityPolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The served files; the package.json beside them is for Node, which runs the tests. */
export const names = readdirSync(folder).filter((name) => name !== 'package.json');

/** By path: `{ type, bytes }`; dashboard.html is at `/`. */
export function documents() {
  return new Map(names.map((name) => [
    name === 'dashboard.html' ? '/' : `/${name}`, { type: types[name.split('.').at(-1)], bytes: readFileSync(new URL(name, folder)) },
  ]));
}
