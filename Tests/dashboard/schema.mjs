// The part of JSON Schema that openapi.json uses.

import { readFileSync } from 'node:fs';

const file = new URL('../../Sources/WasmnetAdmin/openapi.json', import.meta.url);
export const openAPI = JSON.parse(readFileSync(file, 'utf8'));

const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

const matches = {
  integer: (value) => Number.isInteger(value), number: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string', boolean: (value) => typeof value === 'boolean',
  object: (value) => typeOf(value) === 'object', array: Array.isArray,
};

/** The errors of a value, each with its place; empty: none. */
export function problems(schema, value, place = '$') {
  if (schema.$ref) return problems(openAPI.components.schemas[schema.$ref.split('/').at(-1)], value, place);
  if (schema.oneOf) {
    const fitting = schema.oneOf.filter((one) => problems(one, value, place).length === 0);
    return fitting.length === 1 ? [] : [`${place}: ${fitting.length} of the schemas fit`];
  }
  if (schema.type && !matches[schema.type](value)) return [`${place}: ${schema.type}, not ${typeOf(value)}`];
  const found = [];
  if (schema.enum && !schema.enum.includes(value)) found.push(`${place}: none of ${schema.enum}`);
  if (value < schema.minimum) found.push(`${place}: below ${schema.minimum}`);
  if (value > schema.maximum) found.push(`${place}: above ${schema.maximum}`);
  if (schema.type === 'array') {
    if (value.length < (schema.minItems ?? 0)) found.push(`${place}: too few`);
    value.forEach((item, index) => found.push(...problems(schema.items, item, `${place}[${index}]`)));
  }
  if (schema.type === 'object') {
    const known = schema.properties ?? {};
    if (Object.keys(value).length < (schema.minProperties ?? 0)) found.push(`${place}: too few members`);
    for (const name of schema.required ?? []) if (!Object.hasOwn(value, name)) found.push(`${place}.${name}: missing`);
    for (const [name, member] of Object.entries(value)) {
      const own = Object.hasOwn(known, name) ? known[name] : schema.additionalProperties;
      if (own === false) found.push(`${place}.${name}: unknown`);
      else if (own) found.push(...problems(own, member, `${place}.${name}`));
    }
  }
  return found;
}

/** The operation of a request, with its decoded path parameters; null if there is none. */
export function operation(method, path) {
  const segments = path.split('/');
  for (const [pattern, methods] of Object.entries(openAPI.paths)) {
    const wanted = pattern.split('/');
    if (wanted.length !== segments.length) continue;
    const names = [];
    const fits = wanted.every((part, index) => {
      if (part.startsWith('{')) return names.push(decodeURIComponent(segments[index])) && segments[index] !== '';
      return part === segments[index];
    });
    if (fits && methods[method.toLowerCase()]) return { id: methods[method.toLowerCase()].operationId, names, ...methods[method.toLowerCase()] };
  }
  return null;
}
